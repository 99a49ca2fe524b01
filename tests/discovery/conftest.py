"""An installation with the real catalogue, and surroundings whose packets are in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.discovery.addresses import Addresses
from tests.contract.inside import Inside, inside
from tests.discovery.packets import FakeSurroundings
from tests.engines import Clock

PUBLIC = "prov.example"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path, public_host=PUBLIC, phones_bind="0.0.0.0:8080", trusted_networks="192.168.0.0/16") as made:
        yield made


@pytest.fixture
def timer() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def around(own: Inside, timer: Clock) -> Iterator[FakeSurroundings]:
    made = FakeSurroundings(own.installation.catalogue, may_capture=True, chosen=["lo", "eth0"], clock=own.clock, timer=timer)
    yield made
    for packets in made.made:
        packets.close()


@pytest.fixture
def addresses(own: Inside, timer: Clock) -> Addresses:
    return Addresses(own.installation.settings, own.installation.store, own.clock, timer)

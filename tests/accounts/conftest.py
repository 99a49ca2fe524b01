"""An installation with a user, and clocks that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.accounts import Accounts, SignedIn
from provisioner.wiring import Installation
from tests.engines import Clock
from tests.installations import timed_installation

PASSWORD = "correct horse battery"
HERE = "192.0.2.10"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def installation(tmp_path: Path, clock: Clock) -> Iterator[Installation]:
    with timed_installation(tmp_path, clock) as fresh:
        fresh.changes.create_user("tests", "alice", {"role": "technician", "password": PASSWORD})
        yield fresh


@pytest.fixture
def accounts(installation: Installation, clock: Clock) -> Accounts:
    return Accounts(installation.store, installation.changes, installation.settings, monotonic=clock)


def signed_in(accounts: Accounts, name: str = "alice", address: str = HERE) -> SignedIn:
    result = accounts.sign_in(name, PASSWORD, "", address, "tests")
    assert isinstance(result, SignedIn), result
    return result

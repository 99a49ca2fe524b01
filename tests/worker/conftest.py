"""Each test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest

from provisioner.wiring import Installation
from tests.engines import Clock, World, changes, clock, database_url, empty_url, installation, store  # noqa: F401 - fixtures


@pytest.fixture
def world(installation: Installation, clock: Clock) -> World:  # noqa: F811 - a fixture takes fixtures by name
    return World(installation, clock)

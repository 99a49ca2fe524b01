"""The real Asterisk that is installed for all tests: each test has an instance of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pbx_sync.asterisk.instance import Instance
from pbx_sync.asterisk.program import Program
from tests.asterisk.running import fresh_instance


@pytest.fixture
def asterisk(asterisk_program: Program) -> Iterator[Instance]:
    """A fresh Asterisk that runs on free loopback ports."""
    with fresh_instance(asterisk_program) as instance:
        yield instance


@pytest.fixture(scope="module")
def shared_asterisk(asterisk_program: Program) -> Iterator[Instance]:
    """One running Asterisk for all tests of a module: each uses numbers of its own."""
    with fresh_instance(asterisk_program) as instance:
        yield instance

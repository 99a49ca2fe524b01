"""The real Asterisk for tests: installed once into ``build/``, which ``make clean`` takes away; each test has an instance of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx_sync.asterisk.install import install_asterisk
from pbx_sync.asterisk.instance import Instance
from pbx_sync.asterisk.program import Program
from tests.asterisk.running import fresh_instance

BUILD = Path(__file__).parents[2] / "build" / "asterisk"


@pytest.fixture(scope="session")
def asterisk_program() -> Program:
    """The private Asterisk; the first test run fetches it, later ones find it. Workers of one run wait for each other."""
    return install_asterisk(BUILD, lambda what, share: None)


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

"""What all tests share: the catalogue, loaded once, the real Asterisk, installed once, and a ban on sockets beyond loopback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pbx_sync.asterisk.install import install_asterisk
from pbx_sync.asterisk.program import Program
from provisioner.catalog import load_catalogue
from provisioner.core.catalogue import Catalogue
from tests.engines import postgres_server, postgres_template, sqlite_template, toy, toy_folder  # noqa: F401 - one a session

CASES = Path(__file__).parent / "cases"
BUILD = Path(__file__).parents[1] / "build" / "asterisk"
"""``make clean`` takes it away."""


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="session")
def asterisk_program() -> Program:
    """The private Asterisk; the first test run fetches it, later ones find it. Workers of one run wait for each other."""
    return install_asterisk(BUILD, lambda what, share: None)


def load_cases(name: str) -> list[dict]:
    """Returns the recorded cases of one file, for ``pytest.mark.parametrize``."""
    return json.loads((CASES / f"{name}.json").read_text("utf-8"))["cases"]

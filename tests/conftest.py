"""What all tests share: the catalogue, loaded once, and a ban on sockets beyond loopback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.catalog import load_catalogue
from provisioner.core.catalogue import Catalogue
from tests.engines import postgres_server, postgres_template, sqlite_template, toy, toy_folder  # noqa: F401 - one a session

CASES = Path(__file__).parent / "cases"


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


def load_cases(name: str) -> list[dict]:
    """Returns the recorded cases of one file, for ``pytest.mark.parametrize``."""
    return json.loads((CASES / f"{name}.json").read_text("utf-8"))["cases"]

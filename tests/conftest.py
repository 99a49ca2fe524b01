"""What all tests share: the catalogue, loaded once, the real Asterisk, installed once, and how property tests are run."""

from __future__ import annotations

import gc
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pbx_sync.asterisk.install import install_asterisk
from pbx_sync.asterisk.program import Program
from provisioner.core.catalogue import Catalogue
from tests.again import pytest_sessionfinish
from tests.engines import postgres_databases, postgres_server, postgres_template, sqlite_template, toy, toy_folder
from tests.installations import shared_catalogue
from tests.order import pytest_addoption, pytest_collection_modifyitems, pytest_configure

__all__ = [
    "postgres_databases", "postgres_server", "postgres_template", "pytest_addoption", "pytest_collection_modifyitems", "pytest_configure", "pytest_sessionfinish",
    "sqlite_template", "toy", "toy_folder",
]  # fmt: skip
"""Fixtures, one of each a session, and hooks of pytest that live elsewhere."""
_MASTER = re.compile(r"/(?:[0-9a-f]{2}[:\-]?){5}[0-9a-f]{2}\.cfg$|/(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}\.cfg$", re.IGNORECASE)
CASES = Path(__file__).parent / "cases"
BUILD = Path(__file__).parents[1] / "build" / "asterisk"
"""``make clean`` takes it away."""

# How long an example takes says nothing on a machine that runs other tests beside it.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


def pytest_collection_finish() -> None:
    """Takes what was collected and loaded out of the collector's sight: it stays to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return shared_catalogue()


@pytest.fixture(scope="session")
def asterisk_program() -> Program:
    """The private Asterisk; the first test run fetches it, later ones find it. Workers of one run wait for each other."""
    return install_asterisk(BUILD, lambda what, share: None)


def load_cases(name: str) -> list[dict]:
    """Returns the recorded cases of one file, and after them our own of the same shape (``own/``), for ``pytest.mark.parametrize``.

    Another file of the same shape may stand in the place of either: tests go by what a case says, and name ids only to differ from one.
    """
    files = [path for path in (CASES / f"{name}.json", CASES / "own" / f"{name}.json") if path.exists()]
    return [case for path in files for case in json.loads(path.read_text("utf-8"))["cases"]]


def is_master_name(path: str) -> bool:
    """Returns whether a path of a Polycom phone ends in its MAC and ``.cfg``, however spelled: here that is its master file.

    Some servers give such a phone all its settings under this name, and their cases say so.
    """
    return bool(_MASTER.search(path))

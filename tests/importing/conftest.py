"""Installations with the real catalogue, for files of other systems to be read into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.wiring import Installation
from tests.installations import REAL, fresh_installation


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Installation]:
    """One of the test's own."""
    with fresh_installation(tmp_path, catalogue_dir=REAL) as made:
        yield made


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One for all tests that write nothing."""
    with fresh_installation(tmp_path_factory.mktemp("untouched"), catalogue_dir=REAL) as made:
        yield made

"""What an installation is put together of, where that is not plain from its use."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner import wiring
from provisioner.catalog import load_catalogue
from provisioner.settings import load_settings
from tests.installations import toy_catalogue


def test_parts_take_the_catalogue_that_their_parent_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "_shared", {})
    folder = toy_catalogue(tmp_path / "catalogue")
    settings = load_settings({"PROVISIONER_DATA_DIR": str(tmp_path / "data"), "PROVISIONER_CATALOGUE_DIR": str(folder)})
    parent = load_catalogue(folder)
    wiring.share_catalogue(parent, folder)
    child = wiring.open_installation(settings, create=True)
    assert child.catalogue is parent
    child.database.dispose()


def test_a_catalogue_elsewhere_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "_shared", {})
    folder, other = toy_catalogue(tmp_path / "catalogue"), toy_catalogue(tmp_path / "other")
    wiring.share_catalogue(load_catalogue(other), other)
    settings = load_settings({"PROVISIONER_DATA_DIR": str(tmp_path / "data"), "PROVISIONER_CATALOGUE_DIR": str(folder)})
    installation = wiring.open_installation(settings, create=True)
    assert installation.catalogue is not wiring._shared[other]
    installation.database.dispose()

"""A toy catalogue as it is shipped, and a folder of one's own beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.overlay import OverlayPlace
from tests.installations import copy_toy

DEVICE = "acme/templates/device.acme.j2"


@pytest.fixture
def place(tmp_path: Path) -> OverlayPlace:
    copy_toy(tmp_path / "shipped")
    (tmp_path / "var").mkdir()
    return OverlayPlace(tmp_path / "shipped", tmp_path / "own", tmp_path / "var" / "catalogue.kept", "1.0")


def own(place: OverlayPlace, name: str, text: str) -> Path:
    """Writes a file of one's own, as an editor would."""
    assert place.own is not None
    path = place.own / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def shipped(place: OverlayPlace, name: str) -> str:
    return (place.shipped / name).read_text("utf-8")

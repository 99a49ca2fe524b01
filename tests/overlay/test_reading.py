"""What of a folder is read, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner.errors import InputError
from provisioner.overlay import OverlayPlace, reading
from provisioner.overlay.reading import checked_name, read_overlay
from tests.overlay.conftest import DEVICE, own


def test_what_differs_is_read_and_the_rest_left(place: OverlayPlace) -> None:
    for name in (
        DEVICE,
        "acme/models/a9.toml",
        "settings.toml",
        "acme/.vendor.toml.swp",
        ".git/config",
        f"{DEVICE}.merged",
        "acme/notes.doc",
    ):
        own(place, name, name)
    assert place.own is not None
    found = read_overlay(place.own)
    assert found.files == {name: name.encode() for name in (DEVICE, "acme/models/a9.toml", "settings.toml")}
    assert found.warnings == [f"{place.own}/acme/notes.doc: nothing reads a file of this name"]
    assert found.refused == []


@pytest.mark.parametrize(
    "name",
    ["../shipped/settings.toml", "/etc/passwd", "acme/../settings.toml", "acme/templates/../../x.j2", "acme/templates/x.j2\n", "acme/.hidden.toml", "", "acme", "acme/templates/sub/x.j2", "Acme/vendor.toml", "acme/templates/.j2"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="is no file that the catalogue reads"):
        checked_name(name)


def link(to: str) -> Callable[[Path], None]:
    def plant(path: Path) -> None:
        path.symlink_to(to)

    return plant


def large(path: Path) -> None:
    path.write_bytes(b"#" * (reading.MAX_FILE_BYTES + 1))


REFUSED = [
    ("a link out of the folder", link("/etc/hostname"), "is a link that leads out of"),
    ("a link out of it by dots", link("../../../secret"), "is a link that leads out of"),
    ("a link to a folder", link("."), "is a link to a folder"),
    ("a link to nothing", link("gone"), "cannot be read: No such file"),
    ("a pipe", os.mkfifo, "is no file"),
    ("a file that is too large", large, "has more than 1 MB"),
]


@pytest.mark.parametrize(("plant", "sentence"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_not_a_file_of_the_folder_is_refused(place: OverlayPlace, plant: Callable[[Path], None], sentence: str) -> None:
    assert place.own is not None
    (place.own.parent / "secret").write_text("secret", "utf-8")
    (place.own / "acme/templates").mkdir(parents=True)
    plant(place.own / DEVICE)
    found = read_overlay(place.own)
    assert found.files == {}
    [refused] = found.refused
    assert refused.startswith(f"{place.own / DEVICE}:1: ")
    assert sentence in refused


def test_link_within_the_folder_is_read(place: OverlayPlace) -> None:
    target = own(place, "acme/templates/shared.j2", "fine")
    assert place.own is not None
    (place.own / DEVICE).symlink_to(target.name)
    assert read_overlay(place.own).files[DEVICE] == b"fine"


def test_folder_named_by_mistake_is_not_read_whole(place: OverlayPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_FILES", 3)
    for at in range(5):
        own(place, f"acme/models/m{at}.toml", "")
    assert place.own is not None
    found = read_overlay(place.own)
    assert len(found.files) == 3
    assert "holds more than 3 files" in found.refused[0]


def test_what_others_can_write_is_told(place: OverlayPlace) -> None:
    path = own(place, DEVICE, "x")
    path.chmod(0o666)
    assert place.own is not None
    assert read_overlay(place.own).warnings == [f"{path}: every user of this machine can change what phones get: chmod o-w {path}"]

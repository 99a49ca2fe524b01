"""What the overview says of files of one's own over the catalogue."""

from __future__ import annotations

from pathlib import Path

from provisioner.overlay import OverlayPlace, take
from provisioner.wiring import Installation
from tests.installations import copy_toy
from tests.web.conftest import Person, words_in

DEVICE = "acme/templates/device.acme.j2"


def test_refusal_and_upgrade_are_told(admin: Person, installation: Installation) -> None:
    place = OverlayPlace.of(installation.settings)
    if not place.shipped.is_dir():
        copy_toy(place.shipped)
    assert place.own is not None
    own = place.own / DEVICE
    own.parent.mkdir(parents=True)
    shipped = Path(place.shipped / DEVICE)
    own.write_text(shipped.read_text("utf-8") + "# mine\n", "utf-8")
    assert take(place, "ann", 1.0, "apply").mistakes == ()
    quiet = words_in(admin.get("/"))
    assert "of your own" not in quiet
    shipped.write_text(shipped.read_text("utf-8") + "# new\n", "utf-8")
    words = words_in(admin.get("/"))
    assert "1 file of your own is older than the file of the catalogue that it stands for." in words
    assert f"{DEVICE} was changed in release" in words
    own.write_text("{% if %}", "utf-8")
    assert take(place, "ann", 2.0, "start").mistakes
    words = words_in(admin.get("/"))
    assert "Files of your own over the catalogue were refused; those used before are served." in words
    assert "Expected an expression" in words
    installation.changes.note_catalogue_applied("user:ann", {}, {DEVICE: "version 1"})
    assert f"Took into use {DEVICE}" in words_in(admin.get("/changes"))

"""The doctor's checks of files of one's own over the catalogue: in use or refused, overtaken by an upgrade, open to others. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from provisioner.commands.findings import Finding, failure, fine, warning
from provisioner.settings import Settings

if TYPE_CHECKING:
    from provisioner.core.catalogue import Catalogue

NAME = "own files"


def overlay_findings(settings: Settings, catalogue: Catalogue | None) -> Iterator[Finding]:
    """Yields what there is to say of files of one's own; nothing where there are none."""
    from provisioner.overlay import OverlayPlace, own_files
    from provisioner.overlay.reading import read_overlay

    place = OverlayPlace.of(settings)
    if place.own is None or not (place.own.is_dir() or place.kept.is_dir()):
        return
    files, state = own_files(place), place.state()
    for vendor, why in catalogue.withheld.items() if catalogue else ():
        yield failure(f"catalogue {vendor}", why, "mend the file, or 'provisioner catalogue drop' it, then 'provisioner catalogue apply'")
    for mistake in state.trouble[:1]:
        yield failure(
            NAME, f"refused as they are on disk: {mistake}", "'provisioner check' lists every mistake; what was in use before is served"
        )
    for sentence in read_overlay(place.own).warnings:
        yield warning(NAME, sentence, "whoever can write there decides what phones get")
    for file in files:
        if file.notice:
            yield warning(NAME, file.notice, f"'provisioner catalogue merge {file.path}' brings both together")
        elif file.is_edited and not state.trouble:
            yield warning(
                NAME, f"{file.path} is not in use as it is on disk", "'provisioner catalogue try', then 'provisioner catalogue apply'"
            )
    yield fine(NAME, f"{len(state.files)} in use, of {place.own}")

"""How each file of one's own stands: against what is in use, and against the shipped file that it began from."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.overlay.place import OverlayPlace
from provisioner.overlay.reading import read_overlay, sha256


@dataclass(frozen=True, slots=True)
class OwnFile:
    """One file of one's own, on disk or in use."""

    path: str
    is_new: bool
    """The shipped catalogue has no file of this path, and had none when this one was made."""
    version: int | None
    """The version in use; None: it is not in use."""
    is_edited: bool
    """What is on disk is not what is in use."""
    base: str
    """The release whose file it began from; empty where none is known."""
    notice: str
    """What an upgrade did to the shipped file since: a sentence, or nothing."""


def own_files(place: OverlayPlace) -> list[OwnFile]:
    """Returns every file of one's own, on disk or in use, by path."""
    if place.own is None:
        return []
    state, on_disk = place.state(), read_overlay(place.own).hashes
    found = []
    for path in sorted(on_disk.keys() | state.files.keys()):
        used, base = state.files.get(path), state.bases.get(path)
        version = next((row.version for row in reversed(state.versions.get(path, [])) if row.sha256 == used), None)
        is_new = base is None and place.shipped_file(path) is None
        found.append(
            OwnFile(
                path,
                is_new,
                version,
                on_disk.get(path) != used,
                base.release if base else "",
                _notice(place, path, base.sha256 if base else None),
            )
        )
    return found


def upgrade_notices(place: OverlayPlace) -> list[str]:
    """Returns a sentence for each shipped file that changed since one's own was made from it."""
    if place.own is None or not (place.own.is_dir() or place.kept.is_dir()):
        return []
    return [file.notice for file in own_files(place) if file.notice]


def why_withheld(place: OverlayPlace, mistake: str) -> str:
    """Returns why phones of a vendor keep the files that they have."""
    return f"your own files do not go with the catalogue of release {place.release}, so its phones keep the files that they have: {mistake}"


def _notice(place: OverlayPlace, path: str, base: str | None) -> str:
    if base is None:
        return ""
    shipped = place.shipped_file(path)
    if shipped is None:
        return f"{path} is not in the catalogue of release {place.release} any more: 'provisioner catalogue diff {path}' shows what it was"
    if sha256(shipped) == base:
        return ""
    return f"{path} was changed in release {place.release} since you took it over: see 'provisioner catalogue diff {path}'"

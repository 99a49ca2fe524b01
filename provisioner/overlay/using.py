"""Which files of one's own are in use, and how a changed overlay comes into use: only as a whole set, and only after it was checked.

Where the set in use does not go with the shipped catalogue any more, the vendors concerned are *withheld*: their phones keep the files
that they have, since shipped templates alone could take them out of their network (docs/adr/0015).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from provisioner.catalog import load_catalogue
from provisioner.catalog.layers import Layers, vendors_of
from provisioner.catalog.proving import template_mistakes
from provisioner.core.catalogue import Catalogue
from provisioner.errors import CatalogueError
from provisioner.overlay.place import Base, OverlayPlace, State
from provisioner.overlay.reading import Overlay, read_overlay, sha256
from provisioner.overlay.standing import why_withheld

log = logging.getLogger("provisioner.overlay")

MOST_MISTAKES = 20
"""Kept of those that a start found."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What taking the overlay into use did. With ``mistakes`` the set that was in use stays."""

    changed: tuple[str, ...]
    mistakes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    """Each file that changed and was in use -> ``version 3``."""
    after: Mapping[str, str] = field(default_factory=dict)


def catalogue_in_use(place: OverlayPlace) -> Catalogue:
    """Returns the catalogue with the files of one's own that are in use. Raises ``CatalogueError`` for the shipped one alone."""
    layers = place.in_use()
    if not layers.own:
        return load_catalogue(place.shipped)
    try:
        return load_catalogue(layers)
    except CatalogueError as error:
        log.error("event=catalogue_overlay_unusable mistakes=%d first='%s'", len(error.mistakes), error.mistakes[0])
        return _withholding(place, layers)


def take(place: OverlayPlace, by: str, at: float, why: str) -> Taken:
    """Takes the overlay into use as it is on disk, where it differs from what is in use and holds no mistake."""
    if place.own is None or (not place.own.is_dir() and not place.state().files):
        return Taken(())
    with place.lock() as state:
        overlay = read_overlay(place.own)
        changed, before = differing(state.files, overlay.hashes), state.versions_in_use()
        mistakes = _refusals(place, overlay)
        set_id = ""
        if changed and not mistakes:
            set_id = place.write_set(overlay.files)
            layers = Layers(place.shipped, {name: place.set_folder(set_id) / name for name in overlay.files})
            mistakes = [_as_edited(line, layers, place.own) for line in mistakes_of(layers, changed)]
        had_trouble = bool(state.trouble)
        if mistakes:
            state.trouble = mistakes[:MOST_MISTAKES]
        elif changed or had_trouble:
            _use(place, state, overlay, set_id, by, at, why)
        if mistakes or changed or had_trouble:
            place.save(state)
        versions = [{name: each[name] for name in changed if name in each} for each in (before, state.versions_in_use())]
        return Taken(tuple(changed), tuple(mistakes), tuple(overlay.warnings), *versions)


def mistakes_of(layers: Layers, changed: Collection[str]) -> list[str]:
    """Returns every mistake of a catalogue of which these files changed, each with file and line."""
    try:
        catalogue = load_catalogue(layers)
    except CatalogueError as error:
        return list(error.mistakes)
    is_shared = any("/" not in name for name in changed)
    vendors = catalogue.vendors.keys() if is_shared else vendors_of(changed) & catalogue.vendors.keys()
    return template_mistakes(layers, catalogue, vendors)


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Returns the names of which the hashes differ, by name."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _refusals(place: OverlayPlace, overlay: Overlay) -> list[str]:
    if place.own is not None and not place.own.is_dir():
        return [f"{place.own}:1: is not there, and files of it are in use: make an empty folder where none shall be used any more"]
    return list(overlay.refused)


def _use(place: OverlayPlace, state: State, overlay: Overlay, set_id: str, by: str, at: float, why: str) -> None:
    """Makes the files read the set in use, notes their versions, and what each began from where that is not known."""
    before = dict(state.files)
    state.trouble = []
    if set_id:
        state.set_id, state.at, state.by, state.files = set_id, at, by, dict(overlay.hashes)
    for name, body in overlay.files.items():
        if before.get(name) != sha256(body):
            state.note(name, place.keep(body), at, by, why)
        shipped = place.shipped_file(name)
        if shipped is not None and name not in state.bases:
            state.bases[name] = Base(place.keep(shipped), place.release, at)


def _as_edited(mistake: str, layers: Layers, own: Path) -> str:
    """Returns a mistake with the file that the person edits in the place of its copy."""
    for name, path in layers.own.items():
        mistake = mistake.replace(f"{path}:", f"{own / name}:")
    return mistake


def _withholding(place: OverlayPlace, layers: Layers) -> Catalogue:
    """Returns the catalogue with the files of those vendors that can be used, and the others withheld."""
    shared = {name: path for name, path in layers.own.items() if "/" not in name}
    broken: dict[str, str] = {}
    for vendor in sorted(vendors_of(layers.own)):
        files = {name: path for name, path in layers.own.items() if name.startswith(f"{vendor}/")}
        try:
            load_catalogue(Layers(place.shipped, {**shared, **files}))
        except CatalogueError as error:
            broken[vendor] = why_withheld(place, error.mistakes[0])
    sound = {name: path for name, path in layers.own.items() if name.partition("/")[0] not in broken}
    try:
        return replace(load_catalogue(Layers(place.shipped, sound)), withheld=broken)
    except CatalogueError as error:  # the tables that all vendors share, or two vendors that do not go together
        catalogue = load_catalogue(place.shipped)
        return replace(catalogue, withheld=dict.fromkeys(catalogue.vendors, why_withheld(place, error.mistakes[0])))

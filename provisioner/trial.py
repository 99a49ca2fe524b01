"""What files of one's own would make of the phones that are listed, before they are taken into use. Reads, and writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from provisioner.catalog import load_catalogue
from provisioner.catalog.layers import Layers, vendors_of
from provisioner.core.catalogue import Catalogue
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer, masked
from provisioner.core.values import RenderedFile
from provisioner.errors import CatalogueError, RenderError
from provisioner.overlay import OverlayPlace, mistakes_of
from provisioner.overlay.editing import unified
from provisioner.overlay.reading import read_overlay
from provisioner.overlay.using import differing
from provisioner.records_rendering import RenderJob
from provisioner.store import CHUNK, Store
from provisioner.wiring import Installation

MOST_PHONES = 2000
"""Rendered in one trial: a few seconds. More are counted."""
MOST_SHOWN = 5
"""Phones whose differences are shown, each of another model."""
NO_PHONE = "files of no phone"


@dataclass
class Trial:
    """What would come of it. ``shown``: what it is of (a MAC, or ``NO_PHONE``) -> differences, secrets masked."""

    files: Sequence[str]
    """Which files differ from what is in use."""
    rendered: int = 0
    changed: int = 0
    left: int = 0
    """Phones beyond ``MOST_PHONES``, which were not rendered."""
    shown: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    models: set[str] = field(default_factory=set)


def tried(installation: Installation, name: str | None, macs: Sequence[Mac]) -> Trial:
    """Returns what the overlay, or one file of it, would change. Raises ``CatalogueError`` for what would be refused, with file and line."""
    place = OverlayPlace.of(installation.settings)
    candidate, files = _candidate(place, name)
    mistakes = mistakes_of(candidate, files) if files else []
    if mistakes:
        raise CatalogueError(mistakes)
    trial = Trial(files)
    if files:
        catalogue = load_catalogue(candidate)
        _try_phones(trial, installation, catalogue, macs)
        _try_shared(trial, installation.catalogue, catalogue)
    return trial


def _candidate(place: OverlayPlace, name: str | None) -> tuple[Layers, list[str]]:
    """Returns the catalogue with what is on disk, of one file or of all, and which files of it are not in use so. Raises ``CatalogueError``."""
    own, state = dict(place.in_use().own), place.state()
    overlay = read_overlay(place.own) if place.own is not None else None
    if overlay is None or place.own is None:
        return Layers(place.shipped), []
    if overlay.refused:
        raise CatalogueError(overlay.refused)
    files = [each for each in differing(state.files, overlay.hashes) if name in (None, each)]
    for each in files:
        if each in overlay.files:
            own[each] = place.own / each
        else:
            del own[each]
    return Layers(place.shipped, own), files


def _try_phones(trial: Trial, installation: Installation, catalogue: Catalogue, macs: Sequence[Mac]) -> None:
    store = installation.store
    then = Store(store.database, store.box, catalogue, base_url=store.base_url, installation=store.installation)
    renderer = Renderer(catalogue)
    wanted = list(macs) or _concerned(store, trial)
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        before = {job.config.mac: job for job in store.render_jobs(chunk)}
        for job in then.render_jobs(chunk):
            trial.rendered += 1
            _try_phone(trial, (installation.renderer, before[job.config.mac]), (renderer, job))


def _concerned(store: Store, trial: Trial) -> list[Mac]:
    """Returns the phones of the vendors whose files differ, and counts those that are too many."""
    vendors = vendors_of(trial.files)
    is_of_all = any("/" not in name for name in trial.files)
    found: list[Mac] = []
    after = ""
    while rows := store.phones(after=after, limit=CHUNK):
        after = str(rows[-1].mac)
        found += [row.mac for row in rows if is_of_all or row.model.partition("/")[0] in vendors]
    trial.left = max(0, len(found) - MOST_PHONES)
    return found[:MOST_PHONES]


def _try_phone(trial: Trial, before: tuple[Renderer, RenderJob], after: tuple[Renderer, RenderJob]) -> None:
    config = after[1].config
    try:
        new = after[0].phone_files(config)
    except RenderError as error:
        trial.failures.append(f"{config.mac.colons}: {error}")
        return
    try:
        old = before[0].phone_files(before[1].config)
    except RenderError:  # its files could not be made so far: all of them are new
        old = []
    if [(file.name, file.sha256) for file in old] == [(file.name, file.sha256) for file in new]:
        return
    trial.changed += 1
    if config.model not in trial.models and len(trial.models) < MOST_SHOWN:
        trial.models.add(config.model)
        catalogues = (before[0].catalogue, after[0].catalogue)
        trial.shown[config.mac.colons] = _difference(old, new, catalogues, {config.model.partition("/")[0]})


def _try_shared(trial: Trial, before: Catalogue, after: Catalogue) -> None:
    """Compares the files that belong to no phone, such as common files of models."""
    try:
        new = Renderer(after).shared_files()
        text = _difference(Renderer(before).shared_files(), new, (before, after), after.vendors.keys())
    except RenderError as error:
        trial.failures.append(str(error))
        return
    if text:
        trial.shown[NO_PHONE] = text


def _difference(
    old: Sequence[RenderedFile], new: Sequence[RenderedFile], catalogues: tuple[Catalogue, Catalogue], vendors: Collection[str]
) -> str:
    """Returns what differs between files, as a unified diff of each, with the secrets masked by what either catalogue knows of them."""

    def text(file: RenderedFile | None) -> str:
        shown = file.body.decode("utf-8") if file else ""
        for catalogue in catalogues:
            for vendor in vendors & catalogue.vendors.keys():
                shown = masked(catalogue.vendors[vendor], shown)
        return shown

    before: Mapping[str, RenderedFile] = {file.name: file for file in old}
    after: Mapping[str, RenderedFile] = {file.name: file for file in new}
    pieces = []
    for name in sorted(before.keys() | after.keys()):
        left, right = before.get(name), after.get(name)
        if left is None or right is None or left.sha256 != right.sha256:
            pieces.append(
                unified(text(left), text(right), name, f"{name} (tried)") or f"{name}: only secrets differ, or the end of the file"
            )
    return "\n".join(pieces)

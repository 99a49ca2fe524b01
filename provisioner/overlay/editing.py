"""Changes files of the overlay on disk: takes one over, puts one back, merges. Nothing here brings anything into use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from provisioner.errors import AlreadyExists, InputError, NotFound, ProvisionerError
from provisioner.overlay.place import Base, OverlayPlace, State, Version
from provisioner.overlay.reading import SIDE_ENDING, checked_name, sha256
from provisioner.overlay.three_way import has_marks, three_way


@dataclass(frozen=True, slots=True)
class Merge:
    """What a merge wrote: where, and how many places a person has to decide. ``path`` None: there was nothing to merge."""

    path: Path | None
    conflicts: int = 0


def override(place: OverlayPlace, name: str, at: float) -> Path:
    """Copies a shipped file into the overlay, and notes what it began from. Raises ``NotFound``, ``AlreadyExists``."""
    target = _target(place, name)
    shipped = _shipped(place, name)
    with place.lock() as state:
        if target.exists():
            raise AlreadyExists({"path": f"{target} is there already: edit it"})
        _write(target, shipped)
        state.bases[name] = Base(place.keep(shipped), place.release, at)
        place.save(state)
    return target


def drop(place: OverlayPlace, name: str, by: str, at: float) -> Path:
    """Takes a file out of the overlay; what it held is kept as a version. Raises ``NotFound``."""
    target = _target(place, name)
    with place.lock() as state:
        _keep_edit(place, state, name, target, by, at, "dropped")
        target.unlink()
        target.with_name(target.name + SIDE_ENDING).unlink(missing_ok=True)
        state.merging.pop(name, None)
        place.save(state)
    return target


def revert(place: OverlayPlace, name: str, number: int, by: str, at: float) -> Path:
    """Puts a version back into the overlay; what is there is kept as one. Raises ``NotFound``."""
    target = _target(place, name)
    with place.lock() as state:
        body = place.body(_version(state, name, number).sha256)
        if target.is_file():
            _keep_edit(place, state, name, target, by, at, f"before version {number} was put back")
        _write(target, body)
        place.save(state)
    return target


def versions(place: OverlayPlace, name: str) -> list[Version]:
    """Returns the versions kept of a file, the newest first. Raises ``NotFound``."""
    checked_name(name)
    rows = place.state().versions.get(name, [])
    if not rows:
        raise NotFound({"path": f"no version of {name} is kept: one is with each 'provisioner catalogue apply'"})
    return rows[::-1]


def diffs(place: OverlayPlace, name: str) -> dict[str, str]:
    """Returns unified diffs: what you changed (``yours``), and what releases changed since (``shipped``). Raises ``NotFound``."""
    own = _own_body(place, name)
    base = place.state().bases.get(name)
    shipped = place.shipped_file(name)
    began = _text(place.body(base.sha256)) if base else _text(shipped or b"")
    from_name = f"{name} (release {base.release})" if base else f"{name} (release {place.release})"
    now = _text(shipped or b"")
    return {
        "yours": unified(began, _text(own), from_name, f"{name} (yours)"),
        "shipped": unified(began, now, from_name, f"{name} (release {place.release})") if base else "",
    }


def merge(place: OverlayPlace, name: str) -> Merge:
    """Merges what releases changed into your file, and writes the outcome beside it. Raises ``NotFound``, ``ProvisionerError``."""
    own, shipped = _own_body(place, name), _shipped(place, name)
    side = _target(place, name).with_name(Path(name).name + SIDE_ENDING)
    with place.lock() as state:
        base = state.bases.get(name)
        if base is None:
            raise ProvisionerError(
                f"it is not known what {name} began from: 'provisioner catalogue merge {name} --keep-mine' notes it as it is now"
            )
        if base.sha256 == sha256(shipped):
            return Merge(None)
        merged = three_way(
            _text(place.body(base.sha256)), _text(own), _text(shipped),
            our_name="yours", base_name=f"release {base.release}", their_name=f"release {place.release}",
        )  # fmt: skip
        _write(side, merged.text.encode("utf-8"))
        state.merging[name] = place.keep(shipped)
        place.save(state)
    return Merge(side, merged.conflicts)


def take_merge(place: OverlayPlace, name: str, by: str, at: float) -> Path:
    """Puts the outcome of a merge in the place of your file. Raises where a conflict is left in it, or where it is of another release."""
    target = _target(place, name)
    side = target.with_name(target.name + SIDE_ENDING)
    shipped = _shipped(place, name)
    with place.lock() as state:
        if not side.is_file():
            raise NotFound({"path": f"{side} is not there: 'provisioner catalogue merge {name}' writes it"})
        if state.merging.get(name) != sha256(shipped):
            raise ProvisionerError(f"{side} was merged with the file of another release: merge again")
        body = side.read_bytes()
        if has_marks(_text(body)):
            raise ProvisionerError(f"{side} still holds places to decide, between <<<<<<< and >>>>>>>: edit it first")
        _keep_edit(place, state, name, target, by, at, "before a merge")
        _write(target, body)
        side.unlink()
        _settle(place, state, name, shipped, at)
    return target


def keep_mine(place: OverlayPlace, name: str, at: float) -> None:
    """Notes that your file was compared with the shipped one as it is now, and stays as it is. Raises ``NotFound``."""
    _own_body(place, name)
    shipped = _shipped(place, name)
    with place.lock() as state:
        _settle(place, state, name, shipped, at)


def unified(before: str, after: str, before_name: str, after_name: str) -> str:
    """Returns a unified diff, empty where nothing differs."""
    lines = unified_diff(before.splitlines(), after.splitlines(), before_name, after_name, lineterm="")
    return "\n".join(lines)


def _settle(place: OverlayPlace, state: State, name: str, shipped: bytes, at: float) -> None:
    state.bases[name] = Base(place.keep(shipped), place.release, at)
    state.merging.pop(name, None)
    place.save(state)


def _target(place: OverlayPlace, name: str) -> Path:
    """Returns where a file of the overlay is or goes. Raises where that is not inside of it."""
    checked_name(name)
    if place.own is None:
        raise ProvisionerError("there is no overlay: PROVISIONER_CATALOGUE_OVERLAY is off, or is the catalogue itself")
    target = place.own / name
    if not target.parent.resolve().is_relative_to(place.own.resolve()) or target.is_symlink():
        raise InputError({"path": f"{target} is a link, or leads out of {place.own}: put the file itself there"})
    return target


def _own_body(place: OverlayPlace, name: str) -> bytes:
    target = _target(place, name)
    if not target.is_file():
        raise NotFound({"path": f"{target} is not there: 'provisioner catalogue list' shows what is"})
    return target.read_bytes()


def _shipped(place: OverlayPlace, name: str) -> bytes:
    body = place.shipped_file(name)
    if body is None:
        raise NotFound({"path": f"the shipped catalogue has no {name}: a new file is made by hand, in {place.own}"})
    return body


def _version(state: State, name: str, number: int) -> Version:
    found: Sequence[Version] = [row for row in state.versions.get(name, []) if row.version == number]
    if not found:
        raise NotFound({"version": f"no version {number} of {name} is kept: 'provisioner catalogue versions {name}' lists them"})
    return found[0]


def _keep_edit(place: OverlayPlace, state: State, name: str, target: Path, by: str, at: float, why: str) -> None:
    """Keeps what is on disk as a version, unless some version holds it already."""
    body = _own_body(place, name)
    if sha256(body) not in {row.sha256 for row in state.versions.get(name, [])}:
        state.note(name, place.keep(body), at, by, why)


def _write(target: Path, body: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    partial.write_bytes(body)
    partial.replace(target)


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")

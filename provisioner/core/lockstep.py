"""Lockstep is an equation over facts, not a column: what was served == what should be, what the PBX says == what it should
say, and the registration is newer than both.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from provisioner.core.values import RenderedFile, Sha256


class Stage(StrEnum):
    """Where a phone stands between a change and its proof."""

    RENDERING = "rendering"
    """Its files are being made."""
    PUSHING = "pushing"
    """The PBX does not yet say what it should."""
    PROMOTING = "promoting"
    """Both are ready; the new files become live."""
    NOTIFIED = "notified"
    """It was told to fetch, and has not yet."""
    WAITING_FOR_PHONE = "waiting_for_phone"
    """It was not, or could not be, told; it fetches at its own time."""
    WAITING_FOR_REGISTRATION = "waiting_for_registration"
    """It has the wanted files and has not registered since."""
    IN_LOCKSTEP = "in_lockstep"
    """Proven: served, PBX and registration agree."""
    RETIRING = "retiring"
    """It is taken out of service, and has not fetched the files that empty it."""
    RETIRED = "retired"
    """It fetched the files that empty it."""
    HELD = "held"
    """Something failed; it keeps its last good files, and the error says why."""


@dataclass(frozen=True, slots=True)
class LockstepFacts:
    """What the stage is decided from. Times are seconds since the epoch; a hash of None equals nothing."""

    wanted: str | None = None
    live: str | None = None
    served: str | None = None
    pbx_wanted: str | None = None
    pbx_verified: str | None = None
    live_at: float | None = None
    notified_at: float | None = None
    fetched_at: float | None = None
    """Since when it has the last of its files as it is: asking again for bytes that it has does not count."""
    registered_at: float | None = None
    """Of the line that registered longest ago; None where any line has not."""
    error: str = ""
    has_lines: bool = True
    has_pbx: bool = True
    """False where no PBX is configured: then served files are all that can be proven."""
    notify_error: str = ""
    """Why it was not, or to no avail, told of its live files."""
    retired_at: float | None = None
    """When it was taken out of service; None: it is in service."""


def stage(facts: LockstepFacts) -> Stage:  # noqa: PLR0911 - one return for each stage, in their order
    """Returns the one stage that the facts prove. Total: every combination has an answer."""
    if facts.error:
        return Stage.HELD
    if facts.retired_at is not None:
        return Stage.RETIRED if facts.wanted is not None and facts.wanted == facts.live == facts.served else Stage.RETIRING
    if facts.wanted is None:
        return Stage.RENDERING
    needs_pbx = facts.has_pbx and facts.has_lines
    if needs_pbx and (facts.pbx_wanted is None or facts.pbx_wanted != facts.pbx_verified):
        return Stage.PUSHING
    if facts.live != facts.wanted:
        return Stage.PROMOTING
    if facts.served is None or facts.served != facts.wanted:
        told = facts.notified_at is not None and facts.live_at is not None and facts.notified_at >= facts.live_at
        return Stage.NOTIFIED if told and not facts.notify_error else Stage.WAITING_FOR_PHONE
    if needs_pbx and not is_newer(facts.registered_at, facts.fetched_at):
        return Stage.WAITING_FOR_REGISTRATION
    return Stage.IN_LOCKSTEP


def is_newer(registered_at: float | None, fetched_at: float | None) -> bool:
    """Returns whether a registration came after a fetch. PBXs know it to the second: within the same one it counts as later."""
    return registered_at is not None and fetched_at is not None and registered_at >= math.floor(fetched_at)


def has_moved(facts: LockstepFacts, registered_at: float | None) -> bool:
    """Returns whether a phone is proven to use what its files say for a line: it took all that it should have, then registered that line."""
    has_files = facts.wanted is not None and facts.wanted == facts.live == facts.served
    return has_files and is_newer(registered_at, facts.fetched_at)


def files_hash(files: Iterable[RenderedFile]) -> Sha256:
    """Returns the hash of a phone's whole set of files; two sets have the same one only when every name and byte agrees."""
    return names_hash((file.name, file.sha256) for file in files)


def names_hash(pairs: Iterable[tuple[str, str]]) -> Sha256:
    """Returns the hash of (name, sha256) pairs, whatever their order."""
    text = "\n".join(f"{name} {sha256}" for name, sha256 in sorted(pairs))
    return Sha256(hashlib.sha256(text.encode()).hexdigest())

"""The four lights of a phone: the equation of the lockstep, one side of it for each light, and in words why it does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from provisioner.core.lockstep import LockstepFacts, Stage, is_newer, stage
from web.i18n import mark

State = Literal["on", "wait", "bad", "none"]


@dataclass(frozen=True, slots=True)
class Light:
    """One light. Texts are marked, and put into the language where they are shown."""

    name: str
    state: State
    sentence: str
    left: str | float | None = None
    """What should be."""
    right: str | float | None = None
    """What is."""


FILES, PBX, FETCHED, REGISTERED = mark("Files"), mark("PBX"), mark("Fetched"), mark("Registered")

WHY: dict[Stage, str] = {
    Stage.RENDERING: mark("Its files are being made."),
    Stage.PUSHING: mark("The PBX does not yet say what it should say of its extensions."),
    Stage.PROMOTING: mark("New files are ready and go live at any moment."),
    Stage.NOTIFIED: mark("The phone was told to fetch its new files, and has not yet."),
    Stage.WAITING_FOR_PHONE: mark("The phone fetches its new files at its next restart or check; nobody could tell it."),
    Stage.WAITING_FOR_REGISTRATION: mark("The phone has its files and has not registered with them yet."),
    Stage.IN_LOCKSTEP: mark("Proven: it has the files that it should have, the PBX agrees, and it registered after it fetched them."),
    Stage.RETIRING: mark("It is taken out of service, and has not fetched the files that empty it yet."),
    Stage.RETIRED: mark("It is out of service, and fetched the files that empty it."),
    Stage.HELD: mark("Something failed. The phone keeps its last good files."),
}


def lights(facts: LockstepFacts) -> tuple[Light, ...]:
    """Returns the four lights of a phone, always in the same order."""
    return tuple(_lights(facts))


def why(facts: LockstepFacts) -> str:
    """Returns in words where the phone stands; a marked text."""
    return WHY[stage(facts)]


def _lights(facts: LockstepFacts) -> Iterator[Light]:
    yield _files(facts)
    yield _pbx(facts)
    served = facts.wanted is not None and facts.served == facts.wanted
    sentence = mark("It took every file to the last byte.") if served else mark("It has not taken the files that it should have.")
    yield Light(FETCHED, "on" if served else "wait", sentence, facts.wanted, facts.served)
    yield _registered(facts, served)


def _files(facts: LockstepFacts) -> Light:
    ready = facts.wanted is not None and facts.live == facts.wanted
    if facts.error:
        return Light(FILES, "bad", mark("They could not be made: it keeps its last good ones."), facts.wanted, facts.live)
    sentence = mark("What it is served is what it should have.") if ready else mark("New files are on their way.")
    return Light(FILES, "on" if ready else "wait", sentence, facts.wanted, facts.live)


def _pbx(facts: LockstepFacts) -> Light:
    if not facts.has_pbx or not facts.has_lines:
        return Light(
            PBX, "none", mark("Nothing is to be said to a PBX: it has no line.") if facts.has_pbx else mark("No PBX is kept in lockstep.")
        )
    agrees = facts.pbx_wanted is not None and facts.pbx_wanted == facts.pbx_verified
    sentence = mark("It was read back, and says what it should.") if agrees else mark("It was not yet read to say what it should.")
    return Light(PBX, "on" if agrees else "wait", sentence, facts.pbx_wanted, facts.pbx_verified)


def _registered(facts: LockstepFacts, served: bool) -> Light:
    if not facts.has_pbx or not facts.has_lines:
        return Light(
            REGISTERED, "none", mark("It has no line that could register.") if facts.has_pbx else mark("No PBX is kept in lockstep.")
        )
    newer = served and is_newer(facts.registered_at, facts.fetched_at)
    sentence = (
        mark("Every line registered after the files were fetched.")
        if newer
        else mark("Not every line registered since the files were fetched.")
    )
    return Light(REGISTERED, "on" if newer else "wait", sentence, facts.fetched_at, facts.registered_at)

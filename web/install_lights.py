"""The four lights of who installs a phone - seen, fetched, registered, test call - in words. What is so says the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from provisioner.api.lights import lights_of
from provisioner.records import PhoneRecord
from web.i18n import _, mark
from web.sentences import full_sentence

State = Literal["on", "wait", "bad"]


@dataclass(frozen=True, slots=True)
class InstallLight:
    """One light. ``name`` is a marked text, ``sentence`` is in the language of the page."""

    name: str
    state: State
    sentence: str
    at: float | None = None


NAMES: Mapping[str, str] = {
    "seen": mark("Seen"),
    "fetched": mark("Fetched"),
    "registered": mark("Registered"),
    "test_call": mark("Test call"),
}
SENTENCES: Mapping[str, tuple[str, str]] = {
    "seen": (mark("It asked this server."), mark("It has not asked yet: plug it in, or restart it.")),
    "fetched": (mark("It has the files that it should have."), mark("It has not fetched its files yet.")),
    "registered": (mark("Every line is registered from this phone."), mark("It is not registered yet.")),
    "test_call": (mark("It rang, was answered, and said its number."), mark("It was not called yet.")),
}
"""Light -> what it says where it is on, and where it is not and there is no more to know."""
UNDER_WAY: Mapping[str, str] = {"it is about to ring": mark("It is about to ring."), "it rings": mark("It rings: lift the receiver.")}
"""What the API says of a call that goes on -> how the pages say it."""


def install_lights(record: PhoneRecord) -> list[InstallLight]:
    """Returns the four lights of a phone in the order in which they go on."""
    found = lights_of(record)
    return [_light(name, found[name]) for name in NAMES]


def _light(name: str, told: Mapping[str, Any]) -> InstallLight:
    detail: str = told["detail"]
    on, off = SENTENCES[name]
    if told["on"]:
        return InstallLight(NAMES[name], "on", _(on), told["at"])
    if name == "test_call" and detail:
        goes_on = UNDER_WAY.get(detail)
        return InstallLight(NAMES[name], "wait" if goes_on else "bad", _(goes_on) if goes_on else full_sentence(detail), told["at"])
    return InstallLight(NAMES[name], "wait", full_sentence(detail) if detail else _(off))

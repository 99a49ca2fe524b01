"""What came of a call, as a word with a sign and with what it means; and how long people talked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from web.i18n import mark


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome. Texts are marked; ``tone`` and ``icon`` are those of its badge."""

    word: str
    tone: str
    icon: str
    meaning: str


OUTCOMES: Mapping[str, Outcome] = {
    "answered": Outcome(mark("Answered"), "good", "check", mark("Somebody took it, or a service of the PBX such as a conference.")),
    "mailbox": Outcome(mark("Mailbox"), "busy", "mail", mark("Nobody took it, and the caller came to a mailbox.")),
    "missed": Outcome(mark("Missed"), "warn", "missed", mark("It rang, and nobody took it before the caller or the PBX gave up.")),
    "busy": Outcome(mark("Busy"), "warn", "none", mark("Everybody who was called was talking, or declined.")),
    "refused": Outcome(
        mark("Refused"), "bad", "cross", mark("The PBX did not put it through: there is no such number, or it may not be called.")
    ),
    "failed": Outcome(
        mark("Failed"), "bad", "warn", mark("It could not be put through: no phone was registered, or none answered the PBX.")
    ),
}
"""Every outcome of ``records_calls``."""


def talk_text(seconds: float) -> str:
    """Returns how long people talked as phones show it: ``4:07``, ``1:02:33``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

"""Numbers that can be called: extensions and departments share one space of them."""

from __future__ import annotations

import re

WAITING_PREFIX = "wait-"
"""Before the MAC, it is the account of a phone in the waiting room; the dialplan lets nobody reach what begins so."""
NUMBER = re.compile(r"^[0-9A-Za-z*#+][0-9A-Za-z*#+._\-]{0,31}\Z")
NUMBER_HELP = "1 to 32 digits or letters are needed, for example 1001"


def number_mistake(number: str) -> str:
    """Returns why ``number`` cannot be called, as a sentence, or an empty string."""
    if not NUMBER.match(number):
        return NUMBER_HELP
    is_kept = number.lower().startswith(WAITING_PREFIX)
    return f"{WAITING_PREFIX} at the beginning is kept for phones that wait to be claimed: choose another number" if is_kept else ""

"""What to do with a phone that nobody listed: the policies, the pool of free extensions, and the codes that claim a phone. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal, NamedTuple

POLICIES = ("never", "listed", "window", "claim")
WAITS_S = 3600.0
"""How long a phone waits to be claimed after it last asked. One that still stands there asks again when it is restarted."""
WINDOW_MINUTES, WINDOW_PHONES, CLAIM_MINUTES = 60, 50, 60
"""How long a window is open and for how many phones, and how long a claim code can be dialled, where nobody says otherwise."""
CLAIM_PREFIX = "*55"
"""What the waiting room of the bundled PBX wants dialled before a code: ``extensions.conf`` of ``pbx_sync``."""
MOST_NUMBERS = 10_000
"""Extensions of one pool."""
_POOL = re.compile(r"([0-9]{1,12})-([0-9]{1,12})\Z")


class Newcomer(NamedTuple):
    """A phone that asked by its MAC alone, and what stands for and against it."""

    policy: str
    """Of the site whose trusted networks it is in; empty where it is in none."""
    in_warehouse: bool = False
    window_open: bool = False
    model: str = ""
    """Of the catalogue, as its User-Agent or the warehouse says; empty where nobody knows."""
    contradiction: str = ""
    """What does not fit, in words."""
    frozen: bool = False


class Verdict(NamedTuple):
    action: Literal["adopt", "wait", "show"]
    why: str


def judged(newcomer: Newcomer) -> Verdict:
    """Returns what to do with it: take it in now, have it wait for a technician, or only show that it was seen."""
    rules: tuple[tuple[object, Literal["adopt", "wait", "show"], str], ...] = (
        (not newcomer.policy, "show", "it is in no trusted network of any site"),
        (newcomer.policy == "never", "show", "this site takes in no phone that nobody listed"),
        (newcomer.contradiction, "show", newcomer.contradiction),
        (newcomer.frozen, "show", "a scan for MACs goes on"),
        (newcomer.policy == "claim", "wait", "it waits to be claimed"),
        (newcomer.in_warehouse, "adopt", "it was in the warehouse"),
        (newcomer.policy == "listed", "show", "it is not listed"),
        (not newcomer.window_open, "show", "the window of this site is closed"),
        (not newcomer.model, "show", "its model is not in the catalogue"),
    )
    return next((Verdict(action, why) for applies, action, why in rules if applies), Verdict("adopt", "the window is open"))


def dialled(code: str) -> str:
    """Returns what is dialled on a waiting phone for a claim code."""
    return f"{CLAIM_PREFIX}{code}"


def pool_problem(pool: str) -> str:
    """Returns why ``pool`` is no range of extensions, as a sentence, or an empty string."""
    if not pool:
        return ""
    match = _POOL.match(pool)
    if match is None or len(match[1]) != len(match[2]) or int(match[1]) > int(match[2]):
        return "two numbers with as many digits are needed, the lower one first, for example 1000-1199"
    many = int(match[2]) - int(match[1]) + 1
    return f"at most {MOST_NUMBERS} extensions are possible; these are {many}" if many > MOST_NUMBERS else ""


def pool_bounds(pool: str) -> tuple[str, str]:
    """Returns the first and the last extension of a pool that ``pool_problem`` has nothing against."""
    first, _, last = pool.partition("-")
    return first, last


def free_number(pool: str, taken: Collection[str]) -> str | None:
    """Returns the lowest extension of the pool that is not taken, or None where all are."""
    first, last = pool_bounds(pool)
    numbers = (str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))
    return next((number for number in numbers if number not in taken), None)

"""Rows of AstDB over the manager interface: reading those of some numbers or of all, and writing what differs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from pbx_sync.asterisk.ami import Action, Reply, unspeakable
from pbx_sync.asterisk.configuration import RECORD_FAMILY as RECORD
from pbx_sync.asterisk.objects import AOR, AUTH, ENDPOINT, FAMILIES, GROUP, MARK, Key, Rows, bridge_of, keys_of, number_of

Ask = Callable[[Sequence[Action]], list[Reply]]
"""Asks Asterisk many things at once and returns the replies in order."""

MANY = 500
"""Of more numbers than this everything is read at once: 0.4 s at 10,000 extensions, as long as so many take one by one."""
_RANK = {MARK: 0, AUTH: 1, AOR: 2, GROUP: 2, RECORD: 2, ENDPOINT: 3}
"""What is referred to is written before what refers to it, and deleted after; the mark frames both, so that nothing is ever left unowned."""
LINGER_S = 0.05
"""How long credentials stay as they are after the endpoint no longer needs them: a request may be on its way from the one to the other."""


class Change(NamedTuple):
    """The rows of one number: as they are, and as they should be."""

    before: Rows
    after: Rows


def read_rows(ask: Ask, numbers: Collection[str] | None) -> dict[str, dict[Key, str]]:
    """Returns number -> its rows, of the numbers given (each is in it) or of all that have a row. Raises ``PBXUnavailable``."""
    if numbers is not None and len(numbers) <= MANY:
        return _read_some(ask, [number for number in numbers if not unspeakable(number)])
    found: dict[str, dict[Key, str]] = {number: {} for number in numbers or ()}
    for family, reply in zip(FAMILIES, ask([Action("DBGetTree", {"Family": family}) for family in FAMILIES]), strict=True):
        for item in reply.items:
            key = (family, item.get("Key", "").removeprefix(f"/{family}/"))
            number = number_of(key)
            if (numbers is None and not unspeakable(number)) or number in found:
                found.setdefault(number, {})[key] = item.get("Val", "")
    return found


def write_rows(ask: Ask, changes: Mapping[str, Change]) -> dict[str, str]:
    """Writes and deletes what differs. Returns number -> why a row of it was not stored. Raises ``PBXUnavailable``."""
    stages = {number: stages_of(number, change) for number, change in changes.items()}
    refused: dict[str, str] = {}
    for stage in range(3):
        steps = [(number, action) for number, actions in stages.items() for action in actions[stage]]
        if stage and any(_takes_credentials(action, changes[number]) for number, action in steps):
            time.sleep(LINGER_S)
        for (number, action), reply in zip(steps, ask([action for _, action in steps]), strict=True):
            if not reply.is_success and action.name == "DBPut":  # a row that cannot be deleted is gone already, or read again afterwards
                refused.setdefault(number, f"Asterisk does not store it: {reply.text}")
    return refused


def stages_of(number: str, change: Change) -> tuple[list[Action], list[Action], list[Action]]:
    """Returns what is written first, then, and what is deleted, so that no secret that stays is refused and nothing is left unowned.

    What an endpoint has named may be looked up a moment later still: between the stages there is one, where it matters.
    """
    before, after = change
    bridge = bridge_of(number, before, after)
    in_place = {key for key in after if key[0] == AUTH and key in before and before[key] != after[key]}
    new = {key: value for key, value in after.items() if key not in in_place and key not in bridge and before.get(key) != value}
    then = [*_puts({key: after[key] for key in in_place}), *_puts({key: after[key] for key in bridge if key in after})]
    gone = sorted({*before, *bridge} - after.keys(), key=_rank, reverse=True)
    return [*_puts(new), *_puts(bridge)], then, [Action("DBDel", {"Family": family, "Key": name}) for family, name in gone]


def _puts(rows: Rows) -> Iterator[Action]:
    return (Action("DBPut", {"Family": key[0], "Key": key[1], "Val": rows[key]}) for key in sorted(rows, key=_rank))


def _rank(key: Key) -> int:
    return _RANK[key[0]]


def _takes_credentials(action: Action, change: Change) -> bool:
    """Whether the action changes or deletes credentials while the endpoint stays, and another secret of it as well."""
    secrets = ({value for key, value in rows.items() if key[0] == AUTH} for rows in change)
    return action.fields["Family"] == AUTH and any(family == ENDPOINT for family, _ in change.after) and bool(set.intersection(*secrets))


def _read_some(ask: Ask, numbers: Sequence[str]) -> dict[str, dict[Key, str]]:
    asked = [(number, key) for number in numbers for key in keys_of(number)]
    replies = ask([Action("DBGet", {"Family": family, "Key": name}) for _, (family, name) in asked])
    found: dict[str, dict[Key, str]] = {number: {} for number in numbers}
    for (number, key), reply in zip(asked, replies, strict=True):
        for item in reply.items:
            found[number][key] = item.get("Val", "")
    return found

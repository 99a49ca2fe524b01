"""Rows of AstDB over the manager interface: reading those of some numbers or of all, and writing what differs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from pbx_sync.asterisk.ami import Action, Reply, unspeakable
from pbx_sync.asterisk.objects import AOR, AUTH, ENDPOINT, FAMILIES, GROUP, MARK, Key, Rows, keys_of, number_of

Ask = Callable[[Sequence[Action]], list[Reply]]
"""Asks Asterisk many things at once and returns the replies in order."""

MANY = 500
"""Of more numbers than this everything is read at once: 0.4 s at 10,000 extensions, as long as so many take one by one."""
_RANK = {MARK: 0, AUTH: 1, AOR: 2, GROUP: 2, ENDPOINT: 3}
"""What is referred to is written before what refers to it, and deleted after; the mark frames both, so that nothing is ever left unowned."""
_SECRET_CHANGED = 4


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
    steps = [(number, action) for number, change in changes.items() for action in _actions(number, change)]
    refused: dict[str, str] = {}
    for (number, action), reply in zip(steps, ask([action for _, action in steps]), strict=True):
        if not reply.is_success and action.name == "DBPut":  # a row that cannot be deleted is gone already, or read again afterwards
            refused.setdefault(number, f"Asterisk does not store it: {reply.text}")
    return refused


def _read_some(ask: Ask, numbers: Sequence[str]) -> dict[str, dict[Key, str]]:
    asked = [(number, key) for number in numbers for key in keys_of(number)]
    replies = ask([Action("DBGet", {"Family": family, "Key": name}) for _, (family, name) in asked])
    found: dict[str, dict[Key, str]] = {number: {} for number in numbers}
    for (number, key), reply in zip(asked, replies, strict=True):
        for item in reply.items:
            found[number][key] = item.get("Val", "")
    return found


def _actions(number: str, change: Change) -> Iterator[Action]:
    def rank(key: Key) -> int:
        # A secret that changes comes last: by then the endpoint takes the former one as well, and no phone is turned away.
        return _SECRET_CHANGED if key == (AUTH, number) and key in change.before else _RANK[key[0]]

    for key in sorted(change.after, key=rank):
        if change.before.get(key) != change.after[key]:
            yield Action("DBPut", {"Family": key[0], "Key": key[1], "Val": change.after[key]})
    for key in sorted(change.before.keys() - change.after.keys(), key=rank, reverse=True):
        yield Action("DBDel", {"Family": key[0], "Key": key[1]})

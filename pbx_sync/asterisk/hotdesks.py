"""Hot desks in Asterisk: rows of AstDB say who may dial a log-in and where; the dialplan leaves there what was dialled and how often wrongly."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from pbx_sync.asterisk.ami import Action
from pbx_sync.asterisk.astdb import Ask
from pbx_sync.asterisk.configuration import DESK_FAMILY, PLACE_FAMILY, SEAT_ASKED_FAMILY, SEAT_SAID_FAMILY, WRONG_FAMILY
from pbx_sync.hotdesks import SeatAsked, WrongPins

MOST_KEPT_SAID = 50
"""Answers that nobody has heard; callers that hang up take theirs away, unless it came too late."""


class AsteriskHotDesks:
    """Keeps the rows. ``ask`` asks Asterisk many things at once."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def open(self, accounts: Collection[str]) -> None:
        self._put_all(DESK_FAMILY, dict.fromkeys(accounts, "1"))

    def put_places(self, places: Mapping[str, str]) -> None:
        self._put_all(PLACE_FAMILY, places)

    def asked(self) -> Sequence[SeatAsked]:
        asked, said = self._trees(SEAT_ASKED_FAMILY, SEAT_SAID_FAMILY)
        found = [item for name, row in sorted(asked.items()) if (item := _asked(name, row))]
        strange = asked.keys() - {item.name for item in found}
        self._delete([(SEAT_ASKED_FAMILY, name) for name in strange])
        self._delete([(SEAT_SAID_FAMILY, name) for name in sorted(said, key=_order)[:-MOST_KEPT_SAID]])
        return found

    def answer(self, name: str, word: str) -> None:
        self._ask([Action("DBPut", {"Family": SEAT_SAID_FAMILY, "Key": name, "Val": word})])
        self._delete([(SEAT_ASKED_FAMILY, name)])

    def wrong_pins(self, forget_before: float) -> Sequence[WrongPins]:
        (tree,) = self._trees(WRONG_FAMILY)
        rows = [_wrong(name, value) for name, value in sorted(tree.items())]
        old = [row for row in rows if row.since < forget_before]
        self._delete([(WRONG_FAMILY, row.of) for row in old])
        return [row for row in rows if row.count and row not in old]

    def _put_all(self, family: str, wanted: Mapping[str, str]) -> None:
        (there,) = self._trees(family)
        self._delete([(family, name) for name in there if name not in wanted])
        puts = [
            Action("DBPut", {"Family": family, "Key": name, "Val": value}) for name, value in wanted.items() if there.get(name) != value
        ]
        if puts:
            self._ask(puts)

    def _delete(self, keys: Sequence[tuple[str, str]]) -> None:
        if keys:
            self._ask([Action("DBDel", {"Family": family, "Key": name}) for family, name in keys])

    def _trees(self, *families: str) -> Iterator[dict[str, str]]:
        replies = self._ask([Action("DBGetTree", {"Family": family}) for family in families])
        for family, reply in zip(families, replies, strict=True):
            yield {item.get("Key", "").removeprefix(f"/{family}/"): item.get("Val", "") for item in reply.items}


def _asked(name: str, row: str) -> SeatAsked | None:
    account, number, at, address = (row.split(",", 3) + [""] * 4)[:4]
    return SeatAsked(name, account, address, number, float(at)) if account and at.isdigit() else None


def _order(name: str) -> list[int]:
    """Returns what puts calls in the order in which they began: they are named by the second, and a number."""
    return [int(part) for part in re.findall(r"\d+", name)]


def _wrong(name: str, value: str) -> WrongPins:
    count, _, since = value.partition(",")
    return WrongPins(name, int(count) if count.isdigit() else 0, float(since) if since.isdigit() else 0.0)

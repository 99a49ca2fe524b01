"""Call detail records of the bundled Asterisk: the file they are written to, and what the records of one call come to. No connection.

Asterisk writes a record for each pair of channels that were joined, or tried to be, into a SQLite file of its own; nothing is lost while
nobody takes them over. All parts of a call have the same ``linkedid``. Trigger and cleaning are SQLite's: the file stays small by itself.
Source: docs.asterisk.org, "Call Detail Records (CDR)" (the fields, ``linkedid``), ``cdr_sqlite3_custom.conf.sample`` of Asterisk 22.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from pbx_sync.calls import EndedCall, Outcome

CALL_FILE = "master.db"
"""The only name that the module knows."""
TABLE = "call1"
COLUMNS: Mapping[str, str] = {
    "linkedid": "${CDR(linkedid)}",
    "sequence": "${CDR(sequence)}",
    "channel": "${CDR(channel)}",
    "peer": "${CDR(dstchannel)}",
    "source": "${CDR(src)}",
    "callerid": "${CDR(clid)}",
    "number": "${CDR(dst)}",
    "application": "${CDR(lastapp)}",
    "began": "${CDR(start,u)}",
    "answered": "${CDR(answer,u)}",
    "ended": "${CDR(end,u)}",
    "talk_s": "${CDR(billsec,f)}",
    # A function that the module does not know by itself: else it reads "start,u" as the name of a variable (seen on 22.10.1).
    "disposition": "${TOUPPER(${CDR(disposition)})}",
    "dialled": "${CDR(dialled)}",
    "outcome": "${CDR(outcome)}",
}
"""Column -> what Asterisk puts there. Other columns need another name of the table."""
_BOUND = """
CREATE TRIGGER IF NOT EXISTS call1_bound AFTER INSERT ON call1 WHEN NEW.AcctId % 100 = 0
BEGIN DELETE FROM call1 WHERE AcctId <= NEW.AcctId - 500000; END
"""
"""What the file holds at the most while nobody takes them over: some 150 MB. The oldest go first."""

_ENDPOINT = re.compile(r"PJSIP/([0-9A-Za-z*#+][0-9A-Za-z*#+._\-]{0,31})-[0-9a-f]{8}\Z")
_NOT_CALLS = ("@__func_periodic_hook_context__", "@test-call-")
"""Local channels that beep in a recorded call, and test calls: nobody called."""
_WAITING = "wait-"
_NAME = re.compile(r'"(.*)" <[^<>]*>\Z')
_ROOMS = ("ConfBridge",)
_OUTCOMES: Mapping[str, Outcome] = {"mailbox": "mailbox", "busy": "busy", "refused": "refused", "failed": "failed"}
"""What the dialplan says of a call."""
_BY_DISPOSITION: tuple[tuple[str, Outcome], ...] = (("ANSWERED", "answered"), ("BUSY", "busy"), ("NO ANSWER", "missed"))


class Record(NamedTuple):
    """One record, as far as it is read."""

    linkedid: str
    sequence: int
    channel: str
    peer: str
    source: str
    callerid: str
    number: str
    application: str
    began: float
    answered: float
    ended: float
    talk_s: float
    disposition: str
    dialled: str
    outcome: str

    @property
    def is_talk(self) -> bool:
        """Whether two people talked."""
        return self.disposition == "ANSWERED" and bool(self.peer) and self.application not in _ROOMS


def make_file(path: Path) -> None:
    """Makes the file and its table where they are missing. Raises ``sqlite3.Error``."""
    with closing(sqlite3.connect(path, timeout=5.0)) as connection:
        connection.execute("PRAGMA auto_vacuum = FULL")  # a file that was emptied is small again
        connection.execute("PRAGMA journal_mode = WAL")  # who reads does not hold up Asterisk, which waits for nobody for long
        connection.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} (AcctId INTEGER PRIMARY KEY, {', '.join(COLUMNS)})")
        connection.execute(_BOUND)
        connection.commit()


def record_of(row: Sequence[object]) -> Record:
    """Returns a row of the table; what cannot be read in it is empty or 0."""
    texts = ["" if value is None else str(value) for value in row]
    linkedid, sequence, *names, began, answered, ended, talk_s, disposition, dialled, outcome = texts
    channel, peer, source, callerid, number, application = names
    return Record(
        linkedid, int(_number(sequence)), channel, peer, source, callerid, number, application,
        _number(began), _number(answered), _number(ended), _number(talk_s), disposition, dialled, outcome,
    )  # fmt: skip


def call_of(records: Sequence[Record]) -> EndedCall | None:
    """Returns the call that records of one ``linkedid`` make; None where nobody called."""
    parts = sorted((part for part in records if not _is_ours(part)), key=lambda part: (part.began, part.sequence))
    if not parts:
        return None
    first, talks = parts[0], [part for part in parts if part.is_talk]
    outcome: Outcome = "answered" if talks else _outcome(parts)
    taken = talks or [part for part in parts if outcome == "answered" and part.disposition == "ANSWERED"]
    spoken = talks or [part for part in parts if part.disposition == "ANSWERED"]
    ends = {number for part in parts for channel in (part.channel, part.peer) if (number := endpoint(channel))}
    return EndedCall(
        uid=first.linkedid[:64],
        started_at=first.began,
        answered_at=min((part.answered for part in taken), default=None),
        ended_at=max(part.ended for part in parts),
        caller=(first.source or endpoint(first.channel))[:80],
        caller_name=_name(first.callerid)[:128],
        called=(first.dialled or _dialled(first.number))[:80],
        answered_by=endpoint(talks[-1].peer) if talks else "",
        outcome=outcome,
        talk_s=round(sum(part.talk_s for part in spoken), 3),
        parties=tuple(sorted(ends)),
    )


def endpoint(channel: str) -> str:
    """Returns the extension that a channel is of; empty where it is none's."""
    found = _ENDPOINT.match(channel)
    return found[1] if found and not found[1].startswith(_WAITING) else ""


def _outcome(parts: Sequence[Record]) -> Outcome:
    """Returns how a call ended in which nobody talked with anybody: what the dialplan says of it comes first."""
    said = [_OUTCOMES[part.outcome] for part in parts if part.outcome in _OUTCOMES]
    if said:
        return "mailbox" if "mailbox" in said else said[-1]
    dispositions = {part.disposition for part in parts}
    return next((outcome for name, outcome in _BY_DISPOSITION if name in dispositions), "failed")


def _is_ours(part: Record) -> bool:
    is_seat = part.channel.startswith(f"PJSIP/{_WAITING}")
    return is_seat or any(name in channel for channel in (part.channel, part.peer) for name in _NOT_CALLS)


def _dialled(number: str) -> str:
    return "" if number in ("s", "h", "i", "t") else number


def _name(callerid: str) -> str:
    found = _NAME.match(callerid)
    return found[1].replace('\\"', '"').replace("\\\\", "\\") if found else ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0

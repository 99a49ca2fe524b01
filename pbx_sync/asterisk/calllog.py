"""The calls of the bundled Asterisk: those that ended stand in its file, those under way it tells over the manager interface.

The records of one call come one after the other, and a call may wait on a parking slot between two of them. So a call is over when no
channel of it is left for half a second: Asterisk writes the last record within milliseconds of the last channel's end.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.ami import AMI, Action, Message
from pbx_sync.asterisk.calldetails import Record, call_of, endpoint, record_of
from pbx_sync.backend import PBXUnavailable
from pbx_sync.calls import CallNow, EndedCall

TIMEOUT_S = 5.0
SETTLED_S = 0.5
"""So long no channel of a call must have been there: looks that follow each other closely prove nothing."""
_UIDS = "SELECT linkedid FROM call1 GROUP BY linkedid ORDER BY min(AcctId)"
_RECORDS = """
SELECT linkedid, sequence, channel, peer, source, callerid, number, application, began, answered, ended, talk_s, disposition, dialled, outcome
FROM call1 WHERE linkedid IN (SELECT value FROM json_each(?)) ORDER BY AcctId
"""
_FORGET = "DELETE FROM call1 WHERE linkedid IN (SELECT value FROM json_each(?))"
_DURATION = re.compile(r"(\d+):(\d\d):(\d\d)\Z")


class AsteriskCalls:
    """Reads and empties the file. It has a connection of its own to Asterisk: nothing of the lockstep waits for it."""

    def __init__(self, address: AsteriskAddress, file: Path, timer: Callable[[], float] = time.monotonic) -> None:
        self._ami = AMI(address, TIMEOUT_S)
        self._file = file
        self._timer = timer
        self._over: dict[str, float] = {}
        """Calls that had no channel at the last look, and when that was seen first."""

    def ended(self, limit: int) -> Sequence[EndedCall]:
        with self._opened() as connection:
            there = [row[0] or "" for row in connection.execute(_UIDS)]
            if not there:
                self._over = {}
                return []
            live = {channel.get("Linkedid", "") for channel in self._channels()}
            now, before = self._timer(), self._over
            self._over = {uid: before.get(uid, now) for uid in there if uid not in live}
            chosen = [uid for uid, since in self._over.items() if now - since >= SETTLED_S][:limit]
            found = _calls(connection, chosen)
        calls = [call for call in found.values() if call is not None]
        if nobodys := [uid for uid, call in found.items() if call is None]:
            self.forget(nobodys)
        return calls

    def forget(self, uids: Collection[str]) -> None:
        with self._opened() as connection, connection:
            connection.execute(_FORGET, [json.dumps(list(uids))])

    def close(self) -> None:
        """Lets go of the connection. It may be used again."""
        self._ami.close()

    def _channels(self) -> Sequence[Message]:
        (reply,) = self._ami.ask_all([Action("CoreShowChannels")])
        return reply.items

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Yields a connection to the file; one that is not there yet has no calls, and is not made here. Raises ``PBXUnavailable``."""
        try:
            with closing(sqlite3.connect(f"file:{_quoted(self._file)}?mode=rw", uri=True, timeout=5.0)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise PBXUnavailable(f"the file of calls {self._file} cannot be used: {error}") from None


def ask_calls_now(address: AsteriskAddress) -> list[CallNow]:
    """Returns the calls under way at an Asterisk, the longest first. Raises ``PBXUnavailable``."""
    with closing(AMI(address, TIMEOUT_S)) as ami:
        (reply,) = ami.ask_all([Action("CoreShowChannels")])
    return calls_now(reply.items, time.time())


def calls_now(channels: Sequence[Message], now: float) -> list[CallNow]:
    """Returns the calls that channels make, the longest first."""
    ours = [channel for channel in channels if not channel.get("Channel", "").startswith("Local/")]
    groups: dict[str, list[Message]] = {}
    for channel in ours:
        groups.setdefault(channel.get("Linkedid", ""), []).append(channel)
    return sorted((_now(uid, group, now) for uid, group in groups.items()), key=lambda call: call.since)


def _now(uid: str, channels: Sequence[Message], now: float) -> CallNow:
    ordered = sorted(channels, key=lambda channel: (-_seconds(channel), channel.get("Uniqueid", "")))
    first = next((channel for channel in ordered if channel.get("Uniqueid") == uid), ordered[0])
    others = [number for channel in ordered if channel is not first and (number := endpoint(channel.get("Channel", "")))]
    bridges = [bridge for channel in channels if (bridge := channel.get("BridgeId", ""))]
    is_talk = len(bridges) > len(set(bridges))
    rings = any(channel.get("ChannelStateDesc", "") in ("Ring", "Ringing") for channel in channels)
    return CallNow(
        uid=uid,
        caller=first.get("CallerIDNum") or endpoint(first.get("Channel", "")),
        caller_name=first.get("CallerIDName", ""),
        called=tuple(dict.fromkeys(others)),
        since=now - max(map(_seconds, channels)),
        state="talking" if is_talk else "ringing" if rings and others else "service",
    )


def _calls(connection: sqlite3.Connection, uids: Sequence[str]) -> Mapping[str, EndedCall | None]:
    groups: dict[str, list[Record]] = {uid: [] for uid in uids}
    for row in connection.execute(_RECORDS, [json.dumps(list(uids))]):
        record = record_of(row)
        groups[record.linkedid].append(record)
    return {uid: call_of(records) for uid, records in groups.items()}


def _seconds(channel: Message) -> int:
    found = _DURATION.search(channel.get("Duration", ""))
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3]) if found else 0


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")

"""Logins of phones as Asterisk's security events tell them: when a password was right, how often it was wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pbx_sync.asterisk.ami import Message

MOST_NUMBERS = 1000
"""Of more numbers the one that failed longest ago is forgotten: whoever guesses must not fill the memory."""

Source = tuple[str, str]
"""IP address and port."""


@dataclass(frozen=True, slots=True)
class FailedLogin:
    """Wrong passwords since the last right one from the same address. ``last_at`` by Asterisk's clock, in seconds since the epoch."""

    count: int
    last_at: float
    address: str


class FailedLogins:
    """Counts wrong passwords, by number."""

    def __init__(self) -> None:
        self._failed: dict[str, FailedLogin] = {}

    def all(self) -> Mapping[str, FailedLogin]:
        return dict(self._failed)

    def wrong(self, event: Message) -> None:
        number = event.get("AccountID", "")
        if event.get("Service") != "PJSIP" or not number or number.startswith("<"):
            return
        before = self._failed.pop(number, None)
        self._failed[number] = FailedLogin(before.count + 1 if before else 1, moment_of(event), source_of(event)[0])
        if len(self._failed) > MOST_NUMBERS:
            del self._failed[next(iter(self._failed))]

    def right(self, event: Message) -> None:
        """A right one ends the count, if it came from where the wrong ones did: of two phones with one number one may be locked out."""
        failed = self._failed.get(event.get("AccountID", ""))
        if failed is not None and failed.address == source_of(event)[0]:
            del self._failed[event["AccountID"]]


def moment_of(event: Message) -> float:
    """Returns when it happened, by Asterisk's clock; 0 where the event does not say."""
    try:
        return datetime.fromisoformat(event.get("EventTV", "")).timestamp()
    except ValueError:
        return 0.0


def source_of(event: Message) -> Source:
    """Returns where it came from, out of ``IPV4/UDP/192.0.2.7/5060``."""
    parts = event.get("RemoteAddress", "").split("/")
    return (parts[2], parts[3]) if len(parts) == 4 else ("", "")

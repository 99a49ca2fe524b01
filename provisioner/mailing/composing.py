"""Notices as messages: plain text in the recipient's language. Pure but for the texts and the message's own name.

What people and strangers wrote (names, numbers, errors) comes in as one line each, without control characters: none of it can make a
header, a line that looks like ours, or write from right to left.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Any, NamedTuple

from provisioner.changes.mail import URGENT
from provisioner.mailing.texts import EVENTS, LABELS, said
from provisioner.records import ChangeRecord

SHOWN = 50
"""Events that are written out in one message."""
LONGEST = 200
"""Characters of one value."""


class Notice(NamedTuple):
    """What one message tells: ``events``, the oldest first, and ``more`` that are not written out."""

    address: str
    language: str
    events: Sequence[ChangeRecord]
    more: int = 0


def composed(notice: Notice, sender: str, url: str, at: float) -> EmailMessage:
    """Returns the message that tells it. ``url`` is that of the pages, empty where it is not known; ``at`` in seconds since the epoch."""
    events = sorted(notice.events, key=lambda event: event.action not in URGENT)
    blocks = [_block(event, notice.language, url) for event in events]
    if notice.more:
        blocks.append(said(notice.language, "and %(count)s more, which are on the page of changes", {"count": str(notice.more)}))
    return _message(notice, sender, _subject(events, notice), "\n\n".join(blocks) + _foot(notice.language, url), at)


def test_message(address: str, language: str, sender: str, url: str, at: float) -> EmailMessage:
    """Returns a message that tells of nothing, to see whether it arrives."""
    notice = Notice(address, language, ())
    body = said(language, "This is a test: e-mail notices of your phones reach you.") + _foot(language, url)
    return _message(notice, sender, said(language, "Test of e-mail notices"), body, at)


def clean(value: object) -> str:
    """Returns a value as one line that holds letters, marks, digits, signs and single blanks, at most ``LONGEST`` characters."""
    text = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in str(value)[: 4 * LONGEST])
    return " ".join(text.split())[:LONGEST]


def _message(notice: Notice, sender: str, subject: str, body: str, at: float) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, notice.address, subject
    message["Date"] = format_datetime(datetime.fromtimestamp(at).astimezone())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers it
    if any(event.action in URGENT for event in notice.events):
        message["Importance"] = "high"
    message.set_content(body)
    message["Content-Language"] = notice.language  # after the content, which takes away what was said of another one
    return message


def _subject(events: Sequence[ChangeRecord], notice: Notice) -> str:
    first = _title(events[0], notice.language)
    others = len(events) + notice.more - 1
    return first if not others else said(notice.language, "%(first)s, and %(count)s more", {"first": first, "count": str(others)})


def _title(event: ChangeRecord, language: str) -> str:
    values = _values(event)
    return said(language, EVENTS.get(event.action, "%(action)s: %(subject)s, by %(actor)s"), values)


def _block(event: ChangeRecord, language: str, url: str) -> str:
    values = _values(event)
    lines = [_title(event, language), f"  {said(language, LABELS['at'])}: {_time(event.at)}"]
    lines += [f"  {said(language, label)}: {values[name]}" for name, label in LABELS.items() if name in _TOLD and values.get(name)]
    if url and values.get("mac"):
        lines.append(f"  {url}/phones/{values['mac']}")
    return "\n".join(lines)


_TOLD = ("site", "extension", "phone", "place", "phones", "detail")


def _values(event: ChangeRecord) -> Mapping[str, str]:
    """Returns what a text may name: the action's own words, and what it says of itself in plain values."""
    about: Mapping[str, Any] = event.after if isinstance(event.after, dict) else {}
    plain = {name: clean(value) for name, value in about.items() if isinstance(value, str | int | float) and not isinstance(value, bool)}
    own = {"action": clean(event.action), "subject": clean(event.subject), "actor": clean(event.actor)}
    if event.action not in EVENTS:
        return _Values(own)  # of what people did only what it was: the rest stands on the page
    plain["detail"] = plain.get("error", plain.get("detail", ""))
    return _Values({**plain, **own})


class _Values(dict[str, str]):
    """Values by name; what an event does not say is a dash."""

    def __missing__(self, name: str) -> str:
        return "-"


def _foot(language: str, url: str) -> str:
    return f"\n\n-- \n{said(language, 'What happened, and who did what:')} {url}/changes\n" if url else "\n"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")

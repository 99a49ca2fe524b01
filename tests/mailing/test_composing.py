"""Notices as messages: whatever somebody calls a phone, it makes no header and no line of ours; every sentence in every language."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from itertools import chain
from typing import Any

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from provisioner.changes.mail import DEFAULT_EVENTS
from provisioner.core.languages import LANGUAGES
from provisioner.mailing.composing import LONGEST, SHOWN, Notice, clean, composed
from provisioner.mailing.texts import EVENTS, FOLDER, LABELS, OTHERS
from provisioner.records import ChangeRecord

FROM, TO, AT = "phones@example.com", "office@example.com", 1_800_000_000.0
CALL = {"number": "112", "extension": "1001", "site": "branch", "phone": "Yealink T46U 805ec0aabbcc", "mac": "805ec0aabbcc"}


def event(action: str = "call.emergency", subject: str = "x", after: Any = None, number: int = 1, actor: str = "server") -> ChangeRecord:
    return ChangeRecord(number, AT, actor, action, subject, None, CALL if after is None else after, 0)


def read(message: EmailMessage) -> tuple[EmailMessage, str]:
    """Returns a message as a mail program reads it."""
    again = message_from_bytes(message.as_bytes(), policy=default)
    assert isinstance(again, EmailMessage) and not again.defects
    return again, again.get_content().replace("\r\n", "\n")


def test_an_emergency_call_says_who_where_and_when() -> None:
    message, body = read(composed(Notice(TO, "en", [event()]), FROM, "https://phones.example.com", AT))
    assert message["Subject"] == "Emergency call to 112 from extension 1001"
    assert message["Importance"] == "high"
    assert message["Content-Language"] == "en"
    for line in ("  Site: branch", "  Phone: Yealink T46U 805ec0aabbcc", "  https://phones.example.com/phones/805ec0aabbcc"):
        assert line in body.splitlines()
    assert "  When: 20" in body


def test_many_events_are_one_message_with_the_urgent_ones_first() -> None:
    events = [event("backup.failed", "b", {"error": "no room"}, n) for n in range(SHOWN)] + [event(number=99)]
    message, body = read(composed(Notice(TO, "en", events, 1234), FROM, "", AT))
    assert message["Subject"] == f"Emergency call to 112 from extension 1001, and {SHOWN + 1234} more"
    assert body.startswith("Emergency call to 112") and body.count("The backup failed") == SHOWN and "and 1234 more" in body
    assert "  Details: no room" in body and "http" not in body


def test_of_what_people_did_only_what_it_was_is_told() -> None:
    _, body = read(composed(Notice(TO, "en", [event("user.update", "eve", {"note": "S3cret"}, actor="user:ann")]), FROM, "", AT))
    assert "user.update: eve, by user:ann" in body and "S3cret" not in body


NASTY = st.text(st.characters(codec="utf-8"), max_size=300) | st.sampled_from(
    [
        "a\r\nBcc: x@example.com",
        "\r\n\r\nnew body",
        "\u2028Site: other",
        "\u202eevil",
        "=?utf-8?q?x?=",
        "%(x)s %s %",
        "Тест ភាសា ệ",
        "a" * 5000,
    ]
)


@given(st.dictionaries(st.sampled_from(sorted({*CALL, "place", "error", "other"})), NASTY), NASTY, NASTY, st.sampled_from(list(LANGUAGES)))
def test_nothing_that_somebody_wrote_makes_a_header_or_a_line(about: dict[str, str], subject: str, actor: str, language: str) -> None:
    events = [event("call.emergency", subject, about, actor=actor), event("phone.update", subject, about, actor=actor)]
    plain = composed(Notice(TO, language, [event(), event("phone.update")]), FROM, "", AT)
    message, body = read(composed(Notice(TO, language, events), FROM, "", AT))
    assert message.keys() == read(plain)[0].keys()
    assert (message["To"], message["From"], message["Bcc"]) == (TO, FROM, None)
    starts = [line[:2] for line in body.splitlines() if line]
    assert len(starts) <= 2 + 2 * len(LABELS)
    assert starts.count("  ") == len(starts) - 2, "two titles, and lines of ours beneath them"


@given(NASTY)
def test_a_clean_value_is_one_short_line(value: str) -> None:
    cleaned = clean(value)
    assert len(cleaned) <= LONGEST and len(cleaned.splitlines()) <= 1 and cleaned.isprintable() and clean(cleaned) == cleaned


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_every_sentence_is_there_in_every_language_with_the_same_values(language: str) -> None:
    wanted = set(chain(EVENTS.values(), LABELS.values(), OTHERS))
    with (FOLDER / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    there = {message.id: message.string for message in catalogue if message.id}
    assert there.keys() == wanted
    names = {"%(" + part.partition(")")[0] for text in wanted for part in text.split("%(")[1:]}
    for text, translated in there.items():
        assert translated and {name for name in names if name in text} == {name for name in names if name in translated}, text


def test_everybody_is_told_of_what_has_words() -> None:
    assert set(DEFAULT_EVENTS) == EVENTS.keys()

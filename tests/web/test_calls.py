"""Calls on the pages: the history with its filters, one call, those of an extension, and one's own."""

from __future__ import annotations

import datetime

import pytest
from flask import Flask

from provisioner.callsnow import CallNow, KeptCalls, NoCallsNow
from provisioner.records_calls import OUTCOMES as KNOWN
from provisioner.wiring import Installation
from tests.calls import AT, MISSED, add_call
from tests.web.conftest import PASSWORD, Person, words_in
from web.outcomes import OUTCOMES, talk_text


@pytest.fixture
def bob(installation: Installation) -> str:
    installation.changes.create_extension("tests", "1002", display_name="Bob")
    return "1002"


def test_history_says_who_called_whom_and_what_came_of_it(admin: Person, installation: Installation, bob: str) -> None:
    add_call(installation.database, caller="0241234567", caller_name="Town hall", answered_by="1001", called=bob, talk_s=247.4)
    add_call(installation.database, AT + 60, called="700", caller="", caller_name="", parties=("1001",), **MISSED)
    text = admin.get("/calls").text
    words = words_in(admin.get("/calls"))
    assert "0241234567 Town hall 1002 Bob Taken by 1001 Alice Answered 4:07" in words
    assert words.index("Number withheld 700 Missed –") < words.index("0241234567"), "the newest call comes first"
    assert 'href="/extensions/1002"' in text and 'href="/extensions/700"' not in text


def test_history_is_filtered_and_its_pages_keep_the_filter(admin: Person, installation: Installation) -> None:
    for at in range(53):
        add_call(installation.database, AT + at, called=f"20{at:02}")
    add_call(installation.database, AT + 86400 * 3, called="3000", **MISSED)
    day = datetime.datetime.fromtimestamp(AT).date().isoformat()
    assert "3000" in words_in(admin.get("/calls")) and "2000" not in words_in(admin.get("/calls"))
    first = admin.get(f"/calls?day={day}&extension=1001&outcome=answered")
    assert "2052" in words_in(first) and "3000" not in words_in(first)
    following = first.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    assert {"extension=1001", "outcome=answered", f"day={day}"} <= set(following.partition("?")[2].split("&"))
    assert "2002" in words_in(admin.get(following)) and "2003" not in words_in(admin.get(following))
    assert "3000" in words_in(admin.get("/calls?outcome=missed")) and "2052" not in words_in(admin.get("/calls?outcome=missed"))
    assert "No call fits." in words_in(admin.get("/calls?outcome=busy"))


def test_day_that_is_none_is_named_beside_its_field(admin: Person, installation: Installation) -> None:
    for day in ("yesterday", "2026-02-30", "9999-12-31"):
        answer = admin.get(f"/calls?day={day}")
        assert answer.status_code == 422 and "A day is needed, as 2026-11-26." in words_in(answer), day


def test_history_without_calls_explains_why(admin: Person, installation: Installation) -> None:
    assert "There was no call yet." in words_in(admin.get("/calls"))


def test_one_call_has_its_times_and_one_that_is_not_there_says_so(admin: Person, installation: Installation, bob: str) -> None:
    number = add_call(installation.database, called=bob)
    words = words_in(admin.get(f"/calls/{number}"))
    assert "Rang for 0:05" in words and "Talked 1:00" in words and OUTCOMES["answered"].meaning in words
    for other in (number + 1, 10**30):
        assert admin.get(f"/calls/{other}").status_code == 404


def test_extension_has_its_own_calls(admin: Person, installation: Installation, bob: str) -> None:
    assert "It had no call yet." in words_in(admin.get("/extensions/1002"))
    add_call(installation.database, caller="1001", called="4711", parties=("1001",))
    add_call(installation.database, AT + 1, caller="1001", called=bob)
    words = words_in(admin.get("/extensions/1002"))
    assert "1001 Alice 1002 Bob Answered" in words and "4711" not in words
    assert "4711" in words_in(admin.get("/extensions/1001"))


def test_user_sees_the_own_calls_alone(app: Flask, installation: Installation, bob: str) -> None:
    person = Person(app, "user")
    assert "You had no call yet." in words_in(person.get("/you"))
    own = add_call(installation.database, caller="0499", caller_name="Aunt", called="1001")
    theirs = add_call(installation.database, AT + 1, caller=bob, called="4711")
    for path in ("/you", "/calls"):
        words = words_in(person.get(path))
        assert "0499 Aunt" in words and "4711" not in words, path
    assert person.get(f"/calls/{own}").status_code == 200
    assert person.get(f"/calls/{theirs}").status_code == 404
    assert "No call fits." in words_in(person.get("/calls?extension=1002"))
    assert 'href="/calls"' in person.get("/you").text


def test_people_of_another_site_see_no_call_of_this_one(app: Flask, installation: Installation) -> None:
    changes = installation.changes
    changes.create_site("tests", "berlin", {})
    changes.create_extension("tests", "8001", site="berlin")
    changes.create_extension("tests", "7001", site="default", display_name="Zoe")
    changes.create_user("tests", "berliner", {"role": "technician", "password": PASSWORD, "sites": ["berlin"]})
    theirs = add_call(installation.database, caller="7001", caller_name="Zoe", called="7002")
    both = add_call(installation.database, AT + 1, caller="7001", caller_name="Zoe", called="8001")
    person = Person(app, "berliner")
    words = words_in(person.get("/calls"))
    assert "8001" in words and "7002" not in words
    assert person.get(f"/calls/{theirs}").status_code == 404
    assert person.get(f"/calls/{both}").status_code == 200
    assert "No call fits." in words_in(person.get("/calls?extension=7001"))


def test_every_outcome_has_its_word_and_help_explains_it(admin: Person) -> None:
    assert list(OUTCOMES) == list(KNOWN)
    words = words_in(admin.get("/help"))
    for outcome in OUTCOMES.values():
        assert f"{outcome.word} {outcome.meaning}" in words


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (247, "4:07"), (3753, "1:02:33"), (-3, "0:00")])
def test_talk_time_is_written_as_phones_show_it(seconds: float, text: str) -> None:
    assert talk_text(seconds) == text


def test_calls_under_way_are_shown_to_those_who_see_a_party(app: Flask, admin: Person, installation: Installation, bob: str) -> None:
    assert "Nobody is in a call." in words_in(admin.get("/calls"))
    talking = CallNow("1", "1001", "Alice", (bob,), AT, "talking")
    app.extensions["provisioner.calls_now"] = KeptCalls(lambda: [talking, CallNow("2", bob, "Bob", (), AT, "service")])
    words = words_in(admin.get("/calls"))
    assert "1001 Alice → 1002 Bob Talking" in words and "1002 Bob → a service of the PBX At a service" in words
    words = words_in(Person(app, "user").get("/calls"))
    assert "1001 Alice → 1002 Talking" in words and "At a service" not in words


def test_pbx_that_does_not_answer_is_told_beside_the_history(app: Flask, admin: Person, installation: Installation) -> None:
    def silent() -> list[CallNow]:
        raise NoCallsNow("Asterisk does not answer")

    app.extensions["provisioner.calls_now"] = KeptCalls(silent)
    add_call(installation.database)
    answer = admin.get("/calls")
    assert answer.status_code == 200 and "Asterisk does not answer." in words_in(answer) and "Answered 1:00" in words_in(answer)

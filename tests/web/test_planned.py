"""Lines of a plan and of a drift come in the reader's language, whatever the PBX's part finds otherwise; so do the texts of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask, g

from pbx_sync.asterisk.mailboxes import Mailbox
from pbx_sync.asterisk.objects import AOR, AUTH, ENDPOINT, GROUP, MARK, Profile, Rows, read_back, rows_of
from pbx_sync.plan import diff, differences
from pbx_sync.state import OTHER_FORM, Endpoint, PBXObject, RingGroup
from provisioner.core.languages import LANGUAGES
from provisioner.wiring import Installation
from provisioner.worker.facts import Facts
from tests.web.conftest import Person, words_in
from web import extraction
from web.i18n import DEFAULT
from web.planned import planned
from web.sentences import catalogued

PART = re.compile(r"\{\w+\}")
ALICE = Endpoint("1001", "Alice: of Sales; is 'here'", "secret-1", department="Sales")
SALES = RingGroup("600", "Sales", ("1001", "1002"))


def found(item: PBXObject, spoilt: Rows) -> PBXObject:
    """Returns what Asterisk says of an object some of whose rows are spoilt; an empty row is one that is gone."""
    rows = {**rows_of(item, Profile()), **spoilt}
    read = read_back(item.number, {key: text for key, text in rows.items() if text}, Profile())
    assert read is not None
    return read


WRONG: list[tuple[PBXObject, PBXObject]] = [
    (replace(ALICE, display_name="Bob; number is '7'"), ALICE),
    (replace(ALICE, secret="another-1", former_secrets=("former-1",)), ALICE),
    (replace(ALICE, deviations=(OTHER_FORM,)), ALICE),
    (replace(ALICE, deviations=Mailbox("1001", "Alice", "").deviations(None)), ALICE),
    (replace(ALICE, deviations=Mailbox("1001", "Alice", "").deviations(Mailbox("1001", "Bob", "b@example.org"))), ALICE),
    (SALES, replace(ALICE, number="600")),
    (ALICE, replace(SALES, number="1001")),
    (found(ALICE, {(ENDPOINT, "1001"): "{}", (AOR, "1001"): "", (AUTH, "1001~former1"): '{"auth_type":"userpass"}'}), ALICE),
    (found(ALICE, {(AUTH, "1001"): '{"password":"spoilt","auth_type":"userpass","username":"1001"}', (AOR, "1001"): "[]"}), ALICE),
    (found(ALICE, {(GROUP, "1001"): "1002", (MARK, "1001"): rows_of(ALICE, Profile())[MARK, "1001"].replace('"form":"2"', '"form": "2"')}), ALICE),
    (found(ALICE, {(AUTH, "1001"): '{"password":"secret-1","auth_type":"userpass","username":"1001","md5_cred":"x"}'}), ALICE),
    (found(SALES, {(GROUP, "600"): ""}), SALES),
]  # fmt: skip


@pytest.fixture(params=[code for code in LANGUAGES if code != DEFAULT])
def language(app: Flask, request: pytest.FixtureRequest) -> Iterator[str]:
    with app.app_context():
        g.language = request.param
        yield request.param


def test_everything_that_the_pbx_can_say_otherwise_is_translated(language: str) -> None:
    for actual, desired in WRONG:
        for sentence in differences(actual, desired):
            told = planned(f"{desired.number}: {sentence}")
            assert told.startswith(f"{desired.number}: ") and told != f"{desired.number}: {sentence}", sentence


def test_lines_of_a_plan_keep_what_names_the_object(app: Flask) -> None:
    plan = diff({"1001": replace(ALICE, secret="another-1", email="a; b: c")}, {"1001": ALICE, "600": SALES}, removed=["7"])
    with app.app_context():
        assert [planned(line) for line in plan.lines()] == plan.lines()
        g.language = "nl"
        assert [planned(line) for line in plan.lines()] == [
            "+ 600 Sales (2 leden)",
            "~ 1001 Alice: of Sales; is 'here': Geheim is een andere; E-mail is 'a; b: c'",
        ]
        assert planned("- 1001") == "- 1001" and planned("+ 1002 Bob: 7") == "+ 1002 Bob: 7"
        assert planned("1001: it is gone") == "1001: het is weg"


def test_no_difference_of_the_pbx_is_forgotten() -> None:
    """What these parts say and no other translation has is tried above: one that is new fails here until it is."""
    parts = [extraction.ROOT / "pbx_sync" / name for name in ("plan.py", "asterisk/objects.py")]
    said = {text for part in parts for text in extraction.sentences_in(part.read_text("utf-8"))} - {"something else"}
    spoken = {text for _, text in extraction.spoken_sentences()}
    words = [[word for word in PART.split(text) if word.strip()] for text in sorted(said - spoken)]
    made = [sentence for actual, desired in WRONG for sentence in differences(actual, desired)]
    assert [each for each in words if not any(all(word in sentence for word in each) for sentence in made)] == []


def test_settings_are_named_and_explained_in_the_language_of_the_page(app: Flask) -> None:
    with app.app_context():
        assert catalogued("Time zone") == "Time zone"
        for code, name in (("nl", "Tijdzone"), ("fi", "Aikavyöhyke"), ("vi", "Múi giờ"), ("km", "ល្វែងម៉ោង")):
            g.language = code
            assert catalogued("Time zone") == name and catalogued("A setting of my own") == "A setting of my own"
            assert catalogued("A parameter of the maker, added by hand.") != "A parameter of the maker, added by hand."


def test_pages_tell_a_drift_and_how_somebody_signed_in(admin: Person, installation: Installation) -> None:
    Facts(installation.store, lambda: 1.0).checked({"1001": "display_name is 'by hand'"}, "")
    admin.post("/look", language="nl", theme="auto", back="/")
    assert "1001: Naam is 'by hand'" in words_in(admin.get("/pbx"))
    told = words_in(admin.get("/changes"))
    assert "Aangemeld met" in told and "Wachtwoord" in told and "one-time code" not in told

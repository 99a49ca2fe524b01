"""Extensions and ring groups as rows of AstDB and back, without an Asterisk."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_sync.asterisk.ami import LONGEST_VALUE, Action, unspeakable
from pbx_sync.asterisk.astdb import Change, stages_of
from pbx_sync.asterisk.objects import (
    AOR,
    AUTH,
    ENDPOINT,
    FORM,
    GROUP,
    LONGEST_NAME,
    MARK,
    NOTIFIER,
    Key,
    Profile,
    caller_id,
    keys_of,
    number_of,
    problem,
    read_back,
    rows_of,
)
from pbx_sync.state import OTHER_FORM, Endpoint, PBXObject, RingGroup

PROFILE = Profile()
ALICE = Endpoint("1001", "Alice", "secret-of-alice", "alice@example.org", "Sales")
MOVING = replace(ALICE, secret="the-next-one", former_secrets=("secret-of-alice", "an-older-one"))
SALES = RingGroup("600", "Sales", ("1001", "1002"))

NUMBERS = st.from_regex(r"[0-9A-Za-z*#+][0-9A-Za-z*#+._\-]{0,31}", fullmatch=True).filter(
    lambda number: number not in (NOTIFIER, "anonymous")
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SECRETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)
ENDPOINTS = st.builds(Endpoint, NUMBERS, TEXTS, SECRETS, TEXTS, TEXTS, st.lists(SECRETS, max_size=3).map(tuple))
GROUPS = st.builds(RingGroup, NUMBERS, TEXTS, st.lists(NUMBERS, max_size=20, unique=True).map(sorted).map(tuple))


RECORDED = replace(ALICE, record_calls=True)


def test_an_extension_that_is_not_recorded_is_as_it_was_before_there_were_recordings() -> None:
    """Else an update of this program would look like a change of every extension."""
    before = Endpoint("1001", "Alice", "secret-of-1001", "a@example.org", "Sales", ("old",))
    assert before.hash == "683815598afe5c9d54e01947585328094a0c56ae628e4e561f35588582661deb"
    assert set(rows_of(RECORDED, PROFILE)) - set(rows_of(ALICE, PROFILE)) == {("provisioner-record", "1001")}
    assert "record" not in rows_of(ALICE, PROFILE)["provisioner", "1001"]
    assert read_back("1001", rows_of(RECORDED, PROFILE), PROFILE) == RECORDED
    unmarked = {key: value for key, value in rows_of(RECORDED, PROFILE).items() if key[0] != "provisioner-record"}
    found = read_back("1001", unmarked, PROFILE)
    assert found is not None
    assert found.deviations == ("the mark of recording is missing",)


@given(st.one_of(ENDPOINTS, GROUPS))
def test_what_is_written_reads_back_to_the_letter(item: PBXObject) -> None:
    rows = rows_of(item, PROFILE)
    assert problem(item, PROFILE) == ""
    assert read_back(item.number, rows, PROFILE) == item
    assert set(rows) <= set(keys_of(item.number)) and {number_of(key) for key in rows} == {item.number}
    assert not any(unspeakable(value) for value in rows.values())


@given(ENDPOINTS)
def test_no_row_but_the_credentials_holds_a_secret(item: Endpoint) -> None:
    secrets = [f"{secret}-{'x' * 24}" for secret in (item.secret, *item.former_secrets)]
    item = replace(item, secret=secrets[0], former_secrets=tuple(secrets[1:]))
    others = [value for (family, _), value in rows_of(item, PROFILE).items() if family != AUTH]
    assert not [json.loads(value) for value in others if any(secret in value for secret in secrets)]


@given(TEXTS)
def test_caller_id_is_one_line_that_asterisk_keeps_whole(name: str) -> None:
    made = caller_id(name, "1001")
    kept = made.removeprefix('"').removesuffix('" <1001>').replace('\\"', '"').replace("\\\\", "\\")
    assert made.isprintable() or not made.encode().isascii()
    assert not any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in made)
    assert len(kept.encode()) <= LONGEST_NAME


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Alice", '"Alice" <1001>'),
        ('Zoë <b> & "quoted"; $x', '"Zoë <b> & \\"quoted\\"; $x" <1001>'),
        ("back\\slash", '"back\\\\slash" <1001>'),
        ("two\r\nlines", '"two  lines" <1001>'),
        ("ឡ" * 27, f'"{"ឡ" * 26}" <1001>'),
    ],
)
def test_caller_id_of(name: str, made: str) -> None:
    assert caller_id(name, "1001") == made


HAND_EDITS: dict[str, tuple[PBXObject, Key, Callable[[dict[str, str]], object] | None, str]] = {
    "another context": (ALICE, (ENDPOINT, "1001"), lambda row: row.update(context="x"), "endpoint.context is 'x', should be 'internal'"),
    "an attribute more": (ALICE, (ENDPOINT, "1001"), lambda row: row.update(webrtc="yes"), "endpoint.webrtc is 'yes', should be not set"),
    "an attribute less": (ALICE, (AOR, "1001"), lambda row: row.pop("max_contacts"), "aor.max_contacts is not set, should be '10'"),
    "another user": (ALICE, (AUTH, "1001"), lambda row: row.update(username="x"), "auth.username is 'x', should be '1001'"),
    "no endpoint": (ALICE, (ENDPOINT, "1001"), None, "endpoint 1001 is missing"),
    "no credentials": (ALICE, (AUTH, "1001"), None, "auth 1001 is missing"),
    "no newer former credentials": (MOVING, (AUTH, "1001~former1"), None, "auth 1001~former2 is there and should not be"),
    "no members": (SALES, (GROUP, "600"), None, "the list of members is missing"),
}


@pytest.mark.parametrize("name", HAND_EDITS)
def test_hand_edit_is_told(name: str) -> None:
    item, key, edit, told = HAND_EDITS[name]
    rows = rows_of(item, PROFILE)
    if edit is None:
        del rows[key]
    else:
        row = json.loads(rows[key])
        edit(row)
        rows[key] = json.dumps(row, separators=(",", ":"))
    found = read_back(item.number, rows, PROFILE)
    assert found is not None and found != item and found.hash != item.hash
    assert told in found.deviations


def test_hand_edited_secret_is_another_secret_and_shown_nowhere() -> None:
    rows = rows_of(ALICE, PROFILE)
    rows[AUTH, "1001"] = rows[AUTH, "1001"].replace("secret-of-alice", "typed-by-hand")
    found = read_back("1001", rows, PROFILE)
    assert found == replace(ALICE, secret="typed-by-hand")
    assert "typed-by-hand" not in repr(found)


WRITTEN = {"2": "ecba4f1bbad0b6e7"}
"""Form -> what the rows of three objects come to in it."""


def test_form_is_another_where_the_rows_are() -> None:
    rows = [sorted(rows_of(item, PROFILE).items()) for item in (ALICE, MOVING, SALES)]
    assert WRITTEN[FORM] == hashlib.sha256(repr(rows).encode()).hexdigest()[:16], (
        "the rows have another form: say a new FORM, and what it comes to"
    )


@pytest.mark.parametrize("item", [ALICE, SALES], ids=lambda item: item.number)
def test_what_another_version_wrote_is_told_as_that(item: PBXObject) -> None:
    for rows in (in_form(item, None), in_form(item, "9")):
        found = read_back(item.number, rows, PROFILE)
        assert found is not None and OTHER_FORM in found.deviations
        assert replace(found, deviations=()) == item


def in_form(item: PBXObject, form: str | None) -> dict[Key, str]:
    """Returns the rows as a version wrote them that knew less; None: one that did not say its form."""
    rows = rows_of(item, PROFILE)
    for key, field in (((MARK, item.number), "form"), ((ENDPOINT, item.number), "message_context")):
        if key in rows:
            row = json.loads(rows[key])
            del row[field]
            rows[key] = json.dumps({**row, "form": form} if form and field == "form" else row)
    return rows


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "null", '{"kind":7}'])
@pytest.mark.parametrize("key", keys_of("1001"))
def test_damaged_row_is_no_error_and_no_object_that_is_right(key: Key, text: str) -> None:
    rows = {**rows_of(ALICE, PROFILE), key: text}
    found = read_back("1001", rows, PROFILE)
    assert found is not None
    assert found.deviations
    assert not any(ALICE.secret in line for line in found.deviations)


def test_object_without_our_mark_is_not_ours() -> None:
    rows = rows_of(ALICE, PROFILE)
    del rows[MARK, "1001"]
    assert read_back("1001", rows, PROFILE) is None


REFUSED: dict[str, tuple[PBXObject, str]] = {
    "no number": (replace(ALICE, number=""), "a number has 1 to 32"),
    "a number that breaks a line": (replace(ALICE, number="10\r\n01"), "a number has 1 to 32"),
    "a number that ends like another's former secret": (replace(ALICE, number="1001~former1"), "a number has 1 to 32"),
    "the endpoint of NOTIFYs": (replace(ALICE, number=NOTIFIER), "means something else to Asterisk"),
    "the endpoint of strangers": (replace(ALICE, number="anonymous"), "means something else to Asterisk"),
    "no secret": (replace(ALICE, secret=""), "its secret is empty"),
    "a secret that breaks a line": (replace(ALICE, secret="a\r\nb"), "its secret is empty or holds"),
    "too many former secrets": (replace(ALICE, former_secrets=("a", "b", "c", "d")), "4 former secrets; 3 are possible"),
    "a secret too long": (replace(ALICE, secret="x" * LONGEST_VALUE), "too long for Asterisk"),
    "half a character": (replace(ALICE, display_name="\ud800"), "half a character"),
    "texts too long": (replace(ALICE, display_name="🙂" * 128, department="🙂" * 128), f"{LONGEST_VALUE} are possible"),
    "too many members": (RingGroup("600", "All", tuple(map(str, range(1000, 1400)))), "its members are too long"),
    "a member that is none": (RingGroup("600", "All", ("10,01",)), "one of its members has no number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_asterisk_cannot_hold_is_refused_with_a_sentence(name: str) -> None:
    item, reason = REFUSED[name]
    assert reason in problem(item, PROFILE)


def test_longest_texts_of_three_bytes_fit() -> None:
    item = Endpoint("9" * 32, "ខ" * 128, "x" * 64, f"{'a' * 240}@example.org", "ខ" * 64, ("a" * 64, "b" * 64, "c" * 64))
    assert problem(item, PROFILE) == ""
    assert read_back(item.number, rows_of(item, PROFILE), PROFILE) == item


def test_departments_stay_apart_whatever_their_names() -> None:
    names = ("a,b", "a%2Cb", "x" * 64, "x" * 63 + "y")
    groups = {json.loads(rows_of(replace(ALICE, department=name), PROFILE)[ENDPOINT, "1001"])["named_pickup_group"] for name in names}
    assert len(groups) == len(names) and not any("," in group for group in groups)


def test_action_shows_no_value() -> None:
    assert "geheim" not in repr(Action("Login", {"Secret": "geheim"}))


SECRET_LISTS = st.lists(st.sampled_from(["one", "two", "three", "four", "five"]), min_size=1, max_size=4, unique=True)


@given(SECRET_LISTS, SECRET_LISTS)
def test_secret_that_stays_is_taken_at_every_step_of_a_change(before: list[str], after: list[str]) -> None:
    rows = dict(rows_of(replace(ALICE, secret=before[0], former_secrets=tuple(before[1:])), PROFILE))
    wanted = rows_of(replace(ALICE, secret=after[0], former_secrets=tuple(after[1:])), PROFILE)
    for action in itertools.chain(*stages_of("1001", Change(dict(rows), wanted))):
        key = (action.fields["Family"], action.fields["Key"])
        if action.name == "DBPut":
            rows[key] = action.fields["Val"]
        else:
            del rows[key]
        taken = {
            json.loads(rows.get((AUTH, name), '{"password":""}'))["password"]
            for name in json.loads(rows[ENDPOINT, "1001"])["auth"].split(",")
        }
        assert {*before} & {*after} <= taken
        assert (MARK, "1001") in rows
    assert rows == wanted

"""CSV in and out: what is read, what is refused and why, and that what goes out comes back the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac, try_parse
from provisioner.core.settings_check import CONTROL
from provisioner.errors import InputError, RenderError
from provisioner.importing import ImportPlan, apply_plan, export_csv, preview_import
from provisioner.importing.columns import column_name, guarded, plain_text
from provisioner.importing.reading import MAX_BYTES, MAX_COLUMNS, MAX_ROWS, best_delimiter, parsed_file
from provisioner.models import extension, phone
from provisioner.wiring import Installation
from tests.conftest import load_cases
from tests.installations import fresh_installation

CASES = load_cases("import_cases")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with fresh_installation(tmp_path) as made:
        yield made


def sentences(plan: ImportPlan) -> list[tuple[int, str, str]]:
    return [(mistake.line, mistake.column, mistake.sentence) for mistake in plan.mistakes]


def applied(installation: Installation, text: str | bytes) -> None:
    apply_plan(installation, "test", preview_import(installation, text), all_or_nothing=True)


# ---- the recorded cases ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with fresh_installation(tmp_path_factory.mktemp("untouched")) as made:
        yield made


@pytest.mark.parametrize("case", [case for case in CASES if case.get("field") == "mac"], ids=lambda case: case["id"])
def test_recorded_mac(untouched: Installation, case: dict) -> None:
    assert try_parse(case["value"]) == case["expect"]
    plan = preview_import(untouched, f"mac,model,site\n{case['value']},A1,default\n")
    found = [row.mac for row in plan.rows], [mistake.line for mistake in plan.mistakes]
    assert found == (([case["expect"]], []) if case["expect"] else ([], [2]))


def test_preview_writes_nothing_and_unknown_extension_is_a_row_error(installation: Installation) -> None:
    """import-013"""
    plan = preview_import(installation, "mac,model,line1,extension\n02acde000001,A1,9999,\n02acde000002,A1,,1001\n")
    assert sentences(plan) == [(2, "line1", "there is no extension 9999")]
    assert [row.line for row in plan.rows] == [3]
    assert installation.store.phones() == []


@pytest.mark.parametrize("case", [case for case in CASES if case.get("field") == "label"], ids=lambda case: case["id"])
def test_formula_is_neutralised_in_export(installation: Installation, case: dict) -> None:
    installation.changes.create_extension("test", "1001", display_name="@SUM(1)")
    lines = [LineInput(1, "1001", case["value"])]
    installation.changes.create_phone("test", Mac("02acde000001"), PhoneInput(model="acme/a1", lines=lines))
    (row,) = csv.DictReader(io.StringIO(export_csv(installation)))
    assert row[case["field"]] == "'" + case["value"]
    assert row["display_name"] == "'@SUM(1)"
    assert [row.action for row in preview_import(installation, export_csv(installation)).rows] == ["unchanged"]


# ---- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("MAC address", "mac"), (" mac ", "mac"), ("Extension", "extension"), ("NAME", "display_name"), ("Label", "label1"),
        ("Line 2", "line2"), ("line_03", None), ("label2", "label2"), ("E-Mail", "email"), ("Setting: Timezone", "setting:timezone"),
        ("password", "secret"), ("Room", None), ("", None),
    ],
)  # fmt: skip
def test_column_names_in_the_words_of_people(header: str, column: str | None) -> None:
    assert column_name(header) == column


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_delimiters_and_encodings(delimiter: str, encoding: str) -> None:
    text = f"MAC{delimiter}Model{delimiter}Name{delimiter}Extension\r\n02acde000001{delimiter}A1{delimiter}Nguyễn{delimiter}1001\r\n"
    parsed = parsed_file(text.encode(encoding))
    assert parsed.mistakes == parsed.notes == ()
    assert parsed.rows[0].cells == {"mac": "02acde000001", "model": "A1", "display_name": "Nguyễn", "extension": "1001"}


def test_windows_1252_is_read_with_a_note() -> None:
    parsed = parsed_file("extension;name\n1001;José Müller €\n".encode("cp1252"))
    assert parsed.rows[0].cells["display_name"] == "José Müller €"
    assert "Windows-1252" in parsed.notes[0]


def test_bytes_of_no_encoding_are_refused_with_their_line() -> None:
    parsed = parsed_file(b"extension\n1001\n\x81\x8d\xff\n")
    assert parsed.is_unreadable
    assert parsed.mistakes[0].line == 3


def test_separator_line_of_excel() -> None:
    parsed = parsed_file("sep=|\r\nextension|name\r\n1001|Bob\r\n")
    assert parsed.rows[0].cells == {"extension": "1001", "display_name": "Bob"}
    assert parsed.rows[0].line == 3


def test_comma_inside_names_does_not_win_over_the_semicolon() -> None:
    assert best_delimiter('mac;model;"name, first"\n1,2,3,4;5\n') == ";"


def test_quoted_line_breaks_keep_the_line_numbers(installation: Installation) -> None:
    plan = preview_import(installation, 'extension,name,department\n1001,"A\nB",x\n1002,C,y\nbad number,D,z\n')
    assert [(line, column) for line, column, _ in sentences(plan)] == [(2, "display_name"), (5, "extension")]


def test_blank_rows_and_short_rows_are_fine() -> None:
    parsed = parsed_file("extension,name,email\n\n,,\n1001\n  ,  ,\n1002,Bob,,,\n")
    assert [(row.line, row.cells["extension"]) for row in parsed.rows] == [(4, "1001"), (6, "1002")]


def test_row_with_more_cells_than_the_header() -> None:
    parsed = parsed_file("extension,name\n1001,Smith, Bob\n1002,Carol\n")
    assert [(item.line, item.sentence) for item in parsed.mistakes] == [(2, "this row has 3 cells and the header 2")]
    assert "quotes" in parsed.mistakes[0].mend
    assert len(parsed.rows) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names neither mac nor extension"),
        ("name,model\nBob,A1\n", "names neither mac nor extension"),
        ("mac,MAC address\n1,2\n", "the column mac is there twice"),
        ("mac,modle\n1,2\n", "there is no such column"),
        ('mac,model\n"02acde000001,A1\n', "quotes of this row do not fit"),
        ('mac,model\n"02acde000001"x,A1\n', "quotes of this row do not fit"),
        ("mac" + "," * MAX_COLUMNS + "\n", f"at most {MAX_COLUMNS}"),
        ("extension\n" + "1\n" * (MAX_ROWS + 1), f"more than {MAX_ROWS} rows"),
        ("extension\n" + "x" * MAX_BYTES, f"at most {MAX_BYTES}"),
    ],
    ids=lambda value: value[:30],
)
def test_file_that_cannot_be_read(installation: Installation, text: str, sentence: str) -> None:
    plan = preview_import(installation, text)
    assert plan.is_unreadable
    assert plan.rows == ()
    assert sentence in plan.mistakes[0].sentence
    assert plan.mistakes[0].mend
    with pytest.raises(InputError):
        apply_plan(installation, "test", plan, all_or_nothing=False)


def test_unused_column_is_a_note() -> None:
    assert parsed_file("extension,Room\n1001,B3\n").notes == ("the column 'Room' is not used",)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_and_never_crash(raw: bytes) -> None:
    parsed = parsed_file(raw)
    assert parsed.rows or parsed.mistakes or not parsed.is_unreadable


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.one_of(st.sampled_from("'=+-@\t\r\n\uff1d a1"), st.characters(codec="utf-8")), max_size=12))
def test_guarded_text_comes_back_and_begins_no_formula(text: str) -> None:
    text = text.strip()
    assert plain_text(guarded(text)) == text
    assert guarded(text)[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}


# ---- judging --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "column", "sentence", "mend"),
    [
        ({"mac": "02acde00000g", "model": "A1"}, "mac", "is not a MAC address", "80:5e:c0"),
        ({"mac": "2145676543", "model": "A1"}, "mac", "is not a MAC address", "format Text"),
        ({"mac": "8.05E+11", "model": "A1"}, "mac", "is not a MAC address", "format Text"),
        ({"mac": "02acde000001"}, "model", "needs a model", "yealink/t46u"),
        ({"mac": "02acde000001", "model": "acme/a11"}, "model", "no model", "did you mean acme/a1 or acme/a2?"),
        ({"mac": "02acde000001", "model": "A1", "site": "Nowhere"}, "site", "no site Nowhere", "provisioner site add"),
        ({"mac": "02acde000001", "model": "A1", "group": "None"}, "group", "no group None", "make the group"),
        ({"mac": "02acde000001", "model": "A1", "enabled": "perhaps"}, "enabled", "neither yes nor no", "yes or no"),
        ({"mac": "02acde000001", "model": "A1", "extension": "10 01"}, "extension", "digits or letters", "1001"),
        ({"mac": "02acde000001", "model": "A1", "extension": "1001", "email": "nobody"}, "email", "not an e-mail", "name@example.com"),
        ({"mac": "02acde000001", "model": "A1", "extension": "1001", "secret": "short"}, "secret", "8 to 64", "leave it empty"),
        ({"mac": "02acde000001", "model": "A1", "extension": "1001", "line1": "1002"}, "line1", "line 1 is 1002", "keep one"),
        ({"mac": "02acde000001", "model": "A2", "extension": "1001", "line2": "1001"}, "line2", "has lines 1 to 1", "choose a line"),
        ({"mac": "02acde000001", "model": "A1", "label2": "x"}, "label2", "line 2 has no extension", "line2"),
        ({"mac": "02acde000001", "model": "A1", "display_name": "Bob"}, "display_name", "names none", "extension"),
        ({"mac": "02acde000001", "model": "A1", "extension": "1001", "label": "x" * 65}, "label1", "at most 64", "shorten"),
        ({"mac": "02acde000001", "model": "A1", "setting:timezone": "Mars"}, "setting:timezone", "not a time zone", ""),
        ({"mac": "02acde000001", "model": "A1", "setting:tiemzone": "UTC"}, "setting:tiemzone", "no such setting; did you mean", ""),
        ({"mac": "-", "model": "A1"}, "mac", "cannot be taken away", "leave the cell empty"),
        ({"mac": "", "site": "default"}, "", "neither a MAC nor an extension", "fill in"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_row_names_column_sentence_and_mend(
    installation: Installation, row: dict[str, str], column: str, sentence: str, mend: str
) -> None:
    if "mac" in row and "extension" not in row:
        row = {**row, "extension": ""}
    out = io.StringIO()
    writer = csv.DictWriter(out, list(row))
    writer.writeheader()
    writer.writerow(row)
    plan = preview_import(installation, out.getvalue())
    assert plan.rows == ()
    (mistake,) = [item for item in plan.mistakes if item.column == column]
    assert mistake.line == 2
    assert sentence in mistake.sentence
    assert mend in mistake.mend


def test_twice_the_same_names_the_other_line(installation: Installation) -> None:
    text = "mac,model,extension\n02acde000001,A1,1001\n02:AC:DE:00:00:01,A1,1002\n02acde000002,A1,1001\n"
    assert sentences(preview_import(installation, text)) == [
        (2, "extension", "1001 is in line 4 too"),
        (2, "mac", "02:ac:de:00:00:01 is in line 3 too"),
        (3, "mac", "02:ac:de:00:00:01 is in line 2 too"),
        (4, "extension", "1001 is in line 2 too"),
    ]


def test_row_that_falls_takes_along_those_that_need_it(installation: Installation) -> None:
    text = "mac,model,extension,line2\n02acde000001,A9,1001,\n02acde000002,A1,1002,1001\n02acde000003,A1,1003,1002\n02acde000004,A1,1004,1004\n"
    plan = preview_import(installation, text)
    assert [(mistake.line, mistake.column) for mistake in plan.mistakes] == [(2, "model"), (3, "line2"), (4, "line2")]
    assert [row.line for row in plan.rows] == [5]


def test_row_without_mac_makes_the_extension_alone_and_says_what_is_unused(installation: Installation) -> None:
    plan = preview_import(installation, "mac,model,extension\n,A1,1001\n")
    assert "model not used" in plan.notes[0]
    apply_plan(installation, "test", plan, all_or_nothing=True)
    assert [record.number for record in installation.store.extensions()] == ["1001"]
    assert installation.store.phones() == []


def test_details_describe_line_1_where_no_extension_is_named(installation: Installation) -> None:
    applied(installation, "mac,model,line1,name\n02acde000001,A1,1001,Alice\n")
    assert installation.store.extension("1001").display_name == "Alice"


def test_model_of_another_maker_is_a_note(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = installation.catalogue.vendors["acme"]
    other = type(vendor)(
        **{**{name: getattr(vendor, name) for name in vendor.__slots__}, "id": "other", "name": "Other", "ouis": frozenset({"021111"})}
    )
    monkeypatch.setitem(installation.catalogue.vendors, "other", other)  # a second maker with a prefix of its own
    plan = preview_import(installation, "mac,model\n021111000001,acme/a1\n")
    assert plan.notes == ("line 2: 02:11:11:00:00:01 is an address of Other, and the model is Acme A1",)


# ---- applying -------------------------------------------------------------------------------------------------------

FULL = (
    "mac,model,site,group,enabled,extension,display_name,secret,email,department,label,line2,label2,setting:timezone,setting:admin_password\n"
    "02acde000001,A1,default,,no,1001,Alice,hunter2hunter2,a@example.com,Sales,Desk,1002,Shared,Europe/Amsterdam,letmein-please\n"
    ",,,,,1002,Bob,,,,,,,,\n"
)


def test_everything_of_a_row_is_written(installation: Installation) -> None:
    applied(installation, FULL)
    record = installation.store.phone(Mac("02acde000001"))
    assert record is not None
    assert (record.model, record.site, record.enabled) == ("acme/a1", "default", False)
    assert [(line.line, line.extension, line.label) for line in record.lines] == [(1, "1001", "Desk"), (2, "1002", "Shared")]
    assert record.settings == {"timezone": "Europe/Amsterdam"}
    assert record.secret_names == ("admin_password",)
    assert installation.store.phone_secret_settings([record.mac]) == {record.mac: {"admin_password": "letmein-please"}}
    assert installation.store.extension_secrets(["1001"]) == {"1001": "hunter2hunter2"}
    assert len(installation.store.extension_secrets(["1002"])["1002"]) == 20
    assert installation.store.extension("1001").department == "Sales"
    assert [record.mac] == installation.store.macs_to_render(10)


def test_import_leaves_one_change_row_without_secrets(installation: Installation) -> None:
    applied(installation, FULL)
    (row,) = installation.store.changes()
    assert (row.action, row.actor, row.phones) == ("import.commit", "test", 1)
    assert row.after == {
        "phones_created": 1, "phones_updated": 0, "extensions_created": 2, "extensions_updated": 0, "unchanged": 0, "left_out": 0,
    }  # fmt: skip


def test_secrets_are_in_no_text_of_the_plan(installation: Installation) -> None:
    applied(installation, FULL)
    for text in (FULL, FULL.replace("hunter2hunter2", "other-secret-1").replace("letmein", "letmeout")):
        plan = preview_import(installation, text)
        assert not any(word in repr(plan) + repr(plan.parsed) for word in ("hunter2", "other-secret", "letme"))


def test_same_file_again_changes_nothing(installation: Installation) -> None:
    applied(installation, FULL)
    plan = preview_import(installation, FULL)
    assert plan.counts == {"create": 0, "update": 0, "unchanged": 2, "bad": 0}
    assert apply_plan(installation, "test", plan, all_or_nothing=True).unchanged == 2
    assert len(installation.store.changes()) == 1


def test_update_changes_what_is_given_and_keeps_the_rest(installation: Installation) -> None:
    applied(installation, FULL)
    plan = preview_import(
        installation, "mac,extension,name,enabled,label2,setting:timezone,setting:language\n02acde000001,1001,Alicia,yes,-,-,nl\n"
    )
    assert [(item.column, item.before, item.after) for item in plan.rows[0].differences] == [
        ("display_name", "Alice", "Alicia"),
        ("enabled", "no", "yes"),
        ("label2", "Shared", ""),
        ("setting:timezone", "Europe/Amsterdam", ""),
        ("setting:language", "", "nl"),
    ]
    apply_plan(installation, "test", plan, all_or_nothing=True)
    record = installation.store.phone(Mac("02acde000001"))
    assert record.enabled
    assert record.settings == {"language": "nl"}
    assert installation.store.phone_secret_settings([record.mac])[record.mac] == {"admin_password": "letmein-please"}
    assert [(line.line, line.label) for line in record.lines] == [(1, "Desk"), (2, "")]
    assert installation.store.extension_secrets(["1001"]) == {"1001": "hunter2hunter2"}


def test_line_is_taken_away_and_replaced_without_its_old_label(installation: Installation) -> None:
    applied(installation, FULL)
    applied(installation, "mac,line1,line2\n02acde000001,1002,-\n")
    record = installation.store.phone(Mac("02acde000001"))
    assert [(line.line, line.extension, line.label) for line in record.lines] == [(1, "1002", "")]


def test_changed_extension_renders_the_phones_that_show_it(installation: Installation) -> None:
    applied(installation, FULL)
    keys = [KeyInput(1, "blf", "1002")]
    installation.changes.create_phone("test", Mac("02acde000009"), PhoneInput(model="acme/a1", keys=keys))
    with installation.database.write() as connection:
        connection.execute(phone.update().values(wanted_hash="x"))
        connection.execute(extension.update().values(pbx_wanted="x", pbx_verified="x"))
    applied(installation, "extension,name\n1002,Robert\n")
    assert installation.store.macs_to_render(10) == ["02acde000001", "02acde000009"]
    assert installation.store.extension("1002").pbx_wanted is None
    assert installation.store.extension("1001").pbx_wanted == "x"


def test_smaller_model_must_take_the_keys_that_stay(installation: Installation) -> None:
    given = PhoneInput(model="acme/a1", keys=[KeyInput(1, "blf", "1002")])
    installation.changes.create_phone("test", Mac("02acde000009"), given)
    plan = preview_import(installation, "mac,model\n02acde000009,A2\n")
    assert "keys of this phone do not fit" in plan.mistakes[0].sentence


def test_all_or_nothing_writes_nothing_and_partial_the_good_rows(installation: Installation) -> None:
    plan = preview_import(installation, "extension,email\n1001,a@example.com\n1002,nonsense\n")
    with pytest.raises(InputError, match="line 3, email"):
        apply_plan(installation, "test", plan, all_or_nothing=True)
    assert installation.store.extensions() == []
    result = apply_plan(installation, "test", plan, all_or_nothing=False)
    assert result.extensions_created == 1
    assert [mistake.line for mistake in result.left_out] == [3]


def test_plan_that_grew_old_is_judged_anew(installation: Installation) -> None:
    plan = preview_import(installation, "mac,model,line1,extension\n02acde000001,A1,,1001\n")
    installation.changes.create_extension("somebody", "1001", display_name="Else")
    result = apply_plan(installation, "test", plan, all_or_nothing=True)
    assert (result.extensions_created, result.extensions_updated, result.phones_created) == (0, 0, 1)
    assert installation.store.extension("1001").display_name == "Else"


def test_template_that_fails_rolls_everything_back(installation: Installation) -> None:
    plan = preview_import(installation, "mac,model,extension,setting:syslog_server\n02acde000001,A1,1001,broken.example\n")
    with pytest.raises(RenderError):
        apply_plan(installation, "test", plan, all_or_nothing=True)
    assert installation.store.phones() == installation.store.extensions() == installation.store.changes() == []


# ---- round trip -----------------------------------------------------------------------------------------------------

TEXT = st.text(
    alphabet=st.one_of(st.sampled_from("'=+-@;,\"é\uff1d "), st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])), max_size=20
)
CLEAN = TEXT.map(str.strip).filter(lambda text: not CONTROL.search(text))
NUMBERS = st.from_regex(r"[0-9*#+][0-9*#+]{0,5}", fullmatch=True)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[dict[str, tuple[str, str]], list[tuple[str, list[tuple[str, str]], dict[str, str]]]]:
    """Extensions (name, department), and phones (model, lines with labels, settings)."""
    numbers = draw(st.lists(NUMBERS, min_size=1, max_size=4, unique=True))
    extensions = {number: (draw(CLEAN), draw(CLEAN)) for number in numbers}
    phones = []
    for _ in range(draw(st.integers(0, 3))):
        lines = draw(st.lists(st.tuples(st.sampled_from(numbers), CLEAN), max_size=2))
        phones.append(("acme/a1", lines, draw(st.fixed_dictionaries({}, optional={"voicemail_number": CLEAN, "language": st.just("nl")}))))
    return extensions, phones


def facts(installation: Installation) -> object:
    phones = [(p.mac, p.model, p.site, p.group, p.enabled, p.lines, p.settings, p.secret_names) for p in installation.store.phones()]
    people = [(e.number, e.display_name, e.email, e.department) for e in installation.store.extensions()]
    return phones, people, installation.store.extension_secrets([number for number, *_ in people])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(world=worlds())
def test_export_and_import_are_a_round_trip(tmp_path_factory: pytest.TempPathFactory, world: tuple) -> None:
    extensions, phones = world
    with fresh_installation(tmp_path_factory.mktemp("one")) as one, fresh_installation(tmp_path_factory.mktemp("two")) as two:
        for number, (name, department) in extensions.items():
            one.changes.create_extension("test", number, display_name=name, department=department)
        for at, (model, lines, values) in enumerate(phones):
            wanted = [LineInput(line, number, label) for line, (number, label) in enumerate(lines, 1)]
            one.changes.create_phone("test", Mac(f"02acde{at:06x}"), PhoneInput(model=model, lines=wanted, settings=values))
        text = export_csv(one, with_secrets=True)
        plan = preview_import(two, text.encode("utf-8-sig"))
        assert sentences(plan) == []
        apply_plan(two, "test", plan, all_or_nothing=True)
        assert facts(two) == facts(one)
        assert export_csv(two, with_secrets=True) == text
        assert preview_import(one, text).counts["update"] == 0

"""A ZIP with the files that another system wrote for its phones: what of it is taken, what is refused, and that it is bounded."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.changes.undoing import Undoing
from provisioner.core.mac import Mac
from provisioner.errors import InputError
from provisioner.importing import ImportPlan, Told, apply_plan, plan_as_dict, preview_import
from provisioner.importing.foreign import archive
from provisioner.importing.foreign.archive import packed_folder
from provisioner.wiring import Installation

DESK = """#!version:1.0.0.1
account.1.enable = 1
account.1.display_name = Alice Jansen
account.1.auth_name = 1001
account.1.user_name = 1001
account.1.password = Sup3rSecret1
account.1.sip_server.1.address = pbx.old
account.2.enable = 1
account.2.user_name = 1050
account.2.password = short
linekey.3.type = 16
linekey.3.line = 1
linekey.3.value = 1002
linekey.3.label = Bob
expansion_module.2.key.7.type = 13
expansion_module.2.key.7.value = 0201234567
linekey.4.type = 99
local_time.time_zone = +1
"""
GATE = """<?xml version="1.0"?><gs_provision><mac>000b82a1b2c3</mac><config version="1">
<P271>1</P271><P35>1003</P35><P36>1003</P36><P34>Oth3rSecret</P34><P3>Carol &amp; Co</P3><P270>1003</P270>
<P1363>1</P1363><P1364>0</P1364><P1465>Bob</P1465><P1466>1002</P1466> <!-- <P1366>9</P1366> -->
</config></gs_provision>"""


def zipped(files: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return out.getvalue()


def refusals(plan: ImportPlan) -> list[tuple[str, str, str]]:
    return [(mistake.source, mistake.column, mistake.sentence) for mistake in plan.mistakes]


def test_phones_come_over_with_lines_passwords_keys_and_labels(place: Installation) -> None:
    files = {"T46U/805ec0aabbcc.cfg": DESK, "cfg000b82a1b2c3.xml": GATE, "readme.txt": "hello", "y000000000108.cfg": DESK}
    plan = preview_import(place, zipped(files), Told(model="GXP2170"))
    assert plan.mistakes == () and plan.parsed.form == "phone-files"
    assert list(plan.notes) == [
        "read as files that another system wrote for its phones",
        "T46U/805ec0aabbcc.cfg: keys left out, because the catalogue has no word for their type: linekey.4.type",
        "T46U/805ec0aabbcc.cfg: the password of extension 1050 is too short or too odd to be kept; a new one is made",
        "not read, because nothing of one phone is in them: readme.txt, y000000000108.cfg",
    ]
    left = {item.name: (item.phones, item.is_set_here) for item in plan.parsed.left}
    assert left["account.1.sip_server.1.address"] == (1, True) and left["local_time.time_zone"] == (1, True)
    assert left["linekey.4.type"] == (1, False)
    assert "account.1.password" not in left and "P34" not in left
    apply_plan(place, "test", plan, all_or_nothing=True)
    desk, gate = place.store.phone(Mac("805ec0aabbcc")), place.store.phone(Mac("000b82a1b2c3"))
    assert desk is not None and gate is not None
    assert (desk.model, desk.modules, [line.extension for line in desk.lines]) == ("yealink/t46u", 2, ["1001", "1050"])
    assert [(key.module, key.key, key.type, key.value, key.label) for key in desk.keys] == [
        (0, 3, "blf", "1002", "Bob"), (2, 7, "speed_dial", "0201234567", ""),
    ]  # fmt: skip
    assert [(key.key, key.type, key.value, key.label) for key in gate.keys] == [(1, "blf", "1002", "Bob")]
    assert place.store.extension_secrets(["1001", "1003"]) == {"1001": "Sup3rSecret1", "1003": "Oth3rSecret"}
    assert {record.number: record.display_name for record in place.store.extensions()} == {
        "1001": "Alice Jansen", "1050": "1050", "1003": "Carol & Co",
    }  # fmt: skip
    assert {row.action for row in preview_import(place, zipped(files), Told(model="GXP2170")).rows} == {"unchanged"}


def test_import_of_phone_files_is_undone_as_a_whole(place: Installation) -> None:
    apply_plan(place, "test", preview_import(place, zipped({"805ec0aabbcc.cfg": DESK}), Told(model="T46U")), all_or_nothing=True)
    (change,) = [change for change in place.store.changes(limit=5) if change.action == "import.commit"]
    undoing = Undoing(place.store, place.changes)
    undoing.undo("test", change, undoing.outlook(change).revision)
    assert place.store.phones() == [] and place.store.extensions() == []


def test_no_secret_is_in_what_is_shown(untouched: Installation) -> None:
    shown = repr(preview_import(untouched, zipped({"805ec0aabbcc.cfg": DESK}), Told(model="T46U")))
    shown += str(plan_as_dict(preview_import(untouched, zipped({"805ec0aabbcc.cfg": DESK}), Told(model="T46U"))))
    assert "Sup3rSecret1" not in shown and "short" not in shown.replace("too short", "")


def test_phone_without_a_model_and_of_another_vendor_are_refused_by_file(untouched: Installation) -> None:
    files = {"805ec0aabbcc.cfg": DESK, "805ec0aabbcd.cfg": DESK.replace("1001", "1003").replace("1050", "1060")}
    none = preview_import(untouched, zipped(files))
    assert refusals(none) == [(name, "model", "the file does not tell which model the phone is") for name in sorted(files)]
    other = preview_import(untouched, zipped(files), Told(model="gxp2170"))
    assert {sentence for _, _, sentence in refusals(other)} == {"'gxp2170' is no model of Yealink"}


def test_model_of_a_listed_phone_needs_no_telling(place: Installation) -> None:
    apply_plan(place, "test", preview_import(place, "mac,model\n805ec0aabbcc,yealink/t42u\n"), all_or_nothing=True)
    plan = preview_import(place, zipped({"805ec0aabbcc.cfg": DESK}))
    assert plan.mistakes == ()
    assert "expansion_module.2.key.7.type" in {item.name for item in plan.parsed.left if not item.is_set_here}  # it takes no module
    (row,) = [row for row in plan.rows if row.phone]
    assert [item.column for item in row.differences if item.column in ("keys", "line1", "line2")] == ["line1", "line2", "keys"]


def test_password_that_two_files_give_differently_is_told(untouched: Installation) -> None:
    files = {"805ec0aabbcc.cfg": DESK, "805ec0aabbcd.cfg": DESK.replace("Sup3rSecret1", "An0therSecret")}
    plan = preview_import(untouched, zipped(files), Told(model="T46U"))
    assert "805ec0aabbcd.cfg: extension 1001 has another password here than before; the first one is taken" in plan.notes


def test_what_a_user_changed_on_the_phone_stands_over_its_file(untouched: Installation) -> None:
    files = {"805ec0aabbcc.cfg": DESK, "805ec0aabbcc-local.cfg": "#!version:1.0.0.1\nlinekey.3.value = 1009\n"}
    (row,) = [row for row in preview_import(untouched, zipped(files), Told(model="T46U")).rows if row.phone]
    assert row.phone is not None and row.phone.keys is not None
    assert row.phone.keys[0].value == "1009"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04 and nothing more", "this ZIP cannot be read"),
        (zipped({"readme.txt": "hello"}), "no file of the ZIP is the file of one phone"),
        (zipped({f"{at}.txt": "" for at in range(archive.MAX_ENTRIES + 1)}), "the ZIP has 5001 files; at most 5000 are taken"),
    ],
    ids=["a broken one", "without phones", "too many files"],
)
def test_zip_that_is_none_of_ours_is_refused(untouched: Installation, content: bytes, sentence: str) -> None:
    plan = preview_import(untouched, content)
    assert plan.is_unreadable and [mistake.sentence for mistake in plan.mistakes] == [sentence]
    with pytest.raises(InputError):
        apply_plan(untouched, "test", plan, all_or_nothing=False)


def test_what_was_squeezed_beyond_reason_is_not_unpacked(untouched: Installation) -> None:
    bomb = zipped({"805ec0aabbcc.cfg": DESK, "805ec0aabbcd.cfg": b"#" * 900_000})
    assert len(bomb) < 4000
    plan = preview_import(untouched, bomb, Told(model="T46U"))
    assert "not read, because it is too large: 805ec0aabbcd.cfg" in plan.notes and len(plan.rows) == 2


def test_names_of_an_archive_are_never_paths(untouched: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = preview_import(untouched, zipped({"../../805ec0aabbcc.cfg": DESK, "/etc/805ec0aabbcd.cfg": DESK}), Told(model="T46U"))
    assert {row.source for row in plan.rows if row.mac} == {"../../805ec0aabbcc.cfg", "/etc/805ec0aabbcd.cfg"}
    assert list(tmp_path.iterdir()) == []


def test_folder_is_packed_without_links_and_giants(tmp_path: Path) -> None:
    (tmp_path / "T46U").mkdir()
    (tmp_path / "T46U" / "805ec0aabbcc.cfg").write_text(DESK)
    (tmp_path / "image.rom").write_bytes(b"x" * (archive.MAX_ENTRY_BYTES + 1))
    (tmp_path / "link.cfg").symlink_to("/etc/passwd")
    members, large = archive.members(packed_folder(tmp_path))
    assert [member.name for member in members] == ["T46U/805ec0aabbcc.cfg"] and large == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(
        st.sampled_from(["805ec0aabbcc.cfg", "a/0004f2112233.cfg", "cfg000b82a1b2c3.xml", "000000000000.cfg", "x", "\u202e\n.cfg"]),
        st.binary(max_size=200) | st.sampled_from([DESK.encode(), GATE.encode(), DESK.encode()[::-1]]),
        max_size=4,
    ),
    cut=st.integers(0, 400),
    model=st.sampled_from(["", "T46U", "nothing"]),
)
def test_any_archive_makes_a_plan(untouched: Installation, files: dict[str, str | bytes], cut: int, model: str) -> None:
    whole = zipped(files)
    for content in (whole, whole[:cut], whole[:cut] + whole[cut + 1 :], archive.MAGIC + whole[cut:]):
        plan = preview_import(untouched, content, Told(model=model))
        assert plan.is_unreadable or all(row.phone or row.extension for row in plan.rows if row.action == "create")

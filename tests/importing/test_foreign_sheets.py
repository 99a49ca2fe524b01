"""What FusionPBX and FreePBX export is recognised and turned into our rows; the columns are those of their own exports."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.core.mac import Mac
from provisioner.importing import FORMATS, Told, apply_plan, preview_import
from provisioner.wiring import Installation

DEVICE = [
    "device_uuid", "device_profile_uuid", "device_address", "device_label", "device_vendor", "device_template", "device_username",
    "device_password", "device_enabled", "device_description",
]  # fmt: skip
LINE = ["line_number", "server_address", "display_name", "user_id", "auth_id", "password", "sip_port", "sip_transport", "enabled"]
"""fusionpbx/fusionpbx, app/devices/device_download.php"""
KEY = ["device_key_id", "device_key_category", "device_key_type", "device_key_line", "device_key_value", "device_key_label"]
"""fusionpbx/fusionpbx, app/devices/app_config.php"""
BULK = [
    "extension", "password", "name", "voicemail", "ringtimer", "outboundcid", "id", "tech", "dial", "devicetype", "user", "description",
    "secret", "sipdriver", "voicemail_enable", "voicemail_vmpwd", "voicemail_email",
]  # fmt: skip
"""FreePBX/bulkhandler, "tools/sample bulk handler output.csv" """


def sheet(*rows: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def device(mac: str, template: str, *lines: Sequence[str], enabled: str = "true") -> list[str]:
    own = ["6a", "", mac, "Desk", template.partition("/")[0], template, "admin", "Adm1nSecret", enabled, ""]
    return [*own, *(cell for line in lines for cell in line)]


def test_fusionpbx_devices_come_with_all_their_lines(place: Installation) -> None:
    first = ["1", "pbx.old", "Alice", "1001", "1001", "Sup3rSecret1", "5060", "tcp", "true"]
    second = ["3", "pbx.old", "Desk", "1050", "1050", "Oth3rSecret", "5060", "tcp", "true"]
    off = ["2", "pbx.old", "Gone", "1099", "1099", "Oth3rSecret", "5060", "tcp", "false"]
    text = sheet(
        [*DEVICE, *LINE, *(f"{name}|2" for name in LINE), *(f"{name}|3" for name in LINE)],
        device("80-5e-c0-aa-bb-cc", "yealink/t46u", first, off, second),
        device("000b82a1b2c3", "grandstream/gxp2170", ["1", "pbx.old", "Bob", "1002", "1002", "B0bsSecret", "", "", ""], enabled="false"),
    )
    plan = preview_import(place, text)
    assert (plan.parsed.form, plan.mistakes, plan.notes) == ("fusionpbx-devices", (), ("read as a FusionPBX device export",))
    assert {item.name for item in plan.parsed.left} >= {"server_address", "device_password", "sip_transport"}
    assert "password" not in {item.name for item in plan.parsed.left}
    apply_plan(place, "test", plan, all_or_nothing=True)
    desk, gate = place.store.phone(Mac("805ec0aabbcc")), place.store.phone(Mac("000b82a1b2c3"))
    assert desk is not None and gate is not None
    assert [(line.line, line.extension) for line in desk.lines] == [(1, "1001"), (3, "1050")] and (desk.enabled, gate.enabled) == (
        True,
        False,
    )
    assert place.store.extension_secrets(["1050", "1002"]) == {"1050": "Oth3rSecret", "1002": "B0bsSecret"}


def test_fusionpbx_keys_are_taken_by_number_or_word(untouched: Installation) -> None:
    keys = [
        ["2", "line", "16", "1", "1002@old", "Bob"], ["3", "expansion-2", "13", "1", "020", "Taxi"], ["4", "memory", "13", "1", "021", ""],
        ["5", "line", "51", "1", "x", ""], ["99", "line", "16", "1", "1003", ""], ["6", "line", "0", "", "", ""],
    ]  # fmt: skip
    row = ["805ec0aabbcc", "yealink/t46u", *(cell for key in keys for cell in key)]
    plan = preview_import(untouched, sheet(["device_mac_address", "device_template", *(KEY * len(keys))], row))
    (found,) = plan.rows
    assert found.phone is not None and found.phone.keys is not None
    assert [(key.module, key.key, key.type, key.value, key.label) for key in found.phone.keys] == [
        (0, 2, "blf", "1002", "Bob"), (2, 3, "speed_dial", "020", "Taxi"),
    ]  # fmt: skip
    assert plan.notes[1:] == (
        "line 2: keys left out, because the catalogue has no word for their type: memory 4 13, line 5 51",
        "line 2: key 99 is left out: there are keys 1 to 27 here; free is key 1 of the phone",
    )
    words = ["000b82a1b2c3", "grandstream/gxp2170", "1", "line", "speed dial", "2", "020", "Taxi"]
    (gate,) = preview_import(untouched, sheet(["device_address", "device_template", *KEY], words)).rows
    assert gate.phone is not None and gate.phone.keys is not None
    assert [(key.type, key.line) for key in gate.phone.keys] == [("speed_dial", 2)]


def test_unknown_template_names_the_models_that_are_nearest(untouched: Installation) -> None:
    plan = preview_import(untouched, sheet(["device_address", "device_template"], ["000b82a1b2c3", "grandstream/gxp21xx"]))
    (mistake,) = plan.mistakes
    assert (
        (mistake.line, mistake.column) == (2, "model")
        and mistake.mend.startswith("did you mean grandstream/gxp21")
        and " or " in mistake.mend
    )


def test_fusionpbx_extensions_come_with_names_and_passwords(untouched: Installation) -> None:
    names = [
        "extension",
        "number_alias",
        "password",
        "effective_caller_id_name",
        "directory_first_name",
        "directory_last_name",
        "user_context",
    ]
    rows = [["1001", "", "Sup3rSecret1", "Alice Jansen", "", "", "old"], ["1002", "", "tiny", "", "Bob", "de Vries", "old"]]
    plan = preview_import(untouched, sheet(names, *rows))
    assert plan.parsed.form == "fusionpbx-extensions"
    assert [(row.number, row.extension.given["display_name"]) for row in plan.rows if row.extension] == [
        ("1001", "Alice Jansen"), ("1002", "Bob de Vries"),
    ]  # fmt: skip
    assert plan.notes[1:] == ("line 3: the password of extension 1002 is too short or too odd to be kept; a new one is made",)


@pytest.mark.parametrize("names", [BULK, [name.upper() for name in BULK]], ids=["as exported", "in capitals"])
def test_freepbx_extensions_come_with_mail_and_without_other_technologies(untouched: Installation, names: list[str]) -> None:
    rows = [
        ["146", "", "Alice", "default", "0", "", "146", "pjsip", "PJSIP/146", "fixed", "146", "Alice", "a35fe7f7fe8217b4", "chan_pjsip", "yes", "1", "a@example.com,b@example.com"],
        ["818", "", "Fax", "novm", "0", "", "818", "dahdi", "DAHDI/1", "fixed", "818", "Fax", "", "", "", "", ""],
    ]  # fmt: skip
    plan = preview_import(untouched, sheet(names, *rows))
    (row,) = plan.rows
    assert plan.parsed.form == "freepbx" and row.extension is not None
    assert row.extension.given == {"display_name": "Alice", "email": "a@example.com", "secret": "a35fe7f7fe8217b4"}
    assert plan.notes == (
        "read as a FreePBX Bulk Handler export of extensions", "extensions that are not of SIP phones are left out: 818 (dahdi)",
    )  # fmt: skip
    assert "voicemail_vmpwd" in {item.name for item in plan.parsed.left}


def test_own_columns_stay_a_spreadsheet_and_a_format_that_is_none_is_told(untouched: Installation) -> None:
    text = "mac,model,extension,name,password\n805ec0aabbcc,T46U,1001,Alice,Sup3rSecret1\n"
    assert preview_import(untouched, text).parsed.form == "csv"
    plan = preview_import(untouched, text, Told(form="asterisknow"))
    assert plan.is_unreadable and plan.mistakes[0].sentence == "there is no format asterisknow"


HEADERS = st.lists(
    st.sampled_from([*DEVICE, *LINE, *KEY, *BULK, "device_mac_address", "user_context", "line_number|2", "", "\x00", "x" * 90]), max_size=30
)
CELLS = st.lists(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
    | st.sampled_from(["1001", "805ec0aabbcc", "yealink/t46u", "16", "line", "9" * 9, "²"]),
    max_size=30,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=HEADERS, rows=st.lists(CELLS, max_size=4), form=st.sampled_from(["", *FORMATS]))
def test_any_sheet_makes_a_plan(untouched: Installation, header: list[str], rows: list[list[str]], form: str) -> None:
    plan = preview_import(untouched, sheet(header, *rows), Told(form=form))
    assert plan.is_unreadable or len(plan.rows) <= 2000

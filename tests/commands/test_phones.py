"""``phone``, ``extension``, ``site``, ``render``, ``explain``, ``lockstep``, ``sightings`` and ``fetches``."""

from __future__ import annotations

import json

import pytest

from provisioner.changes import KeyInput, LayoutKeyInput, PhoneInput
from provisioner.commands.explain import places
from provisioner.commands.looking import ShownFile
from provisioner.commands.output import harmless, print_table, shown_time
from provisioner.core.mac import Mac
from provisioner.models import fetch, sighting
from provisioner.settings import load_settings
from provisioner.wiring import Installation, open_installation
from tests.commands.conftest import MAC, Cli


def opened(cli: Cli) -> Installation:
    return open_installation(load_settings(cli.env, file=cli.folder / "none.toml"))


def test_phone_is_added_shown_and_removed(cli: Cli) -> None:
    shown = cli("phone", "show", MAC).stdout
    assert "acme/a1" in shown
    assert "Line 1       1001 Desk" in shown
    assert "rendering" in shown
    (row,) = cli.json("phone", "list")
    assert row["mac"] == MAC
    assert row["lines"] == [{"line": 1, "extension": "1001", "label": "Desk"}]
    cli("phone", "remove", MAC)
    assert cli.json("phone", "list") == []
    assert "is not listed" in cli("phone", "show", MAC, status=1).stderr


def test_phone_with_two_lines_and_settings(cli: Cli) -> None:
    cli("extension", "add", "1002")
    cli("site", "add", "Utrecht", "--timezone", "Europe/Amsterdam", "--network", "10.20.0.0/16", "--setting", "language=nl")
    cli(
        "phone", "add", "02acde000002", "--model", "acme/a1", "--site", "Utrecht", "--extension", "1002", "--extension", "1001",
        "--setting", "admin_password=hunter2hunter2", "--setting", "language=de",
    )  # fmt: skip
    shown = cli("phone", "show", "02acde000002").stdout
    assert "admin_password = ***" in shown
    assert "hunter2" not in shown
    assert [row["mac"] for row in cli.json("phone", "list", "--site", "Utrecht")] == ["02:ac:de:00:00:02"]
    assert [row["mac"] for row in cli.json("phone", "list", "--search", "1002")] == ["02:ac:de:00:00:02"]


@pytest.mark.parametrize(
    ("args", "status", "sentence"),
    [
        ([MAC, "--model", "acme/a1"], 1, "is listed already"),
        (["02acde000003", "--model", "acme/a9"], 1, "no model acme/a9"),
        (["02acde000003", "--model", "acme/a1", "--extension", "9999"], 1, "there is no extension 9999"),
        (["02acde000003", "--model", "acme/a1", "--setting", "nonsense"], 2, "is not NAME=VALUE"),
        (["02acde000003", "--model", "acme/a1", "--label", "x"], 2, "more --label than --extension"),
        (["02acde000003", "--model", "acme/a1", "--setting", "langauge=nl"], 1, "did you mean language?"),
    ],
)
def test_phone_add_refuses(cli: Cli, args: list[str], status: int, sentence: str) -> None:
    assert sentence in cli("phone", "add", *args, status=status).stderr


def test_phone_is_retired_and_reinstated(cli: Cli) -> None:
    assert (
        cli("phone", "retire", MAC).stdout
        == f"phone {MAC} is taken out of service; 'provisioner lockstep {MAC}' says when it was emptied\n"
    )
    (row,) = cli.json("lockstep", MAC)
    assert row["stage"] == "retiring"
    assert [row["mac"] for row in cli.json("lockstep", "--stage", "retiring")] == [MAC]
    (row,) = cli.json("phone", "list")
    assert row["retired_at"] and row["lines"] == []
    assert "Stage        retiring" in cli("phone", "show", MAC).stdout
    assert "take it back into service first" in cli("phone", "set", MAC, "--setting", "voice_vlan=5", status=1).stderr
    assert "taken out of service already" in cli("phone", "retire", MAC, status=1).stderr
    assert cli("phone", "reinstate", MAC).stdout == f"phone {MAC} (acme/a1) is back in service, 1: 1001 (Desk)\n"
    assert "is in service" in cli("phone", "reinstate", MAC, status=1).stderr


def test_reopen_and_resync_leave_their_change(cli: Cli) -> None:
    cli("phone", "reopen", MAC)
    cli("phone", "resync", MAC, "--reboot")
    installation = opened(cli)
    actions = [record.action for record in installation.store.changes(limit=2)]
    actors = {record.actor for record in installation.store.changes(limit=2)}
    installation.database.dispose()
    assert actions == ["phone.reboot", "phone.reopen"]
    assert all(actor.startswith("cli:") for actor in actors)


def test_extension_is_listed_without_its_secret_and_removed(cli: Cli) -> None:
    assert "hunter2" not in cli("extension", "list").stdout
    assert cli.json("extension", "list", "--search", "ali")[0]["display_name"] == "Alice"
    assert "is on a line" in cli("extension", "remove", "1001", status=1).stderr
    cli("phone", "remove", MAC)
    cli("extension", "remove", "1001")
    assert cli.json("extension", "list") == []


def test_site_is_listed(cli: Cli) -> None:
    cli("site", "add", "Den Haag", "--access", "token")
    assert {row["name"]: row["access"] for row in cli.json("site", "list")} == {"default": "first-fetch", "Den Haag": "token"}
    assert "Den Haag" in cli("site", "list").stdout


def test_render_masks_secrets_unless_asked(cli: Cli) -> None:
    shown = cli("render", MAC).stdout
    assert "==> 02acde000001.acme" in shown
    assert "line.1.user = 1001" in shown
    assert "hunter2" not in shown
    assert "/p/***/" in shown
    clear = cli("render", MAC, "--show-secrets").stdout
    assert "line.1.secret = hunter2hunter2" in clear
    assert "hunter2" not in json.dumps(cli.json("render", MAC))
    installation = opened(cli)
    assert installation.store.changes(limit=1)[0].action == "phone.files_with_secrets"
    installation.database.dispose()


def test_render_live_says_when_there_is_none(cli: Cli) -> None:
    assert "served no file yet" in cli("render", MAC, "--live", status=1).stderr


def test_explain_setting_names_layer_and_what_it_hides(cli: Cli) -> None:
    shown = cli("explain", MAC, "backlight_s").stdout
    assert "backlight_s = 30 s" in shown
    assert "from   vendor acme" in shown
    assert "hides" in shown
    assert cli.json("explain", MAC, "sip_server")["layer"] == "installation"


def test_explain_says_why_a_phone_does_not_follow_a_setting(cli: Cli) -> None:
    assert "not on this phone: this phone does not exist" in cli("explain", MAC, "wallpaper").stdout
    assert "not on this phone" not in cli("explain", MAC, "timezone").stdout
    assert cli.json("explain", MAC, "wallpaper")["unsupported"] == "this phone does not exist"


def test_explain_parameter_added_by_hand(cli: Cli) -> None:
    cli(
        "phone",
        "add",
        "02acde000006",
        "--model",
        "acme/a1",
        "--setting",
        "raw.ring.tone=7",
        "--setting",
        "raw.ring.password=hunter2hunter2",
    )
    assert "raw.ring.tone = 7" in cli("explain", "02acde000006", "raw.ring.tone").stdout
    shown = cli("explain", "02acde000006", "raw.ring.password").stdout + cli("explain", "02acde000006", "ring.password").stdout
    assert shown.count("***") == 2 and "hunter2" not in shown
    assert "no list of parameters" in cli("phone", "add", "02acde000007", "--model", "acme/a1", "--setting", "raw.x=1", status=1).stderr


def test_explain_secret_setting_is_masked(cli: Cli) -> None:
    cli("phone", "add", "02acde000005", "--model", "acme/a1", "--setting", "admin_password=hunter2hunter2")
    for args in (["explain", "02acde000005", "admin_password"], ["explain", "02acde000005", "admin.password"]):
        shown = cli(*args).stdout
        assert "***" in shown
        assert "hunter2" not in shown


def test_explain_parameter_names_file_and_line(cli: Cli) -> None:
    shown = cli("explain", MAC, "line.1.user").stdout
    assert shown.startswith("02acde000001.acme, line ")
    assert shown.rstrip().endswith("line.1.user = 1001")
    assert cli.json("explain", MAC, "line.1.secret")[0]["value"] == "***"
    assert "did you mean line.1.user" in cli("explain", MAC, "line.1.usr", status=1).stderr


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("linekey.3.value = 1002", "linekey.3.value", "1002"),
        ("    <P47>pbx.example</P47>", "P47", "pbx.example"),
        ('  <item name="pks.vpk.1.value">A &amp; B</item>', "pks.vpk.1.value", "A & B"),
        ('  <line reg.1.address="1001" reg.1.label="x"/>', "reg.1.label", "x"),
        ("empty =", "empty", ""),
    ],
)
def test_places_are_found_in_every_format(text: str, name: str, value: str) -> None:
    found = list(places([ShownFile("f", "", 0, "", f"first\n{text}\n")]))
    assert [(place.line, place.value) for place in found if place.name == name] == [(2, value)]


def test_lockstep_shows_stages(cli: Cli) -> None:
    assert "1 rendering" in cli("lockstep").stdout
    assert cli.json("lockstep", MAC)[0]["stage"] == "rendering"
    assert cli.json("lockstep", "--stage", "held") == []
    assert "is none of" in cli("lockstep", "--stage", "nonsense", status=2).stderr


def test_seen_phones_cannot_redraw_the_terminal(cli: Cli) -> None:
    installation = opened(cli)
    with installation.database.write() as connection:
        row = {"mac": "02acde0000ff", "vendor": "acme", "model": "A1", "first_seen": 1.0, "last_seen": 2e9}
        connection.execute(sighting.insert().values(**row, conflict="\x1b[2Jevil"))
        connection.execute(
            fetch.insert().values(
                at=1.7e9, mac="02acde0000ff", name="x.cfg", transport="http", peer="192.0.2.9", user_agent="\x1b]0;owned\x07", method="GET",
                reason="unknown_phone", sha256="", bytes=0, duration_ms=1.25,
            )
        )  # fmt: skip
    installation.database.dispose()
    for command in ("sightings", "fetches"):
        shown = cli(command).stdout
        assert "02:ac:de:00:00:ff" in shown or "02acde0000ff" in shown
        assert "\x1b" not in shown
        assert "\x07" not in shown
    assert cli.json("fetches", "--reason", "served") == []
    assert len(cli.json("fetches", "02acde0000ff")) == 1
    assert cli.json("sightings")[0]["mac"] == "02:ac:de:00:00:ff"


def test_tables_align_with_wide_and_combining_letters(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["NAME", "N"], [("Nguye\u0302\u0303n", 1), ("\u7530\u4e2d", 22), (Mac("02acde000001"), None)], right=["N"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "NAME                N"
    assert lines[1] == "Nguye\u0302\u0303n" + " " * 13 + " 1"
    assert lines[2] == "\u7530\u4e2d" + " " * 13 + "  22"
    assert lines[3] == "02:ac:de:00:00:01   -"


def test_times_and_controls() -> None:
    assert shown_time(None) == "-"
    assert shown_time(1.7e9) == "2023-11-14 22:13:20Z"
    assert harmless("a\u202eb\x1bc\nd") == "a\ufffdb\ufffdc\ufffdd"


def test_install_link_is_printed_once_and_kept_as_a_digest(cli: Cli) -> None:
    printed = cli("phone", "install-link", MAC, "--hours", "2").stdout
    url = printed.split()[1]
    assert url.startswith("http://192.0.2.7:0/p/") and "Holds until" in printed
    assert url.split("/")[-2].encode() not in (cli.data / "provisioner.sqlite3").read_bytes()


def test_explain_key_says_whether_it_is_the_phones_or_its_layouts(cli: Cli) -> None:
    installation = opened(cli)
    changes = installation.changes
    changes.put_layout("tests", "Sales", [LayoutKeyInput(3, "speed_dial", "0800", "Desk"), LayoutKeyInput(4, "blf", slot=True)])
    changes.update_phone("tests", Mac.parse(MAC), PhoneInput(keys=[KeyInput(3, "url", "http://own.example")]))
    changes.update_phone("tests", Mac.parse(MAC), PhoneInput(layout="Sales"))
    installation.database.dispose()
    assert cli("explain", MAC, "key.3").stdout.splitlines() == [
        "speed_dial 0800 Desk",
        "  from   its layout Sales",
        "  hides  url http://own.example of the phone",
    ]
    assert cli.json("explain", MAC, "key.4")["source"] == "slot"
    assert "nothing is laid out on key 5 of module 1" in cli("explain", MAC, "key.1.5", status=1).stderr

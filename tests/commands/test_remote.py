"""The command line pointed to a server elsewhere: what it says is what it says on that server, and what is of one machine is refused in a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.__main__ import COMMANDS
from provisioner.api import create_admin_app
from provisioner.changes import KeyInput, PhoneInput
from provisioner.changes.enrolment import Stocked
from provisioner.core.mac import Mac
from provisioner.models import fetch, sighting
from provisioner.settings import load_settings
from provisioner.wiring import Installation, open_installation
from tests.calls import AT, MISSED, add_call
from tests.client.conftest import listening
from tests.commands.conftest import MAC, Cli
from tests.installations import render_all

OTHER = "02:ac:de:00:00:02"
SHOWN = [
    ["phone", "list"], ["phone", "list", "--json"], ["phone", "list", "--search", "1001"], ["phone", "list", "--site", "nowhere"],
    ["phone", "show", MAC], ["phone", "show", MAC, "--json"], ["phone", "address", MAC], ["extension", "list"], ["extension", "list", "--json"],
    ["extension", "list", "--search", "ali"], ["lockstep"], ["lockstep", "--json"], ["lockstep", MAC], ["lockstep", "--stage", "held"],
    ["lockstep", "--site", "default"], ["lockstep", "--site", "nowhere"], ["sightings"], ["sightings", "--json"], ["fetches", MAC],
    ["fetches", MAC, "--json"], ["fetches", MAC, "--reason", "unproven"], ["fetches"], ["fetches", "--json"], ["site", "list"], ["site", "list", "--json"],
    ["user", "list"], ["user", "list", "--json"], ["token", "list"], ["token", "list", "--json"], ["export"], ["export", "--with-secrets"],
    ["explain", MAC, "timezone"], ["explain", MAC, "voice_vlan", "--json"], ["explain", MAC, "voice_vlan"], ["explain", MAC, "admin_password"],
    ["explain", MAC, "key.3"], ["explain", MAC, "key.3", "--json"], ["explain", MAC, "line.1.user"], ["render", MAC], ["render", MAC, "--json"],
    ["render", MAC, "--live", "--show-secrets"], ["department", "list"], ["department", "list", "--json"], ["firmware", "list"],
    ["firmware", "list", "--json"], ["window", "list"], ["window", "list", "--json"], ["warehouse", "list", "--json"], ["newcomers", "--json"],
    ["refusals", "--json"], ["alarms", "--json"], ["dhcp-config", "dnsmasq"], ["dhcp-config", "kea", "--site", "default"],
    ["change", "list", "--of", "1001"], ["change", "show", "1"], ["seat", "list"], ["seat", "list", "--json"], ["seat", "wrong-pins", "--json"],
    ["mail", "list", "--json"], ["call", "list"], ["call", "list", "--csv"], ["call", "list", "--outcome", "missed"], ["call", "now", "--json"], ["recording", "list"],
]  # fmt: skip
REFUSED = [
    ["phone", "show", OTHER], ["phone", "add", MAC, "--model", "acme/a1"], ["phone", "add", OTHER, "--model", "acme/a9"],
    ["phone", "add", OTHER, "--model", "acme/a1", "--extension", "9", "--setting", "langauge=nl"], ["phone", "remove", OTHER],
    ["phone", "set", MAC, "--site", "nowhere"], ["extension", "add", "1001"], ["extension", "add", "x y", "--email", "nobody"],
    ["extension", "remove", "1001"], ["extension", "set", "9999", "--name", "Bob"], ["lockstep", OTHER], ["explain", MAC, "timezon"],
    ["explain", MAC, "key.9"], ["explain", OTHER, "timezone"], ["render", OTHER], ["site", "add", "default"], ["user", "delete", "nobody"],
    ["user", "add", "bob", "--role", "viewer", "--site", "nowhere"], ["token", "remove", "nothing"], ["department", "remove", "Nobody"],
    ["window", "open", "nowhere"], ["warehouse", "remove", OTHER], ["firmware", "unpin", "acme/a1"], ["dhcp-config", "kea", "--site", "nowhere"],
    ["change", "show", "99999"], ["change", "undo", "99999"], ["seat", "in", MAC, "1001"], ["seat", "out", MAC], ["seat", "in", OTHER, "1001"],
    ["recording", "remove", "99999"], ["mail", "add", "office"], ["mail", "remove", "99999"],
]  # fmt: skip
HERE_ONLY = [
    ["init"], ["serve"], ["doctor"], ["settings"], ["check"], ["redirect", "show", MAC], ["discover", "192.0.2.0/30"], ["pbx", "install"],
    ["pbx", "cli", "core show version"], ["backup", "x.tar.gz"], ["restore", __file__, "--force"], ["catalogue", "list"],
]  # fmt: skip


@pytest.fixture
def server(cli: Cli) -> Iterator[Installation]:
    """The installation of ``cli`` with its API listening; ``cli.env`` points there."""
    place = open_installation(load_settings(cli.env, file=cli.folder / "none.toml"))
    (cli.folder / "token").write_text(place.changes.create_token("tests", "file", "admin") + "\n")
    observed(place)
    with listening(create_admin_app(place)) as url:
        cli.url = url
        yield place
    place.database.dispose()


def observed(place: Installation) -> None:
    settings = {"voice_vlan": 20, "admin_password": "phone-secret-9"}
    place.changes.update_phone("tests", Mac.parse(MAC), PhoneInput(keys=[KeyInput(3, "blf", "1001", "Alice")], settings=settings))
    place.changes.update_site("tests", "default", {"enrolment": "window", "settings": {"voice_vlan": 10}}, merge_settings=True)
    place.changes.put_department("tests", "Sales", "600")
    place.changes.open_window("tests", "default", 30, 5)
    place.changes.add_to_warehouse("tests", [Stocked(Mac.parse("02acde0000aa"), "acme/a2", "order 4711")])
    render_all(place)
    asked = {"name": "a.cfg", "transport": "http", "method": "GET", "reason": "served", "sha256": "", "bytes": 1, "peer": "192.0.2.9"}
    seen = {"vendor": "acme", "model": "a1", "firmware": "1.0", "peer": "192.0.2.8", "first_seen": 1.0, "last_seen": 2.0, "count": 3}
    with place.database.write() as connection:
        connection.execute(sighting.insert().values(mac="02acde000099", conflict="", **seen))
        connection.execute(fetch.insert().values(mac=Mac.parse(MAC), at=3.0, user_agent="Acme A1", duration_ms=1.5, **asked))
    add_call(place.database, caller_name="=1+1", recording="7.1.wav", recording_bytes=1024**2)
    add_call(place.database, AT + 60, **MISSED)


def _to(cli: Cli) -> tuple[str, ...]:
    return ("--server", cli.url, "--token-file", str(cli.folder / "token"))


def far(cli: Cli, *args: str, status: int = 0, stdin: str | None = None) -> str:
    result = cli(*_to(cli), *args, status=status, stdin=stdin)
    return result.stdout if status == 0 else result.stderr


def test_commands_that_show_say_the_same_from_afar(cli: Cli, server: Installation) -> None:
    far(cli, "phone", "list")  # when a token was last used is kept to the minute
    here = {" ".join(args): to_the_second(cli(*args).stdout) for args in SHOWN}
    assert all(text.strip() for text in here.values())
    assert {" ".join(args): to_the_second(far(cli, *args)) for args in SHOWN} == here


def to_the_second(text: str) -> str:
    """The API tells times to the millisecond."""
    return re.sub(r"(\d{9,})\.\d+", r"\1", text)


def test_refusals_are_the_same_sentences_from_afar(cli: Cli, server: Installation) -> None:
    here = {" ".join(args): error_in(cli(*args, status=1).stderr) for args in REFUSED}
    assert {" ".join(args): error_in(far(cli, *args, status=1)) for args in REFUSED} == here


def error_in(stderr: str) -> str:
    """Returns what a person is told; what the server logs goes to the same place here."""
    return stderr[stderr.index("error: ") :].split("\n2", 1)[0].rstrip()


def test_what_is_written_from_afar_is_written(cli: Cli, server: Installation) -> None:
    assert (
        far(cli, "extension", "add", "1002", "--name", "Bob", "--secret-stdin", stdin="hunter3hunter3\n")
        == "extension 1002 (Bob) is made\n"
    )
    added = far(cli, "phone", "add", OTHER, "--model", "acme/a1", "--extension", "1002", "--label", "Bob", "--setting", "voice_vlan=20")
    assert added == f"phone {OTHER} (acme/a1) is listed at site default, 1: 1002 (Bob)\n"
    far(cli, "phone", "set", OTHER, "--setting", "admin_password=hunter2hunter2")
    record = server.store.phone(Mac.parse(OTHER))
    assert record is not None and (record.settings, record.secret_names) == ({"voice_vlan": 20}, ("admin_password",))
    assert "hunter2" not in far(cli, "phone", "show", OTHER)
    far(cli, "extension", "set", "1002", "--name", "Rob", "--department", "Sales", "--record-calls")
    assert [row["record_calls"] for row in cli.json("extension", "list", "--search", "1002")] == [True]
    far(cli, "extension", "set", "1002", "--no-record-calls")
    assert [row["record_calls"] for row in cli.json("extension", "list", "--search", "1002")] == [False]
    assert "has a new password" in far(cli, "extension", "rotate", "1002")
    assert "the old one is refused" in far(cli, "extension", "rotate", "1002", "--revoke-former")
    assert "may make its first fetch" in far(cli, "phone", "reopen", OTHER)
    assert "is told to restart" in far(cli, "phone", "resync", OTHER, "--reboot")
    assert "Holds until" in far(cli, "phone", "install-link", OTHER)
    assert "is taken out of service" in far(cli, "phone", "retire", OTHER)
    assert "retiring" in far(cli, "lockstep", OTHER) and "Stage        retiring" in far(cli, "phone", "show", OTHER)
    assert far(cli, "phone", "reinstate", OTHER) == f"phone {OTHER} (acme/a1) is back in service, 1: 1002 (Bob)\n"
    assert far(cli, "phone", "swap", OTHER, "02acde000003").startswith("phone 02:ac:de:00:00:03 (acme/a1) is in the place of")
    assert "is changed" in far(cli, "phone", "set", "02acde000003", "--disabled")
    far(cli, "phone", "remove", "02acde000003")
    far(cli, "extension", "remove", "1002")
    assert [row.actor for row in server.store.changes(limit=3)] == ["file"] * 3
    assert [row.number for row in server.store.extensions(limit=9)] == ["1001"]


def test_server_and_token_come_from_the_environment_too(cli: Cli, server: Installation) -> None:
    token = server.changes.create_token("tests", "environment", "viewer")
    env = {"PROVISIONER_SERVER": cli.url, "PROVISIONER_TOKEN": token}
    assert MAC in cli("phone", "list", env=env).stdout
    refused = cli("phone", "remove", MAC, env=env, status=1).stderr
    assert "role" in refused and token not in refused
    assert MAC in cli("phone", "list", env={"PROVISIONER_SERVER": cli.url, "PROVISIONER_TOKEN_FILE": str(cli.folder / "token")}).stdout


@pytest.mark.parametrize(
    ("args", "env", "status", "sentence"),
    [
        (["--server", "http://127.0.0.1:1", "phone", "list"], {}, 2, "a server elsewhere wants a token"),
        (
            ["--server", "http://127.0.0.1:1", "phone", "remove", MAC],
            {"PROVISIONER_TOKEN": "a-token"},
            1,
            "no answer from http://127.0.0.1:1",
        ),
        (["--server", "pbx", "phone", "list"], {"PROVISIONER_TOKEN": "a-token"}, 1, "for example https://pbx.example.org"),
        (["--server", "http://127.0.0.1:1", "--token-file", "missing", "phone", "list"], {}, 1, "missing: No such file"),
    ],
)
def test_what_is_missing_is_told(bare: Cli, args: list[str], env: dict[str, str], status: int, sentence: str) -> None:
    told = bare(*args, env=env, status=status).stderr
    assert sentence in told and "a-token" not in told


@pytest.mark.parametrize("args", HERE_ONLY, ids=" ".join)
def test_command_of_one_machine_says_so(bare: Cli, args: list[str], tmp_path: Path) -> None:
    told = bare("--server", "http://127.0.0.1:1", *args, status=2).stderr
    assert "works on the machine of the server itself" in told
    assert args[0] in COMMANDS and not bare.data.exists()


def test_every_command_either_works_from_afar_or_says_that_it_does_not() -> None:
    asked = {args[0] for args in [*SHOWN, *REFUSED]} | {"import", "claim", "sheet", "plan", "sync"}
    assert asked | {args[0] for args in HERE_ONLY} == set(COMMANDS)
    assert asked & {args[0] for args in HERE_ONLY} == set()


def test_people_sites_and_tokens_are_made_and_secrets_kept_from_who_is_no_admin(cli: Cli, server: Installation) -> None:
    assert far(cli, "site", "add", "Utrecht", "--timezone", "Europe/Amsterdam", "--setting", "voice_vlan=7") == "site Utrecht is made\n"
    site = server.store.site("Utrecht")
    assert site is not None and site.settings == {"timezone": "Europe/Amsterdam", "voice_vlan": 7}
    password = far(cli, "user", "add", "bob", "--role", "user", "--site", "Utrecht", "--extension", "1001").strip()
    assert len(password) > 10 and far(cli, "user", "password", "bob").strip() != password
    assert "has the password that was given" in far(cli, "user", "password", "bob", "--password-stdin", stdin="correct horse battery\n")
    assert "is disabled" in far(cli, "user", "disable", "bob") and "without one-time codes" in far(cli, "user", "no-codes", "bob")
    bob = server.store.user("bob")
    assert bob is not None and (bob.role, bob.sites, bob.extensions, bob.disabled) == ("user", ("Utrecht",), ("1001",), True)
    assert far(cli, "user", "delete", "bob") == "user bob is removed\n"
    assert far(cli, "mail", "add", "office@example.com", "--event", "pbx.*") == "recipient 1: office@example.com is told of pbx.*\n"
    assert cli("mail", "list", "--json").stdout == far(cli, "mail", "list", "--json")
    assert far(cli, "mail", "remove", "1") == "recipient 1 is told no more\n"
    made = far(cli, "token", "create", "helpdesk", "--role", "viewer", "--site", "Utrecht").strip()
    assert cli("--server", cli.url, "phone", "list", "--json", env={"PROVISIONER_TOKEN": made}).stdout.strip() == "[]"
    assert far(cli, "token", "remove", "helpdesk") == "token helpdesk is revoked\n"
    assert {row.actor for row in server.store.changes(limit=8)} == {"file"}
    env = {"PROVISIONER_SERVER": cli.url, "PROVISIONER_TOKEN": server.changes.create_token("tests", "looker", "technician")}
    for args in (["export", "--with-secrets"], ["render", MAC, "--show-secrets"]):
        assert "needs the role admin; that of the token is technician" in cli(*args, env=env, status=1).stderr
    assert "hunter2" not in cli("export", env=env).stdout + cli("render", MAC, env=env).stdout


def test_phones_are_taken_in_and_their_sheets_written_from_afar(cli: Cli, server: Installation) -> None:
    far(cli, "site", "add", "Utrecht", "--enrolment", "window", "--pool", "1100-1199")
    assert far(cli, "window", "open", "Utrecht", "--minutes", "5", "--phones", "1").startswith("Utrecht takes in 1 phone until ")
    assert far(cli, "window", "close", "Utrecht") == "Utrecht takes in no more phones\n"
    assert far(cli, "warehouse", "add", "-", stdin="mac;model\n02acde0000ab;A1\n02acde0000ac;acme/a2\n") == "2 phones in the warehouse\n"
    assert "no such model" in far(cli, "warehouse", "add", "-", stdin="mac;model\n02acde0000ad;A9\n", status=1)
    assert [(row.mac.colons[-2:], row.model) for row in server.store.warehouse()] == [
        ("aa", "acme/a2"),
        ("ab", "acme/a1"),
        ("ac", "acme/a2"),
    ]
    far(cli, "warehouse", "remove", "02acde0000ab")
    assert far(cli, "claim", "--code", "--extension", "1001").startswith("dial *55")
    assert "has asked for its files" in far(cli, "claim", "aabbcc", status=1)
    assert far(cli, "department", "add", "Help", "--number", "601") == "department Help rings its 0 members at 601\n"
    assert far(cli, "department", "remove", "Help") == "department Help is removed\n"
    cli("sheet", MAC, "--language", "nl", "--html", "here.html")
    far(cli, "sheet", MAC, "--language", "nl", "--html", "far.html")
    assert (cli.folder / "far.html").read_text("utf-8") == (cli.folder / "here.html").read_text("utf-8")
    assert "the address on it works once" in cli(*_to(cli), "sheet", MAC, "--html", "linked.html", "--link-hours", "4").stderr


GOOD = "MAC address;Model;Extension;Name\n02acde000010;A1;2001;Bob\n02acde000011;acme/a2;2002;Carol\n"
BAD = GOOD + "02acde00001;A1;2003;Dave\n;;;\n02acde000012;A9;2004;Eve\n"


def test_import_says_and_does_the_same_from_afar(cli: Cli, server: Installation) -> None:
    ways = [([], 1), (["--json"], 1), (["--commit"], 1), (["--partial", "--all"], 1)]
    here = [cli("import", "-", *more, stdin=BAD, status=status).stdout for more, status in ways]
    assert [cli(*_to(cli), "import", "-", *more, stdin=BAD, status=status).stdout for more, status in ways] == here
    assert "phone acme/a1 at default, extension Bob" in here[0] and server.store.extension("2001") is None
    written = cli(*_to(cli), "import", "-", "--commit", "--partial", stdin=BAD).stdout
    assert "Written: 2 phones and 2 extensions made, 0 phones and 0 extensions changed, 0 rows as before, 2 bad rows left out." in written
    assert json.loads(far(cli, "import", "-", "--commit", "--json", stdin=GOOD))["written"] == {
        "phones_created": 0, "phones_updated": 0, "extensions_created": 0, "extensions_updated": 0, "unchanged": 2, "phones_rendered": 0,
    }  # fmt: skip
    assert server.store.phone(Mac.parse("02acde000010")) is not None

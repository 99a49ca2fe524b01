"""The command line pointed to a server elsewhere: what it says is what it says on that server, and what is of one machine is refused in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.__main__ import COMMANDS
from provisioner.api import create_admin_app
from provisioner.core.mac import Mac
from provisioner.models import fetch, sighting
from provisioner.settings import load_settings
from provisioner.wiring import Installation, open_installation
from tests.client.conftest import listening
from tests.commands.conftest import MAC, Cli
from tests.installations import render_all

OTHER = "02:ac:de:00:00:02"
SHOWN = [
    ["phone", "list"], ["phone", "list", "--json"], ["phone", "list", "--search", "1001"], ["phone", "list", "--site", "nowhere"],
    ["phone", "show", MAC], ["phone", "show", MAC, "--json"], ["phone", "address", MAC], ["extension", "list"], ["extension", "list", "--json"],
    ["extension", "list", "--search", "ali"], ["lockstep"], ["lockstep", "--json"], ["lockstep", MAC], ["lockstep", "--stage", "held"],
    ["sightings"], ["sightings", "--json"], ["fetches", MAC], ["fetches", MAC, "--json"], ["fetches", MAC, "--reason", "unproven"],
]  # fmt: skip
REFUSED = [
    ["phone", "show", OTHER], ["phone", "add", MAC, "--model", "acme/a1"], ["phone", "add", OTHER, "--model", "acme/a9"],
    ["phone", "add", OTHER, "--model", "acme/a1", "--extension", "9", "--setting", "langauge=nl"], ["phone", "remove", OTHER],
    ["phone", "set", MAC, "--site", "nowhere"], ["extension", "add", "1001"], ["extension", "add", "x y", "--email", "nobody"],
    ["extension", "remove", "1001"], ["extension", "set", "9999", "--name", "Bob"], ["lockstep", OTHER],
]  # fmt: skip
HERE_ONLY = [
    ["init"], ["serve"], ["doctor"], ["settings"], ["check"], ["department", "list"], ["firmware", "list"], ["plan"], ["sync"], ["site", "list"],
    ["dhcp-config", "dnsmasq"], ["redirect", "show", MAC], ["sheet", MAC, "--html", "x.html"], ["import", "-"], ["export", "x.csv"], ["render", MAC],
    ["explain", MAC, "timezone"], ["discover", "192.0.2.0/30"], ["window", "list"], ["warehouse", "list"], ["newcomers"], ["claim", "aabbcc"],
    ["refusals"], ["alarms"], ["token", "list"], ["user", "list"], ["pbx", "status"], ["backup", "x.tar.gz"], ["restore", __file__, "--force"],
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
    render_all(place)
    asked = {"name": "a.cfg", "transport": "http", "method": "GET", "reason": "served", "sha256": "", "bytes": 1, "peer": "192.0.2.9"}
    seen = {"vendor": "acme", "model": "a1", "firmware": "1.0", "peer": "192.0.2.8", "first_seen": 1.0, "last_seen": 2.0, "count": 3}
    with place.database.write() as connection:
        connection.execute(sighting.insert().values(mac="02acde000099", conflict="", **seen))
        connection.execute(fetch.insert().values(mac=Mac.parse(MAC), at=3.0, user_agent="Acme A1", duration_ms=1.5, **asked))


def far(cli: Cli, *args: str, status: int = 0, stdin: str | None = None) -> str:
    result = cli("--server", cli.url, "--token-file", str(cli.folder / "token"), *args, status=status, stdin=stdin)
    return result.stdout if status == 0 else result.stderr


def test_commands_that_show_say_the_same_from_afar(cli: Cli, server: Installation) -> None:
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
    far(cli, "extension", "set", "1002", "--name", "Rob", "--department", "Sales")
    assert "has a new password" in far(cli, "extension", "rotate", "1002")
    assert "the old one is refused" in far(cli, "extension", "rotate", "1002", "--revoke-former")
    assert "may make its first fetch" in far(cli, "phone", "reopen", OTHER)
    assert "is told to restart" in far(cli, "phone", "resync", OTHER, "--reboot")
    assert "Holds until" in far(cli, "phone", "install-link", OTHER)
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
        (["--server", "http://127.0.0.1:1", "fetches"], {"PROVISIONER_TOKEN": "a-token"}, 1, "name its MAC"),
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
    assert set(COMMANDS) - {args[0] for args in HERE_ONLY} == {"phone", "extension", "lockstep", "sightings", "fetches"}

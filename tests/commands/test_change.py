"""``provisioner change``: what it lists, shows and undoes, on this machine and on a server elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.api import create_admin_app
from provisioner.settings import load_settings
from provisioner.wiring import Installation, open_installation
from tests.client.conftest import listening
from tests.commands.conftest import Cli

CSV = "mac,model,extension,display_name\n02:ac:de:00:00:09,acme/a1,1009,Ivy\n,,1001,Anna\n"


@pytest.fixture(params=["here", "from afar"])
def near(request: pytest.FixtureRequest, cli: Cli) -> Iterator[list[str]]:
    """What stands before a command: nothing, or where the server is."""
    cli("import", "-", "--commit", stdin=CSV)
    if request.param == "here":
        yield []
        return
    place: Installation = open_installation(load_settings(cli.env, file=cli.folder / "none.toml"))
    (cli.folder / "token").write_text(place.changes.create_token("tests", "file", "admin") + "\n")
    with listening(create_admin_app(place)) as url:
        yield ["--server", url, "--token-file", str(cli.folder / "token")]
    place.database.dispose()


def number_of(cli: Cli, action: str) -> str:
    return next(str(row["id"]) for row in cli.json("change", "list") if row["action"] == action)


def test_import_is_listed_shown_looked_ahead_and_undone(cli: Cli, near: list[str]) -> None:
    number = number_of(cli, "import.commit")
    listed = cli(*near, "change", "list", "--of", "02:ac:de:00:00:09").stdout
    assert number in listed and "import.commit" in listed and "02:ac:de:00:00:09" in listed
    shown = cli(*near, "change", "show", number).stdout
    assert "Anna" in shown and "1009" in shown
    cli("extension", "set", "1009", "--name", "Ivan")
    told = cli(*near, "change", "undo", number, "--preview").stdout
    assert "extension 1009: changed since: display_name" in told and "--over-later" in told and "2 phones would get new files" in told
    refused = cli(*near, "change", "undo", number, status=1).stderr
    assert "extension 1009 (display_name)" in refused
    assert "undone: import.commit" in cli(*near, "change", "undo", number, "--over-later").stdout
    assert "Anna" not in cli("extension", "list").stdout and "1009" not in cli("extension", "list").stdout


def test_commands_tell_programs_the_same(cli: Cli, near: list[str]) -> None:
    number = number_of(cli, "import.commit")
    assert {part["subject"] for part in cli.json(*near, "change", "show", number)["parts"]} == {"1001", "1009", "02:ac:de:00:00:09"}
    assert cli.json(*near, "change", "undo", number, "--preview")["touched"] == 2
    done = cli.json(*near, "change", "undo", number)
    assert done == {"action": "import.commit", "subject": "2 extensions, 1 phones", "lost": []}
    back = number_of(cli, "import.undo")
    assert "secrets that are kept nowhere" in cli(*near, "change", "undo", back).stdout
    assert "there is no change 99999" in cli(*near, "change", "show", "99999", status=1).stderr
    assert "FIELD" in cli(*near, "change", "show", number_of(cli, "phone.create")).stdout

"""``init``, ``settings``, ``check`` and ``token``."""

from __future__ import annotations

import re

from provisioner.commands.settings import shown_value
from tests.commands.conftest import Cli


def test_init_says_what_it_made_and_shows_the_token_once(bare: Cli) -> None:
    first = bare("init")
    assert first.stdout.count("made)") == 3
    token = first.stdout.splitlines()[-1]
    assert len(token) > 30
    assert (bare.data / "secret.key").stat().st_mode & 0o777 == 0o600
    second = bare("init")
    assert second.stdout.count("was there already") == 3
    assert token not in second.output
    assert [row["name"] for row in bare.json("token", "list")] == ["admin"]


def test_init_makes_no_token_where_one_is_fixed_from_outside(bare: Cli) -> None:
    bare("init", env={"PROVISIONER_API_TOKEN": "x" * 30})
    assert bare("init", env={"PROVISIONER_API_TOKEN": "x" * 30}).stdout.count("was there already") == 3
    assert bare.json("token", "list") == []


def test_init_print_token_makes_first_once(bare: Cli) -> None:
    bare("init")
    assert "'first'" in bare("init", "--print-token").stderr
    assert "exists already" in bare("init", "--print-token", status=1).stderr


def test_data_dir_option_wins_over_the_environment(bare: Cli) -> None:
    bare("--data-dir", str(bare.folder / "elsewhere"), "init")
    assert (bare.folder / "elsewhere" / "secret.key").exists()
    assert not bare.data.exists()


def test_token_is_made_listed_and_revoked(cli: Cli) -> None:
    made = cli("token", "create", "helpdesk", "--role", "technician")
    assert len(made.stdout.strip().splitlines()) == 1  # the token alone, for $(...)
    assert {row["name"]: row["role"] for row in cli.json("token", "list")} == {"admin": "admin", "helpdesk": "technician"}
    assert "NAME" in cli("token", "list").stdout
    cli("token", "remove", "helpdesk")
    assert "there is no token helpdesk" in cli("token", "remove", "helpdesk", status=1).stderr


def test_settings_are_shown_without_secrets(bare: Cli) -> None:
    env = {
        "PROVISIONER_API_TOKEN": "token-that-nobody-may-see",
        "PROVISIONER_ADMIN_PASSWORD": "hunter2hunter2",
        "PROVISIONER_DATABASE_URL": "postgresql://u:hunter2hunter2@db/p",
    }
    for args in (["settings"], ["settings", "--json"]):
        shown = bare(*args, env=env).stdout
        assert "hunter2" not in shown
        assert "token-that" not in shown
        assert "***" in shown
        assert "db/p" in shown


def test_settings_show_what_is_set(bare: Cli) -> None:
    rows = {row["name"]: row["value"] for row in bare.json("settings")}
    assert rows["PROVISIONER_PUBLIC_HOST"] == "192.0.2.7"
    assert rows["PROVISIONER_TFTP_BIND"] == "off"
    assert shown_value("TLS_KEY", None) == ""


def test_check_counts_what_is_fine(bare: Cli) -> None:
    shown = bare("check").stdout
    assert "no mistakes in 1 vendor, 2 models, 28 keys, 2 examples" in shown
    assert re.search(r"VENDOR .*MODELS .*KEYS .*EXAMPLES .*SOURCES .*\nacme +Acme +2 +0 +3 +28 +2 +1 ", shown)
    assert bare.json("check") == {"acme": {"name": "Acme", "models": ["a1", "a2"]}}
    assert re.search(r"acme/a1 +Acme A1 .* 2 x 10 +4 +1 +1\n", bare("check", "--models").stdout)


def test_check_lists_every_mistake_with_its_file(bare: Cli) -> None:
    acme = bare.folder / "catalogue" / "acme"
    (acme / "models" / "a3.toml").write_text('title = "A3"\nlines = "many"\n')
    (acme / "templates" / "stray.j2").write_text("x")
    result = bare("check", str(bare.folder / "catalogue"), status=1)
    assert "a3.toml:2: lines" in result.stderr
    assert "stray.j2:1: no file rule" in result.stderr
    assert "Traceback" not in result.stderr


def test_check_renders_every_template(bare: Cli) -> None:
    template = bare.folder / "catalogue" / "acme" / "templates" / "device.acme.j2"
    template.write_text("fine = 1\nwrong = {{ nothing_of_this_name }}\n")
    result = bare("check", status=1)
    assert "device.acme.j2:2: " in result.stderr
    assert "nothing_of_this_name" in result.stderr


def test_check_of_a_folder_without_catalogue(bare: Cli) -> None:
    (bare.folder / "empty").mkdir()
    assert "settings.toml" in bare("check", str(bare.folder / "empty"), status=1).stderr

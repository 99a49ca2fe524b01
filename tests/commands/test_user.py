"""``user``, and the first one."""

from __future__ import annotations

from provisioner.core.languages import LANGUAGES
from tests.commands.conftest import Cli


def test_init_makes_the_admin_and_shows_its_password_once(bare: Cli) -> None:
    first = bare("init").stderr
    assert "user: admin  password, shown this once: " in first
    assert "password" not in bare("init").stderr
    assert [(row["name"], row["role"]) for row in bare.json("user", "list")] == [("admin", "admin")]


def test_init_takes_the_password_fixed_from_outside_and_does_not_show_it(bare: Cli) -> None:
    assert "hunter22" not in bare("init", env={"PROVISIONER_ADMIN_PASSWORD": "hunter22"}).output
    assert [row["has_password"] for row in bare.json("user", "list")] == [True]


def test_user_is_added_listed_changed_and_removed(cli: Cli) -> None:
    made = cli("user", "add", "bob", "--role", "user", "--site", "default", "--extension", "1001")
    assert len(made.stdout.strip().splitlines()) == 1  # the password alone, for $(...)
    rows = {row["name"]: row for row in cli.json("user", "list")}
    assert (rows["bob"]["sites"], rows["bob"]["extensions"], rows["bob"]["disabled"]) == (["default"], ["1001"], False)
    assert "default" in cli("user", "list").stdout
    assert cli("user", "password", "bob").stdout != made.stdout
    assert "horse" not in cli("user", "password", "bob", "--password-stdin", stdin="correct horse battery\n").output
    assert "password" in cli("user", "password", "bob", "--password-stdin", stdin="x\n", status=1).stderr
    assert "is disabled" in cli("user", "disable", "bob").stdout
    assert "may sign in again" in cli("user", "disable", "bob", "--enable").stdout
    assert "without one-time codes" in cli("user", "no-codes", "bob").stdout
    cli("user", "delete", "bob")
    assert "there is no user bob" in cli("user", "delete", "bob", status=1).stderr


def test_every_language_is_named_where_one_is_asked_for(cli: Cli) -> None:
    assert f"Language of the pages: {', '.join(LANGUAGES)}." in " ".join(cli("user", "add", "--help").stdout.split())


def test_the_last_admin_is_not_removed(cli: Cli) -> None:
    assert "last admin" in cli("user", "delete", "admin", status=1).stderr


def test_a_token_of_a_site_is_made_and_listed(cli: Cli) -> None:
    cli("token", "create", "berlin", "--role", "viewer", "--site", "default")
    assert {row["name"]: row["sites"] for row in cli.json("token", "list")} == {"admin": None, "berlin": ["default"]}
    assert "there is no site mars" in cli("token", "create", "mars", "--role", "viewer", "--site", "mars", status=1).stderr

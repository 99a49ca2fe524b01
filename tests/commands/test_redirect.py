"""``redirect``."""

from __future__ import annotations

from tests.commands.conftest import MAC, Cli


def test_account_comes_from_standard_input_and_the_phone_is_asked_for(cli: Cli) -> None:
    assert "an admin sets it first" in cli("redirect", "register", MAC, status=1).stderr
    said = cli("redirect", "account", "acme", stdin="api_key=redirect-secret-marker\nprofile=office\n").stdout
    assert "is set" in said and "redirect-secret-marker" not in said
    assert "yes" in cli("redirect", "services").stdout
    assert "none" in cli("redirect", "show", MAC).stdout
    cli("redirect", "register", MAC)
    assert "asked" in cli("redirect", "show", MAC).stdout
    cli("redirect", "unregister", MAC)
    assert "taken off" in cli("redirect", "show", MAC).stdout
    assert "this is needed" in cli("redirect", "account", "acme", stdin="api_key=x\n", status=1).stderr
    assert "no redirect service" in cli("redirect", "account", "nobody", stdin="", status=1).stderr


def test_phone_off_the_list_is_listed_until_its_service_forgot_it(cli: Cli) -> None:
    cli("redirect", "account", "acme", stdin="api_key=redirect-secret-marker\nprofile=office\n")
    cli("redirect", "register", MAC)
    cli("phone", "remove", MAC)
    assert MAC in cli("redirect", "removals").stdout
    assert "taken off" in cli("redirect", "show", MAC).stdout
    assert "asked again" in cli("redirect", "retry", MAC).stdout
    assert "not asked about any more" in cli("redirect", "forget", MAC).stdout
    assert MAC not in cli("redirect", "removals").stdout
    assert "no redirect service is to forget" in cli("redirect", "retry", MAC, status=1).stderr

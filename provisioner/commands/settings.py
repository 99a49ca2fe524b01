"""``provisioner settings``."""

from __future__ import annotations

import re

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import print_json, print_table
from provisioner.commands.session import Session, pass_session

_SECRET = re.compile(r"(PASSWORD|TOKEN|SECRET)$")
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^@\s]+(?=@)")


@click.command()
@json_option
@pass_session
def settings(session: Session, as_json: bool) -> None:
    """Show every setting: its value now, its default and what it does. Secrets are shown as ***.

    A setting is given as PROVISIONER_<NAME> in the environment, or as NAME in provisioner.toml; the environment wins.

    \b
    Example:
      PROVISIONER_PHONES_BIND=0.0.0.0:8090 provisioner settings
    """
    from provisioner.settings import PREFIX, SETTINGS

    rows = [(row.name, shown_value(row.name, getattr(session.settings, row.name.lower())), row.default, row.help) for row in SETTINGS]
    if as_json:
        names = ("name", "value", "default", "help")
        print_json([dict(zip(names, (PREFIX + row[0], *row[1:]), strict=True)) for row in rows])
        return
    table = [(name, value, "the same" if value == default else default, meaning) for name, value, default, meaning in rows]
    print_table(["NAME", "VALUE", "DEFAULT", "MEANING"], table)
    click.echo(f"\nIn the environment each name begins with {PREFIX}.")


def shown_value(name: str, value: object) -> str:
    """Returns a setting's value as text, its secrets masked."""
    text = ",".join(str(item) for item in value) if isinstance(value, tuple) and not hasattr(value, "_fields") else str(value)
    if value is None or text == "":
        return "off" if name.endswith("_BIND") else ""
    return "***" if _SECRET.search(name) else _URL_PASSWORD.sub(r"\1***", text)

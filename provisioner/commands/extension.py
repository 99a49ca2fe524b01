"""``provisioner extension``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import print_json, print_table
from provisioner.commands.session import Session, pass_session

if TYPE_CHECKING:
    from provisioner.records import ExtensionRecord

PAGE = 1000


@click.group()
def extension() -> None:
    """Add, change, list and remove extensions; give them new SIP passwords.

    \b
    Example:
      provisioner extension add 1001 --name 'Alice Jansen' --email alice@example.com
    """


@extension.command()
@click.argument("number")
@click.option("--name", help="Name that others see; the number where left out.")
@click.option("--email", help="Where voicemail is sent.")
@click.option("--department", help="For the phone book.")
@click.option("--secret-stdin", is_flag=True, help="Read the SIP password from standard input; one is made where left out.")
@pass_session
def add(session: Session, *, number: str, name: str | None, email: str | None, department: str | None, secret_stdin: bool) -> None:
    """Add the extension NUMBER. Its SIP password is made, and goes to phone and PBX by itself.

    \b
    Examples:
      provisioner extension add 1001 --name 'Alice Jansen'
      printf %s "$PASSWORD" | provisioner extension add 1002 --name Bob --secret-stdin
    """
    # A password on the command line would be in the list of processes and in the shell's history.
    secret = sys.stdin.readline().rstrip("\r\n") if secret_stdin else None
    asked = {"display_name": name, "email": email, "department": department, "secret": secret}
    given = {key: value for key, value in asked.items() if value is not None}
    record = session.desk.changes.create_extension(session.actor, number, **given)
    click.echo(f"extension {record.number} ({record.display_name}) is made")


@extension.command("set")
@click.argument("number")
@click.option("--name", help="Name that others see.")
@click.option("--email", help="Where voicemail is sent.")
@click.option("--department", help="Who it belongs to; an empty one takes it out.")
@click.option(
    "--record-calls/--no-record-calls",
    default=None,
    help="Record its calls, which the PBX beeps at. The law may ask for everybody's consent.",
)
@pass_session
def set_(session: Session, *, number: str, name: str | None, email: str | None, department: str | None, record_calls: bool | None) -> None:
    """Change what is given of the extension NUMBER; the rest stays.

    \b
    Examples:
      provisioner extension set 1001 --department Sales
      provisioner extension set 1001 --record-calls
    """
    asked = {"display_name": name, "email": email, "department": department, "record_calls": record_calls}
    given = {key: value for key, value in asked.items() if value is not None}
    record = session.desk.changes.update_extension(session.actor, number, given)
    click.echo(f"extension {record.number} ({record.display_name}) is changed")


@extension.command()
@click.argument("number")
@click.option("--revoke-former", is_flag=True, help="Refuse the old password at once, whoever still has it.")
@click.option("--secret-stdin", is_flag=True, help="Read the new SIP password from standard input; one is made where left out.")
@pass_session
def rotate(session: Session, number: str, revoke_former: bool, secret_stdin: bool) -> None:
    """Give the extension NUMBER a new SIP password. The old one is taken besides until each of its phones is proven to have moved.

    \b
    Examples:
      provisioner extension rotate 1001
      provisioner extension rotate 1001 --revoke-former
    """
    changes = session.desk.changes
    if secret_stdin:
        secret = {"secret": sys.stdin.readline().rstrip("\r\n")}
        record = changes.update_extension(session.actor, number, secret, revoke_former=revoke_former)
    else:
        record = changes.rotate_secret(session.actor, number, revoke_former=revoke_former)
    told = "its phones are moving" if record.rotation != "none" else "the old one is refused from now on"
    click.echo(f"extension {record.number} has a new password; {told}")


@extension.command("list")
@click.option("--search", default="", help="Part of the number or name.")
@json_option
@pass_session
def list_(session: Session, search: str, as_json: bool) -> None:
    """List extensions, without their passwords.

    \b
    Example:
      provisioner extension list --search jansen
    """
    records = list(_all(session, search))
    if as_json:
        print_json(records)
        return
    rows = [
        (record.number, record.display_name, record.email, record.department, record.rotation.replace("none", ""), pbx_state(record))
        for record in records
    ]
    print_table(["NUMBER", "NAME", "E-MAIL", "DEPARTMENT", "ROTATION", "PBX"], rows)


@extension.command()
@click.argument("number")
@pass_session
def remove(session: Session, number: str) -> None:
    """Remove the extension NUMBER; no phone may have it on a line.

    \b
    Example:
      provisioner extension remove 1001
    """
    session.desk.changes.delete_extension(session.actor, number)
    click.echo(f"extension {number} is removed")


def pbx_state(record: ExtensionRecord) -> str:
    """Returns in a word or a sentence what the PBX knows of the extension."""
    if record.pbx_error:
        return record.pbx_error
    return "verified" if record.pbx_wanted is not None and record.pbx_wanted == record.pbx_verified else "waiting"


def _all(session: Session, search: str) -> Iterator[ExtensionRecord]:
    after = ""
    while page := session.desk.store.extensions(after=after, limit=PAGE, search=search):
        yield from page
        after = page[-1].number

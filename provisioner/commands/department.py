"""``provisioner department``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import print_json, print_table
from provisioner.commands.session import Session, pass_session

if TYPE_CHECKING:
    from provisioner.records import DepartmentRecord

PAGE = 500


@click.group()
def department() -> None:
    """Add, list and remove departments; one with a number rings all of its extensions.

    \b
    Example:
      provisioner department add Sales --number 600
    """


@department.command()
@click.argument("name")
@click.option("--number", help="What is dialled to ring every member; left out, it cannot be called.")
@pass_session
def add(session: Session, name: str, number: str | None) -> None:
    """Make the department NAME, or give the one that is there another number. Its members are the extensions that name it.

    \b
    Examples:
      provisioner department add Sales --number 600
      provisioner extension set 1001 --department Sales
    """
    record = session.desk.changes.put_department(session.actor, name, number)
    called = f"rings its {len(record.members)} members at {record.number}" if record.number else "has no number"
    click.echo(f"department {record.name} {called}")


@department.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List departments with their numbers and members.

    \b
    Example:
      provisioner department list
    """
    records = list(_all(session))
    if as_json:
        print_json(records)
        return
    rows = [(record.name, record.number, len(record.members), record.pbx_error or ", ".join(record.members[:8])) for record in records]
    print_table(["NAME", "NUMBER", "MEMBERS", "WHO"], rows, right=["MEMBERS"])


@department.command()
@click.argument("name")
@pass_session
def remove(session: Session, name: str) -> None:
    """Remove the department NAME; no extension may be in it.

    \b
    Example:
      provisioner department remove Sales
    """
    session.desk.changes.delete_department(session.actor, name)
    click.echo(f"department {name} is removed")


def _all(session: Session) -> Iterator[DepartmentRecord]:
    after = ""
    while page := session.desk.store.departments(after=after, limit=PAGE):
        yield from page
        after = page[-1].name

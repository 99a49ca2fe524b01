"""``provisioner seat``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option, mac_argument
from provisioner.commands.output import print_records, shown_time
from provisioner.commands.session import Session, pass_session

if TYPE_CHECKING:
    from provisioner.core.mac import Mac
    from provisioner.records_seats import SeatRecord

PAGE = 500


@click.group()
def seat() -> None:
    """Show who sits at which hot desk; log people in and out.

    \b
    Examples:
      provisioner phone set 80:5e:c0:aa:bb:cc --setting hot_desk=true
      provisioner seat in 80:5e:c0:aa:bb:cc 1002
    """


@seat.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List who sits where.

    \b
    Example:
      provisioner seat list
    """
    headers = ["PHONE", "EXTENSION", "NAME", "SITE", "PLACE", "SINCE", "LOGGED IN BY"]
    print_records(
        list(_all(session)),
        headers,
        lambda row: (row.mac.colons, row.extension, row.display_name, row.site, row.place or "-", shown_time(row.since), row.actor),
        as_json=as_json,
    )


@seat.command("in")
@mac_argument
@click.argument("extension")
@pass_session
def in_(session: Session, mac: Mac, extension: str) -> None:
    """Log EXTENSION in at the phone MAC: it becomes theirs, and they are logged out where they sat before.

    \b
    Example:
      provisioner seat in 80:5e:c0:aa:bb:cc 1002
    """
    taken = session.desk.changes.take_seat(session.actor, mac, extension)
    click.echo(f"extension {taken.extension} sits at phone {mac.colons}")


@seat.command()
@mac_argument
@pass_session
def out(session: Session, mac: Mac) -> None:
    """Log out whoever sits at the phone MAC: it is what it was before.

    \b
    Example:
      provisioner seat out 80:5e:c0:aa:bb:cc
    """
    session.desk.changes.leave_seat(session.actor, mac)
    click.echo(f"nobody sits at phone {mac.colons} any more")


@seat.command("wrong-pins")
@json_option
@pass_session
def wrong_pins(session: Session, as_json: bool) -> None:
    """List where wrong PINs were dialled in the last hour; 5 of an extension or 10 at a phone stop log-ins there until it is over.

    \b
    Example:
      provisioner seat wrong-pins
    """
    print_records(
        session.desk.store.wrong_pins(),
        ["OF", "EXTENSION", "COUNT", "SINCE"],
        lambda row: (row.kind, row.number, row.count, shown_time(row.since)),
        as_json=as_json,
        right=["COUNT"],
    )


def _all(session: Session) -> Iterator[SeatRecord]:
    after = ""
    while page := session.desk.store.seats(after=after, limit=PAGE):
        yield from page
        after = page[-1].mac

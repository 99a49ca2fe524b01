"""``provisioner window``, ``warehouse``, ``newcomers`` and ``claim``: taking phones in."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option, mac_argument
from provisioner.commands.output import counted, print_records, shown_time
from provisioner.commands.session import Session, pass_session
from provisioner.core.enrolment import CLAIM_MINUTES, WINDOW_MINUTES, WINDOW_PHONES, dialled
from provisioner.errors import InputError, NotFound

if TYPE_CHECKING:
    from provisioner.core.mac import Mac

PAGE = 5000


@click.group()
def window() -> None:
    """Open, close and list windows in which a site takes in phones that nobody listed.

    \b
    Example:
      provisioner window open Utrecht --minutes 30 --phones 20
    """


@window.command("open")
@click.argument("site")
@click.option("--minutes", type=int, default=WINDOW_MINUTES, show_default=True, help="How long it stays open.")
@click.option("--phones", type=int, default=WINDOW_PHONES, show_default=True, help="How many come in; behind the last one it closes.")
@pass_session
def open_(session: Session, site: str, minutes: int, phones: int) -> None:
    """Open the window of SITE, whose enrolment is window. It closes itself.

    \b
    Example:
      provisioner window open Utrecht --minutes 30 --phones 20
    """
    record = session.desk.changes.open_window(session.actor, site, minutes, phones)
    click.echo(f"{site} takes in {counted(record.most, 'phone')} until {shown_time(record.closes_at)}")


@window.command()
@click.argument("site")
@pass_session
def close(session: Session, site: str) -> None:
    """Close the window of SITE now.

    \b
    Example:
      provisioner window close Utrecht
    """
    session.desk.changes.close_window(session.actor, site)
    click.echo(f"{site} takes in no more phones")


@window.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List the windows that are open.

    \b
    Example:
      provisioner window list
    """
    records = session.desk.store.windows()
    print_records(
        records,
        ["SITE", "CLOSES", "TAKEN IN", "AT MOST", "OPENED BY"],
        lambda row: (row.site, shown_time(row.closes_at), row.taken, row.most, row.opened_by),
        as_json=as_json,
        right=["TAKEN IN", "AT MOST"],
    )


@click.group()
def warehouse() -> None:
    """Keep phones that have no place yet: each is taken in where it is first plugged in, with an extension of that site's pool.

    \b
    Example:
      provisioner warehouse add delivery.csv
    """


@warehouse.command()
@click.argument("file", type=click.File("rb"))
@pass_session
def add(session: Session, file: IO[bytes]) -> None:
    """Add the phones of the CSV FILE ("-": standard input), whose columns are mac and model. One wrong row, and nothing is added.

    \b
    Example:
      provisioner warehouse add delivery.csv
    """
    from provisioner.importing.stock import stock_of
    from provisioner.importing.world import model_names

    names = model_names(session.installation.catalogue) if session.remote is None else session.remote.store.model_names()
    added = session.desk.changes.add_to_warehouse(session.actor, stock_of(names, file.read()))
    click.echo(f"{counted(added, 'phone')} in the warehouse")


@warehouse.command("list")
@json_option
@pass_session
def list_stock(session: Session, as_json: bool) -> None:
    """List the phones of the warehouse.

    \b
    Example:
      provisioner warehouse list
    """
    records = session.desk.store.warehouse(limit=PAGE * 10)
    print_records(
        records,
        ["MAC", "MODEL", "ADDED", "NOTE"],
        lambda row: (row.mac, row.model, shown_time(row.added_at), row.note),
        as_json=as_json,
    )


@warehouse.command()
@mac_argument
@pass_session
def remove(session: Session, mac: Mac) -> None:
    """Take the phone MAC out of the warehouse.

    \b
    Example:
      provisioner warehouse remove 80:5e:c0:aa:bb:cc
    """
    session.desk.changes.remove_from_warehouse(session.actor, mac)
    click.echo(f"{mac.colons} is out of the warehouse")


@click.command()
@json_option
@pass_session
def newcomers(session: Session, as_json: bool) -> None:
    """List MACs that asked for files and were not let in, with what their site's policy made of it.

    \b
    Example:
      provisioner newcomers
    """
    records = session.desk.store.newcomers(limit=PAGE)
    print_records(
        records,
        ["MAC", "FROM", "LAST", "TIMES", "WAITS", "OUTCOME", "STRANGER", "USER AGENT"],
        lambda row: (row.mac, row.peer, shown_time(row.at), row.count, row.waits, row.outcome, row.stranger, row.user_agent),
        as_json=as_json,
        right=["TIMES"],
    )


@click.command()
@click.argument("tail", required=False)
@click.option("--extension", help="For line 1; left out: the next one of the site's pool.")
@click.option("--code", "wants_code", is_flag=True, help="Make a code for --extension, to be dialled on the phone, instead.")
@pass_session
def claim(session: Session, tail: str | None, extension: str | None, wants_code: bool) -> None:
    """Take in the phone whose MAC ends in TAIL, or with --code make a code that is dialled on it.

    \b
    Examples:
      provisioner claim aabbcc --extension 1001
      provisioner claim --code --extension 1001
    """
    if wants_code:
        if tail or not extension:
            raise click.UsageError("--code needs --extension and no MAC: the phone on which it is dialled is the one")
        code, expires_at = session.desk.changes.make_claim_code(session.actor, extension, CLAIM_MINUTES)
        click.echo(f"dial {dialled(code)} on the phone until {shown_time(expires_at)}: it becomes {extension}")
        return
    bare = (tail or "").replace(":", "").replace("-", "").lower()
    if session.remote is not None:
        phone = session.remote.changes.claim(bare, extension)
        click.echo(f"phone {phone['mac']} ({phone['model']}) is listed at site {phone['site']}")
        return
    _claim(session, bare, extension)


def _claim(session: Session, tail: str, extension: str | None) -> None:
    from provisioner.changes import LineInput, PhoneInput
    from provisioner.core.identify import model_of

    place = session.installation
    found = place.store.newcomers(tail=tail, limit=2) if len(tail) >= 6 else []
    if len(found) > 1:
        raise InputError({"tail": f"{' and '.join(row.mac.colons for row in found)} end in that: write the whole MAC"})
    if not found:
        raise NotFound({"tail": "no phone whose MAC ends so has asked for its files; 'provisioner newcomers' lists those that have"})
    lines = [LineInput(1, extension)] if extension else None
    model = model_of(place.catalogue, found[0].mac, found[0].user_agent)[0] or None
    record = place.changes.adopt_phone(session.actor, found[0].mac, PhoneInput(model=model, lines=lines), found[0].peer)
    click.echo(f"phone {record.mac.colons} ({record.model}) is listed at site {record.site}")

"""``provisioner change``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import counted, harmless, plain, print_json, print_table, shown_time
from provisioner.commands.session import Session, pass_session
from provisioner.core.mac import Mac, try_parse

if TYPE_CHECKING:
    from provisioner.commands.undoing import Outcome
    from provisioner.records import ChangeRecord

SHOWN = 20


@click.group()
def change() -> None:
    """List who changed what, and undo it.

    \b
    Example:
      provisioner change list --of 80:5e:c0:aa:bb:cc
    """


@change.command("list")
@click.option("--of", "subject", default="", help="Only changes of this MAC, number or name.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many, the newest first.")
@json_option
@pass_session
def list_(session: Session, subject: str, limit: int, as_json: bool) -> None:
    """List changes, the newest first.

    \b
    Examples:
      provisioner change list
      provisioner change list --of 1001
    """
    from provisioner.commands.undoing import undoing_of

    rows = undoing_of(session).changes(subject, limit)
    if as_json:
        print_json([_shown(row) for row in rows])
        return
    table = [(row.id, shown_time(row.at), row.actor, row.action, _subject(row), row.phones) for row in rows]
    print_table(["NUMBER", "WHEN", "BY", "WHAT", "OF", "PHONES"], table, right=["NUMBER", "PHONES"])


@change.command()
@click.argument("number", type=click.IntRange(1))
@json_option
@pass_session
def show(session: Session, number: int, as_json: bool) -> None:
    """Show the change NUMBER; of an import, or a layout given to phones, what it made of each.

    \b
    Example:
      provisioner change show 1234
    """
    from provisioner.commands.undoing import undoing_of

    undoing = undoing_of(session)
    row, parts = undoing.change(number), undoing.parts(number)
    if as_json:
        print_json({**_shown(row), "parts": [{"noun": part.noun, "subject": part.subject, **part.told} for part in parts]})
        return
    click.echo(f"{row.action} {harmless(_subject(row))}, by {harmless(row.actor)} at {shown_time(row.at)}")
    if parts:
        print_table(
            ["WHAT", "WHICH", "FIELD", "BEFORE", "AFTER"], [line for part in parts for line in _lines(part.noun, part.subject, part.told)]
        )
    else:
        print_table(["WHAT", "WHICH", "FIELD", "BEFORE", "AFTER"], _lines("", _subject(row), {"before": row.before, "after": row.after}))


@change.command()
@click.argument("number", type=click.IntRange(1))
@click.option("--over-later", is_flag=True, help="Also where it was changed again since: that is undone too.")
@click.option("--preview", is_flag=True, help="Only show what it would come to.")
@json_option
@pass_session
def undo(session: Session, number: int, over_later: bool, preview: bool, as_json: bool) -> None:
    """Put back what was before the change NUMBER: of one thing, of an import or a layout given to phones as a whole, or of a swap.

    A swap that is undone is a swap back: the lines get new secrets, and the phone that comes back a new address.

    \b
    Examples:
      provisioner change undo 1234 --preview
      provisioner change undo 1234
    """
    from provisioner.commands.undoing import undoing_of

    undoing = undoing_of(session)
    if preview:
        outcome = undoing.outcome(number)
        print_json(outcome) if as_json else _print_outcome(outcome)
        return
    row = undoing.change(number)
    lost = undoing.undo(number, over_later=over_later)
    if as_json:
        print_json({"action": row.action, "subject": _subject(row), "lost": lost})
        return
    click.echo(f"undone: {row.action} {harmless(_subject(row))}")
    _print_lost(lost)


def _print_outcome(outcome: Outcome) -> None:
    if outcome.later:
        click.echo(f"{counted(outcome.later, 'later change')} of the same would be undone too (--over-later)")
    for thing in outcome.since[:SHOWN]:
        what = f"changed since: {', '.join(thing.told)}" if thing.told else "no longer there"
        click.echo(f"{thing.noun} {harmless(thing.subject)}: {harmless(what)}")
    if len(outcome.since) > SHOWN:
        click.echo(f"... and {len(outcome.since) - SHOWN} more")
    if outcome.since:
        click.echo("what this change made of them goes back with --over-later")
    click.echo(
        f"{counted(outcome.touched, 'phone')} would get new files" + (f": {', '.join(outcome.macs[:SHOWN])}" if outcome.macs else "")
    )
    _print_lost(outcome.lost)


def _print_lost(lost: Any) -> None:
    if lost:
        click.echo(f"secrets that are kept nowhere and so do not come back: {harmless(', '.join(lost))}")


def _lines(noun: str, subject: str, told: dict[str, Any]) -> list[tuple[object, ...]]:
    before, after = told["before"] or {}, told["after"] or {}
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [(noun, subject, "", _value(told["before"]), _value(told["after"]))]
    names = [name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name)]
    return [(noun, subject, name, _value(before.get(name)), _value(after.get(name))) for name in names]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={inner}" for name, inner in value.items())
    return ", ".join(map(_value, value)) if isinstance(value, list) else "" if value is None else str(value)


def _subject(row: ChangeRecord) -> str:
    mac = try_parse(row.subject) if row.action.partition(".")[0] in ("phone", "layout", "import") else None
    return mac.colons if isinstance(mac, Mac) else row.subject


def _shown(row: ChangeRecord) -> dict[str, Any]:
    return {**plain(row), "subject": _subject(row)}

"""``provisioner import`` and ``provisioner export``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import counted, harmless, note, plain, print_json, print_table
from provisioner.commands.session import Session, pass_session

if TYPE_CHECKING:
    from provisioner.importing import ImportMistake, ImportPlan, ImportResult, PlannedRow

SHOWN_ROWS = 50


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--commit", is_flag=True, help="Write. Without it everything is only shown.")
@click.option("--partial", is_flag=True, help="With --commit: write the good rows and leave the bad ones out.")
@click.option("--all", "show_all", is_flag=True, help=f"Show every row, not only the first {SHOWN_ROWS}.")
@json_option
@click.pass_context
def import_(context: click.Context, *, file: IO[bytes], commit: bool, partial: bool, show_all: bool, as_json: bool) -> None:
    """Read phones and extensions from the CSV FILE ("-": standard input), and show what would change.

    Nothing is written without --commit; without --partial one bad row stops everything. The first row names the columns, in any order:
    mac, model, site, group, enabled, extension, display_name, secret, email, department, label, line1, line2, ..., label2, ...,
    setting:NAME. An empty cell leaves what is there; a lone - takes it away. Exit status 1 when a row is bad.

    \b
    Examples:
      provisioner import phones.csv
      provisioner import phones.csv --commit
      printf 'mac,model,extension,name\\n805ec0aabbcc,T46U,1001,Alice\\n' | provisioner import - --commit
    """
    from provisioner.importing import apply_plan, preview_csv
    from provisioner.importing.reading import MAX_BYTES

    session = context.find_object(Session) or Session()
    content = file.read(MAX_BYTES + 1)  # one more than is taken: enough to see that it is too much
    plan = preview_csv(session.installation, content)
    is_stopped = plan.is_unreadable or (bool(plan.mistakes) and not partial)
    result = apply_plan(session.installation, session.actor, plan, all_or_nothing=not partial) if commit and not is_stopped else None
    if as_json:
        _print_json(plan, result)
    else:
        _print_plan(plan, show_all)
        _print_outcome(plan, result, commit)
    if plan.mistakes and (result is None or not partial):
        context.exit(1)


def _print_plan(plan: ImportPlan, show_all: bool) -> None:
    for text in plan.notes:
        click.echo(f"note: {harmless(text)}")
    rows = [row for row in plan.rows if row.action != "unchanged" or show_all]
    shown = rows if show_all else rows[:SHOWN_ROWS]
    if shown:
        print_table(
            ["LINE", "ACTION", "MAC", "EXTENSION", "WHAT"],
            [(row.line, row.action, row.mac, row.number, _what(row)) for row in shown],
            right=["LINE"],
        )
    if len(rows) > len(shown):
        click.echo(f"... and {counted(len(rows) - len(shown), 'more row')}; --all shows every one")
    if plan.mistakes:
        click.echo()
        _print_mistakes(plan.mistakes)


def _print_mistakes(mistakes: tuple[ImportMistake, ...]) -> None:
    rows = [(item.line, item.column, item.sentence, item.mend) for item in mistakes]
    print_table(["LINE", "COLUMN", "WRONG", "MEND"], rows, right=["LINE"])


def _what(row: PlannedRow) -> str:
    if row.differences:
        return "; ".join(f"{item.column}: {item.before or '(empty)'} -> {item.after or '(empty)'}" for item in row.differences)
    parts = []
    if row.phone is not None and row.phone.before is None:
        parts.append(f"phone {row.phone.model} at {row.phone.site}")
    if row.extension is not None and row.extension.before is None:
        parts.append(f"extension {row.extension.given.get('display_name', '')}".rstrip())
    return ", ".join(parts)


def _print_outcome(plan: ImportPlan, result: ImportResult | None, commit: bool) -> None:
    counts = plan.counts
    if plan.is_unreadable:
        click.echo("\nThe file cannot be read. Nothing was written.")
    elif result is not None:
        made = f"{counted(result.phones_created, 'phone')} and {counted(result.extensions_created, 'extension')} made"
        changed = f"{counted(result.phones_updated, 'phone')} and {counted(result.extensions_updated, 'extension')} changed"
        left = f", {counted(counts['bad'], 'bad row')} left out" if counts["bad"] else ""
        click.echo(f"\nWritten: {made}, {changed}, {counted(result.unchanged, 'row')} as before{left}.")
    else:
        good = f"{counts['create']} to make, {counts['update']} to change, {counts['unchanged']} as before, {counts['bad']} bad"
        mend = " Mend the bad rows, or add --partial to leave them out." if counts["bad"] else "" if commit else " Add --commit to write."
        click.echo(f"\nRows: {good}. Nothing was written.{mend}")


def _print_json(plan: ImportPlan, result: ImportResult | None) -> None:
    from provisioner.importing import plan_as_dict

    written = {name: value for name, value in plain(result).items() if name != "left_out"} if result else None
    print_json({**plan_as_dict(plan), "written": written})


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--with-secrets", is_flag=True, help="Write SIP passwords and secret settings in clear; FILE is then readable by you alone.")
@pass_session
def export(session: Session, file: Path | None, with_secrets: bool) -> None:
    """Write all phones and extensions as CSV to FILE, or to standard output. 'provisioner import' takes it back.

    Keys of phones are not in it. For a copy of everything there is 'provisioner backup'.

    \b
    Examples:
      provisioner export phones.csv
      provisioner export | column -s, -t | less -S
    """
    from provisioner.importing import export_csv

    if with_secrets:
        session.installation.changes.note_secrets_shown(session.actor, "export.with_secrets", "")
    text = export_csv(session.installation, with_secrets=with_secrets)
    if file is None:
        sys.stdout.write(text)
        return
    # With a byte order mark Excel reads names with accents right; importing takes it off.
    write_atomically(file, text.encode("utf-8-sig"), 0o600 if with_secrets else 0o640)
    note(f"{file}: {counted(max(text.count(chr(10)) - 1, 0), 'line')}")


def write_atomically(path: Path, content: bytes, mode: int) -> None:
    """Writes a file whole or not at all, with ``mode`` from its first byte on."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
            out.write(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)

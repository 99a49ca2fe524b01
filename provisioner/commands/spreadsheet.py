"""``provisioner import`` and ``provisioner export``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.looking import must_be_admin
from provisioner.commands.output import counted, harmless, note, plain, print_json, print_table
from provisioner.commands.session import Session, pass_session

if TYPE_CHECKING:
    from provisioner.client import Client

SHOWN_ROWS = 50
SHOWN_LEFT = 15


Plan = dict[str, Any]
"""What ``importing.plan_as_dict`` makes."""


class Told(NamedTuple):
    """What was said of a file besides the file: its format, and the model of phones that tell none; empty: not said."""

    form: str
    model: str

    def as_query(self) -> dict[str, str | None]:
        return {"format": self.form or None, "model": self.model or None}


class Sheets(Protocol):
    """Where spreadsheets go to and come from: this machine, or a server elsewhere."""

    def preview(self, content: bytes, told: Told) -> Plan:
        """Returns what a file would do, as ``importing.plan_as_dict``."""

    def apply(self, content: bytes, told: Told, *, partial: bool) -> dict[str, int]:
        """Writes the file that was previewed; returns how many of what."""

    def export(self, *, with_secrets: bool) -> str:
        """Returns all phones and extensions as CSV."""


class SheetsHere:
    """The installation of this machine."""

    def __init__(self, session: Session) -> None:
        self._place, self._actor = session.installation, session.actor

    def preview(self, content: bytes, told: Told) -> Plan:
        from provisioner.importing import Told as ToldHere
        from provisioner.importing import plan_as_dict, preview_import

        self._plan = preview_import(self._place, content, ToldHere(*told))
        return plan_as_dict(self._plan)

    def apply(self, content: bytes, told: Told, *, partial: bool) -> dict[str, int]:
        from provisioner.importing import apply_plan

        result = apply_plan(self._place, self._actor, self._plan, all_or_nothing=not partial)
        return {name: value for name, value in plain(result).items() if name != "left_out"}

    def export(self, *, with_secrets: bool) -> str:
        from provisioner.importing import export_csv

        if with_secrets:
            self._place.changes.note_secrets_shown(self._actor, "export.with_secrets", "")
        return export_csv(self._place, with_secrets=with_secrets)


class SheetsElsewhere:
    """A server elsewhere."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def preview(self, content: bytes, told: Told) -> Plan:
        from provisioner.commands.asking import asked

        shown = dict(asked(self._client.imports.create, content, **told.as_query()))
        del shown["committed"]
        return shown

    def apply(self, content: bytes, told: Told, *, partial: bool) -> dict[str, int]:
        from provisioner.commands.asking import asked

        written = asked(self._client.imports.create, content, commit=True, all_or_nothing=not partial, **told.as_query())
        return {name: count for name, count in written["counts"].items() if name != "left_out"}

    def export(self, *, with_secrets: bool) -> str:
        from provisioner.commands.asking import asked

        if with_secrets:
            must_be_admin(self._client, "exporting secrets")
        return str(asked(self._client.export.show, secrets=with_secrets or None))


def sheets_of(session: Session) -> Sheets:
    """Returns where this run's spreadsheets go to and come from."""
    return SheetsHere(session) if session.remote is None else SheetsElsewhere(session.remote.client)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option(
    "--format",
    "form",
    default="",
    help="What FILE is, where it is not recognised: csv, phone-files, fusionpbx-devices, fusionpbx-extensions or freepbx.",
)
@click.option("--model", default="", help="The model of phones whose files tell none.")
@click.option("--commit", is_flag=True, help="Write. Without it everything is only shown.")
@click.option("--partial", is_flag=True, help="With --commit: write the good rows and leave the bad ones out.")
@click.option("--all", "show_all", is_flag=True, help=f"Show every row, not only the first {SHOWN_ROWS}.")
@json_option
@click.pass_context
def import_(
    context: click.Context, *, file: Path, form: str, model: str, commit: bool, partial: bool, show_all: bool, as_json: bool
) -> None:
    """Read phones and extensions from FILE ("-": standard input), and show what would change.

    FILE is a CSV, an export of FusionPBX (devices, extensions) or of FreePBX (Bulk Handler, extensions), or a folder or ZIP with the
    files that another system wrote for its phones (805ec0aabbcc.cfg, cfg000b82a1b2c3.xml).
    Nothing is written without --commit; without --partial one bad row stops everything. The first row names the columns, in any order:
    mac, model, site, group, enabled, extension, display_name, secret, email, department, label, line1, line2, ..., label2, ...,
    setting:NAME. An empty cell leaves what is there; a lone - takes it away. Exit status 1 when a row is bad.

    \b
    Examples:
      provisioner import phones.csv
      provisioner import phones.csv --commit
      provisioner import /tftpboot --model yealink/t46u
      printf 'mac,model,extension,name\\n805ec0aabbcc,T46U,1001,Alice\\n' | provisioner import - --commit
    """
    sheets, told = sheets_of(context.find_object(Session) or Session()), Told(form, model)
    content = _content(file)
    plan = sheets.preview(content, told)
    is_stopped = plan["unreadable"] or (bool(plan["mistakes"]) and not partial)
    written = sheets.apply(content, told, partial=partial) if commit and not is_stopped else None
    if as_json:
        print_json({**plan, "written": written})
    else:
        _print_plan(plan, show_all)
        _print_outcome(plan, written, commit)
    if plan["mistakes"] and (written is None or not partial):
        context.exit(1)


def _content(file: Path) -> bytes:
    """Returns what a file holds, or a folder as a ZIP, one byte more than is taken at most: enough to see that it is too much."""
    from provisioner.importing.reading import MAX_BYTES

    if file.is_dir():
        from provisioner.importing.foreign.archive import packed_folder

        return packed_folder(file)
    with click.open_file(str(file), "rb") as source:
        content: bytes = source.read(MAX_BYTES + 1)
    return content


def _print_left(left: list[dict[str, Any]], show_all: bool) -> None:
    """Tells what another system had and was not taken over: what the settings here decide, and what nothing does."""
    for is_set, words in ((True, "set by the settings of this server"), (False, "not taken over")):
        names = [f"{harmless(item['name'])} ({item['phones']})" for item in left if item["set_here"] == is_set]
        shown = names if show_all else names[:SHOWN_LEFT]
        if shown:
            more = f", and {len(names) - len(shown)} more (--all shows every one)" if len(names) > len(shown) else ""
            click.echo(f"{words}, parameter (phones): {', '.join(shown)}{more}")


def _print_plan(plan: Plan, show_all: bool) -> None:
    for text in plan["notes"]:
        click.echo(f"note: {harmless(text)}")
    rows = [row for row in plan["rows"] if row["action"] != "unchanged" or show_all]
    shown = rows if show_all else rows[:SHOWN_ROWS]
    if shown:
        print_table(
            ["LINE", "ACTION", "MAC", "EXTENSION", "WHAT"],
            [(row["source"] or row["line"], row["action"], row["mac"], row["extension"], _what(row)) for row in shown],
            right=["LINE"],
        )
    if len(rows) > len(shown):
        click.echo(f"... and {counted(len(rows) - len(shown), 'more row')}; --all shows every one")
    _print_left(plan["left"], show_all)
    if plan["mistakes"]:
        click.echo()
        mistakes = [(item["source"] or item["line"], item["column"], item["sentence"], item["mend"]) for item in plan["mistakes"]]
        print_table(["LINE", "COLUMN", "WRONG", "MEND"], mistakes, right=["LINE"])


def _what(row: dict[str, Any]) -> str:
    differences = [f"{item['column']}: {item['before'] or '(empty)'} -> {item['after'] or '(empty)'}" for item in row["differences"]]
    return "; ".join(differences) or ", ".join(row["makes"])


def _print_outcome(plan: Plan, written: dict[str, int] | None, commit: bool) -> None:
    counts = plan["counts"]
    if plan["unreadable"]:
        click.echo("\nThe file cannot be read. Nothing was written.")
    elif written is not None:
        made = f"{counted(written['phones_created'], 'phone')} and {counted(written['extensions_created'], 'extension')} made"
        changed = f"{counted(written['phones_updated'], 'phone')} and {counted(written['extensions_updated'], 'extension')} changed"
        left = f", {counted(counts['bad'], 'bad row')} left out" if counts["bad"] else ""
        click.echo(f"\nWritten: {made}, {changed}, {counted(written['unchanged'], 'row')} as before{left}.")
    else:
        good = f"{counts['create']} to make, {counts['update']} to change, {counts['unchanged']} as before, {counts['bad']} bad"
        mend = " Mend the bad rows, or add --partial to leave them out." if counts["bad"] else "" if commit else " Add --commit to write."
        click.echo(f"\nRows: {good}. Nothing was written.{mend}")


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
    text = sheets_of(session).export(with_secrets=with_secrets)
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

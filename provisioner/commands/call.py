"""``provisioner call`` and ``provisioner recording``."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import print_json, print_table, shown_time
from provisioner.commands.session import Session, pass_session

if TYPE_CHECKING:
    from provisioner.callsnow import CallNow
    from provisioner.records_calls import CallRecord

PAGE = 400
FIELDS = (
    "number",
    "started_at",
    "answered_at",
    "ended_at",
    "caller",
    "caller_name",
    "called",
    "answered_by",
    "outcome",
    "talk_s",
    "recorded",
)
_FORMULA = re.compile(r"[=+\-@\t\r](?![0-9*#]+\Z)")
"""A spreadsheet would work out what begins so; and a caller's number and name are a stranger's. A number with its plus stays a number."""
OUTCOMES = ("answered", "mailbox", "missed", "busy", "refused", "failed")


@click.group()
def call() -> None:
    """List calls that have ended, and those under way.

    \b
    Example:
      provisioner call list --extension 1001
    """


@call.command("list")
@click.option("--extension", default="", help="Only calls in which this extension called, rang or talked.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only calls that ended so.")
@click.option("--limit", type=click.IntRange(1, 2_000_000), default=50, show_default=True, help="How many, the newest first.")
@click.option("--csv", "as_csv", is_flag=True, help="Write them as CSV, with times in UTC.")
@json_option
@pass_session
def list_(session: Session, extension: str, outcome: str | None, limit: int, as_csv: bool, as_json: bool) -> None:
    """List calls that have ended, the newest first.

    \b
    Examples:
      provisioner call list --outcome missed
      provisioner call list --limit 1000000 --csv > calls.csv
    """
    records = _calls(session, limit, extension=extension, outcome=outcome or "")
    if as_csv:
        _write_csv(records)
    elif as_json:
        print_json(list(records))
    else:
        _print_calls(list(records))


@call.command()
@json_option
@pass_session
def now(session: Session, as_json: bool) -> None:
    """List calls that are under way, the longest first.

    \b
    Example:
      provisioner call now
    """
    rows = session.remote.store.calls_now() if session.remote else _here(session)
    if as_json:
        print_json(rows)
        return
    print_table(
        ["SINCE", "CALLER", "NAME", "CALLED", "STATE"],
        [(shown_time(row.since), row.caller, row.caller_name, ", ".join(row.called), row.state) for row in rows],
    )


@click.group()
def recording() -> None:
    """List and remove recordings of calls. 'provisioner extension set NUMBER --record-calls' switches them.

    \b
    Example:
      provisioner recording list
    """


@recording.command("list")
@click.option("--limit", type=click.IntRange(1, 2_000_000), default=50, show_default=True, help="How many, the newest first.")
@json_option
@pass_session
def recordings(session: Session, limit: int, as_json: bool) -> None:
    """List calls that were recorded, the newest first.

    \b
    Example:
      provisioner recording list
    """
    records = list(_calls(session, limit, recorded=True))
    if as_json:
        print_json(records)
        return
    _print_calls(records)


@recording.command()
@click.argument("number", type=click.IntRange(1))
@pass_session
def remove(session: Session, number: int) -> None:
    """Remove the recording of the call NUMBER; the call itself stays.

    \b
    Example:
      provisioner recording remove 17
    """
    record = session.desk.changes.remove_recording(session.actor, number)
    if not session.remote:
        from provisioner.bundled import recordings_folder
        from provisioner.recordings import Recordings

        Recordings(recordings_folder(session.settings)).remove(record.recording)
    click.echo(f"removed the recording of call {number}, {record.caller} to {record.called}")


def _here(session: Session) -> Sequence[CallNow]:
    from provisioner.callsnow import calls_now

    return calls_now(session.settings)


def _calls(session: Session, limit: int, *, extension: str = "", outcome: str = "", recorded: bool = False) -> Iterator[CallRecord]:
    before: int | None = None
    while limit > 0:
        page = session.desk.store.calls(before=before, limit=min(limit, PAGE), extension=extension, outcome=outcome, recorded=recorded)
        yield from page
        if len(page) < min(limit, PAGE):
            return
        limit -= len(page)
        before = page[-1].number


def _print_calls(records: Sequence[CallRecord]) -> None:
    rows = [
        (
            row.number, shown_time(row.started_at), row.caller, row.caller_name, row.called, row.answered_by, row.outcome,
            f"{row.talk_s:.0f}", f"{row.recording_bytes / 1024**2:.1f} MB" if row.recording else "",
        )
        for row in records
    ]  # fmt: skip
    headers = ["CALL", "TIME", "CALLER", "NAME", "CALLED", "ANSWERED BY", "OUTCOME", "SECONDS", "RECORDING"]
    print_table(headers, rows, right=["CALL", "SECONDS", "RECORDING"])


def _write_csv(records: Iterator[CallRecord]) -> None:
    from provisioner.api.schemas import shown_time as utc

    writer = csv.writer(sys.stdout)
    writer.writerow(FIELDS)
    for row in records:
        times = [utc(at) if at is not None else "" for at in (row.started_at, row.answered_at, row.ended_at)]
        texts = [_plain(text) for text in (row.caller, row.caller_name, row.called, row.answered_by)]
        writer.writerow([row.number, *times, *texts, row.outcome, f"{row.talk_s:.1f}", "yes" if row.recording else "no"])


def _plain(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text

"""``provisioner sightings`` and ``provisioner fetches``: what was observed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option, optional_mac_argument
from provisioner.commands.output import print_json, print_table, shown_time
from provisioner.commands.session import Session, pass_session

if TYPE_CHECKING:
    from provisioner.core.mac import Mac
    from provisioner.records import SightingRecord

PAGE = 1000


@click.command()
@json_option
@pass_session
def sightings(session: Session, as_json: bool) -> None:
    """List phones that were seen on the network and are not listed.

    \b
    Example:
      provisioner sightings
    """
    records = list(_sightings(session))
    if as_json:
        print_json(records)
        return
    rows = [
        (record.mac, record.vendor, record.model, record.firmware, record.peer, shown_time(record.last_seen), record.count, record.conflict)
        for record in records
    ]
    print_table(["MAC", "VENDOR", "MODEL", "FIRMWARE", "ADDRESS", "LAST SEEN", "TIMES", "CONFLICT"], rows, right=["TIMES"])


@click.command()
@optional_mac_argument
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many, the newest first.")
@click.option("--reason", default="", help="Only these answers, for example served, unknown_phone or unproven.")
@json_option
@pass_session
def fetches(session: Session, mac: Mac | None, limit: int, reason: str, as_json: bool) -> None:
    """List what phones, or the phone MAC, asked for and what they got, the newest first.

    \b
    Examples:
      provisioner fetches --reason unproven
      provisioner fetches 80:5e:c0:aa:bb:cc --limit 10
    """
    records = session.desk.store.fetches(mac=mac, limit=limit, reason=reason)
    if as_json:
        print_json(records)
        return
    rows = [
        (
            shown_time(record.at), record.mac, record.method, record.name, record.transport, record.peer, record.reason,
            record.bytes, f"{record.duration_ms:.1f}", record.user_agent,
        )
        for record in records
    ]  # fmt: skip
    headers = ["TIME", "MAC", "METHOD", "FILE", "BY", "FROM", "ANSWER", "BYTES", "MS", "USER AGENT"]
    print_table(headers, rows, right=["BYTES", "MS"])


def _sightings(session: Session) -> Iterator[SightingRecord]:
    after = ""
    while page := session.desk.store.sightings(after=after, limit=PAGE):
        yield from page
        after = page[-1].mac

"""``provisioner refusals`` and ``provisioner alarms``: who was not let in, and who went through MACs."""

from __future__ import annotations

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import print_records, shown_time
from provisioner.commands.session import Session, pass_session

PAGE = 1000


@click.command()
@json_option
@pass_session
def refusals(session: Session, as_json: bool) -> None:
    """List listed phones that were refused their first fetch and have not been served since.

    'provisioner phone reopen MAC' lets one in again that was reset, came too late, or was moved to another address.

    \b
    Example:
      provisioner refusals
    """
    records = session.desk.store.bootstrap_refusals(limit=PAGE)
    print_records(
        records,
        ["MAC", "SITE", "ANSWER", "FROM", "LAST", "TIMES", "USER AGENT"],
        lambda row: (row.mac, row.site, row.reason, row.peer, shown_time(row.at), row.count, row.user_agent),
        as_json=as_json,
        right=["TIMES"],
    )


@click.command()
@json_option
@pass_session
def alarms(session: Session, as_json: bool) -> None:
    """List scans for MACs, the newest first, and until when they shut the bootstrap.

    \b
    Example:
      provisioner alarms
    """
    records = session.desk.store.alarms(limit=PAGE)
    print_records(
        records,
        ["TIME", "LISTENER", "BOUND", "SHUT FOR", "MACS", "UNTIL"],
        lambda row: (shown_time(row.at), row.part, row.kind, row.scope, row.macs, shown_time(row.until)),
        as_json=as_json,
        right=["MACS"],
    )

"""``provisioner discover``: looks at a network for phones."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import counted, print_json, print_table
from provisioner.commands.session import Session, pass_session

if TYPE_CHECKING:
    from ipaddress import IPv4Network

    from provisioner.records import ScanRecord, SightingRecord

POLL_S = 0.2
OPEN = ("waiting", "running")
LEFT = "nobody does this scan any more: the discovery process ended, or the database cannot be written; 'provisioner doctor' tells which"


@click.command()
@click.argument("network")
@json_option
@pass_session
def discover(session: Session, network: str, as_json: bool) -> None:
    """Look at every address of NETWORK for phones, and list those found. Ctrl-C stops it, a second one leaves it; what was found is kept.

    The running discovery process does it; where none runs, this command does, for which root finds most.

    \b
    Examples:
      provisioner discover 192.168.1.0/24
      provisioner discover 192.168.1.0/24 --json | jq '.[].mac'
    """
    from provisioner.scans import hosts_of, scannable

    chosen = scannable(network, session.settings.trusted_networks)
    place = session.installation
    began = time.time()
    number = place.changes.ask_scan(session.actor, str(chosen), hosts_of(chosen))
    own: list[threading.Thread] = []
    record = _followed(session, number, partial(_begun, session, number, own))
    for thread in own:
        thread.join()
    found = [seen for seen in _all_seen(session) if seen.last_seen >= began - 1 and _is_in(seen, chosen)]
    if as_json:
        print_json(found)
    else:
        rows = [(seen.mac, seen.vendor, seen.model, seen.firmware, seen.peer, seen.conflict) for seen in found]
        print_table(["MAC", "VENDOR", "MODEL", "FIRMWARE", "ADDRESS", "CONFLICT"], rows)
        click.echo(
            f"{record.error or record.state}: {record.done} of {counted(record.total, 'address', 'addresses')}, {counted(len(found), 'phone')}",
            err=True,
        )
    if record.state != "done":
        raise SystemExit(130 if record.state == "cancelled" else 1)


def _is_running(session: Session) -> bool:
    from provisioner.heartbeat import read_heartbeats

    beat = read_heartbeats(session.settings.data_dir).get("discovery")
    return beat is not None and not beat.complaint(time.time())


def _begun(session: Session, number: int, own: list[threading.Thread]) -> Callable[[], bool]:
    """Returns how to ask whether somebody still does the scan; does it on a thread of ``own`` where no process runs for it."""
    if _is_running(session):
        return partial(_is_running, session)
    own.append(_own_scan(session, number))
    return own[-1].is_alive


def _own_scan(session: Session, number: int) -> threading.Thread:
    """Starts the scan in this process, on a thread."""
    from provisioner.discovery.keeping import Keeper
    from provisioner.discovery.scanner import Scanner
    from provisioner.discovery.scanning import Scanning
    from provisioner.discovery.source import Surroundings
    from provisioner.discovery.wire import may_capture
    from provisioner.scans import ScanWriter

    place, settings = session.installation, session.settings
    around = Surroundings(place.catalogue, may_capture(), settings.discovery_interfaces)
    keeper = Keeper(place.database, place.catalogue, most=settings.sightings)
    scanning = Scanning(place.store, ScanWriter(place.database), Scanner(around), keeper.take, before_end=keeper.stop)
    thread = threading.Thread(target=scanning.do_number, args=(number,), name="scan", daemon=True)
    thread.start()
    return thread


def _followed(session: Session, number: int, begin: Callable[[], Callable[[], bool]]) -> ScanRecord:
    """Returns the scan once it has ended; shows how far it is meanwhile. Ctrl-C stops it, at any moment; the second one leaves without waiting for that."""
    is_done_by_somebody: Callable[[], bool] | None = None
    is_told = False
    while True:
        try:
            is_done_by_somebody = is_done_by_somebody or begin()
            if (record := _looked(session, number, is_done_by_somebody)) is not None:
                return record
            time.sleep(POLL_S)
        except KeyboardInterrupt:
            if is_told:
                raise SystemExit(130) from None
            is_told = True
            session.installation.changes.cancel_scan(session.actor, number)


def _looked(session: Session, number: int, is_done_by_somebody: Callable[[], bool]) -> ScanRecord | None:
    """Shows how far the scan is, and returns it where it has ended."""
    is_left = not is_done_by_somebody()  # asked before the record is read: who ends it writes so first
    record = _record(session, number)
    _show(record)
    if record.state in OPEN and is_left:
        raise click.ClickException(LEFT)
    return None if record.state in OPEN else record


def _show(record: ScanRecord) -> None:
    """Shows how far it is, in one line that is written over; not where nobody watches."""
    if sys.stderr.isatty():
        click.echo(
            f"\r{record.network}  {record.done}/{record.total}  {counted(record.found, 'phone')}  {record.state:<9}", nl=False, err=True
        )
        if record.state not in OPEN:
            click.echo("", err=True)


def _record(session: Session, number: int) -> ScanRecord:
    record = session.installation.store.scan(number)
    if record is None:
        raise click.ClickException("the scan is gone: was the database put back?")
    return record


def _all_seen(session: Session) -> list[SightingRecord]:
    found: list[SightingRecord] = []
    while page := session.installation.store.sightings(after=found[-1].mac if found else "", limit=1000, listed=True):
        found += page
    return found


def _is_in(seen: SightingRecord, network: IPv4Network) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(seen.peer) in network
    except ValueError:
        return False

"""``provisioner lockstep``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from provisioner.commands.arguments import json_option, optional_mac_argument
from provisioner.commands.output import print_json, print_table, shown_time
from provisioner.commands.session import Session, pass_session
from provisioner.core.lockstep import LockstepFacts, Stage, stage

if TYPE_CHECKING:
    from provisioner.core.mac import Mac
    from provisioner.wiring import Installation

PAGE = 400


class Standing(NamedTuple):
    """A phone, and what its stage follows from."""

    mac: Mac
    model: str
    site: str
    facts: LockstepFacts

    @property
    def stage(self) -> Stage:
        return stage(self.facts)


@click.command()
@optional_mac_argument
@click.option("--stage", "only", default="", help="Only phones at this stage, for example held or waiting_for_phone.")
@click.option("--site", default="", help="Only phones of this site.")
@json_option
@pass_session
def lockstep(session: Session, mac: Mac | None, only: str, site: str, as_json: bool) -> None:
    """Show how far each phone, or the phone MAC, is between a change and its proof.

    \b
    Examples:
      provisioner lockstep
      provisioner lockstep --stage held --site Utrecht
    """
    if only and only not in set(Stage):
        raise click.BadParameter(f"'{only}' is none of {', '.join(Stage)}", param_hint="--stage")
    found = _all(session, site, only) if mac is None else _one(session, mac)
    rows = [row for row in found if only in ("", row.stage.value) and site in ("", row.site)]
    if as_json:
        print_json([{"mac": row.mac, "model": row.model, "site": row.site, "stage": row.stage.value, "facts": row.facts} for row in rows])
        return
    table = [
        (
            row.mac,
            row.model,
            row.site,
            row.stage.value,
            shown_time(row.facts.fetched_at),
            shown_time(row.facts.registered_at),
            row.facts.error,
        )
        for row in rows
    ]
    print_table(["MAC", "MODEL", "SITE", "STAGE", "FETCHED", "REGISTERED", "ERROR"], table)
    if mac is None:
        counts = Counter(row.stage.value for row in rows)
        click.echo("\n" + (", ".join(f"{count} {name}" for name, count in counts.most_common()) or "no phones"))


def _one(session: Session, mac: Mac) -> Iterator[Standing]:
    from provisioner.commands.phone import found

    record = found(session, mac)
    facts = session.desk.store.lockstep(mac, has_pbx=session.has_pbx)
    if facts is not None:
        yield Standing(record.mac, record.model, record.site, facts)


def _all(session: Session, site: str, only: str) -> Iterator[Standing]:
    if session.remote is not None:
        return session.remote.store.standings(site=site, stage=only)
    return _here(session.installation, site, only, has_pbx=session.has_pbx)


def _here(place: Installation, site: str, only: str, *, has_pbx: bool) -> Iterator[Standing]:
    """Yields every phone that is wanted, in the order of their MAC."""
    from provisioner.records import PhoneFilter

    after, wanted = "", PhoneFilter(site=site, stage=only, has_pbx=has_pbx)
    while page := place.store.phones(after=after, limit=PAGE, wanted=wanted):
        facts = place.store.locksteps([phone.mac for phone in page], has_pbx=has_pbx)
        yield from (Standing(phone.mac, phone.model, phone.site, facts[phone.mac]) for phone in page if phone.mac in facts)
        after = page[-1].mac

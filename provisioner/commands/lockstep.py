"""``provisioner lockstep``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option, optional_mac_argument
from provisioner.commands.output import print_json, print_table, shown_time
from provisioner.commands.session import Session, pass_session

if TYPE_CHECKING:
    from provisioner.core.lockstep import LockstepFacts, Stage
    from provisioner.core.mac import Mac
    from provisioner.records import PhoneRecord

PAGE = 400


@click.command()
@optional_mac_argument
@click.option("--stage", "only", help="Only phones at this stage, for example held or waiting_for_phone.")
@json_option
@pass_session
def lockstep(session: Session, mac: Mac | None, only: str | None, as_json: bool) -> None:
    """Show how far each phone, or the phone MAC, is between a change and its proof.

    \b
    Examples:
      provisioner lockstep
      provisioner lockstep --stage held
    """
    from provisioner.commands.phone import found
    from provisioner.core.lockstep import Stage

    if only is not None and only not in set(Stage):
        raise click.BadParameter(f"'{only}' is none of {', '.join(Stage)}", param_hint="--stage")
    if mac is not None:
        found(session, mac)
    rows = [(phone, facts, at) for phone, facts, at in stages(session, [mac] if mac else None) if only in (None, at.value)]
    if as_json:
        print_json(
            [{"mac": phone.mac, "model": phone.model, "site": phone.site, "stage": at.value, "facts": facts} for phone, facts, at in rows]
        )
        return
    table = [
        (phone.mac, phone.model, phone.site, at.value, shown_time(facts.fetched_at), shown_time(facts.registered_at), facts.error)
        for phone, facts, at in rows
    ]
    print_table(["MAC", "MODEL", "SITE", "STAGE", "FETCHED", "REGISTERED", "ERROR"], table)
    if mac is None:
        counts = Counter(at.value for _, _, at in rows)
        click.echo("\n" + (", ".join(f"{count} {name}" for name, count in counts.most_common()) or "no phones"))


def stages(session: Session, macs: list[Mac] | None) -> Iterator[tuple[PhoneRecord, LockstepFacts, Stage]]:
    """Yields every phone, or those named, with its facts and stage, in the order of their MAC."""
    from provisioner.core.lockstep import stage

    store = session.desk.store
    has_pbx = session.has_pbx
    after = ""
    while page := store.phones(after=after, limit=PAGE, macs=macs):
        facts = store.locksteps([phone.mac for phone in page], has_pbx=has_pbx)
        for phone in page:
            if phone.mac in facts:
                yield phone, facts[phone.mac], stage(facts[phone.mac])
        after = page[-1].mac

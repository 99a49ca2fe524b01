"""``provisioner catalogue try`` and ``provisioner catalogue apply``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import MacParameter
from provisioner.commands.output import counted, harmless, note
from provisioner.commands.session import Session, pass_session
from provisioner.errors import CatalogueError, NotFound, ProvisionerError

if TYPE_CHECKING:
    from provisioner.core.mac import Mac
    from provisioner.overlay import OverlayPlace

RENEWED_WITHIN_S = 120.0
"""A part may have a download under way, and the worker a batch; each is waited for."""
POLL_S = 0.1


def place_of(session: Session) -> OverlayPlace:
    """Returns where the files of one's own are. Raises ``ProvisionerError`` where there are none by the settings."""
    from provisioner.overlay import OverlayPlace

    place = OverlayPlace.of(session.settings)
    if place.own is None:
        raise ProvisionerError(
            "no files of one's own are read: PROVISIONER_CATALOGUE_OVERLAY is off, or is the folder of the catalogue itself"
        )
    return place


@click.command("try")
@click.argument("path", required=False)
@click.option("--mac", "macs", type=MacParameter(), multiple=True, help="Only this phone; may be given several times.")
@pass_session
def try_(session: Session, path: str | None, macs: tuple[Mac, ...]) -> None:
    """Render phones with PATH as it is on disk, or with all your files, and show what changes. Nothing is taken into use.

    Without --mac all phones of the vendors concerned are rendered, and the differences of one phone of each model are shown, secrets
    masked. A template that fails, or writes a parameter that the maker does not have, is told with its line; exit status 1.

    \b
    Examples:
      provisioner catalogue try yealink/templates/device.cfg.j2
      provisioner catalogue try --mac 80:5e:c0:aa:bb:cc
    """
    from provisioner.overlay.reading import checked_name
    from provisioner.trial import MOST_PHONES, NO_PHONE, tried

    place_of(session)
    for mac in macs:
        if session.installation.store.phone(mac) is None:
            raise NotFound({"mac": f"phone {mac.colons} is not listed"})
    trial = tried(session.installation, checked_name(path) if path else None, macs)
    if not trial.files:
        click.echo("nothing differs from what is in use")
        return
    for what, text in trial.shown.items():
        click.echo(click.style(f"==> {what if what == NO_PHONE else f'phone {what}'}", bold=True))
        for line in text.splitlines():
            click.echo(harmless(line.replace("\t", "    ")))
    for failure in trial.failures[:20]:
        note(f"would be held: {harmless(failure)}")
    click.echo(f"{trial.changed} of {counted(trial.rendered, 'phone')} would get other files, by {', '.join(trial.files)}")
    if trial.left:
        note(f"{trial.left} more phones were not rendered: {MOST_PHONES} are, at the most")
    if trial.failures:
        raise ProvisionerError(
            f"{counted(len(trial.failures), 'phone')} could not be rendered with these files, and would keep those they have"
        )


@click.command()
@pass_session
def apply(session: Session) -> None:
    """Check all your files and take them into use. A running server takes them up at once, one part after the other; calls go on.

    With a mistake in any of them nothing changes: it is told with file and line.

    \b
    Example:
      provisioner catalogue apply
    """
    from provisioner.overlay import take

    place = place_of(session)
    installation = session.installation
    running = _running(session)
    taken = take(place, session.actor, time.time(), "apply")
    for warning in taken.warnings:
        note(harmless(warning))
    if taken.mistakes:
        raise CatalogueError(taken.mistakes)
    if not taken.changed:
        click.echo("nothing differs from what is in use")
        return
    for name in taken.changed:
        click.echo(
            f"{name}: {taken.after[name]} is in use"
            if name in taken.after
            else f"{name}: the shipped file is in use again, if there is one"
        )
    installation.changes.note_catalogue_applied(session.actor, taken.before, taken.after)
    _wait_for(session, running)


def _running(session: Session) -> dict[str, int]:
    """Returns the process of each part that runs here and reads the catalogue."""
    from provisioner.heartbeat import read_heartbeats

    now = time.time()
    beats = read_heartbeats(session.settings.data_dir)
    return {part: beat.pid for part, beat in beats.items() if part != "pbx" and not beat.complaint(now)}


def _wait_for(session: Session, before: Mapping[str, int]) -> None:
    """Waits until each part is another process, which has read the new set. Raises ``ProvisionerError`` where one is not."""
    if not before:
        click.echo("no server runs here: it is served from the next start on")
        return
    deadline = time.monotonic() + RENEWED_WITHIN_S
    while (late := [part for part, pid in before.items() if _running(session).get(part, pid) == pid]) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    if late:
        raise ProvisionerError(f"{', '.join(sorted(late))} did not take it up: start the server anew ('provisioner doctor' says more)")
    click.echo(
        "the server has taken it up; phones whose files change get them one after the other: 'provisioner lockstep' shows how far it is"
    )

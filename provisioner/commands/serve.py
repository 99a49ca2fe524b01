"""``provisioner serve``: everything that is enabled, in the foreground."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection
from importlib import import_module
from typing import TYPE_CHECKING

import click

from provisioner.commands.init import make_admin
from provisioner.commands.output import counted
from provisioner.commands.session import Session, pass_session
from provisioner.errors import ProvisionerError

if TYPE_CHECKING:
    from provisioner.overlay import Taken
    from provisioner.settings import Settings

log = logging.getLogger("provisioner.serve")

PARTS = ("phones", "phones-tls", "tftp", "admin", "worker", "pbx", "discovery")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@pass_session
def serve(session: Session, parts: tuple[str, ...]) -> None:
    """Serve phones, pages and API, and drain changes, until stopped.

    Without PARTS everything that is enabled runs; with them, only those.

    \b
    Examples:
      provisioner serve
      provisioner serve phones tftp
    """
    from provisioner.logs import setup_logging
    from provisioner.supervisor import Renewal, Supervisor

    settings = session.settings
    setup_logging(settings.log_level)
    taken = _take_overlay(settings)
    watch = CatalogueWatch(settings)
    _prepare(session, taken, has_admin=not parts or "admin" in parts)
    chosen = _chosen(settings, parts)
    _say(session, chosen)
    # The PBX reads no catalogue, and calls go through it.
    sys.exit(Supervisor(chosen, Renewal(watch, [name for name in PARTS if name != "pbx"])).run())


def _chosen(settings: Settings, parts: Collection[str]) -> dict[str, Callable[[], None]]:
    """Returns how each part that is wanted is run: those named, or all that are enabled."""
    from provisioner.parts.discovery import run_discovery
    from provisioner.parts.listeners import run_admin, run_phones
    from provisioner.parts.pbx import run_pbx
    from provisioner.parts.tftp import run_tftp
    from provisioner.parts.worker import run_worker

    runs = {
        "phones": lambda: run_phones(settings),
        "phones-tls": lambda: run_phones(settings, tls=True),
        "tftp": lambda: run_tftp(settings),
        "admin": lambda: run_admin(settings),
        "worker": lambda: run_worker(settings),
        "pbx": lambda: run_pbx(settings),
        "discovery": lambda: run_discovery(settings),
    }
    off = {
        "phones-tls": settings.phones_tls_bind is None,
        "tftp": settings.tftp_bind is None,
        "pbx": settings.pbx != "bundled",
        "discovery": not settings.has_discovery,
    }
    return {name: run for name, run in runs.items() if (name in parts if parts else not off.get(name, False))}


def _prepare(session: Session, taken: Taken, *, has_admin: bool) -> None:
    """Migrates the database and loads what the parts will share, then lets go of every connection: they must not cross a fork."""
    if has_admin:
        import_module("provisioner.api")  # here, so that the parts share its memory
    from provisioner.wiring import open_installation, share_catalogue

    installation = open_installation(session.settings, create=True)
    share_catalogue(installation.catalogue, session.settings.catalogue_dir)
    make_admin(session, installation)
    if taken.changed and not taken.mistakes:
        installation.changes.note_catalogue_applied("serve", taken.before, taken.after)
    installation.database.dispose()


def _take_overlay(settings: Settings) -> Taken:
    """Takes files of one's own that were changed into use. Whatever is wrong with them, phones are served with those used before."""
    from provisioner.overlay import OverlayPlace, Taken, take

    try:
        taken = take(OverlayPlace.of(settings), "serve", time.time(), "start")
    except OSError as error:
        log.error("event=overlay_not_read detail='%s' mend='the files used before are in use; provisioner check says more'", error)
        return Taken(())
    for mistake in taken.mistakes:
        log.error("event=overlay_refused mistake='%s'", mistake)
    if taken.mistakes:
        click.echo(
            f"files of your own are NOT in use as they are on disk, for {counted(len(taken.mistakes), 'mistake')}; the first: "
            f"{taken.mistakes[0]}\n'provisioner check' lists all; until then what was in use before is served",
            err=True,
        )
    for name in taken.changed if not taken.mistakes else ():
        log.info("event=overlay_taken file=%s", name)
    return taken


class CatalogueWatch:
    """Tells whether another set of files of one's own came into use since the last look, and shares that catalogue then."""

    def __init__(self, settings: Settings) -> None:
        from provisioner.overlay import OverlayPlace

        self._place = OverlayPlace.of(settings)
        self._seen = self._place.set_in_use()

    def __call__(self) -> bool:
        from provisioner.overlay import catalogue_in_use
        from provisioner.wiring import share_catalogue

        if self._place.own is None or (set_id := self._place.set_in_use()) == self._seen:
            return False
        self._seen = set_id
        try:
            share_catalogue(catalogue_in_use(self._place), self._place.shipped)
        except (ProvisionerError, OSError) as error:
            log.error("event=catalogue_not_renewed detail='%s'", error)
            return False
        log.info("event=catalogue_renewed set=%s", set_id)
        return True


def _say(session: Session, chosen: Collection[str]) -> None:
    settings = session.settings
    if "phones" in chosen:
        click.echo(f"phones   {settings.provisioning_base}  (listening on {settings.phones_bind})", err=True)
    if "tftp" in chosen and settings.tftp_bind:
        click.echo(f"tftp     {settings.tftp_bind}", err=True)
    if "admin" in chosen:
        click.echo(f"admin    http://{settings.admin_bind}/", err=True)
    if "discovery" in chosen:
        click.echo(
            f"phones are found by {', '.join(settings.discovery) or 'nothing'}{', DHCP proxy' if settings.dhcp_proxy else ''}", err=True
        )
    if "pbx" in chosen:
        _say_pbx(settings)


def _say_pbx(settings: Settings) -> None:
    from provisioner.bundled import NOT_INSTALLED, bundled_program

    program = bundled_program(settings)
    what = f"sip:{settings.host}:{settings.sip_bind.port}  (Asterisk {program.version})" if program else NOT_INSTALLED
    click.echo(f"pbx      {what}", err=True)

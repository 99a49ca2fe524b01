"""``provisioner serve``: everything that is enabled, in the foreground."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

import click

from provisioner.commands.init import make_admin
from provisioner.commands.session import Session, pass_session

if TYPE_CHECKING:
    from provisioner.settings import Settings

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
    from provisioner.parts.discovery import run_discovery
    from provisioner.parts.listeners import run_admin, run_phones
    from provisioner.parts.pbx import run_pbx
    from provisioner.parts.tftp import run_tftp
    from provisioner.parts.worker import run_worker
    from provisioner.supervisor import Supervisor

    settings = session.settings
    setup_logging(settings.log_level)
    _prepare(session, has_admin=not parts or "admin" in parts)
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
    chosen = {name: run for name, run in runs.items() if (name in parts if parts else not off.get(name, False))}
    _say(session, chosen)
    sys.exit(Supervisor(chosen).run())


def _prepare(session: Session, *, has_admin: bool) -> None:
    """Migrates the database and loads what the parts will share, then lets go of every connection: they must not cross a fork."""
    if has_admin:
        import provisioner.api  # noqa: F401 - imported here so that the parts share its memory
    from provisioner.wiring import open_installation, share_catalogue

    installation = open_installation(session.settings, create=True)
    share_catalogue(installation.catalogue, session.settings.catalogue_dir)
    make_admin(session, installation)
    installation.database.dispose()


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

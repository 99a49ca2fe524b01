"""``provisioner init``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioner.commands.output import note
from provisioner.commands.session import Session, pass_session

if TYPE_CHECKING:
    from provisioner.settings import Settings
    from provisioner.wiring import Installation


@click.command()
@click.option("--print-token", is_flag=True, help="Make an admin API token named 'first' and show it, this once.")
@pass_session
def init(session: Session, print_token: bool) -> None:
    """Make the data folder, the secret key and the database, where they are missing.

    The first run also makes the user admin and an admin API token and shows password and token once, unless PROVISIONER_ADMIN_PASSWORD
    and PROVISIONER_API_TOKEN give them. Running it again does no harm.

    \b
    Example:
      provisioner --data-dir /var/lib/provisioner init
    """
    from provisioner.secrets import KEY_FILE
    from provisioner.wiring import open_installation

    settings = session.settings
    key = settings.data_dir / KEY_FILE
    had = {"data folder": settings.data_dir.is_dir(), "secret key": key.exists(), "database": has_tables(settings)}
    installation = open_installation(settings, create=True)
    shown = installation.database.url.render_as_string(hide_password=True)
    where = {
        "data folder": settings.data_dir,
        "secret key": key,
        "database": shown,
    }
    for name, place in where.items():
        click.echo(f"{name:<12} {place} ({'was there already' if had[name] else 'made'})")
    if not had["secret key"]:
        click.echo("Without the secret key the database cannot be read: keep a copy of both ('provisioner backup').")
    make_admin(session, installation)
    _token(session, installation, print_token)
    installation.database.dispose()


def make_admin(session: Session, installation: Installation) -> None:
    """Makes the user admin where there is no user yet, and shows its password where one was made."""
    from provisioner.accounts import ensure_admin

    made = ensure_admin(installation.store, installation.changes, session.settings.admin_password, session.actor)
    if made is not None:
        note(f"Pages: http://{session.settings.admin_bind}/  user: admin  password, shown this once: {made}")
        note("'provisioner user password admin' makes another one.")


def has_tables(settings: Settings) -> bool:
    """Returns whether the database is there and has tables; makes neither."""
    import sqlalchemy as sa

    from provisioner.db import Database

    url = sa.make_url(settings.database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return False
    database = Database(settings.database)
    try:
        return sa.inspect(database.engine).has_table("alembic_version")
    finally:
        database.dispose()


def _token(session: Session, installation: Installation, print_token: bool) -> None:
    is_first = not installation.store.api_tokens() and not session.settings.api_token
    if not is_first and not print_token:
        return
    name = "first" if print_token else "admin"
    made = installation.changes.create_token(session.actor, name, "admin")
    note(f"Admin API token '{name}', shown this once; 'provisioner token remove {name}' revokes it:")
    click.echo(made)

"""``provisioner backup`` and ``provisioner restore``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from provisioner.commands.output import counted, note
from provisioner.commands.session import Session, pass_session


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_session
def backup(session: Session, file: Path) -> None:
    """Write database, secret key and provisioner.toml to FILE (.tar.gz), while the server runs on.

    The file opens everything: it is readable by you alone, and belongs in a safe place. On PostgreSQL use pg_dump.

    \b
    Example:
      provisioner backup /backup/provisioner-$(date +%F).tar.gz
    """
    from provisioner.backups import write_backup
    from provisioner.settings import FILE

    manifest = write_backup(session.settings, FILE, file)
    click.echo(f"{file}: {', '.join(manifest.files)} ({counted(file.stat().st_size, 'byte')})")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace the installation that is there; it is kept in a folder beside the new one.")
@pass_session
def restore(session: Session, file: Path, force: bool) -> None:
    """Put the backup FILE back. The server must be stopped.

    The whole backup is checked before anything is touched. Where there is no provisioner.toml here, the one in the backup says where
    things go, unless --data-dir or the environment does.

    \b
    Examples:
      provisioner restore /backup/provisioner-2026-11-22.tar.gz
      provisioner --data-dir /var/lib/provisioner restore --force /backup/provisioner-2026-11-22.tar.gz
    """
    from provisioner.backups import restore_backup, settings_text
    from provisioner.settings import FILE, load_settings

    session.must_be_local()
    with tempfile.TemporaryDirectory(prefix="provisioner-") as folder:
        packed = None if FILE.exists() else settings_text(file)
        own = Path(folder) / FILE.name
        own.write_bytes(packed or b"")
        settings = load_settings(file=own if packed else None, overrides=session.overrides)
    restored = restore_backup(settings, FILE, file, force=force)
    for place in restored.places:
        click.echo(f"restored {place}")
    if restored.kept is not None:
        click.echo(f"what was there before is in {restored.kept}: remove it when all is well")
    note(f"The backup is of {restored.manifest.created_at}, written by version {restored.manifest.version}.")

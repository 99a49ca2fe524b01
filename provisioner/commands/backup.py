"""``provisioner backup``, ``provisioner backup list`` and ``provisioner restore``."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import counted, note, plain, print_json, print_table, shown_time
from provisioner.commands.session import Session, pass_session

if TYPE_CHECKING:
    from provisioner.backups import Manifest


class FileOrCommand(click.Group):
    """A group whose first word is the name of a command, or else the FILE of the command ``file``, which need not be named."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["file", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=FileOrCommand, subcommand_metavar="FILE | COMMAND [ARGS]...")
def backup() -> None:
    """Write database, secret key and provisioner.toml to FILE (.tar.gz), or list the backups that the server keeps.

    The server makes one each day by itself (PROVISIONER_BACKUP_AT), and may run on while you make one. The file opens everything: it is
    readable by you alone, and belongs in a safe place. On PostgreSQL use pg_dump.

    \b
    Examples:
      provisioner backup /backup/provisioner-$(date +%F).tar.gz
      provisioner backup list
    """


@backup.command("file")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_session
def file_(session: Session, file: Path) -> None:
    """Write database, secret key and provisioner.toml to FILE (.tar.gz): what 'provisioner backup FILE' does.

    \b
    Example:
      provisioner backup file list
    """
    from provisioner.backups import write_backup
    from provisioner.settings import FILE

    manifest = write_backup(session.settings, FILE, file)
    click.echo(f"{file}: {', '.join(manifest.files)} ({counted(file.stat().st_size, 'byte')})")


@backup.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List the backups that the server keeps in the data folder, the newest first, and say when the next one is due.

    \b
    Example:
      provisioner backup list
    """
    from provisioner.backup_folder import contents_of, folder_of
    from provisioner.backup_standing import standing

    place = session.installation
    folder, seen = folder_of(place.settings), standing(place.settings, place.store, place.changes.clock())
    contents = contents_of(folder, seen.kept)
    if as_json:
        print_json([{**plain(item), "holds": contents[item.name]} for item in seen.kept])
    else:
        rows = [(item.name, shown_time(item.at), item.asked, item.size, *_holds(contents[item.name])) for item in seen.kept]
        print_table(
            ["NAME", "MADE", "ASKED FOR", "BYTES", "VERSION", "PHONES", "EXTENSIONS"], rows, right=["BYTES", "PHONES", "EXTENSIONS"]
        )
        note(f"They lie in {folder}.")
    for text in (seen.obstacle, seen.trouble, f"The next one is due at {shown_time(seen.next_at)}." if seen.next_at else ""):
        if text:
            note(text)


def _holds(manifest: Manifest | None) -> tuple[object, object, object]:
    return (manifest.version, manifest.phones, manifest.extensions) if manifest else ("cannot be read", None, None)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace the installation that is there; it is kept in a folder beside the new one.")
@click.option(
    "--passphrase-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="File with the passphrase of a sealed backup."
)
@pass_session
def restore(session: Session, file: Path, force: bool, passphrase_file: Path | None) -> None:
    """Put the backup FILE back. The server must be stopped.

    The whole backup is checked before anything is touched. Where there is no provisioner.toml here, the one in the backup says where
    things go, unless --data-dir or the environment does. One that was downloaded is sealed: its passphrase is asked for.

    \b
    Examples:
      provisioner restore /backup/provisioner-2026-11-22.tar.gz
      provisioner --data-dir /var/lib/provisioner restore --force /backup/provisioner-2026-11-22.tar.gz
      provisioner restore provisioner-20261122T013000Z.tar.gz.sealed
    """
    session.must_be_local()
    with _opened(file, passphrase_file) as archive:
        _restore(session, archive, force)


def _restore(session: Session, file: Path, force: bool) -> None:
    from provisioner.backups import restore_backup, settings_text
    from provisioner.settings import FILE, load_settings

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


@contextmanager
def _opened(file: Path, passphrase_file: Path | None) -> Iterator[Path]:
    """Gives the archive in ``file``; that of a sealed one lies beside it meanwhile, where its size is known to have room, for its owner alone."""
    from provisioner.sealed_file import is_sealed, unsealed

    if not is_sealed(file):
        yield file
        return
    passphrase = _passphrase(passphrase_file)
    with tempfile.TemporaryDirectory(prefix=".provisioner-", dir=file.resolve().parent) as folder:
        archive = Path(folder) / file.name
        with file.open("rb") as source, os.fdopen(os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.writelines(unsealed(source, passphrase))
        yield archive


def _passphrase(path: Path | None) -> str:
    """Returns the passphrase from its file, without the line's end, or from the terminal."""
    if path is not None:
        return path.read_text("utf-8").rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("this backup is sealed: give --passphrase-file FILE, or call it on a terminal, which is asked")
    return str(click.prompt("Passphrase of the backup", hide_input=True, err=True))

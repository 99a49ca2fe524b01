"""``provisioner catalogue``: files of one's own over the shipped catalogue, on disk. ``catalogue_use`` tries them and takes them into use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.catalogue_use import apply, place_of, try_
from provisioner.commands.output import counted, harmless, note, print_json, print_records, print_table, shown_time
from provisioner.commands.session import Session, pass_session
from provisioner.errors import ProvisionerError

if TYPE_CHECKING:
    from provisioner.overlay import OwnFile

path_argument = click.argument("path")


@click.group()
def catalogue() -> None:
    """Change templates and models in a folder of your own, which upgrades leave alone.

    PATH is a file's path below the catalogue. Only what differs lies in the folder (PROVISIONER_CATALOGUE_OVERLAY, by default 'catalogue' in
    the data folder); it is served once it was applied, by 'apply' or at the next start, and only if it holds no mistake.

    \b
    Examples, in the order of the work:
      provisioner catalogue override yealink/templates/device.cfg.j2
      provisioner catalogue try yealink/templates/device.cfg.j2
      provisioner catalogue apply
    """


catalogue.add_command(try_)
catalogue.add_command(apply)


@catalogue.command()
@path_argument
@pass_session
def override(session: Session, path: str) -> None:
    """Copy the shipped file PATH into your folder, and note what it began from.

    \b
    Example:
      provisioner catalogue override yealink/templates/device.cfg.j2
    """
    from provisioner.overlay.editing import override as made

    click.echo(f"{made(place_of(session), path, time.time())}: edit it, then 'provisioner catalogue try {harmless(path)}'")


@catalogue.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List your own files, whether they are in use, and what upgrades changed under them.

    \b
    Example:
      provisioner catalogue list
    """
    from provisioner.overlay import own_files

    place = place_of(session)
    files = own_files(place)
    if as_json:
        print_json(files)
        return
    rows = [(file.path, "new" if file.is_new else file.base or "shipped", file.version, _standing(file)) for file in files]
    print_table(["FILE", "FROM RELEASE", "VERSION IN USE", "STANDING"], rows, right=["VERSION IN USE"])
    if not files:
        note(f"none; {place.own} is the folder for them")
    for mistake in place.state().trouble:
        note(f"refused at the last start or apply: {harmless(mistake)}")


def _standing(file: OwnFile) -> str:
    said = [file.notice] if file.notice else []
    if file.is_edited:
        said.append("not in use as it is on disk: 'provisioner catalogue apply'")
    return "; ".join(said) or "in use"


@catalogue.command()
@click.argument("path", required=False)
@pass_session
def diff(session: Session, path: str | None) -> None:
    """Show what you changed in PATH, and what releases changed in the shipped file since you took it over; of every file without PATH.

    \b
    Examples:
      provisioner catalogue diff
      provisioner catalogue diff yealink/templates/device.cfg.j2
    """
    from provisioner.overlay import own_files
    from provisioner.overlay.editing import diffs

    place = place_of(session)
    names = [path] if path else [file.path for file in own_files(place) if place.own and (place.own / file.path).is_file()]
    for name in names:
        found = diffs(place, name)
        for title, text in (("you changed", found["yours"]), ("releases changed since", found["shipped"])):
            click.echo(click.style(f"==> {harmless(name)}: {title}{'' if text else ' nothing'}", bold=True))
            for line in text.splitlines():
                click.echo(harmless(line.replace("\t", "    ")))


@catalogue.command()
@path_argument
@click.option("--take", is_flag=True, help="Put what was merged, and decided, in the place of your file.")
@click.option("--keep-mine", is_flag=True, help="Leave your file as it is, and note that it was compared.")
@pass_session
def merge(session: Session, path: str, take: bool, keep_mine: bool) -> None:
    """Merge what releases changed in PATH into your file. The outcome lies beside it, as PATH.merged, until --take.

    Where both sides changed the same lines, both stand there between <<<<<<< and >>>>>>>: keep what is right and delete the marks.

    \b
    Examples:
      provisioner catalogue merge yealink/templates/device.cfg.j2
      provisioner catalogue merge yealink/templates/device.cfg.j2 --take
    """
    from provisioner.overlay import editing

    place, shown = place_of(session), harmless(path)
    if take and keep_mine:
        raise click.UsageError("--take or --keep-mine: one of them")
    if keep_mine:
        editing.keep_mine(place, path, time.time())
        click.echo(f"{shown}: noted as compared with release {place.release}")
        return
    if take:
        target = editing.take_merge(place, path, session.actor, time.time())
        click.echo(f"{target}: merged; 'provisioner catalogue try {shown}', then 'provisioner catalogue apply'")
        return
    made = editing.merge(place, path)
    if made.path is None:
        click.echo(f"{shown}: the shipped file is as it was when you took it over: there is nothing to merge")
    elif made.conflicts:
        raise ProvisionerError(
            f"{made.path}: {counted(made.conflicts, 'place')} to decide, between <<<<<<< and >>>>>>>; "
            f"edit it, then 'provisioner catalogue merge {shown} --take'"
        )
    else:
        click.echo(f"{made.path}: merged without conflict; look at it, then 'provisioner catalogue merge {shown} --take'")


@catalogue.command()
@path_argument
@pass_session
def drop(session: Session, path: str) -> None:
    """Take PATH out of your folder; what it held stays as a version. The shipped file is served after the next 'apply'.

    \b
    Example:
      provisioner catalogue drop yealink/templates/device.cfg.j2
    """
    from provisioner.overlay.editing import drop as dropped

    click.echo(f"{dropped(place_of(session), path, session.actor, time.time())} is gone: 'provisioner catalogue apply' takes it out of use")


@catalogue.command()
@path_argument
@json_option
@pass_session
def versions(session: Session, path: str, as_json: bool) -> None:
    """List the versions of PATH that are kept, the newest first.

    \b
    Example:
      provisioner catalogue versions yealink/templates/device.cfg.j2
    """
    from provisioner.overlay.editing import versions as kept

    place = place_of(session)
    used = place.state().files.get(path)
    print_records(
        kept(place, path), ["VERSION", "WHEN", "BY", "BECAUSE OF", "SHA-256", "IN USE"],
        lambda row: (row.version, shown_time(row.at), row.by, row.why, row.sha256[:12], row.sha256 == used), as_json=as_json, right=["VERSION"],
    )  # fmt: skip


@catalogue.command()
@path_argument
@click.option("--to", "number", type=click.IntRange(1), required=True, help="The version, as 'provisioner catalogue versions' lists it.")
@pass_session
def revert(session: Session, path: str, number: int) -> None:
    """Put a version of PATH back into your folder; what is there now is kept as one. In use after the next 'apply'.

    \b
    Example:
      provisioner catalogue revert yealink/templates/device.cfg.j2 --to 3
    """
    from provisioner.overlay.editing import revert as put_back

    target = put_back(place_of(session), path, number, session.actor, time.time())
    click.echo(f"{target}: as in version {number}; 'provisioner catalogue apply' takes it into use")

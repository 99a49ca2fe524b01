"""``provisioner user``."""

from __future__ import annotations

import sys

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import note, print_records, shown_sites
from provisioner.commands.session import Session, pass_session
from provisioner.core.languages import LANGUAGES
from provisioner.records import ROLES

role_choice = click.Choice(ROLES[::-1])
stdin_option = click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of making one.")


@click.group()
def user() -> None:
    """Add, list, change, disable and remove people who sign in to the pages.

    \b
    Example:
      provisioner user add bob --role technician --site berlin
    """


@user.command()
@click.argument("name")
@click.option("--role", required=True, type=role_choice, help="What the person may do.")
@click.option("--site", "sites", multiple=True, help="A site that the person sees; may be given several times. Without: all.")
@click.option("--extension", "extensions", multiple=True, help="The person's own extension; may be given several times.")
@click.option("--language", default="", help=f"Language of the pages: {', '.join(LANGUAGES)}.")
@stdin_option
@pass_session
def add(
    session: Session, name: str, role: str, sites: tuple[str, ...], extensions: tuple[str, ...], language: str, *, password_stdin: bool
) -> None:
    """Add the user NAME; a password is made and shown, this once.

    \b
    Example:
      provisioner user add alice --role user --extension 1001
    """
    given = {"role": role, "sites": list(sites) or None, "extensions": list(extensions), "language": language}
    password = _password(read=password_stdin)
    session.desk.changes.create_user(session.actor, name, {**given, "password": password})
    _show(name, password, read=password_stdin)


@user.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List the users.

    \b
    Example:
      provisioner user list
    """
    records = session.desk.store.users()
    print_records(
        records,
        ["NAME", "ROLE", "SITES", "EXTENSIONS", "CODES", "DISABLED"],
        lambda who: (who.name, who.role, shown_sites(who.sites), ", ".join(who.extensions), who.has_totp, who.disabled),
        as_json=as_json,
    )


@user.command()
@click.argument("name")
@stdin_option
@pass_session
def password(session: Session, name: str, *, password_stdin: bool) -> None:
    """Give NAME another password, and end every session of that user.

    \b
    Example:
      provisioner user password admin
    """
    chosen = _password(read=password_stdin)
    session.desk.changes.set_user_password(session.actor, name, chosen)
    _show(name, chosen, read=password_stdin)


@user.command()
@click.argument("name")
@click.option("--enable", is_flag=True, help="Let the user sign in again.")
@pass_session
def disable(session: Session, name: str, *, enable: bool) -> None:
    """Keep NAME from signing in, and end every session of that user.

    \b
    Examples:
      provisioner user disable bob
      provisioner user disable bob --enable
    """
    session.desk.changes.update_user(session.actor, name, {"disabled": not enable})
    click.echo(f"user {name} {'may sign in again' if enable else 'is disabled'}")


@user.command("no-codes")
@click.argument("name")
@pass_session
def no_codes(session: Session, name: str) -> None:
    """Ask NAME for one-time codes no longer, after the device that makes them is lost.

    \b
    Example:
      provisioner user no-codes bob
    """
    session.desk.changes.set_user_totp(session.actor, name, None)
    click.echo(f"user {name} signs in without one-time codes")


@user.command()
@click.argument("name")
@pass_session
def delete(session: Session, name: str) -> None:
    """Remove the user NAME and end every session.

    \b
    Example:
      provisioner user delete bob
    """
    session.desk.changes.delete_user(session.actor, name)
    click.echo(f"user {name} is removed")


def _password(*, read: bool) -> str:
    from provisioner.passwords import new_password

    return sys.stdin.readline().rstrip("\r\n") if read else new_password()


def _show(name: str, password: str, *, read: bool) -> None:
    if read:
        click.echo(f"user {name} has the password that was given")
        return
    note(f"Password of user '{name}', shown this once:")
    click.echo(password)

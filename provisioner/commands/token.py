"""``provisioner token``."""

from __future__ import annotations

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import note, print_records, shown_sites, shown_time
from provisioner.commands.session import Session, pass_session
from provisioner.records import TOKEN_ROLES


@click.group()
def token() -> None:
    """Make, list and revoke API tokens.

    \b
    Example:
      provisioner token create helpdesk --role technician
    """


@token.command()
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(TOKEN_ROLES[::-1]), help="What the token may do.")
@click.option("--site", "sites", multiple=True, help="A site that the token sees; may be given several times. Without: all.")
@pass_session
def create(session: Session, name: str, role: str, sites: tuple[str, ...]) -> None:
    """Make the token NAME and print it, this once: only its hash is kept.

    \b
    Example:
      TOKEN=$(provisioner token create ansible --role admin)
    """
    made = session.desk.changes.create_token(session.actor, name, role, sites=list(sites) or None)
    note(f"Token '{name}' ({role}), shown this once:")
    click.echo(made)


@token.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List the tokens, without the tokens themselves.

    \b
    Example:
      provisioner token list
    """
    records = session.desk.store.api_tokens()
    print_records(
        records,
        ["NAME", "ROLE", "SITES", "CREATED", "LAST USED"],
        lambda row: (row.name, row.role, shown_sites(row.sites), shown_time(row.created_at), shown_time(row.last_used_at)),
        as_json=as_json,
    )


@token.command()
@click.argument("name")
@pass_session
def remove(session: Session, name: str) -> None:
    """Revoke the token NAME at once.

    \b
    Example:
      provisioner token remove helpdesk
    """
    session.desk.changes.delete_token(session.actor, name)
    click.echo(f"token {name} is revoked")

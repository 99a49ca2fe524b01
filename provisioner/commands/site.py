"""``provisioner site``."""

from __future__ import annotations

import click

from provisioner.commands.arguments import json_option, setting_option, settings_of
from provisioner.commands.output import print_json, print_table
from provisioner.commands.session import Session, pass_session


@click.group()
def site() -> None:
    """Add and list sites: places whose phones share networks, time zone and settings.

    \b
    Example:
      provisioner site add Utrecht --timezone Europe/Amsterdam --network 10.20.0.0/16
    """


@site.command()
@click.argument("name")
@click.option("--access", type=click.Choice(["open", "first-fetch", "token", "digest", "mtls"]), help="How its phones prove themselves.")
@click.option("--enrolment", type=click.Choice(["never", "listed", "window", "claim"]), help="What happens with phones nobody listed.")
@click.option("--pool", help="Extensions for phones that are taken in there, for example 1000-1199.")
@click.option("--network", "networks", multiple=True, metavar="CIDR", help="A network that is trusted there; may be given several times.")
@click.option("--timezone", help="IANA name, for example Europe/Amsterdam.")
@click.option("--language", help="Language of the phones' menus, for example nl.")
@setting_option
@pass_session
def add(
    session: Session,
    *,
    name: str,
    access: str | None,
    enrolment: str | None,
    pool: str | None,
    networks: tuple[str, ...],
    timezone: str | None,
    language: str | None,
    settings: tuple[str, ...],
) -> None:
    """Add the site NAME. What is not given is as the settings ACCESS, TRUSTED_NETWORKS and ENROLMENT say.

    \b
    Example:
      provisioner site add Utrecht --access token --timezone Europe/Amsterdam --setting outbound_proxy=sbc.example
    """
    asked = {
        "access": access, "enrolment": enrolment, "pool": pool, "trusted_networks": list(networks) or None,
        "timezone": timezone, "language": language, "settings": settings_of(settings),
    }  # fmt: skip
    given = {key: value for key, value in asked.items() if value is not None}
    record = session.desk.changes.create_site(session.actor, name, given)
    click.echo(f"site {record.name} is made")


@site.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List the sites.

    \b
    Example:
      provisioner site list
    """
    records = session.desk.store.sites()
    if as_json:
        print_json(records)
        return
    rows = [
        (record.name, record.access, record.enrolment, record.settings.get("timezone"), ", ".join(record.trusted_networks))
        for record in records
    ]
    print_table(["NAME", "ACCESS", "ENROLMENT", "TIMEZONE", "TRUSTED NETWORKS"], rows)

"""``provisioner dhcp-config``."""

from __future__ import annotations

import click

from provisioner.commands.session import Session, pass_session
from provisioner.core.dhcp_servers import SERVERS


@click.command("dhcp-config")
@click.argument("server", type=click.Choice(list(SERVERS)))
@click.option("--site", help="A site: the configuration says so, and what its phones need besides.")
@pass_session
def dhcp_config(session: Session, *, server: str, site: str | None) -> None:
    """Print configuration for a DHCP server that tells phones the address of this one.

    \b
    Example:
      provisioner dhcp-config dnsmasq > /etc/dnsmasq.d/phones.conf
    """
    from provisioner import dhcp
    from provisioner.errors import NotFound

    if session.remote is not None:
        from provisioner.commands.asking import asked

        click.echo(asked(session.remote.client.dhcp_config.show, server, site=site), nl=False)
        return
    place = session.installation
    record = place.store.site(site) if site is not None else None
    if site is not None and record is None:
        raise NotFound({"site": f"there is no site {site[:64]}"})
    needs_own_address = record is not None and record.access in {"token", "digest"}
    address = place.settings.provisioning_base
    text = dhcp.dhcp_config(place.catalogue, server, address, site=site or "", needs_own_address=needs_own_address)
    click.echo(text, nl=False)

"""``provisioner render``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option, mac_argument
from provisioner.commands.looking import look_of
from provisioner.commands.output import print_json
from provisioner.commands.session import Session, pass_session
from provisioner.errors import NotFound

if TYPE_CHECKING:
    from provisioner.core.mac import Mac


@click.command()
@click.option("--show-secrets", is_flag=True, help="Print passwords and the phone's own address in clear.")
@click.option("--live", is_flag=True, help="Print what the phone is served now, instead of what its facts make.")
@json_option
@mac_argument
@pass_session
def render(session: Session, mac: Mac, show_secrets: bool, live: bool, as_json: bool) -> None:
    """Print every file of the phone MAC, as its present facts make it.

    \b
    Examples:
      provisioner render 80:5e:c0:aa:bb:cc
      provisioner render 805ec0aabbcc --live --show-secrets > /tmp/805ec0aabbcc.cfg
    """
    from provisioner.commands.phone import found

    found(session, mac)
    files = look_of(session).files(mac, live=live, show_secrets=show_secrets)
    if as_json:
        print_json([file._asdict() for file in files])
        return
    for file in files:
        click.echo(click.style(f"==> {file.name}  {file.size} bytes  {file.content_type}  sha256 {file.sha256}", bold=True))
        click.echo(file.content, nl=not file.content.endswith("\n"))
    if not files:
        raise NotFound({"mac": f"phone {mac.colons} is served no file yet: 'provisioner lockstep {mac}' says why"})

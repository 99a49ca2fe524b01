"""``provisioner render``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from provisioner.commands.arguments import json_option, mac_argument
from provisioner.commands.output import print_json
from provisioner.commands.session import Session, pass_session
from provisioner.errors import NotFound

if TYPE_CHECKING:
    from provisioner.core.mac import Mac


class ShownFile(NamedTuple):
    """One file of a phone as a person may see it."""

    name: str
    sha256: str
    size: int
    content_type: str
    content: str


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
    session.must_be_local()
    files = shown_files(session, mac, live=live, show_secrets=show_secrets)
    if as_json:
        print_json([file._asdict() for file in files])
        return
    for file in files:
        click.echo(click.style(f"==> {file.name}  {file.size} bytes  {file.content_type}  sha256 {file.sha256}", bold=True))
        click.echo(file.content, nl=not file.content.endswith("\n"))
    if not files:
        raise NotFound({"mac": f"phone {mac.colons} is served no file yet: 'provisioner lockstep {mac}' says why"})


def shown_files(session: Session, mac: Mac, *, live: bool = False, show_secrets: bool = False) -> list[ShownFile]:
    """Returns the files of a phone, masked unless ``show_secrets``. Raises ``NotFound``, ``RenderError``."""
    from provisioner.api.shown import masked_content, secrets_of
    from provisioner.commands.phone import found

    found(session, mac)
    installation = session.installation
    config = installation.store.render_jobs([mac])[0].config
    vendor = installation.catalogue.vendors.get(config.model.partition("/")[0])
    if live:
        stored = [(record, body) for record, body in installation.store.files(mac) if record.state == "live"]
        raw = [(record.name, record.sha256, record.content_type, body) for record, body in stored]
    else:
        raw = [(file.name, str(file.sha256), file.content_type, file.body) for file in installation.renderer.phone_files(config)]
    if show_secrets:
        installation.changes.note_secrets_shown(session.actor, "phone.files_with_secrets", mac)
    secrets = secrets_of(config, installation.catalogue.settings)
    texts = [(name, sha256, len(body), kind, body.decode("utf-8", "replace")) for name, sha256, kind, body in raw]
    return [
        ShownFile(name, sha256, size, kind, text if show_secrets else masked_content(vendor, text, secrets))
        for name, sha256, size, kind, text in texts
    ]

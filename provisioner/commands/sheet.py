"""``provisioner sheet``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import mac_argument
from provisioner.commands.output import note, shown_time
from provisioner.commands.phone import found
from provisioner.commands.session import Session, pass_session
from provisioner.core.languages import LANGUAGES
from provisioner.core.mac import Mac

if TYPE_CHECKING:
    from provisioner.commands.remote import RemoteDesk

TOLD = "the address on it works once, until {}"


@click.command()
@mac_argument
@click.option("--language", type=click.Choice(list(LANGUAGES)), help="Absent: that of the phone, or English.")
@click.option("--link-hours", type=int, help="Issue an install link that holds so long, and print it on the sheet.")
@click.option("--pdf", "pdf", type=click.Path(dir_okay=False, path_type=Path), help="Write a PDF to this file.")
@click.option("--html", "html", type=click.Path(dir_okay=False, path_type=Path), help="Write HTML to this file.")
@pass_session
def sheet(session: Session, *, mac: Mac, language: str | None, link_hours: int | None, pdf: Path | None, html: Path | None) -> None:
    """Write the instruction sheet of the phone MAC: how the server's address is typed into exactly this model.

    \b
    Examples:
      provisioner sheet 80:5e:c0:aa:bb:cc --language km --link-hours 72 --pdf sheet.pdf
      provisioner sheet 80:5e:c0:aa:bb:cc --html sheet.html
    """
    from provisioner.sheets import sheet_html
    from provisioner.sheets.facts import language_of, sheet_of
    from provisioner.sheets.printing import sheet_pdf

    if pdf is None and html is None:
        raise click.UsageError("say where it is to be written: --pdf FILE, --html FILE, or both")
    if session.remote is not None:
        _elsewhere(session.remote, mac, language or "", link_hours, pdf, html)
        return
    place, record = session.installation, found(session, mac)
    language = language or language_of(place.store, record.mac)
    sheet_of(place.store, record.mac, now=place.changes.clock())  # what is wrong is told before a link is issued
    link = place.changes.issue_install_link(session.actor, record.mac, link_hours) if link_hours is not None else None
    facts = sheet_of(place.store, record.mac, code=link.code if link else "", now=place.changes.clock())
    if html is not None:
        html.write_text(sheet_html(facts, language), "utf-8")
    if pdf is not None:
        pdf.write_bytes(sheet_pdf(facts, language))
    if link is not None:
        note(TOLD.format(shown_time(link.expires_at)))


def _elsewhere(remote: RemoteDesk, mac: Mac, language: str, link_hours: int | None, pdf: Path | None, html: Path | None) -> None:
    from provisioner.commands.asking import asked

    sheet_of = remote.client.phones.sheet
    asked(sheet_of, mac, accept="text/html")  # what is wrong is told before a link is issued
    link = remote.changes.issue_install_link("", mac, link_hours) if link_hours is not None else None
    query = {"language": language or None, "code": link.code if link else None}
    if html is not None:
        html.write_text(asked(sheet_of, mac, accept="text/html", **query), "utf-8")
    if pdf is not None:
        pdf.write_bytes(asked(sheet_of, mac, accept="application/pdf", **query))
    if link is not None:
        note(TOLD.format(shown_time(link.expires_at)))

"""``provisioner mail``."""

from __future__ import annotations

import time

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import note, print_records, shown_time
from provisioner.commands.session import Session, pass_session
from provisioner.core.languages import LANGUAGES
from provisioner.records_mail import MailRecipient


@click.group()
def mail() -> None:
    """Say who is told of trouble by e-mail, and try whether that works.

    \b
    Example:
      provisioner mail add office@example.com --language en
    """


@mail.command()
@click.argument("address")
@click.option("--site", help="Tell only what happens at this site. Without: everything.")
@click.option("--language", type=click.Choice(list(LANGUAGES)), default="en", show_default=True, help="The language of the notices.")
@click.option("--event", "events", multiple=True, help="An action, as in 'provisioner change list'; several times. Without: trouble.")
@pass_session
def add(session: Session, address: str, site: str | None, language: str, events: tuple[str, ...]) -> None:
    """Tell ADDRESS from now on.

    \b
    Examples:
      provisioner mail add office@example.com
      provisioner mail add branch@example.com --site branch --event call.emergency
    """
    given = {"address": address, "site": site, "language": language, **({"events": list(events)} if events else {})}
    record = session.desk.changes.create_mail_recipient(session.actor, given)
    click.echo(f"recipient {record.id}: {record.address} is told of {', '.join(record.events)}")
    if not session.is_remote and session.settings.mail_server is None:
        note("No mail server is set yet: PROVISIONER_MAIL_SERVER and PROVISIONER_MAIL_FROM name one.")


@mail.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List who is told, and what came of the last notice.

    \b
    Example:
      provisioner mail list
    """
    print_records(
        session.desk.store.mail_recipients(),
        ["ID", "ADDRESS", "SITE", "LANGUAGE", "LAST SENT", "TROUBLE"],
        lambda row: (str(row.id), row.address, row.site or "all", row.language, shown_time(row.sent_at), _trouble(row)),
        as_json=as_json,
    )


@mail.command()
@click.argument("number", type=click.IntRange(1))
@pass_session
def remove(session: Session, number: int) -> None:
    """Tell the recipient NUMBER no more.

    \b
    Example:
      provisioner mail remove 3
    """
    session.desk.changes.delete_mail_recipient(session.actor, number)
    click.echo(f"recipient {number} is told no more")


@mail.command()
@click.argument("address")
@click.option("--language", type=click.Choice(list(LANGUAGES)), default="en", show_default=True, help="The language of the test.")
@click.pass_context
def test(context: click.Context, address: str, language: str) -> None:
    """Send ADDRESS a test with the settings of this machine; say what is wrong where the mail server does not take it.

    \b
    Example:
      provisioner mail test office@example.com
    """
    from provisioner.mailing import NotTaken, mail_server, send
    from provisioner.mailing.composing import test_message
    from provisioner.setting_values import is_mail_address

    session = context.find_object(Session) or Session()
    session.must_be_local()
    server = mail_server(session.settings)
    if server is None:
        raise click.UsageError("no mail server is set: PROVISIONER_MAIL_SERVER names one")
    if not is_mail_address(address):
        raise click.UsageError("an e-mail address is needed, for example office@example.com")
    try:
        send(server, test_message(address, language, server.sender, session.settings.admin_url, time.time()))
    except NotTaken as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{server.where} took it for {address}: look into that mailbox")


def _trouble(row: MailRecipient) -> str:
    return row.error if row.tries else "" if row.enabled else "off"

"""``provisioner redirect``."""

from __future__ import annotations

import sys

import click

from provisioner.commands.arguments import mac_argument
from provisioner.commands.output import harmless, print_table, shown_time
from provisioner.commands.phone import found
from provisioner.commands.session import Session, pass_session
from provisioner.core.mac import Mac
from provisioner.records_install import RedirectRecord


@click.group()
def redirect() -> None:
    """Register phones with their makers' redirect services, which tell fresh phones where their server is.

    \b
    Example:
      provisioner redirect account yealink < account.txt
      provisioner redirect register 80:5e:c0:aa:bb:cc
    """


@redirect.command()
@pass_session
def services(session: Session) -> None:
    """List the services, the fields that an account needs, and whether there is one.

    \b
    Example:
      provisioner redirect services
    """
    from provisioner.redirect import SERVICES

    place = session.installation
    rows = []
    for vendor in place.catalogue.vendors.values():
        if vendor.redirect is not None:
            kind, account = SERVICES[vendor.redirect.service], place.store.redirect_account(vendor.id)
            address = account.address if account else vendor.redirect.address
            rows.append((vendor.id, kind.title, address, " ".join(kind.fields), account is not None))
    print_table(["VENDOR", "SERVICE", "ADDRESS", "FIELDS", "ACCOUNT"], rows)


@redirect.command()
@click.argument("vendor")
@click.option("--address", help="Address of the service, where it is not the usual one.")
@pass_session
def account(session: Session, vendor: str, address: str | None) -> None:
    """Set the account at the service of VENDOR: one NAME=VALUE a line on standard input, so that no secret is on the command line.

    \b
    Example:
      provisioner redirect account yealink < account.txt
    """
    from provisioner.errors import NotFound
    from provisioner.redirect import SERVICES

    place = session.installation
    facts = place.catalogue.vendors[vendor].redirect if vendor in place.catalogue.vendors else None
    if facts is None:
        raise NotFound({"vendor": f"'{vendor[:32]}' has no redirect service; 'provisioner redirect services' lists them"})
    pairs = (line.rstrip("\n").partition("=") for line in sys.stdin if line.strip())
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    place.changes.set_redirect_account(session.actor, vendor, address or facts.address, fields, SERVICES[facts.service].fields)
    click.echo(f"the account at the redirect service of {vendor} is set")


@redirect.command()
@mac_argument
@click.option("--serial", default="", help="Serial number on the label, where the service needs it.")
@pass_session
def register(session: Session, mac: Mac, serial: str) -> None:
    """Ask that the phone MAC be registered with its maker's service; the running server does it.

    \b
    Example:
      provisioner redirect register c0:74:ad:aa:bb:cc --serial 20EXGQ1M01234567
    """
    from provisioner.redirecting import ask_redirect

    ask_redirect(session.installation.store, session.installation.changes, session.actor, mac, serial)
    click.echo(f"phone {mac.colons} is going to be registered; 'provisioner redirect show {mac.colons}' tells how far it is")


@redirect.command()
@mac_argument
@pass_session
def unregister(session: Session, mac: Mac) -> None:
    """Ask that the phone MAC be taken off its maker's service.

    \b
    Example:
      provisioner redirect unregister 80:5e:c0:aa:bb:cc
    """
    session.installation.changes.end_redirect(session.actor, mac)
    click.echo(f"phone {mac.colons} is going to be taken off")


@redirect.command()
@pass_session
def removals(session: Session) -> None:
    """List phones that were taken off the list and that their makers' services are still to forget.

    \b
    Example:
      provisioner redirect removals
    """
    store, after, rows = session.installation.store, "", []
    while batch := store.redirect_removals(after=after, limit=500):
        rows += [
            (row.mac.colons, row.vendor, row.state, shown_time(row.asked_at), row.tries, shown_time(row.due_at), row.reason or "-")
            for row in batch
        ]
        after = batch[-1].mac
    print_table(["MAC", "VENDOR", "STATE", "SINCE", "TRIES", "NEXT TRY", "REASON"], rows)


@redirect.command()
@mac_argument
@pass_session
def retry(session: Session, mac: Mac) -> None:
    """Try again now to have the service forget MAC, a phone that was taken off the list.

    \b
    Example:
      provisioner redirect retry 80:5e:c0:aa:bb:cc
    """
    session.installation.changes.retry_redirect_removal(session.actor, mac)
    click.echo(f"the service is asked again to forget {mac.colons}")


@redirect.command()
@mac_argument
@pass_session
def forget(session: Session, mac: Mac) -> None:
    """Give up having the service forget MAC: it keeps the phone, unless you take it off there by hand.

    \b
    Example:
      provisioner redirect forget 80:5e:c0:aa:bb:cc
    """
    session.installation.changes.forget_redirect_removal(session.actor, mac)
    click.echo(f"{mac.colons} is not asked about any more; what the service has of it, it keeps")


@redirect.command()
@mac_argument
@pass_session
def show(session: Session, mac: Mac) -> None:
    """Show where the phone MAC is with its maker's service.

    \b
    Example:
      provisioner redirect show 80:5e:c0:aa:bb:cc
    """
    store = session.installation.store
    leaving = store.redirect_removal(mac)
    record = leaving or store.redirect(found(session, mac).mac)
    if record is None:
        click.echo("State        none")
        return
    is_wanted = isinstance(record, RedirectRecord) and record.wanted
    rows = (("State", record.state), ("Wanted", "registered" if is_wanted else "taken off"), ("Reason", record.reason or "-"),
            ("Since", shown_time(record.changed_at)), ("Next try", shown_time(record.due_at)))  # fmt: skip
    for name, value in rows:
        click.echo(f"{name:<12} {harmless(value)}")

"""``provisioner phone``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import MacParameter, json_option, mac_argument, setting_option, settings_of
from provisioner.commands.output import harmless, print_json, print_table, shown_time
from provisioner.commands.session import Session, pass_session
from provisioner.errors import NotFound

if TYPE_CHECKING:
    from provisioner.core.mac import Mac
    from provisioner.records import PhoneRecord, RegistrationRecord

PAGE = 400


@click.group()
def phone() -> None:
    """Add, show, list, change, swap, retire, remove, re-open and wake phones.

    \b
    Example:
      provisioner phone add 80:5e:c0:aa:bb:cc --model yealink/t46u --extension 1001
    """


@phone.command()
@mac_argument
@click.option("--model", required=True, help="Model of the catalogue, for example yealink/t46u ('provisioner check --models' lists them).")
@click.option("--extension", "extensions", multiple=True, help="Extension of line 1; given again, of line 2, and so on.")
@click.option("--label", "labels", multiple=True, help="Text beside line 1; given again, beside line 2, and so on.")
@click.option("--site", help="Site; 'default' where left out.")
@click.option("--group", help="Group of phones that share settings.")
@setting_option
@pass_session
def add(
    session: Session,
    *,
    mac: Mac,
    model: str,
    extensions: tuple[str, ...],
    labels: tuple[str, ...],
    site: str | None,
    group: str | None,
    settings: tuple[str, ...],
) -> None:
    """List the phone MAC; its first fetch is open from now.

    \b
    Examples:
      provisioner phone add 80:5e:c0:aa:bb:cc --model yealink/t46u --extension 1001 --label Alice
      provisioner phone add 805ec0aabbcc --model yealink/t46u --site Utrecht --extension 1001 --extension 1002 --setting language=nl
    """
    from provisioner.changes import LineInput, PhoneInput

    if len(labels) > len(extensions):
        raise click.UsageError("there are more --label than --extension: each label belongs to one line")
    padded = [*labels, *[""] * (len(extensions) - len(labels))]
    lines = [LineInput(at, number, label) for at, (number, label) in enumerate(zip(extensions, padded, strict=True), 1)]
    given = PhoneInput(model=model, site=site, group=group, lines=lines, settings=settings_of(settings))
    record = session.desk.changes.create_phone(session.actor, mac, given)
    click.echo(f"phone {record.mac.colons} ({record.model}) is listed at site {record.site}, {_lines(record) or 'without a line'}")


@phone.command("list")
@click.option("--site", default="", help="Only phones of this site.")
@click.option("--model", default="", help="Only phones of this model.")
@click.option("--search", default="", help="Part of a MAC or of an extension.")
@json_option
@pass_session
def list_(session: Session, site: str, model: str, search: str, as_json: bool) -> None:
    """List phones with their lines.

    \b
    Examples:
      provisioner phone list --site Utrecht
      provisioner phone list --json | jq -r '.[].mac'
    """
    records = list(_all(session, site, model, search))
    if as_json:
        print_json([_as_json(record) for record in records])
        return
    rows = [(record.mac, record.model, record.site, record.group, record.enabled, _lines(record)) for record in records]
    print_table(["MAC", "MODEL", "SITE", "GROUP", "ENABLED", "LINES"], rows)


@phone.command()
@mac_argument
@json_option
@pass_session
def show(session: Session, mac: Mac, as_json: bool) -> None:
    """Show everything that is known of the phone MAC, without secrets.

    \b
    Example:
      provisioner phone show 80:5e:c0:aa:bb:cc
    """
    from provisioner.core.lockstep import stage

    record = found(session, mac)
    facts = session.desk.store.lockstep(mac, has_pbx=session.has_pbx)
    known = {row.extension: row for row in session.desk.store.registrations([mac]).get(mac, ())}
    is_at = stage(facts).value if facts else "-"
    if as_json:
        print_json({**_as_json(record), "stage": is_at, "error": facts.error if facts else ""})
        return
    opened = "done" if record.first_success_at else f"since {shown_time(record.opened_at)}"
    facts_shown: Sequence[tuple[str, object]] = [
        ("MAC", record.mac.colons), ("Model", record.model), ("Site", record.site), ("Group", record.group or "-"), ("Layout", record.layout or "-"),
        ("Enabled", "yes" if record.enabled else "no"), ("Firmware", record.firmware or "-"), ("Modules", record.modules),
        ("Listed", shown_time(record.created_at)), ("First fetch", opened), ("Stage", is_at),
        ("Error", facts.error if facts and facts.error else "-"), ("Told", facts.notify_error if facts and facts.notify_error else "-"),
    ]  # fmt: skip
    for name, value in facts_shown:
        click.echo(f"{name:<12} {harmless(value)}")
    for line in record.lines:
        said = f"{f'Line {line.line}':<12} {harmless(line.extension)} {harmless(line.label)}".rstrip()
        click.echo(said + _registered(known.get(line.extension)))
    for key in record.keys:
        place = f"Key {key.key}" if key.module == 0 else f"Key {key.module}/{key.key}"
        click.echo(f"{place:<12} {key.type} {harmless(key.value)} {harmless(key.label)}".rstrip())
    for name, value in sorted({**record.settings, **dict.fromkeys(record.secret_names, "***")}.items()):
        click.echo(f"{'Setting':<12} {name} = {harmless(value)}")


@phone.command()
@mac_argument
@pass_session
def remove(session: Session, mac: Mac) -> None:
    """Take the phone MAC off the list: its address and files are gone at once. Its extensions stay.

    \b
    Example:
      provisioner phone remove 80:5e:c0:aa:bb:cc
    """
    session.desk.changes.delete_phone(session.actor, mac)
    click.echo(f"phone {mac.colons} is off the list")


@phone.command()
@mac_argument
@click.argument("new_mac", type=MacParameter())
@click.option("--model", help="Model of the new phone, where it is another one; lines and keys must fit.")
@pass_session
def swap(session: Session, mac: Mac, new_mac: Mac, model: str | None) -> None:
    """Put the phone NEW_MAC in the place of the broken phone MAC, with its lines, keys and settings.

    The broken phone's address, files and SIP passwords are dead at once; the new one's first fetch is open from now.

    \b
    Example:
      provisioner phone swap 80:5e:c0:aa:bb:cc 80:5e:c0:dd:ee:ff
    """
    record = session.desk.changes.swap_phone(session.actor, mac, new_mac, model)
    click.echo(f"phone {record.mac.colons} ({record.model}) is in the place of {mac.colons}, {_lines(record) or 'without a line'}")


@phone.command()
@mac_argument
@pass_session
def retire(session: Session, mac: Mac) -> None:
    """Take the phone MAC out of service: it loses lines, keys and settings, and is served files that empty it.

    Its SIP passwords are renewed at once. 'provisioner lockstep MAC' says whether it has fetched: retiring, then retired. It stays on the
    list until it is removed; 'provisioner phone reinstate' takes it back.

    \b
    Example:
      provisioner phone retire 80:5e:c0:aa:bb:cc
    """
    session.desk.changes.retire_phone(session.actor, mac)
    click.echo(f"phone {mac.colons} is taken out of service; 'provisioner lockstep {mac.colons}' says when it was emptied")


@phone.command()
@mac_argument
@pass_session
def reinstate(session: Session, mac: Mac) -> None:
    """Take the phone MAC back into service as it was before it was retired. Its secret settings have to be set again.

    \b
    Example:
      provisioner phone reinstate 80:5e:c0:aa:bb:cc
    """
    record = session.desk.changes.reinstate_phone(session.actor, mac)
    click.echo(f"phone {record.mac.colons} ({record.model}) is back in service, {_lines(record) or 'without a line'}")


@phone.command()
@mac_argument
@pass_session
def reopen(session: Session, mac: Mac) -> None:
    """Open the first fetch of the phone MAC again, after it was reset to factory settings.

    \b
    Example:
      provisioner phone reopen 80:5e:c0:aa:bb:cc
    """
    session.desk.changes.reopen_first_fetch(session.actor, mac)
    within = "" if session.is_remote else f" within {session.settings.first_fetch_hours} h"
    click.echo(f"phone {mac.colons} may make its first fetch{within}")


@phone.command()
@mac_argument
@pass_session
def address(session: Session, mac: Mac) -> None:
    """Print the phone's own address and its credentials, to be typed into it. Both are secret; that they were shown is kept in the changes.

    The address proves the phone wherever it is. User and password are for sites whose access is digest.

    \b
    Example:
      provisioner phone address 80:5e:c0:aa:bb:cc
    """
    record = found(session, mac)
    session.desk.changes.note_secrets_shown(session.actor, "phone.token_shown", record.mac)
    access = session.desk.store.phone_access(record)
    for name, value in (("Address", access.url), ("User", access.user), ("Password", access.password)):
        click.echo(f"{name:<12} {value}")
    if access.is_encrypted:
        click.echo(
            "Its files there are encrypted. For a phone that is fresh or was reset, issue an install link instead: it lacks the key."
        )


@phone.command("install-link")
@mac_argument
@click.option("--hours", default=72, show_default=True, help="How long the phone may begin by it.")
@pass_session
def install_link(session: Session, mac: Mac, hours: int) -> None:
    """Issue a one-time address for the phone MAC, wherever it is; an earlier one is dead. It is shown this once.

    Typed into the phone as its provisioning address, it brings the files once and moves the phone to its own address.

    \b
    Example:
      provisioner phone install-link 80:5e:c0:aa:bb:cc --hours 24
    """
    link = session.desk.changes.issue_install_link(session.actor, mac, hours)
    click.echo(f"{'Address':<12} {link.url}")
    click.echo(f"{'Holds until':<12} {shown_time(link.expires_at)}")


@phone.command("set")
@mac_argument
@click.option("--model", help="Another model; its lines and keys must fit.")
@click.option("--site", help="Another site.")
@click.option("--enabled/--disabled", default=None, help="Serve it, or refuse it as if it were not listed.")
@click.option("--extension", "extensions", multiple=True, help="Extension of line 1; given again, of line 2. Replaces all lines.")
@setting_option
@pass_session
def set_(
    session: Session,
    *,
    mac: Mac,
    model: str | None,
    site: str | None,
    enabled: bool | None,
    extensions: tuple[str, ...],
    settings: tuple[str, ...],
) -> None:
    """Change what is given of the phone MAC; the rest stays.

    \b
    Examples:
      provisioner phone set 80:5e:c0:aa:bb:cc --site Utrecht --setting language=nl
      provisioner phone set 80:5e:c0:aa:bb:cc --disabled
    """
    from provisioner.changes import LineInput, PhoneInput

    lines = [LineInput(at, number) for at, number in enumerate(extensions, 1)] if extensions else None
    given = PhoneInput(
        model=model, site=site, enabled=enabled, lines=lines, settings=settings_of(settings) if settings else None, merge_settings=True
    )
    record = session.desk.changes.update_phone(session.actor, mac, given)
    click.echo(f"phone {record.mac.colons} ({record.model}) is changed")


@phone.command()
@mac_argument
@click.option("--reboot", is_flag=True, help="Restart the phone instead of only fetching anew.")
@pass_session
def resync(session: Session, mac: Mac, reboot: bool) -> None:
    """Ask the running server to wake the phone MAC, so that it fetches its files now.

    \b
    Example:
      provisioner phone resync 80:5e:c0:aa:bb:cc
    """
    session.desk.changes.request_resync(session.actor, mac, reboot=reboot)
    click.echo(f"phone {mac.colons} is told to {'restart' if reboot else 'fetch'} by the worker of the running server")


def found(session: Session, mac: Mac) -> PhoneRecord:
    """Returns the phone. Raises ``NotFound``."""
    record = session.desk.store.phone(mac)
    if record is None:
        raise NotFound({"mac": f"phone {mac.colons} is not listed; 'provisioner phone list' shows those that are"})
    return record


def _all(session: Session, site: str, model: str, search: str) -> Iterator[PhoneRecord]:
    from provisioner.records import PhoneFilter

    after, wanted = "", PhoneFilter(search=search, site=site, model=model)
    while page := session.desk.store.phones(after=after, limit=PAGE, wanted=wanted):
        yield from page
        after = page[-1].mac


def _registered(row: RegistrationRecord | None) -> str:
    if row is None:
        return ""
    return f", registered from {harmless(row.address)}" if row.ended_at is None else f", registered until {shown_time(row.ended_at)}"


def _lines(record: PhoneRecord) -> str:
    return ", ".join(f"{line.line}: {line.extension}" + (f" ({line.label})" if line.label else "") for line in record.lines)


def _as_json(record: PhoneRecord) -> dict[str, object]:
    return {
        "mac": record.mac, "model": record.model, "site": record.site, "group": record.group, "layout": record.layout, "enabled": record.enabled,
        "modules": record.modules, "firmware": record.firmware, "lines": list(record.lines), "keys": list(record.keys),
        "settings": {**record.settings, **dict.fromkeys(record.secret_names, "***")},
        "created_at": record.created_at, "opened_at": record.opened_at, "first_success_at": record.first_success_at,
        "retired_at": record.retired_at,
    }  # fmt: skip

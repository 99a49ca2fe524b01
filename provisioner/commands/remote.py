"""A server elsewhere, as the commands use the one of this machine: the same reads and writes, over its API.

Only what some command asks is here. The names and what comes back are those of ``store`` and ``changes``, so that no command knows which
of the two it has; who writes is named by the server, from the token.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from provisioner.client import Client, ClientError
from provisioner.client import NotFound as NotThere
from provisioner.commands.asking import TIMEOUT_S, asked, each, listed, seconds, time_of, told
from provisioner.commands.lockstep import Standing
from provisioner.commands.remote_calls import CallReads, CallWrites
from provisioner.commands.remote_enrolment import EnrolmentReads, EnrolmentWrites
from provisioner.commands.remote_fleet import FleetReads, FleetWrites
from provisioner.commands.remote_people import PeopleReads, PeopleWrites
from provisioner.commands.remote_seats import SeatReads, SeatWrites
from provisioner.core.lockstep import LockstepFacts
from provisioner.core.mac import Mac
from provisioner.core.sightings import Evidence
from provisioner.core.values import Key
from provisioner.errors import RemoteError
from provisioner.records import (
    ExtensionRecord,
    FetchRecord,
    LineRecord,
    PhoneAccess,
    PhoneFilter,
    PhoneRecord,
    RegistrationRecord,
    SightingRecord,
)
from provisioner.records_install import IssuedLink

if TYPE_CHECKING:
    from provisioner.changes import PhoneInput

HIDDEN = "***"


class RemoteDesk:
    """What an installation is to a command, on a server elsewhere."""

    def __init__(self, url: str, token: str, ca_file: str | None) -> None:
        try:
            client = Client(url, token, ca_file=ca_file, timeout_s=TIMEOUT_S)
        except ClientError as error:
            raise RemoteError(str(error)) from error
        self.client = client
        self.store = RemoteStore(client)
        self.changes = RemoteChanges(client)


class RemoteStore(PeopleReads, EnrolmentReads, FleetReads, SeatReads, CallReads):
    """Reads."""

    def phone(self, mac: Mac) -> PhoneRecord | None:
        try:
            return phone_of(self._client.phones.show(mac))
        except NotThere:
            return None
        except ClientError as error:
            raise told(error) from error

    def phones(
        self, *, after: str = "", limit: int, wanted: PhoneFilter | None = None, macs: Sequence[Mac] | None = None
    ) -> list[PhoneRecord]:
        if macs is not None:
            found = (self.phone(mac) for mac in macs if mac > after)
            return [record for record in found if record is not None]
        asked = wanted or PhoneFilter()
        query: dict[str, Any] = {name: getattr(asked, name) or None for name in ("search", "site", "model", "stage")}
        return [phone_of(row) for row in listed(self._client.phones.list(after=after or None, limit=limit, **query), limit)]

    def lockstep(self, mac: Mac, *, has_pbx: bool) -> LockstepFacts | None:
        """``has_pbx`` is for the server to say."""
        return facts_of(asked(self._client.phones.lockstep, mac))

    def standings(self, *, site: str, stage: str) -> Iterator[Standing]:
        """Yields all phones with what their stage follows from, page by page."""
        for row in each(self._client.lockstep.list(site=site or None, stage=stage or None)):
            yield Standing(Mac.parse(row["mac"]), row["model"], row["site"], facts_of(row))

    def registrations(self, macs: Iterable[Mac]) -> dict[Mac, list[RegistrationRecord]]:
        return {
            mac: [registration_of(mac, row) for row in asked(self._client.phones.registrations, mac) if row["registered_at"]]
            for mac in macs
        }

    def phone_access(self, record: PhoneRecord) -> PhoneAccess:
        shown = asked(self._client.phones.token, record.mac)
        return PhoneAccess(shown["url"], shown["user"], shown["password"])

    def extensions(self, *, after: str = "", limit: int, search: str = "") -> list[ExtensionRecord]:
        return [
            extension_of(row)
            for row in listed(self._client.extensions.list(after=after or None, limit=min(limit, 500), search=search or None), limit)
        ]

    def sightings(self, *, after: str = "", limit: int) -> list[SightingRecord]:
        return [sighting_of(row) for row in listed(self._client.sightings.list(after=after or None, limit=min(limit, 500)), limit)]

    def fetches(self, *, mac: str | None, limit: int, reason: str = "") -> list[FetchRecord]:
        query: dict[str, Any] = {"limit": min(limit, 500), "reason": reason or None}
        rows = listed(self._client.fetches.list(**query) if mac is None else self._client.phones.fetches(mac, **query), limit)
        named = [mac or row["mac"] for row in rows]
        at = [seconds(row["at"]) for row in rows]
        return [
            FetchRecord(**{**row, "mac": str(Mac.parse(name)) if name else None, "at": when})
            for row, name, when in zip(rows, named, at, strict=True)
        ]


class RemoteChanges(PeopleWrites, EnrolmentWrites, FleetWrites, SeatWrites, CallWrites):
    """Writes. ``actor`` is left to the server: it is whoever the token is of."""

    def create_phone(self, actor: str, mac: Mac, given: PhoneInput) -> PhoneRecord:
        return phone_of(asked(self._client.phones.create, {"mac": mac.colons, **_body(given)}))

    def update_phone(self, actor: str, mac: Mac, given: PhoneInput) -> PhoneRecord:
        return phone_of(asked(self._client.phones.change, mac, _body(given)))

    def delete_phone(self, actor: str, mac: Mac) -> None:
        asked(self._client.phones.delete, mac)

    def swap_phone(self, actor: str, mac: Mac, new_mac: Mac, model: str | None = None) -> PhoneRecord:
        return phone_of(asked(self._client.phones.swap, mac, {"mac": new_mac.colons, **({"model": model} if model else {})}))

    def retire_phone(self, actor: str, mac: Mac) -> PhoneRecord:
        return phone_of(asked(self._client.phones.retire, mac))

    def reinstate_phone(self, actor: str, mac: Mac) -> PhoneRecord:
        return phone_of(asked(self._client.phones.reinstate, mac))

    def reopen_first_fetch(self, actor: str, mac: Mac) -> PhoneRecord:
        return phone_of(asked(self._client.phones.reopen, mac))

    def request_resync(self, actor: str, mac: Mac, *, reboot: bool) -> None:
        asked(self._client.phones.resync, mac, {"reboot": reboot})

    def note_secrets_shown(self, actor: str, action: str, subject: str) -> None:
        """The server notes it by itself when it shows them."""

    def issue_install_link(self, actor: str, mac: Mac, hours: int) -> IssuedLink:
        made = asked(self._client.phones.create_install_link, mac, {"hours": hours})
        return IssuedLink(made["code"], made["url"], seconds(made["expires_at"]))

    def create_extension(self, actor: str, number: str, **given: str) -> ExtensionRecord:
        return extension_of(asked(self._client.extensions.create, {"number": number, **given}))

    def update_extension(self, actor: str, number: str, given: Mapping[str, str | bool], *, revoke_former: bool = False) -> ExtensionRecord:
        body = {**given, **({"revoke_former": True} if revoke_former else {})}
        return extension_of(asked(self._client.extensions.change, number, body))

    def rotate_secret(self, actor: str, number: str, *, revoke_former: bool = False) -> ExtensionRecord:
        asked(self._client.extensions.create_rotation, number, {"revoke_former": revoke_former})
        return extension_of(asked(self._client.extensions.show, number))

    def delete_extension(self, actor: str, number: str) -> None:
        asked(self._client.extensions.delete, number)


# --- What is shown, as records ----------------------------------------------------------------------------------------------------


def phone_of(row: Mapping[str, Any]) -> PhoneRecord:
    settings = row["settings"]
    times: dict[str, Any] = {name: seconds(row[name]) for name in ("created_at", "opened_at")}
    return PhoneRecord(
        mac=Mac.parse(row["mac"]),
        **{name: row[name] for name in ("model", "site", "group", "enabled", "modules", "firmware", "revision", "layout")},
        settings={name: value for name, value in settings.items() if value != HIDDEN},
        secret_names=tuple(sorted(name for name, value in settings.items() if value == HIDDEN)),
        lines=tuple(LineRecord(**line) for line in row["lines"]),
        keys=tuple(Key(**key) for key in row["keys"]),
        **times,
        first_success_at=time_of(row["first_success_at"]),
        retired_at=time_of(row["retired_at"]),
        render_revision=0,
        token_epoch=0,
    )


def extension_of(row: Mapping[str, Any]) -> ExtensionRecord:
    same = {field.name: row[field.name] for field in fields(ExtensionRecord) if not field.name.startswith("rotation")}
    since = time_of(row["rotation_started_at"])
    return ExtensionRecord(**same, rotation_started_at=since, rotation_rolled_back=row["rotation"] == "rolled_back")


def facts_of(row: Mapping[str, Any]) -> LockstepFacts:
    plain = ("wanted", "live", "served", "pbx_wanted", "pbx_verified", "error", "has_lines", "has_pbx")
    values: dict[str, Any] = {name: row[name] for name in plain}
    values |= {name: time_of(row[name]) for name in ("live_at", "notified_at", "fetched_at", "registered_at", "retired_at")}
    return LockstepFacts(**values, notify_error=row["wake"]["error"])


def registration_of(mac: Mac, row: Mapping[str, Any]) -> RegistrationRecord:
    return RegistrationRecord(
        mac, row["extension"], seconds(row["registered_at"]), time_of(row["ended_at"]), row["contact"], row["address"], row["user_agent"]
    )


def sighting_of(row: Mapping[str, Any]) -> SightingRecord:
    evidence = tuple(Evidence(**{**each, "at": seconds(each["at"])}) for each in row["evidence"])
    seen = {name: seconds(row[name]) for name in ("first_seen", "last_seen")}
    return SightingRecord(**{**row, **seen, "mac": Mac.parse(row["mac"]), "evidence": evidence})


def _body(given: PhoneInput) -> dict[str, Any]:
    """Returns what is given of a phone as the API takes it."""
    plain = {name: getattr(given, name) for name in ("model", "site", "group", "enabled", "settings")}
    lines = None if given.lines is None else [{"line": line.line, "extension": line.extension, "label": line.label} for line in given.lines]
    return {name: value for name, value in {**plain, "lines": lines}.items() if value is not None}

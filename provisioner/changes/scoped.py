"""Writes of somebody who sees some sites only, or only their own phones.

What they name is looked for among what they see, before the transaction: what lies beyond is refused with the words for what is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.engine import Connection

from provisioner.changes.copying import CopyPlan, Place
from provisioner.changes.keys import KeyInput
from provisioner.changes.parts import Standing
from provisioner.changes.phones import LineInput, PhoneInput
from provisioner.changes.previews import KeyPreview
from provisioner.changes.retiring import RETIRE
from provisioner.changes.sites import networks
from provisioner.changes.writer import Changes
from provisioner.core.mac import Mac
from provisioner.core.numbers import NUMBER
from provisioner.core.phonebook import SETTING as PHONEBOOK
from provisioner.core.phonebook import SPANNING
from provisioner.errors import Forbidden, InputError, NotFound
from provisioner.records import ChangeRecord, ExtensionRecord, PhoneRecord, SiteRecord
from provisioner.records_enrolment import WindowRecord
from provisioner.records_install import IssuedLink
from provisioner.records_seats import SeatRecord
from provisioner.scope import Scope, closed
from provisioner.store.scoped import ScopedStore


@closed(Changes, but={"clock"})
class ScopedChanges(Changes):
    """The part of all writes that a scope reaches."""

    def __init__(self, whole: Changes, seen: ScopedStore, scope: Scope) -> None:
        vars(self).update(vars(whole))
        self._whole = whole
        self._seen = seen
        self._reach = scope

    # Phones.

    def create_phone(self, actor: str, mac: Mac, given: PhoneInput) -> PhoneRecord:
        self._no_user()
        site = given.site or self._only_site()
        return self._whole.create_phone(actor, mac, self._checked(replace(given, site=site), None))

    def adopt_phone(self, actor: str, mac: Mac, given: PhoneInput, peer: str = "", window: str = "") -> PhoneRecord:
        """As ``Changes.adopt_phone``; an address never chooses a site that the caller does not see."""
        self._no_user()
        near = self._seen.sites_here(peer) if not given.site and peer else []
        site = given.site or (near[0] if near else self._only_site())
        return self._whole.adopt_phone(actor, mac, self._checked(replace(given, site=site), None), peer, window)

    def update_phone(self, actor: str, mac: Mac, given: PhoneInput, expected: int | None = None) -> PhoneRecord:
        before = self._phone_seen(mac)
        if self._reach.extensions is not None and replace(given, keys=None) != PhoneInput():
            raise Forbidden("of a phone of your own you may change the keys")
        return self._whole.update_phone(actor, mac, self._checked(given, before), expected)

    def delete_phone(self, actor: str, mac: Mac, expected: int | None = None) -> None:
        self._whole.delete_phone(actor, self._phone_seen(mac).mac, expected)

    def reopen_first_fetch(self, actor: str, mac: Mac) -> PhoneRecord:
        return self._whole.reopen_first_fetch(actor, self._phone_seen(mac).mac)

    def renew_token(self, actor: str, mac: Mac) -> PhoneRecord:
        return self._whole.renew_token(actor, self._phone_seen(mac).mac)

    def revoke_token(self, actor: str, mac: Mac) -> PhoneRecord:
        return self._whole.revoke_token(actor, self._phone_seen(mac).mac)

    def request_resync(self, actor: str, mac: Mac, *, reboot: bool) -> None:
        self._whole.request_resync(actor, self._phone_seen(mac).mac, reboot=reboot)

    def swap_phone(self, actor: str, mac: Mac, new_mac: Mac, model: str | None = None) -> PhoneRecord:
        return self._whole.swap_phone(actor, self._phone_seen(mac).mac, new_mac, model)

    def retire_phone(self, actor: str, mac: Mac, expected: int | None = None) -> PhoneRecord:
        return self._whole.retire_phone(actor, self._phone_seen(mac).mac, expected)

    def reinstate_phone(self, actor: str, mac: Mac, expected: int | None = None, kept: Mapping[str, Any] | None = None) -> PhoneRecord:
        """As ``Changes.reinstate_phone``, to a place and with lines within the scope alone."""
        before = self._phone_seen(mac)
        rows = self._seen.changes(subject=before.mac, actions=[RETIRE], limit=1) if kept is None else ()
        there = kept if kept is not None else rows[0].before if rows else None
        if there is not None:
            lines = tuple(LineInput(*line) for line in there["lines"])
            if mistakes := self._place_mistakes(there["site"], there["group"]) | self._line_mistakes(lines, before):
                raise InputError(mistakes)
        return self._whole.reinstate_phone(actor, before.mac, expected, there)

    def swap_back(self, actor: str, record: ChangeRecord, expected: int | None = None) -> PhoneRecord:
        in_place = self._phone_seen(Mac(record.after["mac"]))
        lines = tuple(LineInput(*line) for line in record.before["lines"])
        if mistakes := self._place_mistakes(record.before["site"], None) | self._line_mistakes(lines, in_place):
            raise InputError(mistakes)
        return self._whole.swap_back(actor, record, expected)

    def standings(self, record: ChangeRecord, connection: Connection | None = None) -> list[Standing]:
        """As ``Changes.standings``, of a change that was of phones within the scope alone."""
        self._no_user()
        found = self._whole.standings(record, connection)
        if self._reach.sites is not None and not record.action.startswith("layout."):
            raise Forbidden("this is of the whole installation: it needs the right to all sites")
        self._all_seen([Mac(each.part.subject) for each in found if each.record is not None])
        return found

    def undo_many(self, actor: str, record: ChangeRecord, expected: int | None = None, *, over_later: bool = False) -> None:
        self.standings(record)
        self._whole.undo_many(actor, record, expected, over_later=over_later)

    def note_secrets_shown(self, actor: str, action: str, subject: str) -> None:
        self._whole.note_secrets_shown(actor, action, self._phone_seen(Mac(subject)).mac)

    def preview_keys(self, mac: Mac, keys: Sequence[KeyInput]) -> KeyPreview:
        given = self._checked(PhoneInput(keys=keys), self._phone_seen(mac))
        return self._whole.preview_keys(mac, given.keys or ())

    def request_resyncs(self, actor: str, macs: Sequence[Mac], *, reboot: bool) -> int:
        return self._whole.request_resyncs(actor, self._all_seen(macs), reboot=reboot)

    def update_phones(
        self, actor: str, macs: Sequence[Mac], *, site: str | None = None, group: str | None = None, enabled: bool | None = None
    ) -> int:
        seen = self._all_seen(macs)
        if mistakes := self._place_mistakes(site, group or None):
            raise InputError(mistakes)
        return self._whole.update_phones(actor, seen, site=site, group=group, enabled=enabled)

    def request_test_call(self, actor: str, mac: Mac) -> None:
        self._whole.request_test_call(actor, self._all_seen([mac])[0])

    def issue_install_link(self, actor: str, mac: Mac, hours: int) -> IssuedLink:
        return self._whole.issue_install_link(actor, self._all_seen([mac])[0], hours)

    def withdraw_install_link(self, actor: str, mac: Mac) -> None:
        self._whole.withdraw_install_link(actor, self._all_seen([mac])[0])

    def delete_upload(self, actor: str, mac: Mac, name: str) -> None:
        self._whole.delete_upload(actor, self._all_seen([mac])[0], name)

    def plan_layout(self, macs: Sequence[Mac], name: str) -> tuple[list[Mac], dict[Mac, str]]:
        return self._whole.plan_layout(self._all_seen(macs), name)

    def assign_layout(self, actor: str, macs: Sequence[Mac], name: str | None) -> int:
        return self._whole.assign_layout(actor, self._all_seen(macs), name)

    def plan_copy(self, source: Mac, macs: Sequence[Mac], places: Sequence[Place] | None = None) -> list[CopyPlan]:
        return self._whole.plan_copy(self._phone_seen(source).mac, self._all_seen(macs), places)

    def copy_keys(
        self, actor: str, source: Mac, macs: Sequence[Mac], places: Sequence[Place] | None = None, *, only_fitting: bool = False
    ) -> list[CopyPlan]:
        return self._whole.copy_keys(actor, self._phone_seen(source).mac, self._all_seen(macs), places, only_fitting=only_fitting)

    def take_seat(self, actor: str, mac: Mac, number: str) -> SeatRecord:
        desk = self._all_seen([mac])[0]
        if not self._seen.numbers_seen([number]):
            raise InputError({"extension": f"there is no extension {number[:32]}"})
        return self._whole.take_seat(actor, desk, number)

    def leave_seat(self, actor: str, mac: Mac, expected: SeatRecord | None = None) -> PhoneRecord:
        return self._whole.leave_seat(actor, self._all_seen([mac])[0], expected)

    def _all_seen(self, macs: Sequence[Mac]) -> list[Mac]:
        """Returns the phones named. Raises ``NotFound`` for the first of them that is not seen: then nothing is done to any."""
        self._no_user()
        seen = set(self._seen.macs_seen(dict.fromkeys(macs)))
        beyond = next((mac for mac in macs if mac not in seen), None)
        if beyond is not None:
            raise NotFound({"mac": f"phone {beyond.colons} is not listed"})
        return list(macs)

    def _phone_seen(self, mac: Mac) -> PhoneRecord:
        record = self._seen.phone(mac)
        if record is None:
            raise NotFound({"mac": f"phone {mac.colons} is not listed"})
        return record

    def _checked(self, given: PhoneInput, before: PhoneRecord | None) -> PhoneInput:
        """Returns what is given with labels for keys that look beyond the scope; their own would be somebody's name there."""
        mistakes = self._place_mistakes(given.site, given.group) | self._line_mistakes(given.lines or (), before)
        if mistakes:
            raise InputError(mistakes)
        return given if given.keys is None else replace(given, keys=self._labelled(given.keys))

    def _place_mistakes(self, site: str | None, group: str | None) -> dict[str, str]:
        mistakes: dict[str, str] = {}
        if site is not None and self._seen.site(site) is None:
            mistakes["site"] = f"there is no site {site[:60]}" if site else "name one of your sites"
        if group is not None and group not in {row.name for row in self._seen.groups()}:
            mistakes["group"] = (
                f"there is no group {group[:60]} among those of your phones: who has the right to all sites puts the first phone in"
            )
        return mistakes

    def _line_mistakes(self, lines: Sequence[LineInput], before: PhoneRecord | None) -> dict[str, str]:
        there = {line.extension for line in before.lines} if before else set()
        seen = self._seen.numbers_seen({line.extension for line in lines}) | there
        return {
            f"lines.{at}.extension": f"there is no extension {line.extension[:32]}"
            for at, line in enumerate(lines)
            if line.extension not in seen
        }

    def _labelled(self, keys: Sequence[KeyInput]) -> Sequence[KeyInput]:
        watched = {key.value for key in keys if not key.label and NUMBER.match(key.value)}
        beyond = watched - self._seen.numbers_seen(watched)
        return tuple(replace(key, label=key.value) if not key.label and key.value in beyond else key for key in keys)

    # Extensions.

    def create_extension(self, actor: str, number: str, **given: Any) -> ExtensionRecord:
        self._no_user()
        site = given.get("site") or self._only_site()
        self._must_see_site(site)
        return self._whole.create_extension(actor, number, **{**given, "site": site})

    def update_extension(
        self, actor: str, number: str, given: Mapping[str, Any], expected: int | None = None, *, revoke_former: bool = False
    ) -> ExtensionRecord:
        record = self._writable(number)
        if given.get("site", record.site) != record.site:
            self._must_see_site(given["site"])
        return self._whole.update_extension(actor, number, given, expected, revoke_former=revoke_former)

    def rotate_secret(self, actor: str, number: str, *, revoke_former: bool = False) -> ExtensionRecord:
        self._writable(number)
        return self._whole.rotate_secret(actor, number, revoke_former=revoke_former)

    def delete_extension(self, actor: str, number: str, expected: int | None = None) -> None:
        """As ``Changes.delete_extension``, without naming a phone beyond the scope."""
        self._writable(number)
        if self._seen.is_shared(number):
            raise InputError(
                {"number": f"extension {number} is on a line of a phone beyond your sites: it has to be taken off there first"}
            )
        self._whole.delete_extension(actor, number, expected)

    def _writable(self, number: str) -> ExtensionRecord:
        """Returns an extension to be written. Refuses one that is not seen, and one that another site shares."""
        self._no_user()
        record = self._seen.extension(number)
        if record is None:
            raise NotFound({"number": f"there is no extension {number[:32]}"})
        if not self._reach.has_site(record.site) and (record.site or self._seen.is_shared(number)):
            raise Forbidden(f"extension {number} is of another site too: it needs the right to that one")
        return record

    def make_claim_code(self, actor: str, number: str, minutes: int) -> tuple[str, float]:
        self._no_user()
        if not self._seen.numbers_seen([number]):
            raise InputError({"extension": f"there is no extension {number[:32]}"})
        return self._whole.make_claim_code(actor, number, minutes)

    # Sites.

    def open_window(self, actor: str, site: str, minutes: int, phones: int) -> WindowRecord:
        return self._whole.open_window(actor, self._site_seen(site), minutes, phones)

    def close_window(self, actor: str, site: str, why: str = "") -> None:
        self._whole.close_window(actor, self._site_seen(site), why)

    def _site_seen(self, name: str) -> str:
        self._no_user()
        if self._seen.site(name) is None:
            raise NotFound({"site": f"there is no site {name[:64]}"})
        return name

    def update_site(
        self, actor: str, name: str, given: Mapping[str, Any], expected: int | None = None, *, merge_settings: bool = False
    ) -> SiteRecord:
        self._no_user()
        record = self._seen.site(name)
        if record is None:
            raise NotFound({"name": f"there is no site {name[:64]}"})
        _same_reach(given, record)
        _same_people(given, record)
        rest = {field: value for field, value in given.items() if field not in ("trusted_networks", "pool")}
        return self._whole.update_site(actor, name, rest, expected, merge_settings=merge_settings)

    def _must_see_site(self, name: str) -> None:
        if not name:
            raise InputError({"site": "name one of your sites: an extension of none needs the right to all sites"})
        if self._seen.site(name) is None:
            raise InputError({"site": f"there is no site {name[:60]}"})

    def _only_site(self) -> str:
        """Returns the one site of the scope. Raises ``InputError`` where there are more: it has to be said which."""
        sites = self._reach.sites or ()
        if len(sites) != 1:
            raise InputError({"site": "say which site"})
        return sites[0]

    def _no_user(self) -> None:
        if self._reach.extensions is not None:
            raise Forbidden("of a phone of your own you may change the keys")


def _same_people(given: Mapping[str, Any], record: SiteRecord) -> None:
    """Raises ``Forbidden`` where the site would begin to show people of other sites: whoever chose that would read what is not theirs to see."""
    scope = (given.get("settings") or {}).get(PHONEBOOK)
    if scope in SPANNING and scope != record.settings.get(PHONEBOOK):
        raise Forbidden(f"phonebook: {scope} shows people of other sites too: choosing it for a site needs the right to all sites")


def _same_reach(given: Mapping[str, Any], record: SiteRecord) -> None:
    """Raises ``Forbidden`` where networks or pool are not the site's own: who chose them would choose how far their own scope reaches."""
    mistakes: dict[str, str] = {}
    if networks(given.get("trusted_networks", record.trusted_networks), mistakes) != list(record.trusted_networks) or mistakes:
        raise Forbidden("the trusted networks of a site say how far the site reaches: changing them needs the right to all sites")
    if given.get("pool", record.pool) != record.pool:
        raise Forbidden("the pool of a site says which extensions its phones get: changing it needs the right to all sites")

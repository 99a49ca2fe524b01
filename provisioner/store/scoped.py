"""Reads of somebody who sees some sites only, or only their own phones. What lies beyond is as if it were not there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.core.flood import EVERYWHERE
from provisioner.core.layers import Origin
from provisioner.core.laying import LaidKey, LayoutKey, LayoutRecord
from provisioner.core.lockstep import LockstepFacts
from provisioner.core.mac import Mac
from provisioner.errors import Forbidden
from provisioner.models import extension, phone, phone_line
from provisioner.models_layouts import phone_layout
from provisioner.places import SiteFinder
from provisioner.records import (
    ChangeRecord,
    DepartmentRecord,
    ExtensionRecord,
    FetchRecord,
    FileRecord,
    GroupRecord,
    PhoneAccess,
    PhoneFilter,
    PhoneRecord,
    RegistrationRecord,
    SightingRecord,
    SiteRecord,
    UploadRecord,
    WakeRecord,
)
from provisioner.records_changes import ChangePart
from provisioner.records_enrolment import AlarmRecord, NewcomerRecord, RefusalRecord, TestCallRecord, WindowRecord
from provisioner.records_install import InstallLink
from provisioner.records_rendering import RenderJob
from provisioner.scope import Scope, closed
from provisioner.store import EVERY_PHONE, LinePhone, Store
from provisioner.store.base import CHUNK, in_chunks
from provisioner.store.reach import changes_within, extensions_within, parts_within, phones_within
from provisioner.store.scoped_calls import ScopedCalls
from provisioner.store.scoped_seats import ScopedSeats

_BATCH = 500


@closed(Store, but={"secret_settings", "secrets_of", "stage_column"})
class ScopedStore(ScopedSeats, ScopedCalls):
    """The part of a store that a scope reaches."""

    def __init__(self, whole: Store, scope: Scope) -> None:
        vars(self).update(vars(whole))
        self._whole = whole
        self._reach = scope

    # Phones.

    def phones(
        self,
        *,
        after: str = "",
        limit: int = 100,
        macs: Sequence[Mac] | None = None,
        wanted: PhoneFilter = EVERY_PHONE,
        within: Any = None,
    ) -> list[PhoneRecord]:
        return self._whole.phones(after=after, limit=limit, macs=macs, wanted=wanted, within=phones_within(self._reach))

    def phone_macs(self, *, limit: int, wanted: PhoneFilter = EVERY_PHONE, within: Any = None) -> list[Mac]:
        return self._whole.phone_macs(limit=limit, wanted=wanted, within=phones_within(self._reach))

    def phone(self, mac: Mac, connection: Connection | None = None) -> PhoneRecord | None:
        record = self._whole.phone(mac, connection)
        return record if record is not None and self.sees(record) else None

    def sees(self, record: PhoneRecord) -> bool:
        """Returns whether a phone is within the scope."""
        own = self._reach.extensions
        return self._reach.has_site(record.site) and (own is None or any(line.extension in own for line in record.lines))

    def macs_seen(self, macs: Iterable[Mac]) -> list[Mac]:
        """Returns those of ``macs`` that are within the scope."""
        wanted, found = list(macs), set()
        with self.database.read() as connection:
            for start in range(0, len(wanted), CHUNK):
                query = sa.select(phone.c.mac).where(phone.c.mac.in_(wanted[start : start + CHUNK]), phones_within(self._reach))
                found |= set(connection.execute(query).scalars())
        return [mac for mac in wanted if mac in found]

    def stage_counts(self, *, has_pbx: bool, site_names: list[str] | None = None, within: Any = None) -> dict[str, int]:
        return self._whole.stage_counts(has_pbx=has_pbx, site_names=site_names, within=phones_within(self._reach))

    def models_listed(self, *, within: Any = None) -> list[str]:
        return self._whole.models_listed(within=phones_within(self._reach))

    def phones_of_places(self, *, within: Any = None) -> dict[tuple[str, str], int]:
        return self._whole.phones_of_places(within=phones_within(self._reach))

    def phones_held(self, limit: int = 10, *, within: Any = None) -> list[tuple[Mac, str]]:
        return self._whole.phones_held(limit, within=phones_within(self._reach))

    def lockstep(self, mac: Mac, *, has_pbx: bool) -> LockstepFacts | None:
        return self._whole.lockstep(mac, has_pbx=has_pbx) if self.macs_seen([mac]) else None

    def locksteps(self, macs: Sequence[Mac], *, has_pbx: bool) -> dict[Mac, LockstepFacts]:
        return self._whole.locksteps(self.macs_seen(macs), has_pbx=has_pbx)

    def wakes(self, macs: Sequence[Mac]) -> dict[Mac, WakeRecord]:
        return self._whole.wakes(self.macs_seen(macs))

    def registrations(self, macs: Sequence[Mac], connection: Connection | None = None) -> dict[Mac, list[RegistrationRecord]]:
        return self._whole.registrations(self.macs_seen(macs), connection)

    def render_jobs(self, macs: Sequence[Mac], connection: Connection | None = None) -> list[RenderJob]:
        return self._whole.render_jobs(self.macs_seen(macs), connection)

    def explain(self, mac: Mac, name: str) -> Origin | None:
        return self._whole.explain(mac, name) if self.macs_seen([mac]) else None

    def explain_all(self, mac: Mac, names: Iterable[str]) -> dict[str, Origin]:
        return self._whole.explain_all(mac, names) if self.macs_seen([mac]) else {}

    def phone_access(self, record: PhoneRecord) -> PhoneAccess:
        if not self.sees(record):
            raise Forbidden("this phone is beyond your sites")
        return self._whole.phone_access(record)

    def files(self, mac: Mac) -> list[tuple[FileRecord, bytes]]:
        return self._whole.files(mac) if self.macs_seen([mac]) else []

    def fetches(self, *, mac: Mac | None = None, before: int | None = None, limit: int = 100, reason: str = "") -> list[FetchRecord]:
        if mac is None:
            raise Forbidden("the fetches of all phones need the right to all sites; those of one phone are below its own address")
        return self._whole.fetches(mac=mac, before=before, limit=limit, reason=reason) if self.macs_seen([mac]) else []

    def laid_keys(self, record: PhoneRecord) -> list[LaidKey]:
        return self._whole.laid_keys(record) if self.sees(record) else []

    def test_call(self, mac: Mac) -> TestCallRecord | None:
        return self._whole.test_call(mac) if self.macs_seen([mac]) else None

    def seen_at(self, mac: Mac) -> float | None:
        return self._whole.seen_at(mac) if self.macs_seen([mac]) else None

    def install_link(self, mac: Mac) -> InstallLink | None:
        return self._whole.install_link(mac) if self.macs_seen([mac]) else None

    def uploads_of(self, mac: Mac) -> list[UploadRecord]:
        return self._whole.uploads_of(mac) if self.macs_seen([mac]) else []

    def upload_body(self, mac: Mac, name: str) -> tuple[UploadRecord, bytes] | None:
        return self._whole.upload_body(mac, name) if self.macs_seen([mac]) else None

    def bootstrap_refusals(self, *, after: str = "", limit: int = 100, mac: Mac | None = None, within: Any = None) -> list[RefusalRecord]:
        return self._whole.bootstrap_refusals(after=after, limit=limit, mac=mac, within=phones_within(self._reach))

    def pbx_busy(self) -> frozenset[str]:
        return frozenset(self.numbers_seen(self._whole.pbx_busy()))

    # Extensions and departments.

    def extensions(
        self, *, after: str = "", limit: int = 100, search: str = "", numbers: Sequence[str] | None = None, within: Any = None
    ) -> list[ExtensionRecord]:
        return self._whole.extensions(after=after, limit=limit, search=search, numbers=numbers, within=extensions_within(self._reach))

    def extensions_named(self, numbers: Sequence[str], connection: Connection) -> list[ExtensionRecord]:
        seen = self.numbers_seen(numbers)
        return [record for record in self._whole.extensions_named(numbers, connection) if record.number in seen]

    def extension(self, number: str, connection: Connection | None = None) -> ExtensionRecord | None:
        return self._whole.extension(number, connection) if self.numbers_seen([number]) else None

    def numbers_seen(self, numbers: Collection[str]) -> set[str]:
        """Returns those of ``numbers`` that are extensions within the scope."""
        wanted, found = list(numbers), set()
        with self.database.read() as connection:
            for start in range(0, len(wanted), CHUNK):
                query = sa.select(extension.c.number).where(extension.c.number.in_(wanted[start : start + CHUNK]))
                found |= set(connection.execute(query.where(extensions_within(self._reach))).scalars())
        return found

    def is_shared(self, number: str) -> bool:
        """Returns whether an extension is on a line of a phone beyond the scope."""
        joined = phone_line.join(phone, phone.c.mac == phone_line.c.mac)
        query = sa.select(sa.literal(1)).select_from(joined).where(phone_line.c.extension == number, ~phones_within(self._reach)).limit(1)
        with self.database.read() as connection:
            return connection.execute(query).first() is not None

    def phones_with_lines(self, numbers: Collection[str]) -> dict[str, list[LinePhone]]:
        """Returns number -> the phones within the scope that have it on a line."""
        found = self._whole.phones_with_lines(self.numbers_seen(numbers))
        seen = set(self.macs_seen({item.mac for phones in found.values() for item in phones}))
        return {number: [item for item in phones if item.mac in seen] for number, phones in found.items()}

    def registrations_of(self, numbers: Iterable[str] | None = None) -> list[RegistrationRecord]:
        if numbers is None:
            raise Forbidden("the registrations of all extensions need the right to all sites")
        rows = self._whole.registrations_of(self.numbers_seen(list(numbers)))
        seen = set(self.macs_seen({row.mac for row in rows}))
        return [row for row in rows if row.mac in seen]

    def rotation_waiting(self, numbers: Sequence[str]) -> dict[str, list[Mac]]:
        waiting = self._whole.rotation_waiting(sorted(self.numbers_seen(numbers)))
        return {number: self.macs_seen(waiting.get(number, ())) for number in numbers}

    def departments(self, *, after: str = "", limit: int = 100) -> list[DepartmentRecord]:
        found: list[DepartmentRecord] = []
        while len(found) < limit:
            rows = self._whole.departments(after=after, limit=_BATCH)
            found += [seen for row in rows if (seen := self._department(row))]
            if len(rows) < _BATCH:
                break
            after = rows[-1].name
        return found[:limit]

    def department(self, name: str, connection: Connection | None = None) -> DepartmentRecord | None:
        record = self._whole.department(name, connection)
        return self._department(record) if record else None

    def _department(self, record: DepartmentRecord) -> DepartmentRecord | None:
        """Returns a department with the members that are seen; None where nobody is."""
        seen = self.numbers_seen(record.members)
        members = tuple(number for number in record.members if number in seen)
        return replace(record, members=members) if members else None

    # Sites and groups.

    def sites(self, connection: Connection | None = None) -> list[SiteRecord]:
        return [record for record in self._whole.sites(connection) if self._reach.has_site(record.name)]

    def site(self, name: str, connection: Connection | None = None) -> SiteRecord | None:
        return self._whole.site(name, connection) if self._reach.has_site(name) else None

    def groups(self, connection: Connection | None = None) -> list[GroupRecord]:
        query = sa.select(phone.c.group).where(phone.c.group.is_not(None), phones_within(self._reach)).distinct()
        with self.database.read() as own:
            used = set((connection or own).execute(query).scalars())
        return [record for record in self._whole.groups(connection) if record.name in used]

    # Layouts are of the whole installation, and everybody may read them; of their phones only those within the scope are counted.

    def layouts(self, *, after: str = "", limit: int = 100) -> list[LayoutRecord]:
        return self._counted(self._whole.layouts(after=after, limit=limit))

    def layout(self, name: str, connection: Connection | None = None) -> LayoutRecord | None:
        record = self._whole.layout(name, connection)
        return self._counted([record])[0] if record else None

    def _counted(self, records: Sequence[LayoutRecord]) -> list[LayoutRecord]:
        joined = phone_layout.join(phone, phone.c.mac == phone_layout.c.mac)
        query = sa.select(phone_layout.c.layout, sa.func.count()).select_from(joined).where(phones_within(self._reach))
        query = query.where(phone_layout.c.layout.in_([record.name for record in records])).group_by(phone_layout.c.layout)
        with self.database.read() as connection:
            counts = {row[0]: int(row[1]) for row in connection.execute(query)}
        return [replace(record, phones=counts.get(record.name, 0)) for record in records]

    def layout_models(self, name: str, connection: Connection | None = None, *, within: Any = None) -> list[str]:
        return self._whole.layout_models(name, connection, within=phones_within(self._reach))

    def layout_names(self) -> list[str]:
        return self._whole.layout_names()

    def layout_keys(self, name: str | None, connection: Connection | None = None) -> tuple[LayoutKey, ...]:
        return self._whole.layout_keys(name, connection)

    def phones_on_lines(self, numbers: Sequence[str]) -> list[PhoneRecord]:
        return [record for record in self._whole.phones_on_lines(numbers) if self.sees(record)]

    # What was seen and done.

    def sightings(self, *, after: str = "", limit: int = 100, mac: Mac | None = None, listed: bool = False) -> list[SightingRecord]:
        """Returns phones seen in the trusted networks of the sites: until it is listed, a phone is nowhere else."""
        places, found = self._places(), list[SightingRecord]()
        while self._reach.extensions is None and len(found) < limit:
            rows = self._whole.sightings(after=after, limit=_BATCH, mac=mac, listed=listed)
            theirs = self.beyond([row.mac for row in rows]) if listed else set()
            found += [self._said_here(row, places) for row in rows if row.mac not in theirs and self._is_here(row.peer, places)]
            if len(rows) < _BATCH:
                break
            after = rows[-1].mac
        return found[:limit]

    def beyond(self, macs: Iterable[Mac]) -> set[Mac]:
        """Returns those of ``macs`` that are phones beyond the scope."""
        query = sa.select(phone.c.mac).where(~phones_within(self._reach))
        with self.database.read() as connection:
            return {Mac(row.mac) for row in in_chunks(connection, query, phone.c.mac, macs)}

    def sites_here(self, peer: str) -> list[str]:
        """Returns the sites of the scope that an address is in."""
        return [name for name in self._places().sites_of(peer) if self._reach.has_site(name)]

    def _places(self) -> SiteFinder:
        return SiteFinder(self._whole.sites())

    def _is_here(self, peer: str, places: SiteFinder) -> bool:
        """Returns whether an address is in one of the sites: a network of theirs within a wider one of another site is theirs alone."""
        return any(self._reach.has_site(name) for name in places.sites_of(peer))

    def _said_here(self, row: SightingRecord, places: SiteFinder) -> SightingRecord:
        """Returns a sighting without the addresses that the phone had at another site before."""
        beyond = [it for it in row.evidence if it.fact == "address" and places.sites_of(it.value) and not self._is_here(it.value, places)]
        return replace(row, evidence=tuple(it for it in row.evidence if it not in beyond)) if beyond else row

    # Taking phones in.

    def newest_sightings(
        self, *, tail: str = "", limit: int = 30, fits: Callable[[SightingRecord], bool] | None = None
    ) -> list[SightingRecord]:
        if self._reach.extensions is not None:
            return []
        places = self._places()
        return self._whole.newest_sightings(
            tail=tail, limit=limit, fits=lambda row: self._is_here(row.peer, places) and (fits is None or fits(row))
        )

    def newcomers(self, *, after: str = "", limit: int = 100, tail: str = "") -> list[NewcomerRecord]:
        found: list[NewcomerRecord] = []
        while len(found) < limit:
            rows = self._whole.newcomers(after=after, limit=_BATCH, tail=tail)
            found += self._concerning(rows)
            if len(rows) < _BATCH:
                break
            after = rows[-1].mac
        return found[:limit]

    def newcomers_of(self, macs: Collection[Mac]) -> dict[Mac, NewcomerRecord]:
        return {row.mac: row for row in self._concerning(list(self._whole.newcomers_of(macs).values()))}

    def _concerning(self, rows: Sequence[NewcomerRecord]) -> list[NewcomerRecord]:
        """Returns those that asked in the networks of the sites, and those listed there that asked from no site's network.

        None that is listed beyond; nor does listing a MAC show that it asks at another site.
        """
        if self._reach.extensions is not None:
            return []
        places, macs = self._places(), [row.mac for row in rows]
        theirs, own = self.beyond(macs), set(self.macs_seen(macs))
        return [
            row
            for row in rows
            if row.mac not in theirs and (self._is_here(row.peer, places) or (row.mac in own and not places.sites_of(row.peer)))
        ]

    def listed(self, macs: Collection[Mac]) -> frozenset[Mac]:
        return frozenset(self.macs_seen(macs))

    def windows(self) -> list[WindowRecord]:
        return [row for row in self._whole.windows() if self._reach.extensions is None and self._reach.has_site(row.site)]

    def alarms(self, *, before: int | None = None, limit: int = 100) -> list[AlarmRecord]:
        """Returns scans from addresses in the networks of the sites, and those that shut first fetches everywhere."""
        places, found = self._places(), list[AlarmRecord]()
        while self._reach.extensions is None and len(found) < limit:
            rows = self._whole.alarms(before=before, limit=_BATCH)
            found += [row for row in rows if self._is_shut(row.scope, places)]
            if len(rows) < _BATCH:
                break
            before = rows[-1].id
        return found[:limit]

    def frozen_scopes(self, now: float) -> frozenset[str]:
        places = self._places()
        return frozenset(scope for scope in self._whole.frozen_scopes(now) if self._is_shut(scope, places))

    def _is_shut(self, scope: str, places: SiteFinder) -> bool:
        """Returns whether a scan's ``scope``, an address, a /64 or everywhere, is one for the sites too."""
        return scope == EVERYWHERE or self._is_here(scope.partition("/")[0], places)

    def numbers_to_install(self, *, search: str = "", limit: int = 30, within: Any = None) -> list[str]:
        return self._whole.numbers_to_install(search=search, limit=limit, within=extensions_within(self._reach))

    def changes(
        self, *, before: int | None = None, limit: int = 100, subject: str = "", actions: Collection[str] = (), within: Any = None
    ) -> list[ChangeRecord]:
        within = changes_within(self._reach) | parts_within(self._reach, subject)
        found = self._whole.changes(before=before, limit=limit, subject=subject, actions=actions, within=within)
        rows = [replace(row, phones=1) if subject and row.action.startswith(("layout.", "import.")) else row for row in found]
        return self._without_beyond(rows)

    def change(self, number: int, *, within: Any = None) -> ChangeRecord | None:
        row = self._whole.change(number, within=changes_within(self._reach))
        return self._without_beyond([row])[0] if row else None

    def _without_beyond(self, rows: list[ChangeRecord]) -> list[ChangeRecord]:
        """Returns changes without the MAC of a phone beyond on which a code was dialled: the extension was seen, the phone is not."""
        dialled = {row.id: Mac(row.after["mac"]) for row in rows if row.action == "claim_code.use" and row.after}
        seen = set(self.macs_seen(dialled.values())) if dialled else set()
        return [replace(row, after=None) if row.id in dialled and dialled[row.id] not in seen else row for row in rows]

    def change_parts(
        self, number: int, connection: Connection | None = None, *, after: tuple[str, str] = ("", ""), limit: int | None = None
    ) -> list[ChangePart]:
        return self._whole.change_parts(number, connection, after=after, limit=limit) if self.change(number) else []

"""Every SELECT. Returns core values and records; rows and connections never leave.

Reading for the hot path (serving) takes all phones in a handful of statements; reading for the API is paged by key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from provisioner.core.catalogue import Catalogue
from provisioner.core.layers import Layer, Origin, explained, merged
from provisioner.core.lockstep import LockstepFacts, Stage, names_hash, stage
from provisioner.core.mac import Mac
from provisioner.core.values import Key, Line, PhoneConfig, SettingValue
from provisioner.db import Database
from provisioner.models import (
    BEHIND,
    HELD,
    TO_PROMOTE,
    TO_RENDER,
    TO_WAKE,
    api_token,
    change,
    extension,
    fetch,
    index_log,
    meta,
    pbx_removal,
    phone,
    phone_group,
    phone_key,
    phone_line,
    rendered_file,
    served_file,
    sighting,
    site,
    upload,
)
from provisioner.records import (
    ChangeRecord,
    ExtensionRecord,
    FetchRecord,
    FileRecord,
    GroupRecord,
    LineRecord,
    LiveFile,
    PhoneAccess,
    PhoneRecord,
    RenderJob,
    ServingRecord,
    SightingRecord,
    SiteRecord,
    TokenRecord,
    UploadRecord,
)
from provisioner.secrets import SecretBox

CHUNK = 400
"""MACs in one IN list: SQLite takes 999 variables at the least."""


class Store:
    """Reads. ``installation`` are the settings that the installation itself fills in (SIP server and port)."""

    def __init__(
        self, database: Database, box: SecretBox, catalogue: Catalogue, *, base_url: str, installation: Mapping[str, SettingValue]
    ) -> None:
        self.database = database
        self.box = box
        self.catalogue = catalogue
        self.base_url = base_url
        self.installation = dict(installation)
        self._defaults = Layer("default", "", {name: row.default for name, row in catalogue.settings.items()})

    # ---- serving -------------------------------------------------------------------------------------------------

    def index_position(self) -> int:
        """Returns the number of the newest entry of the index log; 0 where there is none."""
        with self.database.read() as connection:
            return int(connection.execute(sa.select(sa.func.max(index_log.c.id))).scalar() or 0)

    def index_changes(self, since: int) -> tuple[int, set[Mac] | None]:
        """Returns the newest number, and the phones changed after ``since``; None for "any may have"."""
        query = sa.select(index_log.c.id, index_log.c.mac).where(index_log.c.id > since).order_by(index_log.c.id)
        with self.database.read() as connection:
            oldest = connection.execute(sa.select(sa.func.min(index_log.c.id))).scalar()
            rows = connection.execute(query).all()
        if oldest is None:  # never written, or trimmed to nothing while the reader was away
            return 0, None if since else set()
        newest = rows[-1].id if rows else since
        if (oldest is not None and oldest > since + 1) or any(row.mac is None for row in rows):
            return newest, None
        return newest, {Mac(row.mac) for row in rows}

    def serving_records(self, macs: Iterable[Mac] | None = None) -> list[ServingRecord]:
        """Returns what serving needs of all phones, or of those named that exist."""
        columns = (
            phone.c.mac, phone.c.model, phone.c.site, phone.c.enabled, phone.c.token_epoch, phone.c.token_floor,
            phone.c.opened_at, phone.c.first_success_at, phone.c.live_hash,
        )  # fmt: skip
        with self.database.read() as connection:
            rows = _in_chunks(connection, sa.select(*columns), phone.c.mac, macs)
            return [
                ServingRecord(
                    Mac(row.mac), row.model, row.model.partition("/")[0], row.site, row.enabled, row.token_epoch, row.token_floor,
                    row.opened_at, row.first_success_at, row.live_hash,
                )
                for row in rows
            ]  # fmt: skip

    def live_files(self, macs: Iterable[Mac] | None = None) -> Iterator[LiveFile]:
        """Yields the live files, in clear, of all phones or of those named."""
        query = sa.select(rendered_file).where(rendered_file.c.state == "live")
        with self.database.read() as connection:
            for row in _in_chunks(connection, query, rendered_file.c.mac, macs):
                yield self._live_file(row)

    def live_file(self, mac: Mac, name: str) -> LiveFile | None:
        """Returns one live file, in clear: one indexed read."""
        query = sa.select(rendered_file).where(rendered_file.c.mac == mac, rendered_file.c.state == "live", rendered_file.c.name == name)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return self._live_file(row) if row else None

    def _live_file(self, row: Row[Any]) -> LiveFile:
        body = self.box.open(row.body, f"file:{row.mac}:{row.name}")
        return LiveFile(Mac(row.mac), row.name, row.sha256, row.size, row.content_type, body)

    def uploads_of(self, mac: Mac) -> list[UploadRecord]:
        columns = [column for column in upload.c if column.name != "body"]
        query = sa.select(*columns).where(upload.c.mac == mac).order_by(upload.c.name)
        with self.database.read() as connection:
            return [UploadRecord(**{**row._mapping, "mac": Mac(row.mac)}) for row in connection.execute(query)]

    def upload_body(self, mac: Mac, name: str) -> tuple[UploadRecord, bytes] | None:
        """Returns one upload with its bytes in clear, or None."""
        query = sa.select(upload).where(upload.c.mac == mac, upload.c.name == name)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        record = UploadRecord(mac, row.name, row.kind, row.content_type, row.received_at, row.size, row.sha256)
        return record, self.box.open(row.body, f"upload:{mac}:{name}")

    def upload_names(self) -> list[tuple[Mac, str]]:
        """Returns (mac, name) of every upload kept, for the serving index."""
        with self.database.read() as connection:
            return [(Mac(row.mac), row.name) for row in connection.execute(sa.select(upload.c.mac, upload.c.name))]

    # ---- rendering -----------------------------------------------------------------------------------------------

    def macs_to_render(self, limit: int) -> list[Mac]:
        """Returns phones whose wanted files are not known and whose last try did not fail."""
        query = sa.select(phone.c.mac).where(TO_RENDER).order_by(phone.c.mac).limit(limit)
        with self.database.read() as connection:
            return [Mac(mac) for mac in connection.execute(query).scalars()]

    def render_jobs(self, macs: Sequence[Mac], connection: Connection | None = None) -> list[RenderJob]:
        """Returns the facts of the phones named, in five statements however many they are (at most ``CHUNK``)."""
        if connection is None:
            with self.database.read() as own:
                return self.render_jobs(macs, own)
        phones = connection.execute(sa.select(phone).where(phone.c.mac.in_(macs)).order_by(phone.c.mac)).all()
        lines = connection.execute(
            sa.select(phone_line, extension.c.display_name, extension.c.secret)
            .join(extension, extension.c.number == phone_line.c.extension)
            .where(phone_line.c.mac.in_(macs))
            .order_by(phone_line.c.mac, phone_line.c.line)
        ).all()
        keys = connection.execute(
            sa.select(phone_key, extension.c.display_name)
            .outerjoin(extension, extension.c.number == phone_key.c.value)
            .where(phone_key.c.mac.in_(macs))
            .order_by(phone_key.c.mac, phone_key.c.module, phone_key.c.key)
        ).all()
        sites = _settings_by_name(connection, site, {row.site for row in phones})
        groups = _settings_by_name(connection, phone_group, {row.group for row in phones if row.group})
        lines_of, keys_of = _by_mac(lines), _by_mac(keys)
        return [
            RenderJob(
                PhoneConfig(
                    mac=Mac(row.mac),
                    model=row.model,
                    lines=tuple(self._line(line) for line in lines_of.get(row.mac, ())),
                    keys=tuple(_key(key) for key in keys_of.get(row.mac, ())),
                    settings=self._own_passwords(Mac(row.mac), merged(self._layers(row, sites, groups))),
                    provisioning_url=f"{self.base_url}p/{self.box.token(Mac(row.mac), row.token_epoch)}/",
                    modules=row.modules,
                    firmware=row.firmware,
                ),
                row.revision,
                row.created_at,
            )
            for row in phones
        ]

    def explain(self, mac: Mac, name: str) -> Origin | None:
        """Returns where the phone's setting ``name`` comes from, or None where there is no such phone or setting."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(phone).where(phone.c.mac == mac)).first()
            if row is None:
                return None
            sites = _settings_by_name(connection, site, {row.site})
            groups = _settings_by_name(connection, phone_group, {row.group} if row.group else set())
        return explained(self._layers(row, sites, groups), name)

    def _layers(self, row: Row[Any], sites: Mapping[str, Any], groups: Mapping[str, Any]) -> list[Layer]:
        model = self.catalogue.model(row.model)
        vendor = self.catalogue.vendors.get(row.model.partition("/")[0])
        return [
            self._defaults,
            Layer("installation", "", self.installation),
            Layer("vendor", vendor.id if vendor else "", vendor.settings if vendor else {}),
            Layer("site", row.site, sites.get(row.site, {})),
            Layer("group", row.group or "", groups.get(row.group, {}) if row.group else {}),
            Layer("model", row.model, model.settings if model else {}),
            Layer("phone", row.mac, {**row.settings, **self.secret_settings(row)}),
        ]

    def phone_access(self, record: PhoneRecord) -> PhoneAccess:
        """Returns the phone's own address and its credentials, in clear."""
        url = f"{self.base_url}p/{self.box.token(record.mac, record.token_epoch)}/"
        return PhoneAccess(url, str(record.mac), self.box.phone_password(record.mac, "digest"))

    def secret_settings(self, row: Any) -> dict[str, SettingValue]:
        """Returns a phone row's own settings of type secret, in clear."""
        if not row.secret_settings:
            return {}
        return dict(json.loads(self.box.open(row.secret_settings, f"phone:{row.mac}")))

    def _own_passwords(self, mac: Mac, settings: dict[str, SettingValue]) -> dict[str, SettingValue]:
        for name, purpose in (("admin_password", "admin"), ("user_password", "user")):
            settings[name] = settings.get(name) or self.box.phone_password(mac, purpose)
        return settings

    def _line(self, row: Row[Any]) -> Line:
        secret = self.box.open(row.secret, f"extension:{row.extension}").decode()
        return Line(row.line, row.extension, row.display_name, secret, row.label)

    def own_settings(self, mac: Mac, connection: Connection) -> tuple[dict[str, SettingValue], dict[str, SettingValue]]:
        """Returns a phone's own settings, and those of type secret in clear; empty where there is no such phone."""
        row = connection.execute(sa.select(phone).where(phone.c.mac == mac)).first()
        return (dict(row.settings), self.secret_settings(row)) if row else ({}, {})

    # ---- PBX -----------------------------------------------------------------------------------------------------

    def extensions_to_push(self, limit: int) -> list[tuple[ExtensionRecord, str]]:
        """Returns extensions that the PBX is not known to say as they should be, with their secrets; refused ones come last."""
        query = sa.select(extension).where(BEHIND).order_by(extension.c.pbx_error != "", extension.c.number).limit(limit)
        with self.database.read() as connection:
            return self._with_secrets(connection, query)

    def extensions_with_secrets(
        self, numbers: Iterable[str] | None = None, connection: Connection | None = None
    ) -> list[tuple[ExtensionRecord, str]]:
        """Returns every extension, or those named that exist, with its secret in clear: to compare with the PBX."""
        if connection is None:
            with self.database.read() as own:
                return self.extensions_with_secrets(numbers, own)
        query = sa.select(extension).order_by(extension.c.number)
        if numbers is None:
            return self._with_secrets(connection, query)
        wanted = sorted(numbers)
        chunks = (wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK))
        return [found for chunk in chunks for found in self._with_secrets(connection, query.where(extension.c.number.in_(chunk)))]

    def removals(self) -> list[str]:
        """Returns deleted extensions that the PBX may still know."""
        with self.database.read() as connection:
            return list(connection.execute(sa.select(pbx_removal.c.number).order_by(pbx_removal.c.number)).scalars())

    def promotable(self, limit: int, *, has_pbx: bool) -> list[Mac]:
        """Returns phones whose next files may become live: rendered, and every line known to the PBX as it should be."""
        query = sa.select(phone.c.mac).where(TO_PROMOTE)
        if has_pbx:
            waiting = sa.select(phone_line.c.mac).join(extension, extension.c.number == phone_line.c.extension).where(BEHIND)
            query = query.where(phone.c.mac.not_in(waiting))
        with self.database.read() as connection:
            return [Mac(mac) for mac in connection.execute(query.order_by(phone.c.mac).limit(limit)).scalars()]

    def to_wake(self, limit: int) -> list[tuple[Mac, str, str]]:
        """Returns (phone, model, extension of its first line) of phones with live files that they have not been told of.

        The sites take turns, so that a small one does not wait behind a large one; within a site the phone that waits longest is first.
        """
        turn = sa.func.row_number().over(partition_by=phone.c.site, order_by=(phone.c.live_at, phone.c.mac)).label("turn")
        has_line = sa.exists().where(phone_line.c.mac == phone.c.mac)
        waiting = sa.select(phone.c.mac, phone.c.model, phone.c.live_at, turn).where(TO_WAKE, phone.c.enabled, has_line).subquery()
        line = sa.select(phone_line.c.extension).where(phone_line.c.mac == waiting.c.mac).order_by(phone_line.c.line).limit(1)
        query = sa.select(waiting.c.mac, waiting.c.model, line.scalar_subquery().label("extension"))
        query = query.order_by(waiting.c.turn, waiting.c.live_at, waiting.c.mac).limit(limit)
        with self.database.read() as connection:
            return [(Mac(row.mac), row.model, row.extension) for row in connection.execute(query)]

    def changes_after(self, change_id: int, actions: Sequence[str]) -> list[ChangeRecord]:
        """Returns changes of the kinds named with a number above ``change_id``, oldest first."""
        query = sa.select(change).where(change.c.id > change_id, change.c.action.in_(actions)).order_by(change.c.id).limit(500)
        with self.database.read() as connection:
            return [ChangeRecord(**row._mapping) for row in connection.execute(query)]

    def newest_change(self) -> int:
        """Returns the number of the newest change; 0 where there is none."""
        with self.database.read() as connection:
            return int(connection.execute(sa.select(sa.func.max(change.c.id))).scalar() or 0)

    def meta(self, key: str) -> str | None:
        with self.database.read() as connection:
            return connection.execute(sa.select(meta.c.value).where(meta.c.key == key)).scalar()

    def _with_secrets(self, connection: Connection, query: sa.Select[Any]) -> list[tuple[ExtensionRecord, str]]:
        rows = connection.execute(query).all()
        return [(_extension(row), self.box.open(row.secret, f"extension:{row.number}").decode()) for row in rows]

    # ---- lockstep ------------------------------------------------------------------------------------------------

    def lockstep(self, mac: Mac, *, has_pbx: bool) -> LockstepFacts | None:
        """Returns the facts that the stage of one phone is decided from, or None where there is no such phone."""
        return self.locksteps([mac], has_pbx=has_pbx).get(mac)

    def locksteps(self, macs: Sequence[Mac], *, has_pbx: bool) -> dict[Mac, LockstepFacts]:
        """Returns the facts of each phone named that exists, in four statements."""
        with self.database.read() as connection:
            phones = connection.execute(sa.select(phone).where(phone.c.mac.in_(macs))).all()
            live = connection.execute(
                sa.select(rendered_file.c.mac, rendered_file.c.name, served_file.c.sha256, served_file.c.at, upload.c.name.label("own"))
                .outerjoin(served_file, sa.and_(served_file.c.mac == rendered_file.c.mac, served_file.c.name == rendered_file.c.name))
                .outerjoin(upload, sa.and_(upload.c.mac == rendered_file.c.mac, upload.c.name == rendered_file.c.name))
                .where(rendered_file.c.mac.in_(macs), rendered_file.c.state == "live")
            ).all()
            extensions = connection.execute(
                sa.select(phone_line.c.mac, extension.c.pbx_wanted, extension.c.pbx_verified, extension.c.pbx_error)
                .join(extension, extension.c.number == phone_line.c.extension)
                .where(phone_line.c.mac.in_(macs))
                .order_by(phone_line.c.mac, phone_line.c.line)
            ).all()
            hashes = _live_hashes(connection, macs)
        live_of, extensions_of = _by_mac(live), _by_mac(extensions)
        return {
            Mac(row.mac): _facts(row, live_of.get(row.mac, ()), extensions_of.get(row.mac, ()), hashes.get(row.mac, {}), has_pbx)
            for row in phones
        }

    def stage_counts(self, *, has_pbx: bool) -> dict[str, int]:
        """Returns how many phones are in each stage, every stage named: five statements for each ``CHUNK`` of phones."""
        with self.database.read() as connection:
            macs = [Mac(mac) for mac in connection.execute(sa.select(phone.c.mac).order_by(phone.c.mac)).scalars()]
        counts = dict.fromkeys(map(str, Stage), 0)
        for start in range(0, len(macs), CHUNK):
            for facts in self.locksteps(macs[start : start + CHUNK], has_pbx=has_pbx).values():
                counts[stage(facts)] += 1
        return counts

    def pbx_counts(self) -> dict[str, int]:
        """Returns how many extensions there are, how many the PBX does not yet say as wanted, and how many of those failed."""
        query = sa.select(
            sa.func.count().label("extensions"),
            sa.func.count(sa.case((BEHIND, 1))).label("drift"),
            sa.func.count(sa.case((extension.c.pbx_error != "", 1))).label("errors"),
        ).select_from(extension)
        with self.database.read() as connection:
            return {name: int(value) for name, value in connection.execute(query).one()._mapping.items()}

    # ---- API -----------------------------------------------------------------------------------------------------

    def extensions(
        self, *, after: str = "", limit: int = 100, search: str = "", numbers: Sequence[str] | None = None
    ) -> list[ExtensionRecord]:
        query = sa.select(extension).where(extension.c.number > after).order_by(extension.c.number).limit(limit)
        if numbers is not None:
            query = query.where(extension.c.number.in_(numbers))
        if search:
            pattern = f"%{_like(search)}%"
            query = query.where(extension.c.number.ilike(pattern, escape="\\") | extension.c.display_name.ilike(pattern, escape="\\"))
        with self.database.read() as connection:
            return [_extension(row) for row in connection.execute(query)]

    def extension(self, number: str, connection: Connection | None = None) -> ExtensionRecord | None:
        if connection is None:
            with self.database.read() as own:
                return self.extension(number, own)
        row = connection.execute(sa.select(extension).where(extension.c.number == number)).first()
        return _extension(row) if row else None

    def extension_secret(self, number: str) -> str | None:
        """Returns the SIP password in clear: for ``pbxview`` and for the right to see secrets."""
        with self.database.read() as connection:
            sealed = connection.execute(sa.select(extension.c.secret).where(extension.c.number == number)).scalar()
        return self.box.open(sealed, f"extension:{number}").decode() if sealed else None

    def extension_secrets(self, numbers: Sequence[str]) -> dict[str, str]:
        """Returns the SIP passwords in clear of those named (at most ``CHUNK``): to compare and to export."""
        query = sa.select(extension.c.number, extension.c.secret).where(extension.c.number.in_(numbers))
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return {row.number: self.box.open(row.secret, f"extension:{row.number}").decode() for row in rows}

    def phone_secret_settings(self, macs: Sequence[Mac]) -> dict[Mac, dict[str, SettingValue]]:
        """Returns the phones' own settings of type secret, in clear, of those named (at most ``CHUNK``): to merge and to export."""
        query = sa.select(phone.c.mac, phone.c.secret_settings).where(phone.c.mac.in_(macs))
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return {Mac(row.mac): self.secret_settings(row) for row in rows}

    def phones(
        self,
        *,
        after: str = "",
        limit: int = 100,
        site_name: str = "",
        model: str = "",
        search: str = "",
        macs: Sequence[Mac] | None = None,
    ) -> list[PhoneRecord]:
        """Returns phones in the order of their MAC, with lines and keys, in three statements."""
        query = sa.select(phone).where(phone.c.mac > after).order_by(phone.c.mac).limit(limit)
        if site_name:
            query = query.where(phone.c.site == site_name)
        if model:
            query = query.where(phone.c.model == model)
        if macs is not None:
            query = query.where(phone.c.mac.in_(macs))
        if search:
            pattern = f"%{_like(search)}%"
            on_line = sa.select(phone_line.c.mac).where(phone_line.c.extension.ilike(pattern, escape="\\"))
            bare = f"%{_like(search.replace(':', '').replace('-', '').lower())}%"
            query = query.where(phone.c.mac.like(bare, escape="\\") | phone.c.mac.in_(on_line))
        with self.database.read() as connection:
            return self._phones(connection, connection.execute(query).all())

    def phone(self, mac: Mac, connection: Connection | None = None) -> PhoneRecord | None:
        if connection is None:
            with self.database.read() as own:
                return self.phone(mac, own)
        found = self._phones(connection, connection.execute(sa.select(phone).where(phone.c.mac == mac)).all())
        return found[0] if found else None

    def _phones(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[PhoneRecord]:
        macs = [row.mac for row in rows]
        lines = _by_mac(connection.execute(sa.select(phone_line).where(phone_line.c.mac.in_(macs)).order_by(phone_line.c.line)).all())
        keys = _by_mac(
            connection.execute(sa.select(phone_key).where(phone_key.c.mac.in_(macs)).order_by(phone_key.c.module, phone_key.c.key)).all()
        )
        return [
            PhoneRecord(
                mac=Mac(row.mac),
                model=row.model,
                site=row.site,
                group=row.group,
                enabled=row.enabled,
                modules=row.modules,
                firmware=row.firmware,
                settings=dict(row.settings),
                secret_names=tuple(sorted(self.secret_settings(row))),
                lines=tuple(LineRecord(line.line, line.extension, line.label) for line in lines.get(row.mac, ())),
                keys=tuple(Key(key.module, key.key, key.type, key.value, key.label, key.line) for key in keys.get(row.mac, ())),
                created_at=row.created_at,
                revision=row.revision,
                token_epoch=row.token_epoch,
                opened_at=row.opened_at,
                first_success_at=row.first_success_at,
            )
            for row in rows
        ]

    def phones_of_extension(self, number: str, connection: Connection) -> list[Mac]:
        """Returns the phones whose files name the extension: on a line, or on a key without a label of its own."""
        on_line = sa.select(phone_line.c.mac).where(phone_line.c.extension == number)
        on_key = sa.select(phone_key.c.mac).where(phone_key.c.value == number, phone_key.c.label == "")
        return [Mac(mac) for mac in connection.execute(sa.union(on_line, on_key)).scalars()]

    def phones_of_extensions(self, numbers: Sequence[str], connection: Connection) -> set[Mac]:
        """As ``phones_of_extension`` for however many."""
        found: set[Mac] = set()
        for start in range(0, len(numbers), CHUNK):
            chunk = numbers[start : start + CHUNK]
            on_line = sa.select(phone_line.c.mac).where(phone_line.c.extension.in_(chunk))
            on_key = sa.select(phone_key.c.mac).where(phone_key.c.value.in_(chunk), phone_key.c.label == "")
            found |= {Mac(mac) for mac in connection.execute(sa.union(on_line, on_key)).scalars()}
        return found

    def sites(self, connection: Connection | None = None) -> list[SiteRecord]:
        if connection is None:
            with self.database.read() as own:
                return self.sites(own)
        return [
            SiteRecord(row.name, row.access, tuple(row.trusted_networks), row.enrolment, dict(row.settings), row.revision)
            for row in connection.execute(sa.select(site).order_by(site.c.name))
        ]

    def site(self, name: str, connection: Connection | None = None) -> SiteRecord | None:
        return next((record for record in self.sites(connection) if record.name == name), None)

    def groups(self, connection: Connection | None = None) -> list[GroupRecord]:
        if connection is None:
            with self.database.read() as own:
                return self.groups(own)
        return [
            GroupRecord(row.name, dict(row.settings), row.revision) for row in connection.execute(sa.select(phone_group).order_by("name"))
        ]

    def files(self, mac: Mac) -> list[tuple[FileRecord, bytes]]:
        """Returns every rendered file of a phone with its bytes in clear; the caller masks. ``content`` is left empty."""
        query = sa.select(rendered_file).where(rendered_file.c.mac == mac).order_by(rendered_file.c.state, rendered_file.c.name)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return [
            (
                FileRecord(row.name, row.state, row.sha256, row.size, row.content_type, ""),
                self.box.open(row.body, f"file:{mac}:{row.name}"),
            )
            for row in rows
        ]

    def changes(self, *, before: int | None = None, limit: int = 100, subject: str = "") -> list[ChangeRecord]:
        """Returns changes, newest first."""
        query = sa.select(change).order_by(change.c.id.desc()).limit(limit)
        query = query.where(change.c.id < before) if before is not None else query
        query = query.where(change.c.subject == subject) if subject else query
        with self.database.read() as connection:
            return [ChangeRecord(**row._mapping) for row in connection.execute(query)]

    def fetches(self, *, mac: Mac | None = None, before: int | None = None, limit: int = 100, reason: str = "") -> list[FetchRecord]:
        """Returns fetches, newest first."""
        query = sa.select(fetch).order_by(fetch.c.id.desc()).limit(limit)
        query = query.where(fetch.c.mac == mac) if mac is not None else query
        query = query.where(fetch.c.id < before) if before is not None else query
        query = query.where(fetch.c.reason == reason) if reason else query
        with self.database.read() as connection:
            return [FetchRecord(**row._mapping) for row in connection.execute(query)]

    def sightings(self, *, after: str = "", limit: int = 100, mac: Mac | None = None) -> list[SightingRecord]:
        """Returns phones seen and not listed, in the order of their MAC."""
        query = sa.select(sighting).where(sighting.c.mac > after, ~sighting.c.mac.in_(sa.select(phone.c.mac)))
        query = query.where(sighting.c.mac == mac) if mac is not None else query
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(sighting.c.mac).limit(limit)).all()
        return [SightingRecord(**{**row._mapping, "mac": Mac(row.mac)}) for row in rows]

    def api_tokens(self) -> list[TokenRecord]:
        columns = (api_token.c.name, api_token.c.role, api_token.c.created_at, api_token.c.last_used_at)
        with self.database.read() as connection:
            return [TokenRecord(**row._mapping) for row in connection.execute(sa.select(*columns).order_by(api_token.c.name))]

    def api_token_by_digest(self, digest: str) -> TokenRecord | None:
        columns = (api_token.c.name, api_token.c.role, api_token.c.created_at, api_token.c.last_used_at)
        with self.database.read() as connection:
            row = connection.execute(sa.select(*columns).where(api_token.c.digest == digest)).first()
        return TokenRecord(**row._mapping) if row else None

    def phones_held(self, limit: int = 10) -> list[tuple[Mac, str]]:
        """Returns phones whose last render failed, with the reason, in the order of their MAC."""
        query = sa.select(phone.c.mac, phone.c.error).where(HELD).order_by(phone.c.mac).limit(limit)
        with self.database.read() as connection:
            return [(Mac(row.mac), row.error) for row in connection.execute(query)]

    def counts(self) -> dict[str, int]:
        """Returns how many phones, extensions, phones to render, phones held and sightings there are, and the newest change's number."""
        queries = {
            "phones": sa.select(sa.func.count()).select_from(phone),
            "extensions": sa.select(sa.func.count()).select_from(extension),
            "phones_to_render": sa.select(sa.func.count()).select_from(phone).where(TO_RENDER),
            "phones_held": sa.select(sa.func.count()).select_from(phone).where(HELD),
            "sightings": sa.select(sa.func.count()).select_from(sighting),
            "changes": sa.select(sa.func.max(change.c.id)),
        }
        with self.database.read() as connection:
            return {name: int(connection.execute(query).scalar() or 0) for name, query in queries.items()}


def _in_chunks(connection: Connection, query: sa.Select[Any], column: sa.Column[Any], macs: Iterable[Mac] | None) -> Iterator[Row[Any]]:
    if macs is None:
        yield from connection.execution_options(yield_per=1000).execute(query)
        return
    wanted = list(macs)
    for start in range(0, len(wanted), CHUNK):
        yield from connection.execute(query.where(column.in_(wanted[start : start + CHUNK])))


def _settings_by_name(connection: Connection, table: sa.Table, names: set[str]) -> dict[str, Any]:
    query = sa.select(table.c.name, table.c.settings).where(table.c.name.in_(sorted(names)))
    return {row.name: row.settings for row in connection.execute(query)}


def _by_mac(rows: Iterable[Any]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row.mac, []).append(row)
    return grouped


def _key(row: Row[Any]) -> Key:
    return Key(row.module, row.key, row.type, row.value, row.label or (row.display_name or ""), row.line)


def _extension(row: Row[Any]) -> ExtensionRecord:
    return ExtensionRecord(
        row.number, row.display_name, row.email, row.department, row.revision, row.pbx_wanted, row.pbx_verified, row.pbx_error
    )


def _live_hashes(connection: Connection, macs: Sequence[Mac]) -> dict[str, dict[str, str]]:
    query = sa.select(rendered_file.c.mac, rendered_file.c.name, rendered_file.c.sha256)
    rows = connection.execute(query.where(rendered_file.c.mac.in_(macs), rendered_file.c.state == "live"))
    hashes: dict[str, dict[str, str]] = {}
    for row in rows:
        hashes.setdefault(row.mac, {})[row.name] = row.sha256
    return hashes


def _facts(
    row: Row[Any], live: Sequence[Row[Any]], extensions: Sequence[Row[Any]], hashes: Mapping[str, str], has_pbx: bool
) -> LockstepFacts:
    # A file that the phone replaced by its own upload is served from there: it says nothing of ours.
    served = [(item.name, hashes[item.name] if item.own else item.sha256) for item in live]
    complete = bool(served) and all(sha256 for _, sha256 in served)
    errors = [row.error] if row.error else [f"extension: {item.pbx_error}" for item in extensions if item.pbx_error and has_pbx]
    wanted, verified = _joined(item.pbx_wanted for item in extensions), _joined(item.pbx_verified for item in extensions)
    return LockstepFacts(
        wanted=row.wanted_hash,
        live=row.live_hash,
        served=names_hash(served) if complete else None,
        pbx_wanted=wanted,
        pbx_verified=verified,
        live_at=row.live_at,
        notified_at=row.notified_at,
        fetched_at=max((item.at for item in live if item.at), default=None),
        registered_at=row.registered_at,
        error=errors[0] if errors else "",
        has_lines=bool(extensions),
        has_pbx=has_pbx,
    )


def _joined(hashes: Iterable[str | None]) -> str | None:
    known = list(hashes)
    return None if any(item is None for item in known) or not known else names_hash((str(at), item or "") for at, item in enumerate(known))


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

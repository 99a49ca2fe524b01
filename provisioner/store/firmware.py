"""Reads of firmware: pins, which phones they are for, who was given what, and what phones were seen to run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.core.mac import Mac, try_parse
from provisioner.core.rollout import Pin, Release
from provisioner.models import fetch, phone, registration
from provisioner.models_firmware import firmware_pin, firmware_release
from provisioner.store.base import CHUNK, StoreBase


class PinnedFile(NamedTuple):
    """The image that a phone was given, by its name below ``firmware/``, and the hardware that it is for."""

    file: str
    hardware: str


class ReleaseCounts(NamedTuple):
    """How many phones were given an image, and how many of them were seen to run it."""

    given: int = 0
    confirmed: int = 0


class Seen(NamedTuple):
    """What a phone last said of itself."""

    at: float
    user_agent: str
    by_registration: bool


class FirmwareReads(StoreBase):
    """What rolling out, rendering and serving need."""

    def firmware_pins(self, connection: Connection | None = None) -> list[Pin]:
        """Returns every pin, in the order of its target."""
        if connection is None:
            with self.database.read() as own:
                return self.firmware_pins(own)
        return [_pin(row) for row in connection.execute(sa.select(firmware_pin).order_by(firmware_pin.c.target))]

    def firmware_pin(self, target: str) -> Pin | None:
        """Returns the pin of a target, or None."""
        query = sa.select(firmware_pin).where(firmware_pin.c.target == (try_parse(target) or target))
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return _pin(row) if row else None

    def firmware_targets(self) -> dict[Mac, tuple[str, str | None]]:
        """Returns the model and group of every phone of a model that a pin is for: of those that are enabled and in service."""
        models = sa.select(firmware_pin.c.model)
        query = sa.select(phone.c.mac, phone.c.model, phone.c.group)
        query = query.where(phone.c.enabled, phone.c.retired_at.is_(None), phone.c.model.in_(models))
        with self.database.read() as connection:
            return {Mac(row.mac): (row.model, row.group) for row in connection.execute(query)}

    def firmware_releases(self) -> dict[Mac, Release]:
        """Returns which phones were given an image, and whether they were seen to run it."""
        with self.database.read() as connection:
            return {Mac(row.mac): Release(Mac(row.mac), row.target, row.released_at, row.confirmed_at) for row in _all(connection)}

    def release_counts(self) -> dict[str, ReleaseCounts]:
        """Returns, by the target of a pin, how many phones were given its image; a target that no phone was given is not among them."""
        given, confirmed = sa.func.count(), sa.func.count(firmware_release.c.confirmed_at)
        query = sa.select(firmware_release.c.target, given.label("given"), confirmed.label("confirmed")).group_by(firmware_release.c.target)
        with self.database.read() as connection:
            return {row.target: ReleaseCounts(row.given, row.confirmed) for row in connection.execute(query)}

    def firmware_counts(self) -> dict[str, int]:
        """Returns how many phones were given an image, how many of them run it, and how many roll-outs stopped."""
        given, runs = sa.func.count(), sa.func.count(firmware_release.c.confirmed_at)
        with self.database.read() as connection:
            row = connection.execute(sa.select(given.label("given"), runs.label("runs")).select_from(firmware_release)).one()
            stopped = sa.select(sa.func.count()).select_from(firmware_pin).where(firmware_pin.c.state == "stopped")
            return {"given": int(row.given), "confirmed": int(row.runs), "stopped": int(connection.execute(stopped).scalar() or 0)}

    def pinned_file(self, mac: Mac) -> PinnedFile | None:
        """Returns the image that the phone was given, or None: one indexed read."""
        with self.database.read() as connection:
            return pinned_files(connection, [mac]).get(mac)

    def last_seen(self, macs: Collection[Mac]) -> dict[Mac, list[Seen]]:
        """Returns of each phone named its newest registration and its newest fetch with a User-Agent."""
        wanted, found = sorted(macs), dict[Mac, list[Seen]]()
        newest = sa.select(sa.func.max(fetch.c.id)).where(fetch.c.user_agent != "").group_by(fetch.c.mac)
        with self.database.read() as connection:
            for start in range(0, len(wanted), CHUNK):
                part = wanted[start : start + CHUNK]
                fetches = sa.select(fetch.c.mac, fetch.c.at, fetch.c.user_agent).where(fetch.c.id.in_(newest.where(fetch.c.mac.in_(part))))
                lines = sa.select(registration.c.mac, registration.c.registered_at.label("at"), registration.c.user_agent)
                lines = lines.where(registration.c.mac.in_(part), registration.c.user_agent != "")
                for query, by_registration in ((lines, True), (fetches, False)):
                    for row in connection.execute(query):
                        found.setdefault(Mac(row.mac), []).append(Seen(row.at, row.user_agent, by_registration))
        return found

    def phones_that_register(self, macs: Collection[Mac]) -> set[Mac]:
        """Returns the phones named that have ever been seen to register."""
        wanted = sorted(macs)
        with self.database.read() as connection:
            return {
                Mac(mac)
                for start in range(0, len(wanted), CHUNK)
                for mac in connection.execute(
                    sa.select(registration.c.mac).distinct().where(registration.c.mac.in_(wanted[start : start + CHUNK]))
                ).scalars()
            }


def pinned_files(connection: Connection, macs: Sequence[Mac]) -> dict[Mac, PinnedFile]:
    """Returns the images of the phones named (at most ``CHUNK``) that were given one."""
    query = sa.select(firmware_release.c.mac, firmware_pin.c.file, firmware_pin.c.hardware)
    query = query.join(firmware_pin, firmware_pin.c.target == firmware_release.c.target).where(firmware_release.c.mac.in_(macs))
    return {Mac(row.mac): PinnedFile(row.file, row.hardware) for row in connection.execute(query)}


def _all(connection: Connection) -> Sequence[Any]:
    return connection.execute(sa.select(firmware_release)).all()


def _pin(row: Any) -> Pin:
    return Pin(
        row.target, row.model, row.group, Mac(row.mac) if row.mac else None, row.file, row.sha256, row.version, row.hardware,
        tuple(row.shares), row.share, row.state, row.timeout_s, row.reason, row.revision,
    )  # fmt: skip

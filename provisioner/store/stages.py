"""The stage of many phones at once: ``core.lockstep.stage`` said in SQL, so that ten thousand phones are counted, and filtered, in one statement.

The rule itself lives in ``core.lockstep``. ``tests/store/test_stages.py`` holds the two together over phones in every state.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa

from provisioner.core.lockstep import Stage
from provisioner.models import extension, phone, phone_line, registration, rendered_file, served_file
from provisioner.store.base import StoreBase


class StageReads(StoreBase):
    """Counting and finding phones by stage."""

    def stage_counts(
        self, *, has_pbx: bool, site_names: list[str] | None = None, within: sa.ColumnElement[bool] | None = None
    ) -> dict[str, int]:
        """Returns how many phones are in each stage, every stage named, of all sites or of those named."""
        query = sa.select(self.stage_column(has_pbx=has_pbx)).select_from(phone)
        query = query.where(phone.c.site.in_(site_names)) if site_names is not None else query
        query = query.where(within) if within is not None else query
        with self.database.read() as connection:  # counted here: SQLite works out twice for each row what it groups by
            found = Counter(connection.execute(query).scalars())
        return {str(name): found[str(name)] for name in Stage}

    def stage_column(self, *, has_pbx: bool) -> sa.ColumnElement[str]:
        """Returns the stage of a row of ``phone`` as an expression; its branches stand in the order of ``core.lockstep.stage``."""
        told = sa.and_(phone.c.notified_at >= phone.c.live_at, phone.c.notify_error == "")
        held, unpushed, unregistered = (_of_lines(condition) for condition in self._conditions())
        branches: list[tuple[Any, Any]] = [
            (sa.or_(phone.c.error != "", held) if has_pbx else phone.c.error != "", Stage.HELD),
            (phone.c.retired_at.is_not(None), sa.case((_is_behind(), str(Stage.RETIRING)), else_=str(Stage.RETIRED))),
            (phone.c.wanted_hash.is_(None), Stage.RENDERING),
            *([(unpushed, Stage.PUSHING)] if has_pbx else []),
            (phone.c.live_hash.is_distinct_from(phone.c.wanted_hash), Stage.PROMOTING),
            (_not_served(), sa.case((told, str(Stage.NOTIFIED)), else_=str(Stage.WAITING_FOR_PHONE))),
            *([(unregistered, Stage.WAITING_FOR_REGISTRATION)] if has_pbx else []),
        ]
        return sa.case(
            *((condition, str(found) if isinstance(found, Stage) else found) for condition, found in branches), else_=str(Stage.IN_LOCKSTEP)
        )

    def _conditions(self) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        """What holds a line's phone back: the PBX refused its extension, does not say it yet, or the line has not registered since."""
        newest = sa.select(sa.func.max(served_file.c.since)).where(_of_live_file()).correlate(phone)
        fetched = newest.where(rendered_file.c.mac == phone.c.mac, rendered_file.c.state == "live").scalar_subquery()
        whole = sa.cast(fetched, sa.BigInteger) if self.database.is_sqlite else sa.func.floor(fetched)
        return (
            extension.c.pbx_error != "",
            sa.or_(extension.c.pbx_wanted.is_(None), extension.c.pbx_wanted.is_distinct_from(extension.c.pbx_verified)),
            sa.or_(registration.c.registered_at.is_(None), registration.c.registered_at < whole, fetched.is_(None)),
        )


def _of_live_file() -> sa.ColumnElement[bool]:
    return sa.and_(served_file.c.mac == rendered_file.c.mac, served_file.c.name == rendered_file.c.name)


def _of_lines(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Returns whether ``condition`` is true for any line of the phone."""
    of_line = sa.and_(registration.c.mac == phone_line.c.mac, registration.c.extension == phone_line.c.extension)
    joined = phone_line.join(extension, extension.c.number == phone_line.c.extension).outerjoin(registration, of_line)
    query = sa.select(sa.literal(1)).select_from(joined).where(phone_line.c.mac == phone.c.mac, condition)
    return query.correlate(phone).exists()


def _is_behind() -> sa.ColumnElement[bool]:
    """Returns whether the phone has not fetched what it should have."""
    return sa.or_(phone.c.wanted_hash.is_(None), phone.c.live_hash.is_distinct_from(phone.c.wanted_hash), _not_served())


def _not_served() -> sa.ColumnElement[bool]:
    """Returns whether the phone lacks a live file as it is."""
    live = sa.and_(rendered_file.c.mac == phone.c.mac, rendered_file.c.state == "live")
    same = sa.select(sa.literal(1)).where(_of_live_file(), served_file.c.sha256 == rendered_file.c.sha256)
    there = sa.select(sa.literal(1)).select_from(rendered_file).where(live)
    lacking = there.where(~same.correlate(rendered_file).exists())
    return sa.or_(~there.correlate(phone).exists(), lacking.correlate(phone).exists())

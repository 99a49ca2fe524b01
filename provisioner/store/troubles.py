"""Reads of what people are told without having asked: emergency numbers, phones that are behind, room that recordings take."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.core.lockstep import Stage
from provisioner.core.mac import Mac
from provisioner.models import department, extension, phone, phone_group, site
from provisioner.models_calls import call
from provisioner.store.stages import StageReads

ALWAYS = frozenset({"112", "911"})
"""Emergency numbers wherever they are not somebody's: the two that most countries know."""


class TroubleReads(StageReads):
    """What events are made of that nobody caused."""

    def emergency_numbers(self) -> frozenset[str]:
        """Returns the numbers whose calling is told at once: those of the setting ``emergency_numbers`` at any layer, its default, and 112 and 911.

        None that is somebody's here: an extension of that number is no emergency.
        """
        places = (site.c.settings, phone_group.c.settings, phone.c.settings)
        row = self.catalogue.settings.get("emergency_numbers")
        texts = [row.default if row else "", self.installation.get("emergency_numbers")]
        with self.database.read() as connection:
            for column in places:
                query = sa.select(column).where(sa.cast(column, sa.Text).contains("emergency_numbers"))
                texts += [found.get("emergency_numbers") for found in connection.execute(query).scalars()]
            numbers = {part.strip() for text in texts if isinstance(text, str) for part in text.split(",")} | ALWAYS
            taken = {*connection.execute(sa.select(extension.c.number).where(extension.c.number.in_(numbers))).scalars()}
            taken |= {*connection.execute(sa.select(department.c.number).where(department.c.number.in_(numbers))).scalars()}
        return frozenset(numbers - taken - {""})

    def phones_behind(self, *, has_pbx: bool, limit: int) -> list[tuple[Mac, str]]:
        """Returns phones, and their sites, that were in use once, are enabled, and are not in lockstep; none that is taken out of service."""
        stage = self.stage_column(has_pbx=has_pbx)
        query = sa.select(phone.c.mac, phone.c.site).where(
            phone.c.enabled, phone.c.retired_at.is_(None), phone.c.first_success_at.is_not(None), stage != str(Stage.IN_LOCKSTEP)
        )
        with self.database.read() as connection:
            return [(Mac(row.mac), row.site) for row in connection.execute(query.order_by(phone.c.mac).limit(limit))]

    def recordings_bytes(self) -> int:
        with self.database.read() as connection:
            return int(connection.execute(sa.select(sa.func.sum(call.c.recording_bytes))).scalar() or 0)

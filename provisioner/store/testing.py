"""Reads of test calls, and of what a technician's four lights show."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from provisioner.core.mac import Mac
from provisioner.models import fetch
from provisioner.models_testcall import test_call
from provisioner.records_enrolment import TestCallRecord
from provisioner.store.base import StoreBase


class TestingReads(StoreBase):
    """What came of trying a phone."""

    __test__ = False  # its name is no test's

    def test_call(self, mac: Mac) -> TestCallRecord | None:
        """Returns the last test call of a phone, or None."""
        query = sa.select(test_call).where(test_call.c.mac == mac)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return TestCallRecord(**{**row._mapping, "mac": mac}) if row else None

    def test_calls(self, states: Collection[str], limit: int = 20) -> list[TestCallRecord]:
        """Returns test calls in one of these states, the oldest first."""
        query = sa.select(test_call).where(test_call.c.state.in_(sorted(states))).order_by(test_call.c.asked_at).limit(limit)
        with self.database.read() as connection:
            return [TestCallRecord(**{**row._mapping, "mac": Mac(row.mac)}) for row in connection.execute(query)]

    def seen_at(self, mac: Mac) -> float | None:
        """Returns when the phone last asked for anything, however it was answered; None where no kept fetch is its."""
        query = sa.select(fetch.c.at).where(fetch.c.mac == mac).order_by(fetch.c.id.desc()).limit(1)
        with self.database.read() as connection:
            return connection.execute(query).scalar()

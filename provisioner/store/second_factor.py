"""Reads of the second factor of people: set-ups that are not confirmed, recovery codes that are left."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models_second_factor import codes_setup, recovery_code
from provisioner.store.base import StoreBase


class SecondFactorReads(StoreBase):
    """One-time codes before they count, and what stands in for a lost device."""

    def codes_setup(self, name: str, since: float) -> bytes | None:
        """Returns the secret that a user is setting one-time codes up with, in clear; None where none was made ``since``."""
        query = sa.select(codes_setup.c.secret).where(codes_setup.c.name == name, codes_setup.c.made_at >= since)
        with self.database.read() as connection:
            sealed = connection.execute(query).scalar()
        return None if sealed is None else self.box.open(sealed, f"codes_setup:{name}")

    def recovery_codes_left(self, name: str) -> int:
        """Returns how many recovery codes a user has not used yet."""
        query = sa.select(sa.func.count()).select_from(recovery_code).where(recovery_code.c.name == name)
        with self.database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def has_recovery_code(self, name: str, digest: str) -> bool:
        """Returns whether an unused recovery code of a user has this digest."""
        query = sa.select(sa.literal(1)).where(recovery_code.c.name == name, recovery_code.c.digest == digest)
        with self.database.read() as connection:
            return connection.execute(query).first() is not None

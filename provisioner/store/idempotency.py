"""Reads of answers that are given again."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models_api import idempotency_key
from provisioner.records_api import KeptAnswer
from provisioner.store.base import StoreBase


class IdempotencyReads(StoreBase):
    """Answers by the key that they were asked for with."""

    def kept_answer(self, digest: str) -> KeptAnswer | None:
        with self.database.read() as connection:
            row = connection.execute(sa.select(idempotency_key).where(idempotency_key.c.digest == digest)).first()
        if row is None:
            return None
        answer = self.box.open(row.answer, f"idempotency:{digest}") if row.answer else b""
        return KeptAnswer(row.request, row.at, row.status, answer)

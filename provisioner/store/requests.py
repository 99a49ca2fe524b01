"""Reads of what is asked of the worker, and of what it last said of the PBX."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from provisioner.models import UNANSWERED, meta, pbx_request
from provisioner.records import PBXRequest
from provisioner.store.base import StoreBase

PBX_FACTS = "pbx_facts"
PBX_BUSY = "pbx_busy"


class RequestReads(StoreBase):
    """What passes between the worker and the other processes through the database."""

    def pbx_requests_open(self, limit: int) -> list[PBXRequest]:
        """Returns what was asked and not answered, oldest first."""
        query = sa.select(pbx_request).where(UNANSWERED).order_by(pbx_request.c.id).limit(limit)
        with self.database.read() as connection:
            return [PBXRequest(**row._mapping) for row in connection.execute(query)]

    def pbx_answer(self, request_id: int) -> Any:
        """Returns the worker's answer, or None while there is none."""
        with self.database.read() as connection:
            return connection.execute(sa.select(pbx_request.c.answer).where(pbx_request.c.id == request_id)).scalar()

    def pbx_facts(self) -> dict[str, Any]:
        """Returns what the worker last said of the PBX, as ``worker.facts`` writes it; empty where it never did."""
        return dict(self._json(PBX_FACTS) or {})

    def pbx_busy(self) -> frozenset[str]:
        """Returns the numbers that were last seen in a call or ringing."""
        return frozenset(self._json(PBX_BUSY) or ())

    def _json(self, key: str) -> Any:
        with self.database.read() as connection:
            text = connection.execute(sa.select(meta.c.value).where(meta.c.key == key)).scalar()
        return json.loads(text) if text else None

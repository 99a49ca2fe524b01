"""Writes of answers that are given again: bounded in number, in size and in time."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.changes.unit import UnitMaker
from provisioner.models_api import idempotency_key

KEPT_S = 86_400
KEPT = 10_000
"""Answers in all; the oldest go first."""
LARGEST_BYTES = 256 * 1024
"""An answer that is larger is not kept, and its key not either: no POST of this API answers with so much."""


class IdempotencyWrites(UnitMaker):
    """Claims keys, keeps answers, lets go of them."""

    def claim_key(self, digest: str, request: str) -> bool:
        """Notes that a request with this key is being worked on; False where there is one already, or its answer."""
        now = self.clock()
        with self.store.database.write() as connection:
            connection.execute(idempotency_key.delete().where(idempotency_key.c.at < now - KEPT_S))
            if connection.execute(sa.select(idempotency_key.c.at).where(idempotency_key.c.digest == digest)).first():
                return False
            newest = sa.select(idempotency_key.c.at).order_by(idempotency_key.c.at.desc()).offset(KEPT - 1).limit(1)
            oldest_kept = connection.execute(newest).scalar()
            if oldest_kept is not None:
                connection.execute(idempotency_key.delete().where(idempotency_key.c.at <= oldest_kept))
            connection.execute(idempotency_key.insert().values(digest=digest, request=request, at=now))
            return True

    def keep_answer(self, digest: str, status: int, answer: bytes) -> None:
        """Keeps what a claimed key was answered with."""
        if len(answer) > LARGEST_BYTES:
            self.release_key(digest)
            return
        sealed = self.store.box.seal(answer, f"idempotency:{digest}")  # an answer may hold a token that is shown this once
        with self.store.database.write() as connection:
            statement = idempotency_key.update().where(idempotency_key.c.digest == digest)
            connection.execute(statement.values(status=status, answer=sealed))

    def release_key(self, digest: str) -> None:
        """Forgets a key, so that the request may be sent again."""
        with self.store.database.write() as connection:
            connection.execute(idempotency_key.delete().where(idempotency_key.c.digest == digest))

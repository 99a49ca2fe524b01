"""What is asked of the worker, which alone talks to the PBX: a row, so that it is answered whichever process asks."""

from __future__ import annotations

from typing import Any

from provisioner.changes.unit import UnitMaker
from provisioner.models import pbx_request

KEPT_S = 3600.0


class AskingWrites(UnitMaker):
    """Asks the worker; and keeps what was asked of the PBX itself."""

    def note(self, actor: str, action: str, subject: str, about: Any) -> None:
        """Appends to the audit what ``actor`` did that no row shows, e.g. ``pbx.restart``."""
        with self.unit(actor) as unit:
            unit.log(action, subject, None, about)

    def ask_pbx(self, actor: str, what: str, *, confirmed: bool = False) -> int:
        """Asks for a ``plan``, or to ``sync`` (over the guard where ``confirmed``); returns the number that the answer is found by."""
        with self.unit(actor) as unit:
            unit.connection.execute(pbx_request.delete().where(pbx_request.c.at < unit.at - KEPT_S))
            row = {"at": unit.at, "actor": actor, "what": what, "confirmed": confirmed}
            number = unit.connection.execute(pbx_request.insert().values(**row).returning(pbx_request.c.id)).scalar_one()
            if what == "sync":
                unit.log("pbx.sync", "pbx", None, {"confirmed": confirmed})
            return int(number)

"""Events that nobody did: the server found them. They stand among the changes, so that webhooks, e-mail and people are told in one way."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.changes.unit import UnitMaker

SERVER = "server"
"""The actor of what nobody did."""


class Telling(UnitMaker):
    """Appends events."""

    def tell(self, action: str, subject: str, about: Mapping[str, object], phones: int = 0) -> None:
        """Appends an event; ``about`` carries no secret, and its ``site``, where it has one, says whose it is."""
        with self.unit(SERVER) as unit:
            unit.log(action, subject[:64], None, dict(about), phones)

    def tell_once(self, action: str, subject: str, about: Mapping[str, object]) -> bool:
        """Appends an event unless there is one of this kind and subject; returns whether it did."""
        if self.store.changes(subject=subject[:64], actions=[action], limit=1):
            return False
        self.tell(action, subject, about)
        return True

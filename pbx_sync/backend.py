"""The seam to a PBX: four methods. A new PBX implements them and passes ``tests/contract/``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from pbx_sync.plan import Plan
from pbx_sync.state import Contact, State


class PBXUnavailable(Exception):
    """The PBX does not answer, or not sensibly. Nothing is known of what it says; try again later."""


class Backend(Protocol):
    """A PBX."""

    def read(self, numbers: Collection[str] | None = None) -> State:
        """Returns what the PBX says of the numbers given, or of all that carry our mark. Raises ``PBXUnavailable``."""

    def apply(self, plan: Plan) -> dict[str, str]:
        """Does what the plan says; repeating it is harmless. Returns number -> reason for each object that the PBX refused.

        Raises ``PBXUnavailable``; then any part of the plan may have been done.
        """

    def notify(self, number: str, event: str) -> int:
        """Sends a NOTIFY with that Event to every contact of the number; returns to how many. Raises ``PBXUnavailable``."""

    def contacts(self) -> Sequence[Contact]:
        """Returns every registration. Raises ``PBXUnavailable``."""

"""The seam to a PBX. A new PBX implements it and passes ``tests/contract/``.

Four methods carry the lockstep: read, apply, notify, contacts. Two more tell what a person asks: who is in a call, what the PBX is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from pbx_sync.plan import Plan
from pbx_sync.state import About, Contact, State


class PBXUnavailable(Exception):
    """The PBX does not answer, or not sensibly. Nothing is known of what it says; try again later."""


class Backend(Protocol):
    """A PBX."""

    def read(self, numbers: Collection[str] | None = None) -> State:
        """Returns what the PBX says of the numbers given, or of all that carry our mark. Raises ``PBXUnavailable``."""

    def apply(self, plan: Plan) -> dict[str, str]:
        """Does what the plan says; repeating it is harmless. Returns number -> reason for each object that the PBX refused.

        An object of that number which does not carry our mark is refused and left as it is. Raises ``PBXUnavailable``; then any part of
        the plan may have been done.
        """

    def notify(self, number: str, event: str, uris: Collection[str] | None = None) -> int:
        """Sends a NOTIFY with that Event to the number's contacts, or to those of them whose URI is in ``uris``.

        Returns to how many it was handed; whether a phone got it is known only by what the phone does. Raises ``PBXUnavailable``.
        """

    def contacts(self) -> Sequence[Contact]:
        """Returns every registration, as of now; cheap enough to be asked several times a second. Raises ``PBXUnavailable``."""

    def busy(self) -> frozenset[str]:
        """Returns the numbers that are in a call or ringing, as of now; as cheap as ``contacts``. Raises ``PBXUnavailable``."""

    def about(self) -> About:
        """Returns what the PBX says of itself. Raises ``PBXUnavailable``."""

    def close(self) -> None:
        """Lets go of every connection. The backend may be used again: it connects anew."""

"""What every redirect service can be asked, and the two ways in which it says no."""

from __future__ import annotations

from typing import Protocol

from provisioner.core.mac import Mac


class Refused(Exception):
    """The service understood and will not: asking again changes nothing until somebody does something. The message is for people."""


class Away(Exception):
    """The service did not answer, or not sensibly: it is asked again later. The message is for people."""


class RedirectService(Protocol):
    """One account at one service. Each method raises ``Refused`` or ``Away``; asking twice for the same does no harm."""

    def register(self, mac: Mac, url: str, serial: str) -> None:
        """Ensures that the phone is told ``url``, or the account's own address where the service knows no other."""

    def unregister(self, mac: Mac) -> None:
        """Ensures that the phone is not told anything by this account."""

    def is_registered(self, mac: Mac) -> bool:
        """Returns whether the account has the phone."""

"""Test calls: the PBX rings one phone and says its number to whoever answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class TestCalls(Protocol):
    """What a PBX needs to offer for a phone to be tried. Both raise ``PBXUnavailable``."""

    def ring(self, name: str, number: str, uri: str) -> str:
        """Rings the number's phone at ``uri``; ``name`` (letters and digits) is what its outcome is found by. Returns why it cannot, or ""."""

    def outcomes(self) -> Mapping[str, str]:
        """Returns name -> outcome of the calls that ended since it was last asked, and forgets them: ``HEARD``, or a DIALSTATUS of Asterisk."""

"""Calls under way, for API and pages: asked of the PBX itself, once a moment however many ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.calllog import ask_calls_now
from pbx_sync.backend import PBXUnavailable
from pbx_sync.calls import CallNow
from provisioner.bundled import bundled_address
from provisioner.errors import ProvisionerError
from provisioner.settings import Settings

__all__ = ["CallNow", "KeptCalls", "NoCallsNow", "calls_now"]
KEPT_S = 1.0


class NoCallsNow(ProvisionerError):
    """The PBX does not tell which calls there are."""

    reason = "not_ready"


class KeptCalls:
    """The calls as they were a moment ago. Whoever asks while one looks waits for that look."""

    def __init__(self, look: Callable[[], Sequence[CallNow]], clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._found: Sequence[CallNow] = ()
        self._found_at: float | None = None

    def get(self) -> Sequence[CallNow]:
        """Returns the calls under way, the longest first. Raises ``NoCallsNow``."""
        with self._lock:
            if self._found_at is None or self._clock() - self._found_at >= KEPT_S:
                self._found = self._look()
                self._found_at = self._clock()
            return self._found


def calls_now(settings: Settings) -> Sequence[CallNow]:
    """Returns the calls that are under way at the PBX, an external one's too; without an Asterisk there are none. Raises ``NoCallsNow``."""
    address = _address(settings)
    try:
        return ask_calls_now(address) if address else []
    except PBXUnavailable as error:
        raise NoCallsNow(str(error)) from error


def _address(settings: Settings) -> AsteriskAddress | None:
    if settings.pbx == "bundled":
        return bundled_address(settings)
    if settings.pbx == "external" and settings.pbx_ami_address is not None:
        host, port = settings.pbx_ami_address
        return AsteriskAddress(host, port, settings.pbx_ami_user, settings.pbx_ami_password)
    return None

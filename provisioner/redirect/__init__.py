"""The makers' redirect services behind one small interface.

A phone fresh from the factory asks its maker where its server is. ``SERVICES`` are the services that can be spoken to; which of them a
vendor has, and at which address, is the catalogue's to say. What lives here: one client for each. What does not: when it is asked, and what
becomes of it (``worker.redirecting``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from provisioner.redirect.gdms import GDMS
from provisioner.redirect.interface import Away, RedirectService, Refused
from provisioner.redirect.wire import Wire
from provisioner.redirect.ymcs import YMCS
from provisioner.redirect.ztp import ZTP

__all__ = ["SERVICES", "Away", "RedirectService", "Refused", "ServiceKind", "open_service"]


class ServiceKind(NamedTuple):
    """What a service needs, and what it can do."""

    title: str
    fields: tuple[str, ...]
    """Of an account there; all are needed, and kept as secrets."""
    has_own_address: bool
    """Each phone may be given an address of its own; otherwise all get the one that was set in the service."""
    needs_serial: bool
    make: Callable[[Wire, Mapping[str, str]], RedirectService]


SERVICES: Mapping[str, ServiceKind] = {
    "ymcs": ServiceKind("YMCS, RPS management", ("access_key_id", "access_key_secret", "server_id"), True, False, YMCS),
    "gdms": ServiceKind("GDMS", ("client_id", "client_secret", "username", "password", "site_id"), False, True, GDMS),
    "ztp": ServiceKind("ZTP", ("api_key", "profile"), False, False, ZTP),
}


def open_service(kind: str, address: str, fields: Mapping[str, str]) -> RedirectService:
    """Returns a client of the service; connects to nothing yet."""
    return SERVICES[kind].make(Wire(address, tuple(fields.values())), fields)

"""ZTP: devices by MAC, each under a profile that carries the server's address. Source: SOURCES.md of the vendor that has it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from provisioner.core.mac import Mac
from provisioner.redirect.wire import Wire

_BASE = "/v1/devices"


class ZTP:
    """One API key and one profile."""

    def __init__(self, wire: Wire, fields: Mapping[str, str]) -> None:
        self._wire = wire
        self._profile = fields["profile"]
        self._headers = {"API-KEY": fields["api_key"], "Accept": "application/json"}

    def register(self, mac: Mac, url: str, serial: str) -> None:
        """Puts the device under the profile; ``url`` and ``serial`` are of no use here."""
        body = json.dumps({"id": str(mac), "profile": self._profile}).encode()
        reply = self._wire.exchange("POST", _BASE, {**self._headers, "Content-Type": "application/json"}, body)
        if reply.status >= 300 and not (reply.status in {400, 409, 422} and self.is_registered(mac)):
            raise self._wire.refused(reply.body, reply.status)

    def unregister(self, mac: Mac) -> None:
        reply = self._wire.exchange("DELETE", f"{_BASE}/{mac}", self._headers)
        if reply.status >= 300 and reply.status != 404:
            raise self._wire.refused(reply.body, reply.status)

    def is_registered(self, mac: Mac) -> bool:
        reply = self._wire.exchange("GET", f"{_BASE}/{mac}", self._headers)
        if reply.status == 404:
            return False
        if reply.status >= 300 or not isinstance(reply.body, dict):
            raise self._wire.refused(reply.body, reply.status)
        return bool(reply.body.get("profile", self._profile) == self._profile)

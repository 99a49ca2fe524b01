"""ZTP: devices by MAC, each under a profile that carries the server's address. Source: SOURCES.md of the vendor that has it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from provisioner.core.mac import Mac
from provisioner.redirect.wire import Reply, Wire

_BASE = "/v1/devices"
_MAY_BE_THERE = frozenset({400, 409, 422})
"""Answers to a device that the account may have already: it is then asked whether it has."""


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
        if reply.status >= 300 and reply.status not in _MAY_BE_THERE:
            raise self._wire.refused(reply.body, reply.status)
        if self._is_ours(reply, mac) or self.is_registered(mac):
            return
        raise self._wire.refused(reply.body, reply.status) if reply.status >= 300 else self._wire.unknown(reply, "profile")

    def unregister(self, mac: Mac) -> None:
        reply = self._wire.exchange("DELETE", f"{_BASE}/{mac}", self._headers)
        if reply.status >= 300 and reply.status != 404:
            raise self._wire.refused(reply.body, reply.status)
        if reply.status not in {204, 404} and self.is_registered(mac):
            raise self._wire.unknown(reply, "profile")

    def is_registered(self, mac: Mac) -> bool:
        reply = self._wire.exchange("GET", f"{_BASE}/{mac}", self._headers)
        if reply.status == 404:
            return False
        if reply.status >= 300:
            raise self._wire.refused(reply.body, reply.status)
        if not isinstance(reply.body, dict) or "profile" not in reply.body:
            raise self._wire.unknown(reply, "profile")
        return bool(reply.body["profile"] == self._profile)

    def _is_ours(self, reply: Reply, mac: Mac) -> bool:
        """Returns whether an answer shows the device under our profile."""
        body = reply.body if reply.status < 300 and isinstance(reply.body, dict) else {}
        return str(body.get("id", "")).replace(":", "").lower() == mac and body.get("profile") == self._profile

"""YMCS: the redirect service's devices by MAC, each with an address of its own. Source: SOURCES.md of the vendor that has it."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from provisioner.core.mac import Mac
from provisioner.redirect.interface import Refused
from provisioner.redirect.wire import Reply, Wire

_EXISTS = ("exist", "already")


class YMCS:
    """One access key and the server that its devices belong to. The token is asked for once, and again when it is refused."""

    def __init__(self, wire: Wire, fields: Mapping[str, str]) -> None:
        self._wire = wire
        self._server = fields["server_id"]
        pair = f"{fields['access_key_id']}:{fields['access_key_secret']}"
        self._basic = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        wire.hide("basic", self._basic.removeprefix("Basic "))
        self._token = ""

    def register(self, mac: Mac, url: str, serial: str) -> None:
        """Adds the device with ``url``; one that the account has already is taken off first, for its address may be another."""
        self._wire.hide("url", url, urlsplit(url).path.strip("/"))  # an install link: whoever has it gets the phone's configuration
        device = {"mac": str(mac), "serverId": self._server, "uniqueServerUrl": url}
        said = self._failures("/v2/rps/addDevicesByMac", [device])
        if said and any(word in said.lower() for word in _EXISTS) and self.is_registered(mac):
            self.unregister(mac)
            said = self._failures("/v2/rps/addDevicesByMac", [device])
        if said:
            raise Refused(self._wire.clean(said))

    def unregister(self, mac: Mac) -> None:
        said = self._failures("/v2/rps/delDevices", {"deviceIdType": "mac", "deviceIds": [str(mac)]})
        if said and self.is_registered(mac):
            raise Refused(self._wire.clean(said))

    def is_registered(self, mac: Mac) -> bool:
        reply = self._call("/v2/rps/listDevices", {"skip": 0, "limit": 10, "autoCount": True, "filter": {"mac": str(mac)}})
        rows = reply.body.get("data", "") if isinstance(reply.body, dict) else ""
        if rows is None:  # so it says that there is none
            return False
        if not isinstance(rows, list):
            raise self._wire.unknown(reply, "data")
        return any(isinstance(row, dict) and str(row.get("mac", "")).replace(":", "").lower() == mac for row in rows)

    def _failures(self, path: str, body: Any) -> str:
        """Returns what a batch says went wrong, empty where nothing did: it answers 200 even where nothing was done."""
        reply = self._call(path, body)
        count = reply.body.get("failureCount") if isinstance(reply.body, dict) else None
        if not isinstance(count, int):
            raise self._wire.unknown(reply, "failureCount")
        return _first_error(reply.body) if count else ""

    def _call(self, path: str, body: Any) -> Reply:
        reply = self._send(path, body) if self._token else None
        if reply is None or reply.status == 401:
            self._token = self._new_token()
            reply = self._send(path, body)
        if reply.status >= 300:
            raise self._wire.refused(reply.body, reply.status)
        return reply

    def _send(self, path: str, body: Any) -> Reply:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", **_fresh()}
        return self._wire.exchange("POST", path, headers, json.dumps(body).encode())

    def _new_token(self) -> str:
        headers = {"Authorization": self._basic, "Content-Type": "application/json", **_fresh()}
        return self._wire.token(self._wire.exchange("POST", "/v2/token", headers, b'{"grant_type": "client_credentials"}'))


def _fresh() -> dict[str, str]:
    return {"timestamp": str(int(time.time() * 1000)), "nonce": secrets.token_hex(16)}


def _first_error(body: Mapping[str, Any]) -> str:
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return str(first.get("errorInfo") or first.get("msg") or "the service did not say why")

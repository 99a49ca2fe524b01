"""GDMS: devices by MAC and serial number in a site, whose template carries the server's address. Source: SOURCES.md of the vendor that has it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from provisioner.core.mac import Mac
from provisioner.redirect.interface import Refused
from provisioner.redirect.wire import Reply, Wire

_ROOT = "/oapi/v1.0.0"


class GDMS:
    """One API client, one user, one site. Every call is signed; the token is asked for anew when it is refused."""

    def __init__(self, wire: Wire, fields: Mapping[str, str]) -> None:
        self._wire = wire
        self._fields = fields
        self._password = login_password(fields["password"])
        wire.hide("password", self._password)  # as good as the password itself
        self._token = ""

    def register(self, mac: Mac, url: str, serial: str) -> None:
        """Adds the device to the site; ``url`` is of no use here."""
        if not serial:
            raise Refused("this service needs the phone's serial number: it is on the label")
        site = self._fields["site_id"]
        device = {"mac": _spelled(mac), "sn": serial, "siteId": int(site) if site.isdigit() else site}
        said = self._said(self._call("/device/add", [device]))
        if said and not (_is_there(said) and self.is_registered(mac)):
            raise Refused(self._wire.clean(said))

    def unregister(self, mac: Mac) -> None:
        said = self._said(self._call("/device/delete", {"macList": [_spelled(mac)]}))
        if said and self.is_registered(mac):
            raise Refused(self._wire.clean(said))

    def is_registered(self, mac: Mac) -> bool:
        reply = self._call("/device/list", {"mac": _spelled(mac), "pageNum": 1, "pageSize": 10})
        said = self._said(reply)
        if said:
            raise Refused(self._wire.clean(said))
        data = reply.body.get("data")
        rows = data.get("result") if isinstance(data, dict) else None
        if not isinstance(rows, list):
            raise self._wire.unknown(reply, "data.result")
        for field in ("mac", "siteId"):
            if not all(isinstance(row, dict) and field in row for row in rows):
                raise self._wire.unknown(reply, f"data.result[].{field}")
        ours = self._fields["site_id"]
        return any(str(row["mac"]).upper() == _spelled(mac) and str(row["siteId"]) == ours for row in rows)

    def _said(self, reply: Reply) -> str:
        """Returns what the service says is wrong, empty where it says that all is well. Raises ``Away`` where it says neither."""
        if not isinstance(reply.body, dict) or not isinstance(reply.body.get("retCode"), int):
            raise self._wire.unknown(reply, "retCode")
        return _message(reply)

    def _call(self, path: str, body: Any) -> Reply:
        raw = json.dumps(body).encode()
        reply = self._send(path, raw) if self._token else None
        if reply is None or reply.status == 401 or "token" in _message(reply).lower():
            self._token = self._new_token()
            reply = self._send(path, raw)
        if reply.status >= 300:
            raise self._wire.refused(reply.body, reply.status)
        return reply

    def _send(self, path: str, raw: bytes) -> Reply:
        now = str(int(time.time() * 1000))
        signed = {"access_token": self._token, "client_id": self._fields["client_id"], "client_secret": self._fields["client_secret"]}
        query = {"access_token": self._token, "timestamp": now, "signature": signature({**signed, "timestamp": now}, raw)}
        return self._wire.exchange("POST", f"{_ROOT}{path}?{urlencode(query)}", {"Content-Type": "application/json"}, raw)

    def _new_token(self) -> str:
        fields = {name: self._fields[name] for name in ("username", "client_id", "client_secret")}
        form = {**fields, "password": self._password, "grant_type": "password"}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return self._wire.token(self._wire.exchange("POST", "/oapi/oauth/token", headers, urlencode(form).encode()))


def signature(parameters: Mapping[str, str], body: bytes) -> str:
    """Returns the signature of a call: SHA-256 of the sorted parameters and of the body's SHA-256, each closed by ``&``."""
    text = "&" + "&".join(f"{name}={parameters[name]}" for name in sorted(parameters)) + "&"
    return _sha256((text + f"{_sha256(body)}&" if body else text).encode())


def login_password(password: str) -> str:
    """Returns the password as the service wants it: SHA-256 of the hex digits of its MD5, which is their form and no protection."""
    return _sha256(hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _spelled(mac: Mac) -> str:
    return mac.colons.upper()


def _message(reply: Reply) -> str:
    body = reply.body if isinstance(reply.body, dict) else {}
    return "" if body.get("retCode", 0) == 0 else str(body.get("msg") or f"retCode {body.get('retCode')}")


def _is_there(said: str) -> bool:
    said = said.lower()
    return "exist" in said and "not exist" not in said

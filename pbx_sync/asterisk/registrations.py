"""Registrations as Asterisk lists them, in the two ways that it has: for one endpoint, and all of them as they lie in AstDB. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pbx_sync.asterisk.ami import Reply
from pbx_sync.asterisk.objects import REGISTRATION_S

_HOST = re.compile(r"^sips?:(?:[^@;?]*@)?(\[[0-9A-Fa-f:.]+\]|[^:;?>]+)(?::(\d+))?")


@dataclass(frozen=True, slots=True)
class Registration:
    """A contact. ``runs_out_at`` is by Asterisk's clock; ``at``, when it was made or refreshed, by ours."""

    uri: str
    user_agent: str
    call_id: str
    runs_out_at: int
    at: float = 0.0

    @property
    def made_at(self) -> int:
        """The second that it was made or refreshed in, by Asterisk's clock: every registration lasts equally long."""
        return self.runs_out_at - REGISTRATION_S

    @property
    def source(self) -> tuple[str, str]:
        """IP address and port that it came from: Asterisk writes them into the URI (``rewrite_contact``)."""
        found = _HOST.match(self.uri)
        return (found[1].strip("[]"), found[2] or "5060") if found else ("", "")

    def is_same(self, other: Registration) -> bool:
        """Whether nothing happened between the two."""
        return replace(self, at=other.at) == other


def registrations_of_endpoint(reply: Reply) -> dict[str, Registration]:
    """Returns AstDB key -> registration, from the answer to ``PJSIPShowEndpoint``."""
    details = (item for item in reply.items if item.get("Event") == "ContactStatusDetail")
    return {item["ID"]: Registration(item["URI"], item["UserAgent"], item["CallID"], int(item["RegExpire"] or 0)) for item in details}


def registrations_of_tree(reply: Reply) -> dict[str, dict[str, Registration]]:
    """Returns number -> AstDB key -> registration, from the answer to ``DBGetTree`` of ``registrar/contact``."""
    found: dict[str, dict[str, Registration]] = {}
    for item in reply.items:
        name = item.get("Key", "").removeprefix("/registrar/contact/")
        number, _, rest = name.partition(";@")
        registration = _parsed(item.get("Val", ""))
        if rest and registration is not None:
            found.setdefault(number, {})[name] = registration
    return found


def _parsed(value: str) -> Registration | None:
    try:
        row: Mapping[str, str] = json.loads(value)
        return Registration(row["uri"], row.get("user_agent", ""), row.get("call_id", ""), int(row["expiration_time"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # half a row, or one that a hand wrote: Asterisk has no such contact either

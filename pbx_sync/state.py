"""What a PBX should say, and what it says: the same type, so that a difference is a comparison."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One extension as the PBX knows it: endpoint, credentials, address of record, mailbox and caller id."""

    number: str
    display_name: str
    secret: str = field(repr=False)
    email: str = ""
    department: str = ""

    @property
    def hash(self) -> str:
        """Equal for equal endpoints only; says nothing of the secret to whoever sees it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


State = Mapping[str, Endpoint]
"""Number -> endpoint. Only objects that carry our mark are ever in it."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A registration. ``registered_at`` in seconds since the epoch."""

    number: str
    uri: str
    user_agent: str
    registered_at: float

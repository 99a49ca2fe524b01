"""What a PBX should say, and what it says: the same type, so that a difference is a comparison."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

OTHER_FORM = "another version of this program wrote it"
"""The deviation of an object that was written in another form than today's. Putting it into today's is no change that anybody made."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One extension as the PBX knows it: endpoint, credentials, address of record, mailbox, caller id and pickup group.

    ``former_secrets``, newest first, are taken besides ``secret`` while phones move from one to the next. ``deviations`` is what a PBX
    says of the extension that nobody asked for ("endpoint.context is 'wrong'", never with a secret in it): desired state has none, so
    that whatever a hand changed is a difference.
    """

    number: str
    display_name: str
    secret: str = field(repr=False)
    email: str = ""
    department: str = ""
    former_secrets: tuple[str, ...] = field(default=(), repr=False)
    record_calls: bool = False
    deviations: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """Equal for equal endpoints only; says nothing of the secrets to whoever sees it."""
        return _hash("endpoint", self)

    @property
    def label(self) -> str:
        """The name that a person reads in a plan."""
        return self.display_name


@dataclass(frozen=True, slots=True)
class RingGroup:
    """A number that rings every member at once: a department that can be called."""

    number: str
    name: str
    members: tuple[str, ...]
    """Numbers of extensions, sorted."""
    deviations: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """Equal for equal groups only."""
        return _hash("group", self)

    @property
    def label(self) -> str:
        """The name that a person reads in a plan."""
        return f"{self.name} ({len(self.members)} members)"


PBXObject = Endpoint | RingGroup
State = Mapping[str, PBXObject]
"""Number -> object: extensions and ring groups share one space of numbers. Only objects that carry our mark are ever in it."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A registration. ``registered_at`` in seconds since the epoch; ``address`` is where the REGISTER came from (an IP address)."""

    number: str
    uri: str
    user_agent: str
    registered_at: float
    address: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What a PBX says of itself. ``started_at`` in seconds since the epoch; ``channels`` are the calls' legs at this moment."""

    version: str
    started_at: float
    channels: int


def _hash(kind: str, item: PBXObject) -> str:
    said = asdict(item)
    if not said.get("record_calls"):  # as before there were recordings: what was verified then still is
        said.pop("record_calls", None)
    return hashlib.sha256(json.dumps([kind, said], sort_keys=True).encode()).hexdigest()

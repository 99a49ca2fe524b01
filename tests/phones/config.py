"""What a phone is set to after it has read its files, whatever its vendor; and how it asks for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Unreadable(ValueError):
    """The firmware would throw the file away."""


@dataclass(frozen=True, slots=True)
class LineConfig:
    """An account as the files say it; ``transport`` is udp, tcp or tls."""

    line: int
    number: str
    user: str
    secret: str = field(repr=False)
    server: str
    port: int
    transport: str = "udp"
    display_name: str = ""
    expires_s: int = 600
    wants_messages: bool = False


@dataclass(frozen=True, slots=True)
class WatchedKey:
    """A key with a lamp. ``pickup`` is what one press dials while the watched extension rings."""

    position: str
    number: str
    label: str
    pickup: str


@dataclass(frozen=True, slots=True)
class Config:
    """What a phone is set to after reading its files."""

    url: str = ""
    lines: tuple[LineConfig, ...] = ()
    watched: tuple[WatchedKey, ...] = ()
    intercom: tuple[str, ...] = ()
    """Texts in Alert-Info or Call-Info that make it answer at once."""


class Server(Protocol):
    """A provisioning server as a firmware sees it. Both raise ``OSError`` where nobody answers."""

    def get(self, name: str) -> bytes | None:
        """Returns a file, None where there is none for us."""

    def put(self, name: str, body: bytes) -> None: ...


class Firmware(Protocol):
    """One vendor's way to read its files. It remembers, as a phone's flash memory does, what a later file does not mention."""

    user_agent: str

    def fetch(self, server: Server) -> None:
        """Fetches and reads all files in the firmware's order. Raises ``Unreadable`` and ``OSError``."""

    def config(self) -> Config: ...

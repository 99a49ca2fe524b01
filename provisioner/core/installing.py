"""What the catalogue says of how phones of a vendor find this server: by DHCP, by their maker's redirect service, by a person's hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class DHCPFacts:
    """What phones of a vendor tell a DHCP server, and where they look for an answer."""

    classes: tuple[bytes, ...] = ()
    """How option 60 (vendor class) of its phones may begin."""
    options: tuple[int, ...] = ()
    """Options that its phones take the provisioning server's address from, as text, the one that they prefer first."""


@dataclass(frozen=True, slots=True)
class RedirectFacts:
    """The redirect service of a vendor's maker: which of ``provisioner.redirect`` speaks to it, and where it is."""

    service: str
    address: str


STEP_FIELDS: Mapping[str, tuple[str, ...]] = {
    "address_key": ("key",), "address_menu": ("path",), "address_voice": ("key",), "browse": (), "login": ("user", "password"),
    "login_label": ("user", "password"), "open": ("path",), "password": ("password",), "choose": ("field", "value"), "enter": ("field", "value"),
    "press": ("key",),
}  # fmt: skip
"""What a step of an instruction sheet may tell a person to do -> the words that it needs. The sentences are those of ``provisioner.sheets``."""


@dataclass(frozen=True, slots=True)
class InstallStep:
    """One thing that a person does at a phone or its web page."""

    do: str
    words: Mapping[str, str] = field(default_factory=dict)
    """As the phone spells them. A ``value`` of ``url``, ``bare`` or ``scheme`` stands for that part of the address; within a text ``{url}`` and ``{mac}`` do."""
    path: tuple[str, ...] = ()
    """Menus, one below the other."""


@dataclass(frozen=True, slots=True)
class InstallWay:
    """How a person writes the server's address into a phone."""

    where: Literal["computer", "phone"]
    steps: tuple[InstallStep, ...]
    series: tuple[str, ...] = ()
    """Only for models of these series; empty for all that no way before it is for."""

"""How a maker's phones make themselves known on a network, and how they want to be told of a server: shapes of the catalogue's data.

Nothing here is proof. A vendor class, a banner and a name are written by whoever sends them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DHCPClass:
    """A vendor class identifier (option 60). Groups ``model`` and ``version`` of the pattern are optional."""

    pattern: re.Pattern[str]
    model: str = ""
    """The model where the pattern has no group for it."""


@dataclass(frozen=True, slots=True)
class Hints:
    """The table ``[discovery]`` of a maker. Addresses have the placeholders ``{url}``, which ends in ``/``, and ``{mac}``."""

    pnp_names: frozenset[str] = frozenset()
    """How it calls itself in the Event header of its SUBSCRIBE, in small letters."""
    pnp_url: str = ""
    """The address in the NOTIFY; empty where its phones are not answered."""
    pnp_event: str = ""
    """The Event header of the NOTIFY; empty: the phone's own."""
    pnp_ends_line: bool = False
    """Whether the address in the body is followed by CR and LF."""
    dhcp_classes: tuple[DHCPClass, ...] = ()
    dhcp_enterprise: int = 0
    """Its enterprise number (IANA), by which options 124 and 125, and a binary option 60, name it; 0 for none known."""
    dhcp_options: Mapping[int, str] = field(default_factory=dict)
    """Option -> the address in it, where its phones are answered by DHCP."""
    user_agents: tuple[re.Pattern[str], ...] = ()
    """Of a maker that is not provisioned, as ``Vendor.user_agents``."""
    banners: tuple[re.Pattern[str], ...] = ()
    """What its web page, or its name on the network, looks like; groups as of a User-Agent. Searched, not matched."""

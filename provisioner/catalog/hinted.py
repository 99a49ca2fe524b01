"""Reads the table ``[discovery]`` of a vendor or another maker: how its phones make themselves known, and how they are told of a server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marshmallow import fields, validate

from provisioner.catalog.reading import Mistakes, Strict
from provisioner.core.hints import DHCPClass, Hints

_ADDRESS = validate.Regexp(
    r"^\{url\}(?:\{mac\}|[\w.$\-]){0,60}\Z", error="an address begins with {url}; {mac} may follow, and letters, digits, . - _ $"
)


_GROUPS = {"model", "version", "mac", "hardware"}


class _ClassSchema(Strict):
    pattern = fields.String(required=True)
    model = fields.String(validate=validate.Length(min=1, max=64))


class HintsSchema(Strict):
    """The table ``[discovery]``."""

    pnp_names = fields.List(fields.String(validate=validate.Regexp(r"^[a-z0-9]{2,32}$")))
    pnp_url = fields.String(validate=_ADDRESS)
    pnp_event = fields.String(validate=validate.Regexp(r"^ua-profile[\x20-\x7e]{0,120}\Z"))
    pnp_ends_line = fields.Boolean()
    dhcp_class = fields.List(fields.Nested(_ClassSchema))
    dhcp_enterprise = fields.Integer(validate=validate.Range(min=1, max=2**32 - 1))
    dhcp_options = fields.Dict(keys=fields.Integer(validate=validate.OneOf([43, 66, 160])), values=fields.String(validate=_ADDRESS))
    user_agents = fields.List(fields.String())
    banners = fields.List(fields.String())


def agent_pattern(path: Path, where: str, text: str, mistakes: Mistakes) -> re.Pattern[str]:
    """Returns the compiled pattern of a User-Agent; notes a group that nobody reads, for what it takes would be lost."""
    pattern = mistakes.pattern(path, where, text)
    for group in sorted(pattern.groupindex.keys() - _GROUPS):
        mistakes.note(path, where, f"'{text}' has a group named {group}; there are {', '.join(sorted(_GROUPS))}")
    return pattern


def hints(raw: Mapping[str, Any], path: Path, where: str, mistakes: Mistakes) -> Hints:
    """Returns the hints of a checked table; bad patterns are noted, and then fit nothing."""
    classes = (
        DHCPClass(mistakes.pattern(path, f"{where}.dhcp_class", row["pattern"]), row.get("model", "")) for row in raw.get("dhcp_class", ())
    )
    return Hints(
        pnp_names=frozenset(raw.get("pnp_names", ())),
        pnp_url=raw.get("pnp_url", ""),
        pnp_event=raw.get("pnp_event", ""),
        pnp_ends_line=raw.get("pnp_ends_line", False),
        dhcp_classes=tuple(classes),
        dhcp_enterprise=raw.get("dhcp_enterprise", 0),
        dhcp_options=raw.get("dhcp_options", {}),
        user_agents=tuple(agent_pattern(path, f"{where}.user_agents", text, mistakes) for text in raw.get("user_agents", ())),
        banners=tuple(mistakes.pattern(path, f"{where}.banners", text) for text in raw.get("banners", ())),
    )

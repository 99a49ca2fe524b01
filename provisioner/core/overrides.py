"""What a phone's user changed on it, as the phone sends it: which of that would take the phone away from this server."""

from __future__ import annotations

import re

from provisioner.core.raw import RawRule

_ANY_NAME = r"(?P<name>[A-Za-z0-9_@.\-]{1,120})"


def refused_parameters(rule: RawRule | None, text: str) -> list[str]:
    """Returns the parameters in ``text`` that nobody may set by hand (registration, server, passwords), sorted."""
    return sorted({match["name"] for match in _parameters(rule, text) if rule is not None and rule.refuses(match["name"])})


def without_refused(rule: RawRule | None, text: str) -> str:
    """Returns ``text`` without those parameters: what could be given back to a phone. Without a rule nothing can."""
    if rule is None:
        return ""
    for match in reversed(list(_parameters(rule, text))):
        if rule.refuses(match["name"]):
            text = text[: match.start()] + text[match.end() :]
    return text


def _parameters(rule: RawRule | None, text: str) -> list[re.Match[str]]:
    # Phones end their last line as they like; the pattern of a file that we write wants a line feed.
    return list(re.finditer(rule.written.replace("{name}", _ANY_NAME), text)) if rule is not None else []

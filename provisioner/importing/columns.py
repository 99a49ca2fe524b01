"""The columns of the spreadsheet: their names, what else people call them, and how a cell's text is written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

ALIASES: dict[str, tuple[str, ...]] = {
    "mac": ("mac_address", "macaddress", "device_mac", "phone_mac", "mac_addr", "device_mac_address"),
    "model": ("phone_model", "device_model"),
    "site": ("location", "branch", "office"),
    "group": ("phone_group", "device_group"),
    "layout": ("key_layout", "keys_layout", "button_layout"),
    "enabled": ("active", "is_enabled"),
    "extension": ("ext", "number", "extension_number", "ext_number", "exten"),
    "display_name": ("name", "displayname", "full_name", "fullname", "user_name", "caller_id_name", "extension_name"),
    "secret": ("password", "sip_password", "sip_secret", "auth_password"),
    "email": ("e_mail", "mail", "email_address"),
    "department": ("dept",),
    "label1": ("label", "line_label"),
}
NUMBERED = re.compile(r"^(line|label)_?([1-9]\d{0,2})$")
SETTING = re.compile(r"^settings?\s*[:.]\s*(\w+)$")
CLEARABLE = frozenset({"group", "layout", "email", "department", "display_name"})
"""Columns, beside lines, labels and settings, where a lone ``-`` takes away what is there."""

CLEAR = "-"
# What spreadsheet programs take for the beginning of a formula, full-width forms included (OWASP, "CSV Injection").
_GUARDED = re.compile(r"^'*(?:[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]|$)")
_NAMES = {alias: name for name, aliases in ALIASES.items() for alias in (name, *aliases)}


def column_name(header: str) -> str | None:
    """Returns the column that a header means (``MAC address`` -> ``mac``, ``Line 2`` -> ``line2``), or None."""
    text = header.strip().lower()
    setting = SETTING.match(text)
    if setting:
        return f"setting:{setting[1]}"
    plain = re.sub(r"[^a-z0-9]+", "_", text).strip("_")
    numbered = NUMBERED.match(plain)
    if numbered:
        return f"{numbered[1]}{int(numbered[2])}"
    return _NAMES.get(plain)


def near_column(header: str) -> str | None:
    """Returns the column that a header was probably meant to be, for the sentence about it."""
    plain = re.sub(r"[^a-z0-9]+", "_", header.strip().lower()).strip("_")
    near = get_close_matches(plain, [*_NAMES, "line1", "line2"], n=1, cutoff=0.8)
    return _NAMES.get(near[0], near[0]) if near else None


def numbers_of(names: Iterable[str], kind: str) -> list[int]:
    """Returns which lines the columns ``line<n>`` or ``label<n>`` speak of, in order."""
    return sorted(int(name.removeprefix(kind)) for name in names if name.startswith(kind) and name.removeprefix(kind).isdigit())


def is_clearable(column: str) -> bool:
    return column in CLEARABLE or column.startswith(("setting:", "line", "label"))


def guarded(text: str) -> str:
    """Returns a cell that no spreadsheet program runs as a formula: an apostrophe before what could begin one.

    Text that would be taken for guarded, and text that is empty on purpose, get one too, so that ``plain_text`` gives back the same.
    """
    return f"'{text}" if _GUARDED.match(text) else text


def plain_text(cell: str) -> str:
    """Returns the text of a cell without blanks around and without the apostrophe of ``guarded``."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and _GUARDED.match(text) else text

"""One escape per file format, applied to every value that a template prints.

A value can never add a line, an element or an attribute: what could is taken out (line breaks, control characters) or
written as an entity. The escapes run as the template engine's finaliser, so no template can forget them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from provisioner.core.catalogue import EscapeName

# Line breaks as any parser may see them (str.splitlines), NUL and all other C0 and C1 controls, lone surrogates, non-characters.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
_XML = re.compile("[&<>\"']")
_XML_TOUCHED = re.compile(f"{_UNSAFE.pattern[:-1]}&<>\"']")
_LABEL_NOISE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029;]")


def escape_line(value: object) -> str:
    """Returns ``value`` as the rest of one ``name = value`` line: no character that could begin another line.

    Nothing is quoted: the phones read everything after ``=`` as it stands (a ``#`` too: wazo's remote phone book address ends in
    ``term=#SEARCH`` unquoted). Blanks around are dropped, as the phone drops them.
    """
    if type(value) is int:
        return str(value)
    text = value if type(value) is str else _text(value)
    return _UNSAFE.sub("", text).strip()


def escape_xml(value: object) -> str:
    """Returns ``value`` as XML character data or attribute value: entities for the five characters, nothing that XML 1.0 forbids."""
    if type(value) is int:
        return str(value)
    text = value if type(value) is str else _text(value)
    if _XML_TOUCHED.search(text) is None:  # nearly always: numbers, names and addresses
        return text
    return _XML.sub(lambda match: _ENTITIES[match[0]], _UNSAFE.sub("", text))


def clean_label(value: str) -> str:
    """Returns a key's label or value without line feed, carriage return, tab, other controls and semicolon."""
    return _LABEL_NOISE.sub("", value).strip()


def _text(value: object) -> str:
    if value is None:
        raise TypeError("a value is missing where the template prints one")
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


ESCAPES: Mapping[EscapeName, Callable[[object], str]] = {"line": escape_line, "xml": escape_xml}

"""Lines of a plan and of a drift of the PBX in the language of the page.

The PBX's part says what differs in English, of whatever names and values there are: ``~ 1001 Alice: display_name is 'by hand'``. So its
sentences are looked for here alone, where nothing else can be meant, and not with those of the rest of the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from web import i18n
from web.i18n import _, mark, ngettext
from web.sentences import translated

FIELDS: Mapping[str, str] = {
    "display_name": mark("Name"), "name": mark("Name"), "number": mark("Number"), "secret": mark("Secret"), "email": mark("E-mail"),
    "department": mark("Department"), "former_secrets": mark("Earlier secrets"), "members": mark("Members"),
}  # fmt: skip
ROWS: Mapping[str, str] = {
    "the mark": mark("the mark"), "the mark of recording": mark("the mark of recording"), "the list of members": mark("the list of members"),
}  # fmt: skip
_ROW = r"(?P<row>the mark|the mark of recording|the list of members|(?:endpoint|aor|auth|mailbox) \S+)"
DIFFERENCES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), text)
    for pattern, text in (
        (r"another version of this program wrote it", mark("another version of this program wrote it")),
        (r"it is an extension", mark("it is an extension")),
        (r"it is a ring group", mark("it is a ring group")),
        (r"it is something else", mark("it is something else")),
        (rf"{_ROW} is missing", mark("%(row)s is missing")),
        (rf"{_ROW} is there and should not be", mark("%(row)s is there and should not be")),
        (rf"{_ROW} is written otherwise than here", mark("%(row)s is written otherwise than here")),
        (r"(?P<field>(?!it\b)[\w.]+) is another one", mark("%(field)s is another one")),
        (r"(?P<field>(?!it\b)[\w.]+) is not what it should be", mark("%(field)s is not what it should be")),
        (r"(?P<field>(?!it\b)[\w.]+) is (?P<found>.+), should be (?P<wanted>.+)", mark("%(field)s is %(found)s, should be %(wanted)s")),
        (r"(?P<field>(?!it\b)[\w.]+) is (?P<found>.+)", mark("%(field)s is %(found)s")),
    )
)
_NOT_SET = {"not set": mark("not set")}
_BETWEEN = re.compile(r"; (?=[\w.]+ )")
_GROUP = re.compile(r"(?P<name>.*) \((?P<count>\d+) members\)", re.DOTALL)


def planned(line: str) -> str:
    """Returns a line of a plan, or of a drift, in the language of the page: what names the object stays, what is so of it is translated."""
    if i18n.language() == i18n.DEFAULT:
        return line
    for at in (found.end() for found in re.finditer(": ", line)):
        told = [_difference(part) for part in _BETWEEN.split(line[at:])]
        if told[0] is not None:
            parts = [now or before for now, before in zip(told, _BETWEEN.split(line[at:]), strict=True)]
            return f"{_named(line[: at - 2])}: {'; '.join(parts)}"
    return _named(line)


def _difference(text: str) -> str | None:
    """Returns one thing that differs, translated; None where it is none of them."""
    for pattern, sentence in DIFFERENCES:
        if found := pattern.fullmatch(text):
            return _(sentence, **{name: _value(name, value) for name, value in found.groupdict().items()})
    told = translated(text)
    return told if told != text else None


def _value(name: str, value: str) -> str:
    words = {"field": FIELDS, "row": ROWS}.get(name, _NOT_SET)
    return _(words[value]) if value in words else value


def _named(text: str) -> str:
    """Returns what names an object; the members of a ring group are counted in words."""
    found = _GROUP.fullmatch(text)
    if found is None:
        return text
    members = ngettext("%(num)s member", "%(num)s members", int(found["count"]))
    return f"{found['name']} ({members})"

"""The MAC address of a phone, parsed once at the edge and trusted everywhere inside.

What lives here: one type and its parser. What does not: which vendor an address belongs to (``catalog``).
"""

from __future__ import annotations

import re
from functools import lru_cache

from netaddr import EUI, AddrFormatError, mac_eui48

_TAIL = re.compile(r"[0-9a-f]{6}\Z")
_CANONICAL = re.compile(r"[0-9a-f]{12}\Z")
_COLONS = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}\Z")
_SHAPES = re.compile(
    r"""^(?:
        [0-9a-fA-F]{12}                                  # 805ec0aabbcc
      | [0-9a-fA-F]{2}(?P<sep>[:\- ])[0-9a-fA-F]{2}(?:(?P=sep)[0-9a-fA-F]{2}){4}
      | [0-9a-fA-F]{4}(?P<dot>[.\-:])[0-9a-fA-F]{4}(?P=dot)[0-9a-fA-F]{4}
    )$""",
    re.VERBOSE,
)


class InvalidMac(ValueError):
    """The text is no MAC address of a phone; the message says what is wrong and shows a good one."""


class Mac(str):
    """A phone's MAC: twelve lower-case hex digits, e.g. ``805ec0aabbcc``.

    It is a ``str`` so that it can be a dictionary key, a column and a file name without conversion. Build it with
    ``Mac.parse``; the plain constructor is for text that is already in this form (rows read back from the database).
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Mac:
        """Returns the MAC that ``text`` spells in any usual form.

        Accepted: ``805ec0aabbcc``, ``80:5e:c0:aa:bb:cc``, ``80-5E-C0-AA-BB-CC``, ``805e.c0aa.bbcc``, any case, with blanks around.
        Refused with ``InvalidMac``: another length, a letter past F, all zeros, broadcast and multicast addresses.
        """
        bare = text.replace(":", "") if _COLONS.match(text) else text
        if _CANONICAL.match(bare) and bare[1] in "02468ace" and bare != "000000000000":
            return cls(bare)  # as phones spell it in their files' names and User-Agents, thousands in one second
        stripped = text.strip()
        if not _SHAPES.match(stripped):
            raise InvalidMac(f"'{text[:40]}' is not a MAC address: twelve hex digits, for example 80:5e:c0:aa:bb:cc")
        try:
            address = EUI(stripped.replace(" ", "-"), version=48, dialect=mac_eui48)
        except AddrFormatError as error:  # pragma: no cover - the pattern above already refuses these
            raise InvalidMac(f"'{text[:40]}' is not a MAC address") from error
        value = int(address)
        if value == 0:
            raise InvalidMac("000000000000 is a file name of Polycom's, not the MAC address of a phone")
        if (value >> 40) & 1:
            raise InvalidMac(f"'{text[:40]}' is a broadcast or multicast address, not that of a phone")
        return cls(f"{value:012x}")

    @property
    def colons(self) -> str:
        """``80:5e:c0:aa:bb:cc``, the form that the API and the pages show."""
        return ":".join(self[i : i + 2] for i in range(0, 12, 2))

    @property
    def oui(self) -> str:
        """The first six digits, which name the maker."""
        return str(self[:6])


@lru_cache(maxsize=4096)
def try_parse(text: str) -> Mac | None:
    """Returns the MAC, or None where the text is none: for evidence, where nonsense is ordinary."""
    try:
        return Mac.parse(text)
    except InvalidMac:
        return None


def try_parse_tail(text: str) -> str | None:
    """Returns the last six digits of a MAC, as a label shows them and with any separators, or None where the text is none."""
    tail = re.sub(r"[:\-. ]", "", text).lower()
    return tail if _TAIL.match(tail) else None

"""Which MAC has an address, as the kernel knows it of those it spoke with (proc(5), /proc/net/arp)."""

from __future__ import annotations

from pathlib import Path

from provisioner.core.mac import Mac, try_parse

_TABLE = Path("/proc/net/arp")
_COMPLETE = 0x2


def neighbours() -> dict[str, Mac]:
    """Returns address -> MAC of every neighbour that answered."""
    try:
        rows = [line.split() for line in _TABLE.read_text("ascii").splitlines()[1:]]
    except (OSError, ValueError):
        return {}
    found = {row[0]: try_parse(row[3]) for row in rows if len(row) >= 6 and int(row[2], 16) & _COMPLETE}
    return {address: mac for address, mac in found.items() if mac is not None}


def neighbour(address: str) -> Mac | None:
    """Returns the MAC of one neighbour, or None where the kernel does not know it."""
    return neighbours().get(address)

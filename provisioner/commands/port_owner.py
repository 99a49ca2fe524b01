"""Which process holds a port, as Linux tells it in /proc (proc(5): net/tcp, net/udp, pid/fd)."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_LISTEN = "0A"
"""State of a listening TCP socket (include/net/tcp_states.h)."""

_OUR_PBX = re.compile(r"/pbx/etc/asterisk\.conf\Z")
"""What the bundled Asterisk is started with."""


class Owner(NamedTuple):
    """The process behind a socket."""

    pid: int
    name: str
    is_ours: bool


def port_owner(port: int, *, is_udp: bool) -> Owner | None:
    """Returns who holds the port, or None where it is not to be seen (another user's process, not Linux)."""
    inodes = _inodes(port, "udp" if is_udp else "tcp")
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _holds(process, wanted):
            return _owner(process)
    return None


def _inodes(port: int, protocol: str) -> set[str]:
    found: set[str] = set()
    for name in (protocol, f"{protocol}6"):
        with suppress(OSError):
            for row in Path("/proc/net", name).read_text("ascii").splitlines()[1:]:
                fields = row.split()
                if int(fields[1].rpartition(":")[2], 16) == port and (protocol == "udp" or fields[3] == _LISTEN):
                    found.add(fields[9])
    return found


def _holds(process: Path, wanted: set[str]) -> bool:
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()) in wanted:
                    return True
    return False


def _owner(process: Path) -> Owner:
    words: list[str] = []
    with suppress(OSError):
        words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    name = " ".join(words[:3]).strip()[:60] or "a program"
    return Owner(int(process.name), name, any("provisioner" in word for word in words[:4]) or any(map(_OUR_PBX.search, words)))

"""Ports of loopback for servers that are told their port before they start.

They lie below those that the system gives to outgoing connections, so that none of these takes one between the look and the start; and no
two processes of one machine are given the same, however many test runs go on: a name in the abstract namespace stands for each, and goes
with the process that holds it.
"""

from __future__ import annotations

import random
import socket
from contextlib import suppress

FIRST, LAST = 10_240, 19_999
"""Neither the ephemeral ports of Linux (32768 on) nor the RTP ports that the tests give to Asterisk (20000 on)."""


def free_port() -> int:
    """Returns a port that is free for TCP and UDP on loopback, and that nobody else is given as long as this process lives."""
    while True:
        port = random.randint(FIRST, LAST)
        with suppress(OSError):
            _look_at(port)
            _hold(port)
            return port


def _look_at(port: int) -> None:
    """Raises ``OSError`` where somebody has the port."""
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", port))
        udp.bind(("127.0.0.1", port))


def _hold(port: int) -> None:
    """Takes the port's name for as long as this process lives. Raises ``OSError`` where another process, or this one, has it."""
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0provisioner-tests-port-{port}")
    except OSError:
        holder.close()
        raise
    holder.detach()

"""Asks hosts who they are: SIP OPTIONS (RFC 3261, 11), then the first page of their web server. Few bytes to each, few bytes read, no login."""

from __future__ import annotations

import contextlib
import re
import secrets
import select
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

SIP_PORT, WEB_PORT = 5060, 80
SIP_WAIT_S, ROUNDS = 1.0, 2
WEB_S, WEB_BYTES, WEB_AT_ONCE = 2.0, 4096, 16
_AGENT = re.compile(rb"^(?:User-Agent|Server)\s*:\s*([^\r\n]{1,300})", re.IGNORECASE | re.MULTILINE)
Told = dict[str, str]


def asked_by_sip(addresses: Sequence[str], pace: Callable[[], bool], port: int = SIP_PORT) -> Told:
    """Returns address -> what its SIP server calls itself, of those that answered. ``pace`` waits before each packet; False ends it."""
    told: Told = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("", 0))
        asking.setblocking(False)
        for _ in range(ROUNDS):
            for address in [each for each in addresses if each not in told]:
                if not pace():
                    return told
                with contextlib.suppress(OSError):  # nobody there, or no way to it
                    asking.sendto(_options(address, port, asking), (address, port))
                _collect(asking, told, set(addresses), 0.0)
            if len(told) < len(addresses):
                _collect(asking, told, set(addresses), SIP_WAIT_S)
    return told


def asked_by_web(addresses: Sequence[str], pace: Callable[[], bool], port: int = WEB_PORT) -> Told:
    """Returns address -> head and beginning of its first page, of those that have one."""
    with ThreadPoolExecutor(WEB_AT_ONCE, thread_name_prefix="web") as pool:
        pages = [(address, pool.submit(_page, address, port)) for address in addresses if pace()]
        found = {address: page.result() for address, page in pages}
    return {address: page for address, page in found.items() if page}


def _options(address: str, port: int, asking: socket.socket) -> bytes:
    own, token = asking.getsockname()[1], secrets.token_hex(6)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, port))
        local = f"{probe.getsockname()[0]}:{own}"
    lines = (
        f"OPTIONS sip:{address}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {local};branch=z9hG4bK{token};rport",
        "Max-Forwards: 70",
        f"From: <sip:scan@{local}>;tag={token}",
        f"To: <sip:{address}:{port}>",
        f"Call-ID: {token}@{local}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:scan@{local}>",
        "Accept: application/sdp",
        "Content-Length: 0",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _collect(asking: socket.socket, told: Told, wanted: set[str], wait_s: float) -> None:
    """Reads answers until none comes within ``wait_s`` of the last turn's end, or everybody answered."""
    end = time.monotonic() + wait_s
    while len(told) < len(wanted) and select.select([asking], [], [], max(0.0, end - time.monotonic()))[0]:
        try:
            data, peer = asking.recvfrom(4096)
        except OSError:
            continue  # a host said that nobody listens there
        agent = _AGENT.search(data)
        if peer[0] in wanted and data.startswith(b"SIP/2.0 "):
            told[peer[0]] = agent[1].decode("latin-1").strip() if agent else ""


def _page(address: str, port: int) -> str:
    """Returns what a web server says first; empty where nothing does. The whole takes no longer than ``WEB_S`` after the connection."""
    data = b""
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=WEB_S) as talk:
        talk.sendall(f"GET / HTTP/1.0\r\nHost: {address}\r\nUser-Agent: provisioner\r\n\r\n".encode())
        end = time.monotonic() + WEB_S
        while len(data) < WEB_BYTES and (left := end - time.monotonic()) > 0:
            talk.settimeout(left)
            if not (more := talk.recv(WEB_BYTES)):
                break
            data += more
    return data[:WEB_BYTES].decode("latin-1")

"""Sockets that never wait: plain TCP, and TLS with the client's certificate asked for. Bytes only; what they mean is not known here."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

READ_BYTES = 16_384
CHUNK_BYTES = 262_144
"""Of a file, in one go: large enough to keep a network busy, small enough for the others' turn to come soon."""
TLS_CHUNK_BYTES = 16_384
"""One TLS record."""


class Wire(Protocol):
    """One connection's socket. Every method returns at once; an ``OSError`` means that the connection is gone."""

    scheme: Literal["http", "https"]

    def fileno(self) -> int: ...

    def receive(self) -> bytes | None:
        """Returns what has come, empty at the end of it, or None where nothing has come yet."""

    def pending(self) -> bool:
        """Returns whether more has come than the poll can know of."""

    def send(self, data: bytes | memoryview) -> int:
        """Returns how many bytes the kernel took; 0 where it takes none now."""

    def send_file(self, file: int, begin: int, end: int) -> int:
        """As ``send``, of an open file; at most one chunk."""

    def subject(self) -> str:
        """Returns the subject of the client's verified certificate, or an empty text."""

    def end_sending(self) -> None:
        """Tells the client that nothing more will come."""

    def close(self) -> None: ...


class PlainWire:
    """TCP."""

    __slots__ = ("_socket", "close", "fileno")
    scheme: Literal["http", "https"] = "http"

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.fileno = connection.fileno
        self.close = connection.close

    def receive(self) -> bytes | None:
        try:
            return self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return None

    def pending(self) -> bool:
        return False

    def send(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def send_file(self, file: int, begin: int, end: int) -> int:
        try:
            sent = os.sendfile(self._socket.fileno(), file, begin, min(CHUNK_BYTES, end - begin))
        except BlockingIOError:
            return 0
        if sent == 0:
            raise _shorter()
        return sent

    def subject(self) -> str:
        return ""

    def end_sending(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)


class TLSWire:
    """TLS over TCP. The handshake is made as bytes come and go, whichever method is called."""

    __slots__ = ("_socket",)
    scheme: Literal["http", "https"] = "https"

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        self._socket = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True)

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        try:
            return self._socket.recv(READ_BYTES)  # does the handshake's next step too
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    def pending(self) -> bool:
        return self._socket.pending() > 0

    def send(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data[:TLS_CHUNK_BYTES])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def send_file(self, file: int, begin: int, end: int) -> int:
        chunk = os.pread(file, min(TLS_CHUNK_BYTES, end - begin), begin)
        if not chunk:
            raise _shorter()
        return self.send(chunk)

    def subject(self) -> str:
        return subject_of(self._socket.getpeercert() or {})

    def end_sending(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._socket.unwrap()

    def close(self) -> None:
        self._socket.close()


def _shorter() -> OSError:
    return OSError("the file became shorter while it was sent")


def subject_of(certificate: Mapping[str, Any]) -> str:
    """Returns a certificate's subject as ``CN=805EC0AABBCC,O=Maker``, the most particular name first; certificate as ``ssl`` gives it."""
    names = [pair for part in certificate.get("subject", ()) for pair in part]
    return ",".join(f"{_SHORT.get(name, name)}={_escaped(value)}" for name, value in reversed(names))


def _escaped(value: str) -> str:
    """Returns a name's value as RFC 4514 writes it: an organisation must not spell a common name."""
    return _SPECIAL.sub(lambda sign: f"\\{sign[0]}", value)


_SPECIAL = re.compile(r"[,\\]")
_SHORT = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C", "localityName": "L"}


def tls_context(certificate: Path, key: Path, client_authorities: Path | None) -> ssl.SSLContext:
    """Returns the server's side of TLS 1.2 and later. With ``client_authorities`` (PEM) a client is asked for a certificate; one that it has must be of them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    if client_authorities is not None:
        context.load_verify_locations(client_authorities)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context

"""Why a delivery got no answer, in a sentence for whoever keeps the receiver."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from provisioner.parts.certificate import own_certificate
from provisioner.webhooks.sending import Result, send
from tests.webhooks.test_webhooks import LOOPBACK


@contextmanager
def answering(answer: bytes, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A program that takes one connection, reads what is sent, and answers with these bytes; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with suppress(OSError):  # the sender has had enough
                peer, _ = server.accept()
                with peer if tls is None else tls.wrap_socket(peer, server_side=True) as talk:
                    talk.recv(65536)
                    talk.sendall(answer)

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def sent(url: str) -> Result:
    return send(url, b"s", "msg_1", b"{}", 0.0, LOOPBACK)


@pytest.mark.parametrize(
    ("scheme", "answer", "why"),
    [
        ("http", b"", "it ended the connection without an answer"),
        ("http", b"220 mail.example.com ESMTP\r\n", "it answers with what is no HTTP (BadStatusLine)"),
        ("https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "it does not speak TLS there (WRONG_VERSION_NUMBER)"),
    ],
)
def test_one_that_does_not_answer_as_it_should_is_told_why(scheme: str, answer: bytes, why: str) -> None:
    with answering(answer) as port:
        assert sent(f"{scheme}://127.0.0.1:{port}/") == Result(None, why)


def test_certificate_of_nobody_that_is_trusted_is_told(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own_certificate(tmp_path, "localhost"))
    with answering(b"", context) as port:
        assert sent(f"https://127.0.0.1:{port}/") == Result(None, "its certificate is not trusted: self-signed certificate")


def test_network_that_leads_nowhere_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_way(*_: object) -> socket.socket:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("provisioner.deadline.BoundedConnection._connected", no_way)
    assert sent("http://192.0.2.1/") == Result(None, "it cannot be reached: Network is unreachable")

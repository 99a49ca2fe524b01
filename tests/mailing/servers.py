"""A real mail server (aiosmtpd) for tests: over TLS, STARTTLS or in clear; with a user, and with whom it takes no mail from or to."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.ports import free_port

USER, PASSWORD = "phones", "Geheim-1234"


class Mailbox:
    """What the server took. ``refuses`` are addresses that it does not know; ``says`` is its answer to a message."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.refuses: set[str] = set()
        self.says = "250 taken"
        self.tries = 0

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        self.tries += 1
        if address in self.refuses:
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.says.startswith("250"):
            message = message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.got.append(message)
        return self.says

    def bodies(self) -> list[str]:
        return [message.get_content().replace("\r\n", "\n") for message in self.got]


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
    is_right = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)


@contextmanager
def mail_box(*, tls: tuple[Path, Path] | None = None, starttls: bool = True, wants_user: bool = False) -> Iterator[tuple[Mailbox, int]]:
    """Yields a mailbox and the port of its server. ``tls`` is certificate and key; ``starttls`` False: TLS from the first byte."""
    box, port = Mailbox(), free_port()
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    options: dict[str, Any] = {"authenticator": authenticate, "auth_required": wants_user, "auth_require_tls": tls is None or starttls}
    if starttls and context is not None:
        options |= {"tls_context": context, "require_starttls": True}
    controller = Controller(box, "127.0.0.1", port, ssl_context=None if starttls else context, **options)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()

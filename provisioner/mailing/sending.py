"""One message handed to the mail server, and why it did not take it, in a sentence that says what to mend."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from provisioner.errors import ProvisionerError
from provisioner.settings import Settings

TIMEOUT_S = 10.0
"""For each word of the server."""
WHOLE_S = 30.0
"""For all of them: one that sends a byte now and then has no longer."""
GREETING = 220
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where notices are handed to, and as whom."""

    host: str
    port: int
    security: str
    sender: str
    user: str = ""
    password: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"


class NotTaken(ProvisionerError):
    """Why a message was not taken. ``is_servers``: any other message would fare alike now."""

    reason = "mail_not_taken"

    def __init__(self, sentence: str, *, is_servers: bool = True) -> None:
        super().__init__(sentence)
        self.is_servers = is_servers


def mail_server(settings: Settings) -> MailServer | None:
    """Returns the mail server of the settings; None where they name none."""
    if settings.mail_server is None:
        return None
    host, port = settings.mail_server
    return MailServer(
        host, port, settings.mail_security, settings.mail_from, settings.mail_user, settings.mail_password,
        settings.mail_password_file, settings.mail_ca_file,
    )  # fmt: skip


def send(server: MailServer, message: EmailMessage) -> None:
    """Hands a message to the server. Raises ``NotTaken``."""
    with _spoken(server) as smtp:
        smtp.send_message(message)


def tried(server: MailServer) -> str:
    """Returns why the server cannot be used, as far as that shows without a message; empty where it can."""
    try:
        with _spoken(server) as smtp:
            smtp.noop()
    except NotTaken as error:
        return str(error)
    return ""


@contextmanager
def _spoken(server: MailServer) -> Iterator[smtplib.SMTP]:
    """Yields a connection on which messages may be sent: enciphered and logged in, as the settings want it. Raises ``NotTaken`` for whatever happens on it."""
    try:
        with _connected(server) as smtp:
            _enciphered(smtp, server)
            _logged_in(smtp, server)
            yield smtp
    except smtplib.SMTPException as error:
        raise _refusal(error, server) from error
    except ssl.SSLCertVerificationError as error:
        said = f"its certificate is not trusted: {error.verify_message}"
        raise NotTaken(f"the mail server {server.where}: {said}; is PROVISIONER_MAIL_SERVER the name that it is for?") from error
    except ssl.SSLError as error:
        mend = "is PROVISIONER_MAIL_SECURITY right? tls is usually for port 465, starttls for 587"
        raise NotTaken(f"the mail server {server.where} does not speak TLS there ({error.reason or 'no handshake'}); {mend}") from error
    except OSError as error:
        raise NotTaken(_unreached(error, server)) from error


class _Told(smtplib.SMTP):
    """Connects when it is told to and not when it is made: by then a timer runs."""

    is_told = False

    def connect(self, host: str = "localhost", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        return super().connect(host, port, source_address) if self.is_told else (220, b"")


class _ToldTLS(_Told, smtplib.SMTP_SSL):
    """The same, with TLS from the first byte."""


@contextmanager
def _connected(server: MailServer) -> Iterator[smtplib.SMTP]:
    """Yields a connection that ends after ``WHOLE_S``, and politely before."""
    smtp = _made(server)
    ended = threading.Event()

    def cut() -> None:
        ended.set()
        if smtp.sock is not None:
            with suppress(OSError):  # it ended by itself meanwhile
                smtp.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(WHOLE_S, cut)
    timer.daemon = True
    timer.start()
    try:
        with smtp:
            smtp.is_told = True
            code, words = smtp.connect(server.host, server.port)
            if code != GREETING:
                raise smtplib.SMTPConnectError(code, words)
            yield smtp
    except (OSError, smtplib.SMTPException) as error:
        if ended.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        smtp.close()


def _made(server: MailServer) -> _Told:
    if server.security == "tls":
        return _ToldTLS(server.host, server.port, timeout=TIMEOUT_S, context=_context(server))
    return _Told(server.host, server.port, timeout=TIMEOUT_S)


def _context(server: MailServer) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=server.ca_file)
    except OSError as error:
        raise NotTaken(f"PROVISIONER_MAIL_CA_FILE={server.ca_file} cannot be read as certificates (PEM)") from error


def _enciphered(smtp: smtplib.SMTP, server: MailServer) -> None:
    if server.security == "starttls":
        smtp.ehlo()
        if not smtp.has_extn("starttls"):
            mend = "set PROVISIONER_MAIL_SECURITY to tls (usually port 465), or ask whoever runs it"
            raise NotTaken(f"the mail server {server.where} offers no STARTTLS: {mend}")
        smtp.starttls(context=_context(server))


def _logged_in(smtp: smtplib.SMTP, server: MailServer) -> None:
    if server.user:
        smtp.login(server.user, _password(server))


def _password(server: MailServer) -> str:
    if server.password_file is None:
        return server.password
    try:
        return server.password_file.read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise NotTaken(f"PROVISIONER_MAIL_PASSWORD_FILE={server.password_file} cannot be read") from error


def _refusal(error: smtplib.SMTPException, server: MailServer) -> NotTaken:
    """Returns what the server's refusal means. Its own words are quoted, but for those about the password: some repeat what they were told."""
    is_servers = True
    match error:
        case smtplib.SMTPAuthenticationError():
            said = f"refuses user and password ({error.smtp_code}): see PROVISIONER_MAIL_USER"
        case smtplib.SMTPRecipientsRefused():
            address, (code, words) = next(iter(error.recipients.items()))
            said, is_servers = f"does not take mail to {address}: {code} {_quoted(words)}", False
        case smtplib.SMTPSenderRefused():
            said = f"takes no mail from {server.sender} (PROVISIONER_MAIL_FROM): {error.smtp_code} {_quoted(error.smtp_error)}"
        case smtplib.SMTPNotSupportedError():
            said = "offers no way to log in: is it the right port, and PROVISIONER_MAIL_SECURITY?"
        case smtplib.SMTPServerDisconnected():
            said = "ended the connection: is PROVISIONER_MAIL_SECURITY right for this port?"
        case smtplib.SMTPResponseException():
            said, is_servers = f"refuses the message: {error.smtp_code} {_quoted(error.smtp_error)}", False
        case _:
            said = f"says what is not understood ({type(error).__name__})"
    return NotTaken(f"the mail server {server.where} {said}", is_servers=is_servers)


def _unreached(error: OSError, server: MailServer) -> str:
    match error:
        case socket.gaierror():
            return f"there is no address for the mail server {server.host}: see PROVISIONER_MAIL_SERVER"
        case ConnectionRefusedError():
            return f"nothing answers at the mail server {server.where}: is it the right port, and does it run?"
        case TimeoutError():
            return f"the mail server {server.where} does not answer in time: is there a firewall in between, is the port right?"
        case _:
            return f"the mail server {server.where} cannot be reached: {error.strerror or type(error).__name__}"


def _quoted(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(_UNPRINTABLE.sub(" ", text).split())[:120]

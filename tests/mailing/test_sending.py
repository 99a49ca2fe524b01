"""Messages on the wire: to a real mail server, over TLS, STARTTLS and in clear; and what is said when it does not take them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from provisioner.mailing import MailServer, NotTaken, send, tried
from provisioner.mailing import sending as timing
from provisioner.mailing.composing import test_message as a_test_message
from provisioner.parts.certificate import own_certificate
from tests.mailing.servers import PASSWORD, USER, mail_box

FROM, TO = "phones@example.com", "office@example.com"
Certificate = tuple[Path, Path]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return own_certificate(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture(scope="module")
def other_name(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return own_certificate(tmp_path_factory.mktemp("other"), "mail.example.com")


def message(to: str = TO) -> EmailMessage:
    return a_test_message(to, "en", FROM, "", 1_800_000_000.0)


def server(port: int, security: str = "none", **more: Any) -> MailServer:
    return MailServer("localhost", port, security, FROM, **more)


def said(to: MailServer, address: str = TO) -> str:
    with pytest.raises(NotTaken) as caught:
        send(to, message(address))
    text = str(caught.value)
    assert PASSWORD not in text and "\n" not in text and len(text) < 300
    return text


def test_a_message_arrives_in_clear() -> None:
    with mail_box() as (box, port):
        send(server(port), message())
        assert tried(server(port)) == ""
    (got,) = box.got
    assert (got["From"], got["To"], got["Subject"]) == (FROM, TO, "Test of e-mail notices")
    assert got["Auto-Submitted"] == "auto-generated" and got["Message-ID"].endswith("@example.com>")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_message_arrives_enciphered_and_logged_in(certificate: Certificate, tmp_path: Path, security: str) -> None:
    kept = tmp_path / "password"
    kept.write_text(f"{PASSWORD}\n")
    with mail_box(tls=certificate, starttls=security == "starttls", wants_user=security == "starttls") as (box, port):
        user = {"user": USER, "password_file": kept} if security == "starttls" else {}
        send(server(port, security, ca_file=certificate[0], **user), message())
    assert len(box.got) == 1


def test_a_wrong_password_is_said_and_stands_nowhere(certificate: Certificate) -> None:
    with mail_box(tls=certificate, wants_user=True) as (box, port):
        text = said(server(port, "starttls", ca_file=certificate[0], user=USER, password=f"x{PASSWORD}"))
    assert text == f"the mail server localhost:{port} refuses user and password (535): see PROVISIONER_MAIL_USER"
    assert not box.got


def test_a_certificate_of_another_name_is_not_trusted(other_name: Certificate) -> None:
    with mail_box(tls=other_name, wants_user=True) as (box, port):
        text = said(server(port, "starttls", ca_file=other_name[0], user=USER, password=PASSWORD))
    assert "not valid for 'localhost'" in text and "PROVISIONER_MAIL_SERVER" in text
    assert not box.got


def test_a_certificate_of_nobody_is_not_trusted(certificate: Certificate) -> None:
    with mail_box(tls=certificate, starttls=False) as (_, port):
        assert "not trusted" in said(server(port, "tls"))


def test_a_server_without_starttls_gets_nothing() -> None:
    with mail_box() as (box, port):
        assert "offers no STARTTLS" in said(server(port, "starttls", user=USER, password=PASSWORD))
        assert box.tries == 0


def test_tls_where_there_is_none(certificate: Certificate) -> None:
    with mail_box() as (_, port):
        assert "does not speak TLS" in said(server(port, "tls", ca_file=certificate[0]))


def test_a_user_where_none_can_log_in() -> None:
    with mail_box() as (_, port):
        assert "no way to log in" in said(server(port, user=USER, password=PASSWORD))


def test_a_recipient_that_is_refused_says_nothing_of_the_others() -> None:
    with mail_box() as (box, port):
        box.refuses.add(TO)
        with pytest.raises(NotTaken) as caught:
            send(server(port), message())
        assert str(caught.value) == f"the mail server localhost:{port} does not take mail to {TO}: 550 5.1.1 no such user here"
        assert not caught.value.is_servers
        send(server(port), message("other@example.com"))


def test_a_message_that_is_refused() -> None:
    with mail_box() as (box, port):
        box.says = "552 too large \x07for us"
        assert said(server(port)).endswith("refuses the message: 552 too large for us")


def test_nothing_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert said(server(port)) == f"nothing answers at the mail server localhost:{port}: is it the right port, and does it run?"
    assert "there is no address" in said(MailServer("no-such-host.invalid", 25, "none", FROM))
    missing = server(port, "none", user=USER, password_file=tmp_path / "none")
    with mail_box() as (_, there):
        assert "cannot be read" in said(MailServer("localhost", there, "none", FROM, USER, password_file=missing.password_file))
        assert "cannot be read as certificates" in said(MailServer("localhost", there, "tls", FROM, ca_file=tmp_path / "none.pem"))


@pytest.fixture
def dripping() -> Iterator[int]:
    """A server that sends a letter of a greeting now and then, and never all of it."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            client = listener.accept()[0]
            with client:
                while not stop.wait(0.05):
                    try:
                        client.sendall(b"2")
                    except OSError:  # it was left
                        return

        threading.Thread(target=drip, daemon=True).start()
        yield listener.getsockname()[1]
        stop.set()


def test_a_server_that_drips_has_no_longer_than_any_other(dripping: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "WHOLE_S", 0.3)
    assert "does not answer in time" in said(server(dripping))

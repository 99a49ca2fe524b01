"""Each service's client speaks what the documents say, and tells no from later; no secret is in what it says."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading

import pytest

from provisioner.catalog import load_catalogue
from provisioner.core.mac import Mac
from provisioner.redirect import SERVICES, Away, RedirectService, Refused, open_service
from provisioner.redirect.gdms import login_password, signature
from tests.redirect.standin import playing

FIELDS = {
    "ymcs": {"access_key_id": "key-id-1", "access_key_secret": "key-secret-1", "server_id": "srv-1"},
    "gdms": {
        "client_id": "client-1",
        "client_secret": "client-secret-1",
        "username": "user-1",
        "password": "password-1",
        "site_id": "3345",
    },
    "ztp": {"api_key": "ztp-key-1", "profile": "office"},
}
PHONES = {"ymcs": Mac("805ec0aabbcc"), "gdms": Mac("c074adaabbcc"), "ztp": Mac("64167faabbcc")}
URL, SERIAL = "https://prov.example/p/abcdefghij/", "20EXGQ1M01234567"


def opened(kind: str, address: str) -> RedirectService:
    return open_service(kind, address, FIELDS[kind])


@pytest.mark.parametrize("kind", SERVICES)
def test_phone_is_registered_and_taken_off(kind: str) -> None:
    with playing(f"{kind}_register") as service:
        opened(kind, service.address).register(PHONES[kind], URL, SERIAL)
    with playing(f"{kind}_unregister") as service:
        opened(kind, service.address).unregister(PHONES[kind])


@pytest.mark.parametrize("kind", SERVICES)
def test_registering_again_does_no_harm(kind: str) -> None:
    with playing(f"{kind}_register_again") as service:
        opened(kind, service.address).register(PHONES[kind], URL, SERIAL)


@pytest.mark.parametrize("kind", SERVICES)
def test_phone_of_another_account_is_refused_with_what_the_service_says(kind: str) -> None:
    with playing(f"{kind}_register_foreign") as service, pytest.raises(Refused, match=r"exist|different account"):
        opened(kind, service.address).register(PHONES[kind], URL, SERIAL)


def test_refusal_of_a_call_and_of_a_key_is_told_without_the_secret() -> None:
    with playing("ymcs_register_forbidden") as service, pytest.raises(Refused, match=r"403: .*serial number needed"):
        opened("ymcs", service.address).register(PHONES["ymcs"], URL, "")
    with playing("ymcs_wrong_key") as service, pytest.raises(Refused, match=r"401: .*\*\*\* is wrong") as told:
        opened("ymcs", service.address).register(PHONES["ymcs"], URL, "")
    assert "key-secret-1" not in str(told.value)


def test_phone_that_is_not_there_is_taken_off_already() -> None:
    with playing("ztp_unregister_absent") as service:
        opened("ztp", service.address).unregister(PHONES["ztp"])


def test_missing_serial_number_is_told_before_anything_is_asked() -> None:
    with pytest.raises(Refused, match="serial number"):
        opened("gdms", "http://127.0.0.1:9").register(PHONES["gdms"], URL, "")


@pytest.mark.parametrize("kind", SERVICES)
def test_service_that_is_away_is_asked_again_later(kind: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        with pytest.raises(Away, match="does not answer"):
            opened(kind, f"http://127.0.0.1:{taken.getsockname()[1]}").register(PHONES[kind], URL, SERIAL)


@pytest.mark.parametrize(("status", "body"), [(503, b""), (429, b"{}"), (200, b"<html>maintenance</html>"), (200, b"x" * 1_100_000)])
def test_answer_that_makes_no_sense_is_not_taken_for_a_yes(status: int, body: bytes) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            for kind in SERVICES:
                with pytest.raises(Away):
                    opened(kind, f"http://127.0.0.1:{server.server_port}").register(PHONES[kind], URL, SERIAL)
        finally:
            server.shutdown()
            thread.join(20)


def test_password_and_signature_are_as_the_guide_says() -> None:
    md5 = hashlib.md5(b"password-1").hexdigest()
    assert login_password("password-1") == hashlib.sha256(md5.encode()).hexdigest()
    assert signature({"b": "2", "a": "1"}, b"") == hashlib.sha256(b"&a=1&b=2&").hexdigest()


def test_every_vendor_names_a_service_that_can_be_spoken_to() -> None:
    vendors = load_catalogue().vendors.values()
    assert {vendor.redirect.service for vendor in vendors if vendor.redirect} == set(SERVICES)
    assert FIELDS.keys() == SERVICES.keys()
    assert all(set(FIELDS[kind]) == set(SERVICES[kind].fields) for kind in SERVICES)

"""Each service's client speaks what the documents say, and tells no from later; no secret is in what it says."""

from __future__ import annotations

import hashlib
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from provisioner.core.mac import Mac
from provisioner.redirect import SERVICES, Away, RedirectService, Refused, open_service
from provisioner.redirect.gdms import login_password, signature
from provisioner.redirect.wire import Wire
from tests.installations import shared_catalogue
from tests.redirect.standin import playing
from tests.test_deadline import dripping

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


NO_ANSWERS = [
    (503, b""),
    (429, b"{}"),
    (200, b"<html>maintenance</html>"),
    (200, b"x" * 1_100_000),
    (200, b"[" * 100_000),
    (200, b""),
    (200, b"[]"),
    (200, b"{}"),
    (200, b'{"access_token": "tok-1"}'),
]


@pytest.mark.parametrize(("status", "body"), NO_ANSWERS)
@pytest.mark.parametrize("kind", SERVICES)
def test_answer_that_makes_no_sense_is_not_taken_for_a_yes(kind: str, status: int, body: bytes) -> None:
    with answering(lambda _request: (status, body)) as address:
        service = opened(kind, address)
        with pytest.raises(Away):
            service.register(PHONES[kind], URL, SERIAL)
        with pytest.raises(Away):
            service.unregister(PHONES[kind])


TOKEN = {"access_token": "tok-1"}
LACKING = [
    ("ymcs", {}, "access_token"),
    ("ymcs", TOKEN, "data"),
    ("ymcs", {**TOKEN, "data": "none"}, "data"),
    ("gdms", TOKEN, "retCode"),
    ("gdms", {**TOKEN, "retCode": 0}, "data.result"),
    ("gdms", {**TOKEN, "retCode": 0, "data": {"result": [{"siteId": 3345}]}}, "data.result[].mac"),
    ("gdms", {**TOKEN, "retCode": 0, "data": {"result": [{"mac": "C0:74:AD:AA:BB:CC"}]}}, "data.result[].siteId"),
    ("ztp", {}, "profile"),
]


@pytest.mark.parametrize(("kind", "body", "field"), LACKING)
def test_unclear_answer_is_told_with_the_field_that_it_lacks(kind: str, body: object, field: str) -> None:
    with answering(lambda _request: (200, json.dumps(body).encode())) as address, pytest.raises(Away) as told:
        opened(kind, address).is_registered(PHONES[kind])
    assert f"answers 200 without a '{field}' that is understood" in str(told.value)


def test_list_that_is_null_is_one_without_the_device() -> None:
    none = {**TOKEN, "total": 0, "data": None}
    with answering(lambda _request: (200, json.dumps(none).encode())) as address:
        assert not opened("ymcs", address).is_registered(PHONES["ymcs"])


@pytest.mark.parametrize("address", ["https://a b.example", "https://a.example:x", "https://a.example:70000", "http://127.0.0.1:1/a b"])
def test_address_that_cannot_be_asked_is_told_as_one_that_does_not_answer(address: str) -> None:
    with pytest.raises(Away, match="does not answer"):
        opened("ztp", address).register(PHONES["ztp"], URL, SERIAL)


def test_service_that_drips_is_given_up_in_time() -> None:
    begun = time.monotonic()
    with dripping(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x") as port, pytest.raises(Away, match="not done within"):
        Wire(f"http://127.0.0.1:{port}", (), timeout_s=0.5).exchange("GET", "/", {})
    assert time.monotonic() - begun < 30, "the drip has no end"


@pytest.mark.parametrize("is_token_refused", [True, False])
@pytest.mark.parametrize("kind", ["ymcs", "gdms"])
def test_what_was_made_of_the_secrets_is_hidden_too(kind: str, is_token_refused: bool) -> None:
    def echoing(request: bytes) -> tuple[int, bytes]:
        if b"/token " in request and not is_token_refused:
            return 200, b'{"access_token": "made-token-1"}'
        return 400, json.dumps(request.decode()).encode()

    derived = ["made-token-1", "a2V5LWlkLTE6a2V5LXNlY3JldC0x", login_password("password-1"), "/p/abcdefghij", *FIELDS[kind].values()]
    with answering(echoing) as address, pytest.raises(Refused) as told:
        opened(kind, address).register(PHONES[kind], URL, SERIAL)
    assert "***" in str(told.value)
    assert [secret for secret in derived if secret in str(told.value)] == []


@contextmanager
def answering(answer: Callable[[bytes], tuple[int, bytes]]) -> Iterator[str]:
    """Answers every request on loopback with what ``answer`` makes of its path, Authorization and body; yields the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answer(b" ".join((self.path.encode(), self.headers.get("Authorization", "").encode(), came)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def do_DELETE(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(20)


def test_password_and_signature_are_as_the_guide_says() -> None:
    md5 = hashlib.md5(b"password-1").hexdigest()
    assert login_password("password-1") == hashlib.sha256(md5.encode()).hexdigest()
    assert signature({"b": "2", "a": "1"}, b"") == hashlib.sha256(b"&a=1&b=2&").hexdigest()


def test_every_vendor_names_a_service_that_can_be_spoken_to() -> None:
    vendors = shared_catalogue().vendors.values()
    assert {vendor.redirect.service for vendor in vendors if vendor.redirect} == set(SERVICES)
    assert FIELDS.keys() == SERVICES.keys()
    assert all(set(FIELDS[kind]) == set(SERVICES[kind].fields) for kind in SERVICES)

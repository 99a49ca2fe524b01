"""Webhooks: queued, signed, tried again, given up; and never sent where they may not go."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from provisioner.changes.webhooks import wants
from provisioner.errors import InputError
from provisioner.models_api import webhook
from provisioner.webhooks import Webhooks
from provisioner.webhooks.reaching import Unreachable, address_for
from provisioner.webhooks.rounds import BACKOFF_S
from provisioner.webhooks.sending import Result, send
from provisioner.wiring import Installation
from tests.engines import Clock
from tests.installations import timed_installation
from tests.test_deadline import dripping

LOOPBACK = ("127.0.0.0/8",)


class Receiver:
    """A program that takes webhooks, or refuses them with ``status``."""

    def __init__(self) -> None:
        self.status = 204
        self.got: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                self.send_response(outer.status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?key=1"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def installation(tmp_path: Path, clock: Clock) -> Iterator[Installation]:
    with timed_installation(tmp_path, clock) as fresh:
        yield fresh


def rounds(installation: Installation, sender: Any = send) -> Webhooks:
    return Webhooks(installation.store, installation.changes, LOOPBACK, sender)


def test_a_change_is_told_with_a_signature_that_the_secret_proves(installation: Installation, receiver: Receiver) -> None:
    installation.changes.create_extension("tests", "1000")  # before there was a webhook: not told
    _, secret = installation.changes.create_webhook("tests", "desk", {"url": receiver.url, "events": ["extension.*"]})
    installation.changes.create_extension("ann", "1001", display_name="Ann")
    installation.changes.create_site("ann", "oslo", {})
    hooks = rounds(installation)
    assert hooks.round() == 1
    assert hooks.round() == 0
    ((headers, body),) = receiver.got
    told = json.loads(body)
    assert (told["type"], told["data"]["actor"], told["data"]["subject"]) == ("extension.create", "ann", "1001")
    signed = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()
    assert headers["Webhook-Signature"] == f"v1,{expected}"
    (row,) = installation.store.deliveries("desk")
    assert (row.tries, row.status, row.error, row.due_at) == (1, 204, "", None)
    assert row.delivered_at is not None


def test_what_is_refused_is_tried_again_later_and_later_and_then_given_up(installation: Installation, clock: Clock) -> None:
    installation.changes.create_webhook("tests", "desk", {"url": "http://192.0.2.1/"})
    installation.changes.create_extension("tests", "1001")
    at: list[float] = []
    hooks = rounds(installation, lambda *_: [at.append(clock.now), Result(500, "it answered 500")][1])
    for _ in range(len(BACKOFF_S) + 3):
        hooks.round()
        assert hooks.round() == 0  # not before its time
        due = installation.store.deliveries("desk")[-1].due_at
        clock.now = due if due is not None else clock.now + 10**6
    told = installation.store.deliveries("desk")[-1]
    assert (told.tries, told.due_at, told.delivered_at, told.status) == (len(BACKOFF_S) + 1, None, None, 500)
    own = [round(later - earlier) for earlier, later in pairwise(at)]
    assert own[: len(BACKOFF_S)] == list(BACKOFF_S)


def test_a_delivery_is_sent_again_on_request(installation: Installation, receiver: Receiver) -> None:
    installation.changes.create_webhook("tests", "desk", {"url": receiver.url})
    installation.changes.test_webhook("tests", "desk")
    hooks = rounds(installation)
    while hooks.round():
        pass
    first = len(receiver.got)
    (row, *_) = installation.store.deliveries("desk")
    installation.changes.resend_delivery("tests", "desk", row.id)
    assert hooks.round() == 1
    assert len(receiver.got) == first + 1
    ids = [headers["Webhook-Id"] for headers, _ in receiver.got]
    assert ids[-1] in ids[:-1]  # the same, so that the receiver can tell


def test_a_redirect_is_not_followed_and_a_disabled_webhook_is_not_sent_to(installation: Installation, receiver: Receiver) -> None:
    receiver.status = 302
    installation.changes.create_webhook("tests", "desk", {"url": receiver.url})
    installation.changes.test_webhook("tests", "desk")
    hooks = rounds(installation)
    hooks.round()
    assert [row.error for row in installation.store.deliveries("desk") if row.tries] == ["it answered 302"]
    installation.changes.update_webhook("tests", "desk", {"enabled": False})
    count = len(receiver.got)
    installation.changes.test_webhook("tests", "desk")
    assert hooks.round() == 0
    assert len(receiver.got) == count


def test_one_that_nobody_serves_is_an_error_and_not_a_fault(installation: Installation) -> None:
    result = send("http://127.0.0.1:1/", b"s", "msg_1", b"{}", 0.0, LOOPBACK)
    assert result.status is None
    assert result.error == "nothing answers there: is it the right port, and does it run?"


def test_a_receiver_that_drips_is_given_up_in_time() -> None:
    begun = time.monotonic()
    with dripping(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x") as port:
        result = send(f"http://127.0.0.1:{port}/", b"s", "msg_1", b"{}", 0.0, LOOPBACK, timeout_s=0.5)
    assert (result.status, result.error) == (None, "it did not answer within 0.5 s")
    assert time.monotonic() - begun < 30, "the drip has no end"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "169.254.169.254", "[::1]", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:127.0.0.1]", "[2002:7f00:1::]", "224.0.1.75", "2130706433", "0x7f.1"],
)  # fmt: skip
def test_this_machine_and_the_link_are_never_asked_unless_allowed(host: str) -> None:
    assert send(f"http://{host}/", b"s", "msg_1", b"{}", 0.0, ()).status is None
    with pytest.raises(Unreachable, match=r"leads to this machine|no address"):
        address_for(host.strip("[]"), 80, ())


def test_private_networks_and_what_is_allowed_are_reached() -> None:
    assert address_for("192.168.1.9", 80, ()) == "192.168.1.9"
    assert address_for("10.0.0.9", 80, ()) == "10.0.0.9"
    assert address_for("fd00:ec2::253", 80, ()) == "fd00:ec2::253"
    assert address_for("127.0.0.1", 80, LOOPBACK) == "127.0.0.1"


@pytest.mark.parametrize(
    "url", ["ftp://x/", "http://", "http://user:pw@x/", "http://x y/", "javascript:alert(1)", "http://[::1", "http://x:99999/", ""]
)
def test_what_is_no_address_is_refused_in_words(installation: Installation, url: str) -> None:
    with pytest.raises(InputError) as caught:
        installation.changes.create_webhook("tests", "desk", {"url": url})
    assert list(caught.value.fields) == ["url"]


@pytest.mark.parametrize(
    ("events", "action", "told"),
    [(["*"], "a.b", True), (["phone.*"], "phone.update", True), (["phone.*"], "phones.x", False), (["phone.update"], "phone.updated", False), ([], "a.b", False)],
)  # fmt: skip
def test_events_choose_actions(events: list[str], action: str, told: bool) -> None:
    assert wants(events, action) is told


def test_deliveries_are_bounded(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.changes.webhooks.KEPT", 5)
    installation.changes.create_webhook("tests", "desk", {"url": "http://192.0.2.1/", "events": ["none.such"]})
    for _ in range(12):
        installation.changes.test_webhook("tests", "desk")
    assert len(installation.store.deliveries("desk")) == 5


def test_a_webhook_removed_during_a_round_is_passed_over(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    installation.changes.create_webhook("tests", "gone", {"url": "http://192.0.2.1/"})
    listed = installation.store.webhooks()
    installation.changes.delete_webhook("tests", "gone")
    monkeypatch.setattr(installation.store, "webhooks", lambda connection=None: listed if connection is None else [])
    assert rounds(installation).round() == 0


def test_a_secret_that_cannot_be_opened_is_the_error_of_its_delivery_alone(installation: Installation, receiver: Receiver) -> None:
    for name in ("broken", "desk"):
        installation.changes.create_webhook("tests", name, {"url": receiver.url, "events": ["extension.*"]})
    with installation.database.write() as connection:
        connection.execute(webhook.update().where(webhook.c.name == "broken").values(secret=b"of another key"))
    installation.changes.create_extension("tests", "1001")
    assert rounds(installation).round() == 2
    (row,) = installation.store.deliveries("broken")
    assert (row.tries, row.status, row.delivered_at) == (1, None, None)
    assert "secret.key does not fit" in row.error
    assert len(receiver.got) == 1


def test_the_thread_survives_a_fault(installation: Installation, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.webhooks.rounds.AFTER_FAULT_S", 0.01)
    installation.changes.create_webhook("tests", "desk", {"url": receiver.url})
    installation.changes.test_webhook("tests", "desk")
    stop, tries = threading.Event(), iter(range(100))

    def sender(*given: Any) -> Result:
        if next(tries) == 0:
            raise RuntimeError("nobody thought of this")
        stop.set()
        return send(*given)

    thread = threading.Thread(target=rounds(installation, sender).run, args=(stop,))
    thread.start()
    thread.join(30)
    stop.set()
    assert not thread.is_alive()
    assert len(receiver.got) == 1


def test_the_thread_stops_when_told(installation: Installation) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=rounds(installation).run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(30)
    assert not thread.is_alive()

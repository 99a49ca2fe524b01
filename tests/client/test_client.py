"""The client against a real server: pages, conflicts with both states, requests that are sent again, refusals in words, and no token anywhere."""

from __future__ import annotations

import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, Response, request

from provisioner.client import Busy, Client, ClientError, Conflict, Invalid, NotAllowed, NotFound, NotOurAnswer, Problem, Unreachable
from provisioner.wiring import Installation
from tests.client.conftest import MAC, listening
from tests.installations import API_TOKEN

TOKEN = "a-token-that-nobody-may-see"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Tries follow each other at once; the waits are kept."""
    waits: list[float] = []
    monkeypatch.setattr("provisioner.client.wire.time.sleep", waits.append)
    return waits


def test_list_is_read_page_by_page_as_it_is_needed(client: Client, installation: Installation) -> None:
    for number in range(1001, 1008):
        installation.changes.create_extension("tests", str(number))
    assert [row["number"] for row in client.extensions.list(limit=3)] == [str(number) for number in range(1001, 1008)]
    assert next(client.extensions.list(limit=1))["number"] == "1001"
    assert [row["number"] for row in client.extensions.list(search="1007")] == ["1007"]
    assert [row["action"] for row in client.changes.list(limit=2)] == ["extension.create"] * 7


def test_change_of_what_somebody_else_changed_shows_both_states(client: Client, phone: dict[str, Any]) -> None:
    read = client.phones.show(MAC)
    client.phones.change(MAC, {"firmware": "1.2.3"}, read=read)
    with pytest.raises(Conflict) as caught:
        client.phones.change(MAC, {"site": "default", "firmware": "9"}, read=read)
    assert (caught.value.status, caught.value.reason) == (412, "changed_meanwhile")
    assert caught.value.read is read and read["firmware"] == ""
    assert caught.value.now["firmware"] == "1.2.3" and caught.value.now.etag != read.etag
    client.phones.change(MAC, {"firmware": "9"}, read=caught.value.now)
    client.phones.put_keys(MAC, [{"key": 3, "type": "blf", "value": "1001"}], read=client.phones.keys(MAC))
    assert client.phones.keys(MAC)[0]["value"] == "1001"


def test_refusal_names_the_fields_and_what_mends_them(client: Client) -> None:
    with pytest.raises(Invalid) as caught:
        client.phones.create({"mac": "nonsense", "model": "acme/a1", "colour": "red"})
    assert set(caught.value.fields) == {"mac", "colour"} and str(caught.value).startswith("phones.create: ")
    assert all(f"{name}: {sentence}" in str(caught.value) for name, sentence in caught.value.fields.items())
    with pytest.raises(NotFound, match=r"phones\.show: .*02:ac:de:00:00:09 is not listed.* \(404 not_found\)"):
        client.phones.show("02acde000009")


def test_role_that_is_not_enough_is_told(url: str, installation: Installation) -> None:
    viewer = Client(url, installation.changes.create_token("tests", "looker", "viewer"))
    assert list(viewer.phones.list()) == []
    with pytest.raises(NotAllowed, match="role"):
        viewer.extensions.create({"number": "1001"})
    with pytest.raises(NotAllowed, match="401"):
        Client(url, "not-a-token").session.show()


def test_text_and_files_come_as_they_are(client: Client, phone: dict[str, Any]) -> None:
    assert client.export.show().startswith("mac,model")
    assert client.imports.create("mac,model\n02acde000002,acme/a1\n")["counts"]["create"] == 1
    assert client.imports.create({"csv": "mac,model\n02acde000002,acme/a1\n", "commit": True})["committed"]
    assert client.phones.sheet(MAC, accept="text/html").startswith("<!DOCTYPE html>")
    assert client.phones.delete(MAC) is None


@contextmanager
def faulty(answers: list[Callable[[], Any]]) -> Iterator[tuple[str, list[Any]]]:
    """A server that answers as told, once each, and keeps what it was asked."""
    app, asked = Flask("faulty"), []

    @app.route("/<path:path>", methods=["GET", "POST", "PATCH"])
    def answer(path: str) -> Any:
        asked.append((request.method, request.headers.get("Idempotency-Key"), request.get_data()))
        return answers.pop(0)()

    with listening(app) as url:
        yield url, asked


def refused(status: int, reason: str, **headers: str) -> Callable[[], Response]:
    return lambda: Response(f'{{"reason": "{reason}", "detail": "wait"}}', status, headers, content_type="application/problem+json")


def test_post_is_sent_again_with_its_key_and_nothing_else_is(no_waiting: list[float]) -> None:
    bad_gateway, fine = refused(502, "x"), lambda: {"number": "1001"}
    with faulty([bad_gateway, refused(409, "in_progress", **{"Retry-After": "1"}), fine, bad_gateway, fine]) as (url, asked):
        client = Client(url, TOKEN)
        assert client.extensions.create({"number": "1001"})["number"] == "1001"
        assert len(asked) == 3 and len({key for _, key, _ in asked}) == 1 and len({body for *_, body in asked}) == 1
        assert no_waiting == [0.5, 1.0]
        with pytest.raises(Problem, match="502"):
            client.extensions.change("1001", {"display_name": "Bob"})
        client.extensions.create({"number": "1002"}, key="mine")
    assert [key for method, key, _ in asked][3:] == [None, "mine"]


def test_server_that_asks_for_patience_gets_a_bounded_one(no_waiting: list[float]) -> None:
    busy = refused(503, "not_ready", **{"Retry-After": "5"})
    with faulty([busy, lambda: [], refused(429, "rate_limited", **{"Retry-After": "600"})]) as (url, _):
        client = Client(url, TOKEN)
        assert client.redirect_services.list() == [] and no_waiting == [5.0]
        with pytest.raises(Busy) as caught:
            client.redirect_services.list()
    assert caught.value.retry_after_s == 600 and no_waiting == [5.0]


def test_what_is_not_our_api_is_told() -> None:
    pages = [
        lambda: "<html>",
        lambda: Response("", 302, {"Location": "http://192.0.2.1/"}),
        lambda: Response("{", content_type="application/json"),
    ]
    with faulty(list(pages)) as (url, _):
        client = Client(url, TOKEN)
        assert client.session.show() == "<html>"  # a page of text is text
        with pytest.raises(NotOurAnswer, match="answered with 302"):
            client.session.show()
        with pytest.raises(NotOurAnswer, match="not JSON"):
            client.session.show()


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing, or drips."""
    listener, done = socket.create_server(("127.0.0.1", 0)), threading.Event()
    held: list[socket.socket] = []

    def serve() -> None:
        while not done.is_set():
            try:
                held.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        done.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for each in held:
            each.close()


def test_server_that_says_nothing_is_given_up_and_told_whether_it_may_be_done() -> None:
    with silent() as url:
        with pytest.raises(Unreachable) as caught:
            Client(url, TOKEN, timeout_s=0.2).phones.change(MAC, {})
        assert caught.value.may_be_done and url in str(caught.value)
    with pytest.raises(Unreachable) as caught:
        Client("http://127.0.0.1:1", TOKEN, timeout_s=5).phones.change(MAC, {})
    assert not caught.value.may_be_done


@pytest.mark.parametrize(
    ("url", "token"),
    [("ftp://pbx", TOKEN), ("https://me:pw@pbx", TOKEN), ("pbx.example.org", TOKEN), ("https://pbx?x", TOKEN), ("https://pbx", ""), ("https://pbx", f"{TOKEN}\n")],
)  # fmt: skip
def test_address_and_token_are_checked_without_showing_them(url: str, token: str) -> None:
    with pytest.raises(ClientError) as caught:
        Client(url, token)
    assert TOKEN not in str(caught.value) and "me:pw" not in str(caught.value)


def test_token_is_in_no_repr_error_or_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client, told = Client(url, TOKEN), [""]
    body = {"number": "1001", "secret": "a-sip-password"}
    for asked in (client, Client("http://127.0.0.1:1", TOKEN)):
        told += [repr(asked), repr(asked.phones), repr(asked.phones.show), str(asked.phones.__doc__)]
        with pytest.raises(ClientError) as caught:
            asked.extensions.create(body)
        told += [repr(caught.value), "".join(traceback.format_exception(caught.value))]
    assert "401" in "".join(told)
    assert not [text for text in (*told, caplog.text) if TOKEN in text or body["secret"] in text]


def test_path_before_the_api_is_kept(installation: Installation, url: str) -> None:
    with pytest.raises(NotFound):
        Client(f"{url}/behind/", API_TOKEN).session.show()
    assert Client(f"{url}/", API_TOKEN).session.show()["role"] == "admin"

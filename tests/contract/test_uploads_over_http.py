"""Files that phones send over HTTP: the recorded cases, and what a hostile sender meets."""

from __future__ import annotations

import re
import socket
import time
from contextlib import ExitStack

import pytest

from provisioner.core.mac import Mac
from tests.conftest import load_cases
from tests.contract.world import Phone, World, wait_until

MIB = 1024 * 1024


@pytest.fixture(scope="session")
def vvx(served: World) -> Phone:
    return served.phone("polycom/vvx411", served.site("open"), mac=Mac("f04ea4691c59"))


@pytest.fixture(scope="module")
def yealink(served: World) -> Phone:
    return served.phone("yealink/t46u", served.site("open"))


def put(served: World, phone: Phone, name: str, body: bytes) -> int:
    return served.http("PUT", name.format(mac=phone.mac), phone.agent, body).status


def kept(served: World, phone: Phone, name: str) -> bytes:
    found = served.installation.store.upload_body(phone.mac, name.format(mac=phone.mac))
    assert found is not None
    return found[1]


_MAC = re.compile(r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])")
_SIZE = re.compile(r"(?P<mib>\d+) MiB(?: \+ (?P<more>\d+))?|(?P<bytes>\d+) (?:more )?bytes")
_PATH = re.compile(r"(?P<path>(?:[\w.\-]+/)*[0-9a-f]{12}[\w.\-/]*\.(?:xml|log|cfg))")
_QUOTED = re.compile(r'"(?P<text>.*)"', re.DOTALL)


def size_in(words: str) -> bytes:
    """Returns a body of the size that a case speaks of, or of the text that it quotes."""
    quoted, size = _QUOTED.search(words), _SIZE.search(words)
    if quoted:
        return quoted["text"].replace("\\n", "\n").encode()
    if size is None:
        return b"<calls/>"
    count = int(size["bytes"]) if size["bytes"] else int(size["mib"]) * MIB + int(size["more"] or 0)
    return (bytes(range(256)) * (count // 256 + 1))[:count]


def path_in(words: str, mac: str) -> str:
    """Returns the name that a case speaks of, of this phone unless the case names another."""
    if "bucket" in words:
        return f"unknown/{mac}-calls.xml"
    path = _PATH.search(words)
    if path:
        return path["path"]
    other = _MAC.search(words)
    kind = "calls/{}-calls.xml" if "calls" in words or other else "logs/{}-app.log"
    return kind.format(other[0] if other else mac)


@pytest.mark.parametrize("case", load_cases("upload_cases"), ids=lambda case: case["id"])
def test_recorded_upload_case(served: World, case: dict) -> None:
    """The cases are sentences: what is given, what is sent, what must come of it."""
    given, when, expect = case["given"], case["when"], case["expect"]
    phone = served.phone("yealink/t46u" if "yealink" in given else "polycom/vvx411", served.site("open"))
    own = (_MAC.search(given) or _MAC.search(when if "for MAC" not in when else given) or [""])[0]
    given, when, stored = (text.replace(own, phone.mac) if own else text for text in (given, when, str(expect.get("stored", ""))))
    path, body = path_in(when, phone.mac), size_in(when)
    if "exists" in given or "stored" in given or " bytes" in given:
        assert served.http("PUT", path, phone.agent, size_in(given)).status == 200
    try:
        answer = served.http(when.partition(" ")[0], path, phone.agent, body if when.startswith("PUT") else None)
    except ConnectionError:
        # The server closed while we were still sending what it had refused.
        assert expect["status"] == 413
        return
    assert answer.status == expect["status"]
    if when.startswith("GET") and answer.status == 200:
        assert answer.body == size_in(given), "at once, and not only when the index has heard of it"
    wanted = {"only the new part": body, "newest 1 MiB": body[-MIB:]}
    for told in (expect[word] for word in ("content", "kept") if word in expect):
        assert kept(served, phone, path) == wanted.get(told, told.encode())
    assert not stored or kept(served, phone, stored) == body


def test_no_phone_writes_for_another(served: World, vvx: Phone) -> None:
    other = served.phone("polycom/vvx411", served.site("token"))
    assert served.http("PUT", f"p/{served.token(vvx.mac)}/calls/{other.mac}-calls.xml", vvx.agent, b"x").status == 404


def test_names_that_nobody_sends_are_refused(served: World, vvx: Phone) -> None:
    for name in ("bucket/{mac}-app.log", "logs/logs/{mac}-app.log", "../{mac}-app.log", "{mac}.cfg", "{mac}-user.cfg", "x.txt", ""):
        assert put(served, vvx, name, b"x") in (404, 400), name


def test_overrides_are_kept_and_never_served_back(served: World, vvx: Phone) -> None:
    for name in ("{mac}-phone.cfg", "overrides/{mac}-phone.cfg", "{mac}-web.cfg"):
        assert put(served, vvx, name, b"<overrides of='user'/>") == 200
        assert kept(served, vvx, name) == b"<overrides of='user'/>"
        served.wait_index()
        assert served.http("GET", name.format(mac=vvx.mac), vvx.agent).status == 404
    assert b"overrides of" not in served.http("GET", vvx.name, vvx.agent).body


def test_a_yealinks_local_settings_are_kept_and_never_served_back(served: World, yealink: Phone) -> None:
    assert put(served, yealink, "{mac}-local.cfg", b"#!version:1.0.0.1\n") == 200
    assert served.http("GET", f"{yealink.mac}-local.cfg", yealink.agent).status == 404


def opened(served: World, head: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", served.http_port), timeout=20)
    connection.sendall(head)
    return connection


def head_of(path: str, phone: Phone, *more: str) -> bytes:
    lines = [f"PUT /{path} HTTP/1.1", "Host: prov.example", f"User-Agent: {phone.agent}", *more, "", ""]
    return "\r\n".join(lines).encode()


def answer_of(connection: socket.socket) -> bytes:
    parts = b""
    try:
        while b"\r\n\r\n" not in parts and (part := connection.recv(65536)):
            parts += part
    except ConnectionResetError:
        pass
    return parts


@pytest.mark.parametrize(
    "more", [("Content-Length: 1000000",), ("Transfer-Encoding: chunked",), ("Content-Length: 9", "Expect: 100-continue")]
)
def test_who_proved_nothing_is_refused_before_a_byte_is_read(served: World, more: tuple[str, ...]) -> None:
    phone = served.phone("polycom/vvx411", served.site("token"))
    with opened(served, head_of(f"{phone.mac}-app.log", phone, *more)) as connection:
        assert answer_of(connection).startswith(b"HTTP/1.1 404 "), "not even 100 Continue"


def test_a_proven_phone_is_told_to_continue(served: World, vvx: Phone) -> None:
    with opened(served, head_of(f"contacts/{vvx.mac}-directory.xml", vvx, "Content-Length: 4", "Expect: 100-continue")) as connection:
        assert answer_of(connection).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"<a/>")
        assert answer_of(connection).startswith(b"HTTP/1.1 200 ")
    assert kept(served, vvx, "contacts/{mac}-directory.xml") == b"<a/>"


def test_a_length_over_the_names_own_limit_is_refused_at_once(served: World, vvx: Phone) -> None:
    with opened(served, head_of(f"{vvx.mac}-calls.xml", vvx, f"Content-Length: {2 * MIB}")) as connection:
        assert answer_of(connection).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_upload_is_cut_at_its_limit_and_recorded(served: World, vvx: Phone) -> None:
    chunk = b"100000\r\n" + b"x" * MIB + b"\r\n"
    sent = 0
    with opened(served, head_of(f"logs/{vvx.mac}-app.log", vvx, "Transfer-Encoding: chunked")) as connection:
        connection.settimeout(10)
        try:
            for _ in range(64):
                connection.sendall(chunk)
                sent += MIB
        except (ConnectionError, TimeoutError):
            pass
        answer = answer_of(connection)
    assert sent < 64 * MIB
    assert answer.startswith(b"HTTP/1.1 413 ") or answer == b"", "a reset may swallow the answer"

    def is_recorded() -> bool:
        return any(
            fetch.reason == "too_large" and fetch.method == "PUT" for fetch in served.installation.store.fetches(mac=vvx.mac, limit=5)
        )

    wait_until(is_recorded, what="the record")


def test_an_upload_that_breaks_off_is_not_kept(served: World, vvx: Phone) -> None:
    with opened(served, head_of(f"{vvx.mac}-directory.xml", vvx, "Content-Length: 100")) as connection:
        connection.sendall(b"half of it")
    time.sleep(0.5)
    assert served.installation.store.upload_body(vvx.mac, f"{vvx.mac}-directory.xml") is None
    assert served.http("GET", vvx.name, vvx.agent).status == 200


def test_the_33rd_upload_at_once_is_told_to_come_back_and_quick_requests_go_on(served: World, vvx: Phone) -> None:
    head = head_of(f"logs/{vvx.mac}-app.log", vvx, "Content-Length: 10")
    with ExitStack() as stack:
        held = [stack.enter_context(opened(served, head + b"a")) for _ in range(32)]

        def next_one() -> bytes:
            with opened(served, head + b"a") as connection:
                connection.settimeout(1)
                try:
                    return answer_of(connection)
                except TimeoutError:
                    return b""

        answers: list[bytes] = []
        wait_until(lambda: answers.append(next_one()) or b" 503 " in answers[-1], what="the refusal")
        assert b"retry-after: " in answers[-1].lower()
        started = time.monotonic()
        assert served.http("GET", vvx.name, vvx.agent).status == 200
        assert time.monotonic() - started < 15, "not only when an upload is over"
        for connection in held:
            connection.sendall(b"bcdefghij")
        assert all(answer_of(connection).startswith(b"HTTP/1.1 200 ") for connection in held)
    assert put(served, vvx, "logs/{mac}-app.log", b"x") == 200


@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "PROPFIND", "TRACE", "LOCK"])
def test_bodies_of_other_methods_hold_up_nobody(served: World, vvx: Phone, method: str) -> None:
    head = f"{method} /{vvx.name} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode()
    with ExitStack() as stack:
        for connection in [stack.enter_context(opened(served, head)) for _ in range(40)]:
            assert answer_of(connection).startswith(b"HTTP/1.1 405 ")
        assert put(served, vvx, "logs/{mac}-app.log", b"x") == 200

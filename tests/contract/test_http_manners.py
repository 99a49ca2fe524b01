"""The manners of the HTTP listener: conditions, ranges, odd requests, slow and hostile clients. Nothing here depends on a vendor."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.world import Phone, World

STATIC = "firmware/T46U-108.86.0.90.rom"


@pytest.fixture(scope="module")
def phone(served: World) -> Phone:
    return served.phone("yealink/t46u", served.site("open"))


def get(served: World, path: str, agent: str = "", method: str = "GET", **headers: str):
    return served.http(method, path, agent, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture(params=["rendered", "static"])
def file(request: pytest.FixtureRequest, served: World, phone: Phone) -> tuple[str, bytes]:
    if request.param == "rendered":
        return phone.name, served.body(phone)
    return STATIC, (served.static / STATIC).read_bytes()


def test_get_and_head_say_the_same(served: World, phone: Phone, file: tuple[str, bytes]) -> None:
    path, body = file
    whole, head = get(served, path, phone.agent), get(served, path, phone.agent, "HEAD")
    assert (whole.status, whole.body) == (200, body)
    assert (head.status, head.body) == (200, b"")
    without_date = [{name: value for name, value in answer.headers.items() if name != "date"} for answer in (whole, head)]
    assert without_date[0] == without_date[1]
    assert whole.headers["content-length"] == str(len(body))
    assert whole.headers["accept-ranges"] == "bytes"


def test_a_phones_own_file_is_kept_by_no_cache_on_the_way(served: World, phone: Phone) -> None:
    assert get(served, phone.name, phone.agent).headers["cache-control"] == "private, no-cache"
    assert get(served, "y000000000108.cfg").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("spell", ["{}", "W/{}", '"other", {}', "*"])
def test_what_the_phone_has_is_not_sent_again(served: World, phone: Phone, file: tuple[str, bytes], method: str, spell: str) -> None:
    etag = get(served, file[0], phone.agent).headers["etag"]
    answer = get(served, file[0], phone.agent, method, If_None_Match=spell.format(etag))
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    assert get(served, file[0], phone.agent, method, If_None_Match='"other"').status == 200


@pytest.mark.parametrize(
    ("spec", "begin", "end"),
    [("bytes=0-9", 0, 10), ("bytes=5-", 5, None), ("bytes=-7", -7, None), ("bytes=0-99999999", 0, None), ("bytes=10-10", 10, 11)],
)
def test_a_range_is_that_part(served: World, phone: Phone, file: tuple[str, bytes], spec: str, begin: int, end: int | None) -> None:
    path, body = file
    answer = get(served, path, phone.agent, Range=spec)
    part = body[begin:end]
    first = begin % len(body)
    assert (answer.status, answer.body) == (206, part)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(part) - 1}/{len(body)}"
    assert answer.headers["content-length"] == str(len(part))


def test_a_range_beyond_the_end_is_416(served: World, phone: Phone, file: tuple[str, bytes]) -> None:
    answer = get(served, file[0], phone.agent, Range=f"bytes={len(file[1])}-")
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(file[1])}")
    assert get(served, file[0], phone.agent).body == file[1]


@pytest.mark.parametrize("spec", ["bytes=0-1,5-9", "items=0-5", "bytes", "bytes=a-b", "bytes=9-2", "", "bytes=--1", "\xff"])
def test_a_range_that_is_not_followed_brings_the_whole(served: World, phone: Phone, file: tuple[str, bytes], spec: str) -> None:
    answer = get(served, file[0], phone.agent, Range=spec)
    assert (answer.status, answer.body) == (200, file[1])


def test_head_knows_no_range(served: World, phone: Phone, file: tuple[str, bytes]) -> None:
    answer = get(served, file[0], phone.agent, "HEAD", Range="bytes=0-9")
    assert (answer.status, answer.headers["content-length"]) == (200, str(len(file[1])))


def test_if_range_holds_a_part_back_where_the_file_changed(served: World, phone: Phone, file: tuple[str, bytes]) -> None:
    etag = get(served, file[0], phone.agent).headers["etag"]
    assert get(served, file[0], phone.agent, Range="bytes=0-9", If_Range=etag).status == 206
    assert get(served, file[0], phone.agent, Range="bytes=0-9", If_Range='"other"').status == 200


def test_a_range_shows_nothing_to_who_proved_nothing(served: World) -> None:
    closed = served.phone(site=served.site("token"))
    for headers in ({"Range": "bytes=0-9"}, {"If_None_Match": "*"}, {"If_None_Match": f'"{served.live(closed)}"'}, {"If_Range": "x"}):
        assert get(served, closed.name, closed.agent, **headers).status == 404


@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "LONGMETHODNAME"])
@pytest.mark.parametrize("known", [True, False])
def test_other_methods_are_405_for_all_alike(served: World, phone: Phone, method: str, known: bool) -> None:
    answer = served.http(method, phone.name if known else "805ec0fffffe.cfg", phone.agent)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, PUT, POST")


def raw(served: World, request: bytes, seconds: float = 10.0) -> bytes:
    """Sends bytes and returns what comes until the server closes, or for so long; the connection stays open meanwhile."""
    with socket.create_connection(("127.0.0.1", served.http_port), timeout=seconds) as connection:
        parts = b""
        try:
            connection.sendall(request)
            while part := connection.recv(65536):
                parts += part
        except (TimeoutError, ConnectionError):
            pass
        return parts


CLOSE = b"Host: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/%00", b"400"), (b"/wall.jpg%00.cfg", b"400"), (b"/%FF%FE", b"404"), (b"/%zz", b"404"), (b"/%2e%2e/etc/passwd", b"400"),
        (b"/..%2f..%2fetc/passwd", b"400"), (b"/" + b"a" * 600, b"400"), (b"/" + b"a" * 30_000, b"400"), (b"/a//b", b"400"),
        (b"//wall.jpg", b"200"), (b"/wall.jpg?x=y", b"200"), (b"/?", b"404"), (b"http://other.example:99/wall.jpg", b"200"),
        (b"/" + b"p/" * 200 + b"x", b"404"), (b"/wall.jpg#x", b"200"), (b"/;a=b", b"404"), (b"/wall%2Ejpg", b"200"), (b"*", b"404"),
    ],
)  # fmt: skip
def test_an_odd_target_has_its_answer(served: World, target: bytes, status: bytes) -> None:
    answer = raw(served, b"GET " + target + b" HTTP/1.1\r\n" + CLOSE)
    assert answer.split(b" ", 2)[1] == status, answer[:200]


@pytest.mark.parametrize(
    "host", [b"Host: \r\n", b"Host: a b\r\n", b"Host: x:y:z\r\n", b"Host: x\r\nHost: y\r\n", b"Host: ../../etc\r\n", b"Host: \xff\r\n", b""]
)
def test_nonsense_in_host_changes_nothing(served: World, host: bytes) -> None:
    answer = raw(served, b"GET /wall.jpg HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))
    assert b"etc" not in answer


def test_old_and_pipelined_requests_are_answered_in_order(served: World) -> None:
    assert raw(served, b"GET /wall.jpg HTTP/1.0\r\n\r\n").endswith(b"small picture")
    answer = raw(
        served, b"GET /wall.jpg HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /wall.jpg HTTP/1.1\r\n" + CLOSE
    )
    assert re.findall(rb"HTTP/1\.1 (\d+) ", answer) == [b"200", b"404", b"200"]


def test_huge_headers_are_refused_or_ignored_and_never_remembered_for_long(served: World, phone: Phone) -> None:
    for lines in (
        b"A: " + b"a" * 2_000_000 + b"\r\n",
        b"".join(b"A%d: x\r\n" % at for at in range(5000)),
        b"User-Agent: " + b"y" * 100_000 + b"\r\n",
    ):
        answer = raw(served, b"GET /nothing HTTP/1.1\r\n" + lines + CLOSE, 5)
        assert answer[:12] in (b"", b"HTTP/1.1 404", b"HTTP/1.1 431", b"HTTP/1.1 400"), answer[:100]
    assert get(served, phone.name, phone.agent).status == 200


@pytest.mark.parametrize("agent", [b"caf\xe9", b"caf\xc3\xa9", b"\x80\xff", b"x" * 10_000])
@pytest.mark.parametrize("method", [b"GET", b"PUT", b"DELETE"])
def test_headers_that_are_no_ascii_are_no_fault(served: World, phone: Phone, agent: bytes, method: bytes) -> None:
    lines = b"User-Agent: %s\r\nAuthorization: Digest %s\r\nRange: %s\r\nContent-Length: 0\r\n" % (agent, agent, agent)
    answer = raw(served, method + b" /" + phone.name.encode() + b" HTTP/1.1\r\n" + lines + CLOSE)
    assert answer.split(b" ", 2)[1] in {b"200", b"404", b"405"}, answer[:200]


# ---- who is asking ------------------------------------------------------------------------------------------------------


def asked_from(served: World, path: str, agent: str, source: str, *forwarded: str) -> int:
    lines = "".join(f"X-Forwarded-For: {text}\r\n" for text in forwarded)
    with socket.create_connection(("127.0.0.1", served.http_port), timeout=10, source_address=(source, 0)) as connection:
        connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n{lines}Connection: close\r\n\r\n".encode())
        return int(connection.recv(4096).split(b" ")[1])


@pytest.mark.parametrize(
    ("source", "forwarded", "status"),
    [
        ("127.0.0.1", (), 404),
        ("127.0.0.1", ("10.1.1.1",), 404),
        ("127.0.0.7", (), 404),
        ("127.0.0.7", ("10.1.1.1",), 200),
        ("127.0.0.7", ("203.0.113.9, 10.1.1.1",), 200),
        ("127.0.0.7", ("10.1.1.1, 203.0.113.9",), 404),
        ("127.0.0.7", ("10.1.1.1", "203.0.113.9"), 404),
        ("127.0.0.7", ("203.0.113.9", "10.1.1.1"), 200),
        ("127.0.0.7", ("10.1.1.1, 127.0.0.7",), 200),
        ("127.0.0.7", ("10.1.1.1, junk",), 404),
        ("127.0.0.7", ("junk",), 404),
    ],
    ids=str,
)
def test_forwarded_addresses_are_believed_of_trusted_proxies_only(
    served: World, source: str, forwarded: tuple[str, ...], status: int
) -> None:
    """The last case but three is HAProxy's way: it adds a header of its own below the one that the client made up."""
    phone = _behind_proxy(served)
    assert asked_from(served, phone.name, phone.agent, source, *forwarded) == status


_made: dict[int, Phone] = {}


def _behind_proxy(served: World) -> Phone:
    if id(served) not in _made:
        _made[id(served)] = served.phone(site=served.site("open", ("10.0.0.0/8",)))
    return _made[id(served)]


# ---- slow and sudden clients --------------------------------------------------------------------------------------------


def test_thirty_slow_readers_of_a_big_file_hold_up_nobody(served: World, phone: Phone) -> None:
    big = served.static / "firmware" / "big.rom"
    with big.open("wb") as made:
        made.truncate(40 << 20)
    try:
        with ExitStack() as stack:
            readers = []
            for _ in range(30):
                reader = stack.enter_context(socket.socket())
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
                reader.settimeout(60)
                reader.connect(("127.0.0.1", served.http_port))
                reader.sendall(b"GET /firmware/big.rom HTTP/1.1\r\n" + CLOSE)
                readers.append(reader)
            assert all(reader.recv(12) == b"HTTP/1.1 200" for reader in readers)
            slowest = 0.0
            for _ in range(20):
                started = time.monotonic()
                assert get(served, phone.name, phone.agent).status == 200
                slowest = max(slowest, time.monotonic() - started)
            assert slowest < 15, "who waited for one of the slow would wait for half a minute"
        assert len(get(served, "firmware/big.rom").body) == 40 << 20
    finally:
        big.unlink()


def test_clients_that_leave_in_the_middle_leave_nothing_behind(served: World, phone: Phone) -> None:
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", served.http_port), timeout=10) as connection:
            connection.sendall(f"GET /{STATIC} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            connection.recv(100)
        with socket.create_connection(("127.0.0.1", served.http_port), timeout=10) as connection:
            connection.sendall(f"GET /{phone.name} HT".encode())
    assert get(served, phone.name, phone.agent).status == 200
    assert get(served, STATIC).body == (served.static / STATIC).read_bytes()


def test_many_at_once_all_get_their_file(served: World, phone: Phone) -> None:
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(20):
            answer = get(served, phone.name, phone.agent)
            if answer.body != served_body:
                wrong.append(answer)

    served_body = served.body(phone)
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


# ---- fuzz ---------------------------------------------------------------------------------------------------------------

LINE = st.one_of(
    st.binary(max_size=60), st.sampled_from([b"Host: x", b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Range: bytes=0-"])
)
REQUEST = st.one_of(
    st.binary(max_size=400),
    st.builds(
        lambda method, path, version, lines, body: (
            b" ".join((method, b"/" + path, version)) + b"\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body
        ),
        st.sampled_from([b"GET", b"HEAD", b"PUT", b"POST", b"X", b"PRI"]),
        st.binary(max_size=80).map(lambda raw: raw.replace(b" ", b"%20")),
        st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b""]),
        st.lists(LINE, max_size=6),
        st.binary(max_size=60),
    ),
    st.just(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" * 5),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(request=REQUEST)
def test_no_bytes_end_the_listener(served: World, request: bytes) -> None:
    with socket.create_connection(("127.0.0.1", served.http_port), timeout=10) as connection:
        connection.settimeout(0.005)
        try:
            connection.sendall(request)
            answer = connection.recv(65536)
        except (TimeoutError, ConnectionError):
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 5"), answer
    assert served.serve.process.poll() is None


def test_after_all_that_the_same_process_still_serves(served: World, phone: Phone) -> None:
    assert get(served, phone.name, phone.agent).body == served.body(phone)
    assert "event=died" not in served.serve.log()
    assert "Traceback" not in served.serve.log()
    assert "event=answer_failed" not in served.serve.log()

"""Digest as programs speak it that others wrote, over serving processes that know nothing of each other's nonces.

Two servers on one PostgreSQL, and the listeners for HTTP and HTTPS of one, are the same here: each makes its own nonces, and tells a client
that brings another's, by ``stale=true``, to answer anew. A connection is led to one or the other as a balancer would that cares for neither.
"""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import requests
import sqlalchemy as sa

from provisioner.secrets import KEY_FILE
from tests.contract.world import Phone, Serve, World, is_answering, wait_until, world
from tests.integration.test_real_clients import program
from tests.ports import free_port
from tests.postgres import fresh_database

pytestmark = pytest.mark.postgres


@dataclass
class Two:
    """Two serving processes on one database, and a phone that proves itself by Digest."""

    world: World
    second_port: int
    phone: Phone
    firmware: bytes
    asked: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def user(self) -> tuple[str, str]:
        return self.phone.mac, self.world.installation.box.phone_password(self.phone.mac, "digest")

    @property
    def ports(self) -> tuple[int, int]:
        return self.world.http_port, self.second_port

    @contextmanager
    def balancer(self, plan: Sequence[int]) -> Iterator[int]:
        """Yields a port whose connections go to the first (0) or second (1) process as planned, then always where the plan ended."""
        self.asked.clear()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=self._accept, args=(listener, tuple(plan)), daemon=True).start()
            yield listener.getsockname()[1]
            listener.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket, plan: Sequence[int]) -> None:
        for number in range(1000):
            try:
                client = listener.accept()[0]
            except OSError:  # the test is over
                return
            place = plan[min(number, len(plan) - 1)]
            threading.Thread(target=self._relay, args=(client, place), daemon=True).start()

    def _relay(self, client: socket.socket, place: int) -> None:
        """Carries one request and its answer, and ends the connection, as HTTP/1.0 does."""
        with client, socket.create_connection(("127.0.0.1", self.ports[place]), timeout=30) as server:
            client.settimeout(30)
            head = b""
            while b"\r\n\r\n" not in head and (part := client.recv(65536)):
                head += part
            server.sendall(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            answer = b""
            while part := server.recv(65536):
                answer += part
            self.asked.append((place, answer.partition(b"\r\n\r\n")[0]))
            client.sendall(answer)

    def statuses(self) -> list[tuple[int, str, bool]]:
        """Returns for each answer: who gave it, its status, and whether it called the nonce stale."""
        return [(place, head[9:12].decode(), b"stale=true" in head) for place, head in self.asked]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, postgres_server: sa.URL, postgres_template: str) -> Iterator[Two]:
    with (
        fresh_database(postgres_server, template=postgres_template) as url,
        world(tmp_path_factory.mktemp("digest"), "phones", "tftp", "worker", database_url=url) as made,
        tempfile.TemporaryDirectory(prefix="second-") as folder,
    ):
        phone = made.phone("polycom/vvx411", made.site("digest"))
        firmware = bytes(range(256)) * 1024
        (made.static / "firmware" / "big.ld").write_bytes(firmware)
        port = free_port()
        own = {"PROVISIONER_PHONES_BIND": f"127.0.0.1:{port}", "PROVISIONER_DATA_DIR": str(Path(folder) / "var")}
        give_key(made, Path(folder) / "var")
        second = Serve({**made.serve.environ, **own}, Path(folder), ("phones",))
        second.start()
        try:
            wait_until(lambda: is_answering(port), what="the second process")
            yield Two(made, port, phone, firmware)
        finally:
            second.stop()


def give_key(first: World, data_dir: Path) -> None:
    """Copies what a second server needs before its first start."""
    data_dir.mkdir(mode=0o750)
    (data_dir / KEY_FILE).write_bytes((first.installation.settings.data_dir / KEY_FILE).read_bytes())
    (data_dir / KEY_FILE).chmod(0o600)


def curl(two: Two, port: int, path: str, out: Path, *options: str) -> str:
    command = [program("curl", "curl"), "-sS", "--max-time", "30", "--digest", "-u", ":".join(two.user), "-A", two.phone.agent]
    command += ["-o", str(out), "-w", "%{http_code}", *options, f"http://127.0.0.1:{port}/{path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=40, check=True).stdout


def test_curl_that_is_led_to_another_process_with_its_answer_goes_on_by_itself(two: Two, tmp_path: Path) -> None:
    body = two.world.body(two.phone)
    with two.balancer([0, 1, 1]) as port:
        assert curl(two, port, two.phone.name, tmp_path / "out") == "200"
    assert (tmp_path / "out").read_bytes() == body
    assert two.statuses() == [(0, "401", False), (1, "401", True), (1, "200", False)]


def test_curl_with_a_wrong_password_is_not_sent_round_in_circles(two: Two, tmp_path: Path) -> None:
    with two.balancer([0, 1, 0, 1]) as port:
        assert curl(two, port, two.phone.name, tmp_path / "out", "-u", f"{two.phone.mac}:wrong") == "401"
    assert two.statuses() == [(0, "401", False), (1, "401", False)]


def test_httpx_which_keeps_its_nonce_follows_to_the_other_process(two: Two) -> None:
    path, body = two.phone.name, two.world.body(two.phone)
    with two.balancer([0, 0, 1]) as port, httpx.Client(auth=httpx.DigestAuth(*two.user), headers={"User-Agent": two.phone.agent}) as client:
        for _ in range(3):
            assert client.get(f"http://127.0.0.1:{port}/{path}").content == body
    assert two.statuses() == [(0, "401", False), (0, "200", False), (1, "401", True), (1, "200", False), (1, "200", False)]


def test_requests_which_keeps_its_nonce_follows_to_the_other_process(two: Two) -> None:
    path, body = two.phone.name, two.world.body(two.phone)
    with two.balancer([0, 0, 1]) as port, requests.Session() as session:
        session.auth, session.headers["User-Agent"] = requests.auth.HTTPDigestAuth(*two.user), two.phone.agent
        session.trust_env = False
        for _ in range(3):
            assert session.get(f"http://127.0.0.1:{port}/{path}", timeout=30).content == body
    assert two.statuses()[2:] == [(1, "401", True), (1, "200", False), (1, "200", False)]


def test_urllib_keeps_its_nonce_over_requests(two: Two) -> None:
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    with two.balancer([1]) as port:
        url = f"http://127.0.0.1:{port}/{two.phone.name}"
        passwords.add_password(None, url, *two.user)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPDigestAuthHandler(passwords))
        opener.addheaders = [("User-Agent", two.phone.agent)]
        bodies = [opener.open(url, timeout=30).read() for _ in range(3)]
    assert bodies == [two.world.body(two.phone)] * 3
    assert not [answer for answer in two.statuses() if answer[2]]


def test_ranges_conditions_and_resumed_downloads_go_on_with_one_nonce(two: Two, tmp_path: Path) -> None:
    with httpx.Client(auth=httpx.DigestAuth(*two.user), headers={"User-Agent": two.phone.agent}) as client:
        base = f"http://127.0.0.1:{two.world.http_port}/"
        whole = client.get(base + two.phone.name)
        assert client.get(base + two.phone.name, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
        part = client.get(base + two.phone.name, headers={"Range": "bytes=5-24"})
        assert (part.status_code, part.content) == (206, whole.content[5:25])
        assert len(part.history) == 0, "it was not asked again"
    out = tmp_path / "resumed"
    out.write_bytes(two.firmware[:100_000])
    with two.balancer([0, 1]) as port:
        assert curl(two, port, "firmware/big.ld", out, "-C", "-") == "206"
    assert out.read_bytes() == two.firmware


def authorization(two: Two, port: int, *, qop: bool, method: str = "GET", name: str = "") -> str:
    """Returns the header that answers a fresh challenge of the process at ``port``."""
    path = name or two.phone.name
    challenge = httpx.get(f"http://127.0.0.1:{port}/{path}").headers["www-authenticate"]
    found = re.search(r'nonce="([^"]+)"', challenge)
    assert found
    user, password = two.user

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    middle = f"{found[1]}:00000001:c:auth" if qop else found[1]
    answer = md5(f"{md5(f'{user}:provisioning:{password}')}:{middle}:{md5(f'{method}:/{path}')}")
    more = ', qop=auth, nc=00000001, cnonce="c"' if qop else ""
    return f'Digest username="{user}", realm="provisioning", nonce="{found[1]}", uri="/{path}", response="{answer}"{more}'


@pytest.mark.parametrize("qop", [True, False], ids=["with qop", "as RFC 2069 has it"])
def test_a_captured_header_is_good_at_no_process_a_second_time(two: Two, qop: bool) -> None:
    text = authorization(two, two.world.http_port, qop=qop)
    headers = {"Authorization": text, "User-Agent": two.phone.agent}
    answers = [httpx.get(f"http://127.0.0.1:{port}/{two.phone.name}", headers=headers) for port in (*two.ports, *two.ports)]
    assert [answer.status_code for answer in answers] == [200, 401, 401, 401]
    assert all("stale=true" in answer.headers["www-authenticate"] for answer in answers[1:])
    stranger = httpx.get(f"http://127.0.0.1:{two.second_port}/64167ffffff0-user.cfg", headers=headers)
    assert (stranger.status_code, stranger.content) == (401, answers[1].content)


def test_an_upload_is_taken_once(two: Two) -> None:
    name = f"{two.phone.mac}-app.log"
    headers = {"Authorization": authorization(two, two.second_port, qop=True, method="PUT", name=name), "User-Agent": two.phone.agent}
    url = f"http://127.0.0.1:{two.second_port}/{name}"
    assert [httpx.put(url, headers=headers, content=body).status_code for body in (b"the phone's", b"another's")] == [200, 401]
    found = two.world.installation.store.upload_body(two.phone.mac, name)
    assert found is not None and found[1] == b"the phone's"

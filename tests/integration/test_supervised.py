"""``provisioner serve`` as a whole: parts that die come back, a supervisor that dies takes them along, and stopping is clean."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from provisioner.heartbeat import read_heartbeats
from tests.contract.world import Phone, World, is_answering, wait_until, world
from tests.ports import free_port

PARTS = ("phones", "tftp", "worker", "admin")
WITHIN_S = 60.0
"""Five seconds are promised; the machine that runs the tests may be busy with others."""


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def family(pid: int) -> set[int]:
    """Returns a process and all that it started."""
    try:
        return {pid}.union(*(family(child) for child in children(pid)))
    except FileNotFoundError:
        return set()


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def part_pid(running: World, part: str) -> int:
    lines = [line for line in running.serve.log().splitlines() if f"event=started part={part} " in line]
    return int(lines[-1].rpartition("pid=")[2])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("supervised"), *PARTS) as made:
        yield made


@pytest.fixture(scope="module")
def phone(running: World) -> Phone:
    return running.phone(site=running.site("open"))


def everything_serves(running: World, phone: Phone) -> bool:
    port = int(running.installation.settings.admin_bind.port)
    try:
        return (
            running.http("GET", phone.name, phone.agent).status == 200
            and running.tftp_knows(phone.name)
            and is_answering(port)
        )  # fmt: skip
    except (OSError, TimeoutError):
        return False


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_killed_is_back_and_serves(running: World, phone: Phone, part: str) -> None:
    wait_until(lambda: everything_serves(running, phone), what="the start")
    before = part_pid(running, part)
    family_before = family(before)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: part_pid(running, part) != before, WITHIN_S, "the new process")
    wait_until(lambda: everything_serves(running, phone), WITHIN_S, "serving")
    wait_until(lambda: not any(map(is_there, family_before)), WITHIN_S, "the end of what the killed one had started")
    assert f"event=died part={part}" in running.serve.log()


def test_a_worker_that_is_back_drains_changes_again(running: World, phone: Phone) -> None:
    before = part_pid(running, "worker")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: part_pid(running, "worker") != before, WITHIN_S, "the new process")
    made = running.phone(site=running.site("open"))
    assert running.http("GET", made.name, made.agent).body == running.body(made)


def test_a_supervisor_that_is_killed_takes_its_parts_along(running: World) -> None:
    wait_until(lambda: is_answering(running.installation.settings.admin_bind.port), what="the admin listener")
    wait_until(lambda: len(family(running.serve.process.pid)) == 1 + len(PARTS), what="all parts, a process each")
    everyone = family(running.serve.process.pid)
    running.serve.kill()
    wait_until(lambda: not any(map(is_there, everyone)), WITHIN_S, "the end of the parts")
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ours may wait in TIME_WAIT; nobody may listen
        again.bind(("127.0.0.1", running.http_port))
    running.serve.start()


def test_stopping_is_clean_with_connections_open(running: World) -> None:
    """Stops the server of this file: the last test that has it."""
    phone = running.phone(site=running.site("open"))
    wait_until(lambda: everything_serves(running, phone), what="the start")
    big = running.static / "big.rom"
    with big.open("wb") as made:
        made.truncate(30 << 20)
    settings = running.installation.settings
    with ExitStack() as stack:
        idle, admin = (
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            for port in (running.http_port, settings.admin_bind.port)
        )
        slow = stack.enter_context(socket.socket())
        idle.sendall(f"GET /{phone.name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert idle.recv(12) == b"HTTP/1.1 200"
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        slow.connect(("127.0.0.1", running.http_port))
        slow.sendall(b"GET /big.rom HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(12) == b"HTTP/1.1 200"
        admin.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert admin.recv(12) == b"HTTP/1.1 200"
        everyone = family(running.serve.process.pid)
        assert running.serve.stop(60) == 0, running.serve.log()
    assert not any(map(is_there, everyone))
    assert "event=killed" not in running.serve.log()
    assert "admin" not in read_heartbeats(settings.data_dir), "it said that it ended on purpose"
    assert running.installation.store.fetches(mac=phone.mac), "what was recorded was written before the end"


@contextmanager
def held(part: str) -> Iterator[int]:
    """Yields a port that another program has, of the kind that the part would listen on."""
    kind, port = socket.SOCK_DGRAM if part == "tftp" else socket.SOCK_STREAM, free_port()
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        yield port


def is_said_taken(running: World, part: str) -> bool:
    lines = running.serve.log().splitlines()
    return any("event=part_failed" in line and f"part={part}" in line and "in use" in line for line in lines)


@pytest.mark.parametrize("serves", ["phones", "admin"])
def test_a_port_that_is_taken_is_said_and_the_others_serve(tmp_path: Path, serves: str) -> None:
    """Two are taken at once: the port of TFTP, and that of the other listener."""
    taken = ["tftp", "admin" if serves == "phones" else "phones"]
    with ExitStack() as stack:
        binds = {f"{part}_bind": f"127.0.0.1:{stack.enter_context(held(part))}" for part in taken}
        running = stack.enter_context(world(tmp_path, *PARTS, ready=False, **binds))
        port = running.http_port if serves == "phones" else running.installation.settings.admin_bind.port
        wait_until(lambda: is_answering(port), what="the listener whose port is free")
        wait_until(lambda: all(is_said_taken(running, part) for part in taken), what="a line about each port")
        assert running.serve.process.poll() is None

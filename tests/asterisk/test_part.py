"""``provisioner serve`` with its own Asterisk: started, watched, started again, and never left behind; and the commands that steer it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pbx_sync.asterisk.instance import processes_of
from pbx_sync.asterisk.program import PRIVATE, Program
from provisioner.heartbeat import Heartbeat, read_heartbeats
from provisioner.parts.pbx import Keeper
from tests.contract.world import World, wait_until, world
from tests.installations import make_installation
from tests.ports import free_port

pytestmark = pytest.mark.asterisk
WITHIN_S = 60.0
"""Two seconds on a machine that does nothing else."""


def ports() -> dict[str, object]:
    """Returns the settings of a bundled PBX on free loopback ports."""
    return {"pbx": "bundled", **{name: f"127.0.0.1:{free_port()}" for name in ("sip_bind", "ami_bind", "ari_bind")}}


@contextmanager
def lent(program: Program | None) -> Iterator[Path]:
    """Yields a folder with a data folder ``var`` in it that has the Asterisk of the tests, or none."""
    with tempfile.TemporaryDirectory(prefix="part-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "var").mkdir()
        if program is not None:
            (Path(folder) / "var" / PRIVATE).symlink_to(program.share.parents[2])
        yield Path(folder)


@contextmanager
def served(program: Program | None, *parts: str, **settings: object) -> Iterator[World]:
    """Runs a server with the parts named, or with all that have to do with a PBX."""
    parts = parts or ("worker", "pbx", "admin")
    with lent(program) as folder, world(folder, *parts, ready=False, **{**ports(), **settings}) as running:
        yield running


@pytest.fixture(scope="module")
def running(asterisk_program: Program) -> Iterator[World]:
    with served(asterisk_program) as made:
        wait_until(lambda: is_serving(made), WITHIN_S, "the start of Asterisk")
        yield made


def data(running: World) -> Path:
    return running.installation.settings.data_dir


def pids(running: World) -> list[int]:
    return processes_of(data(running) / "pbx")


def beat(running: World) -> Heartbeat | None:
    return read_heartbeats(data(running)).get("pbx")


def is_serving(running: World) -> bool:
    said = beat(running)
    return said is not None and said.ok and said.age_s(time.time()) < 5 and len(pids(running)) == 1


def command(running: World, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PROVISIONER_")} | running.serve.environ
    return subprocess.run(
        [sys.executable, "-m", "provisioner", "pbx", *words],
        cwd=running.serve.folder, env={**environ, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def test_extensions_are_in_asterisk_once_it_is_up(running: World) -> None:
    running.installation.changes.create_extension("test", "1001", display_name="Alice")
    wait_until(lambda: "1001/1001" in command(running, "cli", "pjsip show endpoint 1001").stdout, WITHIN_S, "the extension in Asterisk")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM], ids=lambda number: number.name)
def test_an_asterisk_that_is_gone_is_back_at_once(running: World, number: signal.Signals) -> None:
    wait_until(lambda: is_serving(running), WITHIN_S, "the start")
    (before,) = pids(running)
    os.kill(before, number)
    wait_until(lambda: is_serving(running) and pids(running) != [before], WITHIN_S, "a new Asterisk")
    assert "event=pbx_down" in running.serve.log()


def test_a_part_that_is_killed_takes_its_asterisk_along(running: World) -> None:
    wait_until(lambda: is_serving(running), WITHIN_S, "the start")
    (before,), said = pids(running), beat(running)
    assert said is not None
    os.kill(said.pid, signal.SIGKILL)
    wait_until(lambda: before not in pids(running), WITHIN_S, "the end of its Asterisk")
    wait_until(lambda: is_serving(running) and getattr(beat(running), "pid", 0) != said.pid, WITHIN_S, "a new one")


def test_status_says_what_there_is(running: World) -> None:
    wait_until(lambda: is_serving(running), WITHIN_S, "the start")
    done = command(running, "status", "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 0
    assert (said["is_running"], said["is_answering"], said["calls"], said["registrations"], said["findings"]) == (True, True, 0, 0, [])
    assert said["memory_bytes"] < 200 * 1024**2
    assert "runs and answers" in command(running, "status").stdout


def test_restart_brings_a_new_process(running: World) -> None:
    wait_until(lambda: is_serving(running), WITHIN_S, "the start")
    before = pids(running)
    done = command(running, "restart")
    assert (done.returncode, done.stdout) == (0, "Asterisk is back\n"), done.stderr
    assert pids(running) != before


def test_reload_keeps_the_process_and_reads_own_files(running: World) -> None:
    wait_until(lambda: is_serving(running), WITHIN_S, "the start")
    before = pids(running)
    (data(running) / "pbx" / "custom" / "extensions.conf").write_text("exten => 4242,1,Hangup()\n")
    assert command(running, "reload").returncode == 0
    assert pids(running) == before
    assert "4242" in command(running, "cli", "dialplan", "show", "4242@internal").stdout


def test_log_is_shown(running: World) -> None:
    assert "modules will be loaded" in command(running, "log", "-n", "1000").stdout
    assert command(running, "log", "--security").returncode == 0


def test_install_says_that_it_is_there(running: World) -> None:
    done = command(running, "install", "--if-bundled")
    assert done.returncode == 0
    assert "is there: the private one" in done.stdout


def test_a_supervisor_that_is_killed_takes_asterisk_along(running: World) -> None:
    wait_until(lambda: is_serving(running), WITHIN_S, "the start")
    said = beat(running)
    assert said is not None
    running.serve.kill()
    wait_until(lambda: pids(running) == [], WITHIN_S, "the end of Asterisk")
    running.serve.start()
    wait_until(lambda: is_serving(running) and getattr(beat(running), "pid", 0) != said.pid, WITHIN_S, "a new one")


def test_stopping_is_clean_and_leaves_nothing(running: World) -> None:
    """Stops the server of this file: the last test that has one."""
    wait_until(lambda: is_serving(running), WITHIN_S, "the start")
    assert command(running, "restart", "--now").returncode == 0
    assert running.serve.stop(60) == 0
    assert pids(running) == []
    assert beat(running) is None
    assert "event=killed" not in running.serve.log()
    assert command(running, "status").returncode == 1
    assert "does not run" in command(running, "restart").stderr


@pytest.mark.parametrize("taken", ["sip_bind", "ami_bind"])
def test_a_taken_port_is_said_and_used_once_it_is_free(asterisk_program: Program, taken: str) -> None:
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        port = free_port()
        tcp.bind(("127.0.0.1", port))
        tcp.listen()
        udp.bind(("127.0.0.1", port))
        with served(asterisk_program, "pbx", **{taken: f"127.0.0.1:{port}"}) as running:
            wait_until(lambda: "taken by another program" in getattr(beat(running), "detail", ""), WITHIN_S, "the sentence")
            assert f"PROVISIONER_{taken.upper()}" in running.serve.log()
            tcp.close()
            udp.close()
            try:
                wait_until(lambda: is_serving(running), 60, "the start")
            finally:
                sys.stdout.write(running.serve.log())


def test_without_asterisk_everything_else_serves_and_says_so() -> None:
    with served(None) as running:
        wait_until(lambda: "provisioner pbx install" in getattr(beat(running), "detail", ""), WITHIN_S, "the sentence")
        assert "pbx install" in running.serve.log()
        done = command(running, "cli", "core show version")
        assert done.returncode == 1
        assert "provisioner pbx install" in done.stderr


def test_one_that_hangs_is_replaced(asterisk_program: Program) -> None:
    with lent(asterisk_program) as folder:
        installation = make_installation(folder, **ports())
        installation.database.dispose()
        stop, said = threading.Event(), []
        keeper = Keeper(installation.settings, stop, lambda ok, detail: said.append((ok, detail)), patience_s=1.0)
        thread = threading.Thread(target=keeper.run)
        thread.start()
        try:
            wait_until(lambda: said and said[-1][0], WITHIN_S, "the start")
            (before,) = processes_of(folder / "var" / "pbx")
            os.kill(before, signal.SIGSTOP)
            wait_until(lambda: before not in processes_of(folder / "var" / "pbx"), WITHIN_S, "its end")
            wait_until(lambda: any("has not answered" in detail for ok, detail in said if not ok), WITHIN_S, "the sentence")
            wait_until(lambda: said[-1][0], WITHIN_S, "a new one")
        finally:
            stop.set()
            thread.join(20)
        assert processes_of(folder / "var" / "pbx") == []

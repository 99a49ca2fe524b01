"""Starting and stopping a server under measurement: pinned, in a group of its own, its CPU time and memory at hand."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import CgroupCPU, TreeCPU, cpu_meter, pinned

READY_S = 30.0


class ServerError(Exception):
    """A server did not start or is not installed; the message is the sentence to show."""


@dataclass
class Server:
    """A running server: where it listens and how to measure it."""

    name: str
    host: str
    port: int
    process: subprocess.Popen[bytes]
    cpu: CgroupCPU | TreeCPU

    def pids(self) -> list[int]:
        """Returns every process of the server."""
        return self.cpu.pids()

    def cpu_seconds(self) -> float:
        """Returns the CPU seconds (user and system) used so far by the whole tree, dead children included where a cgroup is allowed."""
        return self.cpu.seconds()

    def settled_cpu_seconds(self, limit_s: float = 5.0) -> float:
        """Returns cpu_seconds() once the server rests (less than 2 % of a core for 0.25 s): what it put off counts too."""
        end = time.monotonic() + limit_s
        now = self.cpu_seconds()
        while time.monotonic() < end:
            time.sleep(0.25)
            before, now = now, self.cpu_seconds()
            if now - before < 0.005:
                break
        return now

    def idle_percent(self, seconds: float = 2.0) -> float:
        """Returns how much of one core the server uses while nobody asks, in percent."""
        before = self.settled_cpu_seconds()
        time.sleep(seconds)
        return 100 * (self.cpu_seconds() - before) / seconds

    def is_alive(self) -> bool:
        """Returns whether the first process still runs."""
        return self.process.poll() is None


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Returns a loopback port that is free now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts_tcp(host: str, port: int) -> bool:
    """Returns whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def answers_tftp(host: str, port: int) -> bool:
    """Returns whether something answers an RRQ there, with data or an error."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.3)
        try:
            probe.sendto(b"\0\1no-such-file-probe\0octet\0", (host, port))
            answer, source = probe.recvfrom(600)
            if answer[:2] == b"\0\3":
                probe.sendto(b"\0\5\0\0probe over\0", source)
        except OSError:
            return False
        return True


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], name: str, log: Path, limit_s: float = READY_S) -> None:
    """Returns when `ready()` holds; raises ServerError with the end of the log when the server dies or the time is up."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ServerError(f"{name} ended at once with status {process.returncode}: {_tail(log)}")
        if ready():
            return
        time.sleep(0.02)
    raise ServerError(f"{name} was not ready after {limit_s:.0f} s: {_tail(log)}")


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        return log.read_text(errors="replace")[-800:].strip()
    return ""


def _signal_all(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def _stop(server: Server, patience_s: float) -> None:
    """Ends the server politely, then whatever is left of its own processes by force."""
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.process.wait(patience_s)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        left = [pid for pid in server.pids() if pid != server.process.pid or server.is_alive()]
        if not left:
            break
        _signal_all(left, signal.SIGKILL)
        time.sleep(0.05)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.process.wait(5)


@contextlib.contextmanager
def launched(
    name: str,
    command: Sequence[str],
    *,
    host: str,
    port: int,
    log: Path,
    core: int | None = None,
    env: Mapping[str, str] | None = None,
    ready: Callable[[], bool],
    ready_s: float = READY_S,
    patience_s: float = 10.0,
) -> Iterator[Server]:
    """Runs a server while the `with` body runs; its output goes to `log`."""
    meter = cpu_meter()
    try:
        with log.open("ab") as output, pinned(core):
            process = subprocess.Popen(
                [*meter.launcher(), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=None if env is None else dict(env),
                start_new_session=True,
            )
        meter.root = process.pid
        server = Server(name, host, port, process, meter)
        try:
            wait_until(ready, process, name, log, ready_s)
            yield server
        finally:
            _stop(server, patience_s)
    finally:
        meter.close()

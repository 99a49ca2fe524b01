"""Runs the two load generators on their core and returns what they saw as typed values."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from bench.build import generator
from bench.measure import pinned

MAX_WALL_S = 120.0
R = TypeVar("R", "HTTPStorm", "TFTPStorm")


@dataclass(frozen=True, slots=True)
class HTTPStorm:
    """One run of httpstorm. `requests` and their times are of good answers only; ms and s as named."""

    requests: int
    errors: int
    errors_by_kind: dict[str, int]
    sheds: int
    shed_p99_ms: float
    reconnects: int
    bytes: int
    phones: int
    phones_failed: int
    phones_spoiled: int
    phones_unfinished: int
    requests_per_s: float
    phones_per_s: float
    request_p50_ms: float
    request_p99_ms: float
    request_max_ms: float
    phone_p50_ms: float
    phone_p99_ms: float
    phone_last_ms: float
    cpu_s: float
    wall_s: float

    def bad_phones(self) -> int:
        """Returns how many phones did not get everything."""
        return self.phones_failed + self.phones_spoiled + self.phones_unfinished


@dataclass(frozen=True, slots=True)
class TFTPStorm:
    """One run of tftpstorm. `transfers` and their times are of verified ones only; ms and s as named."""

    transfers: int
    failed: int
    unfinished: int
    failed_by_kind: dict[str, int]
    retransmits: int
    lost: int
    bytes: int
    transfers_per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    first_byte_p99_ms: float
    cpu_s: float
    wall_s: float


class GeneratorError(Exception):
    """A generator did not run to its end; the message is what it said."""


def _run(kind: type[R], command: list[str], core: int | None, max_wall_s: float) -> R:
    with pinned(core):
        done = subprocess.run(command, capture_output=True, text=True, timeout=max_wall_s + 60, check=False)
    if done.returncode != 0:
        raise GeneratorError(f"{Path(command[0]).name}: {done.stderr.strip()}")
    seen: dict[str, Any] = json.loads(done.stdout)
    return kind(**{each.name: seen[each.name] for each in fields(kind)})


def http_storm(
    plan: Path,
    port: int,
    *,
    host: str = "127.0.0.1",
    core: int | None = None,
    concurrency: int = 0,
    keepalive: bool = True,
    rounds: int = 1,
    timeout_s: float = 10.0,
    retries: int = 3,
    rate_phones_per_s: float = 0.0,
    honour_retry_after: bool = False,
    check_crc: bool = False,
    counter: int = 0,
    max_wall_s: float = MAX_WALL_S,
) -> HTTPStorm:
    """Returns what httpstorm saw; concurrency 0 starts all phones at once, rate 0 starts them as fast as they end."""
    command = [str(generator("httpstorm")), "--plan", str(plan), "--host", host, "--port", str(port)]
    command += ["--concurrency", str(concurrency), "--rounds", str(rounds), "--timeout", str(timeout_s), "--retries", str(retries)]
    command += ["--rate", str(rate_phones_per_s), "--counter", str(counter), "--max-wall", str(max_wall_s)]
    command += ["--keepalive"] * keepalive + ["--honour-retry-after"] * honour_retry_after + ["--no-crc"] * (not check_crc)
    return _run(HTTPStorm, command, core, max_wall_s)


def tftp_storm(
    plan: Path,
    port: int,
    *,
    host: str = "127.0.0.1",
    core: int | None = None,
    concurrency: int = 0,
    blksize: int = 512,
    windowsize: int = 1,
    rounds: int = 1,
    loss: float = 0.0,
    dup_rrq: float = 0.0,
    seed: int = 1,
    check_crc: bool = True,
    max_wall_s: float = MAX_WALL_S,
) -> TFTPStorm:
    """Returns what tftpstorm saw; loss and dup_rrq are probabilities 0..1, repeatable by seed."""
    command = [str(generator("tftpstorm")), "--plan", str(plan), "--host", host, "--port", str(port)]
    command += ["--concurrency", str(concurrency), "--blksize", str(blksize), "--windowsize", str(windowsize), "--rounds", str(rounds)]
    command += ["--loss", str(loss), "--dup-rrq", str(dup_rrq), "--seed", str(seed), "--max-wall", str(max_wall_s)]
    command += ["--no-crc"] * (not check_crc)
    return _run(TFTPStorm, command, core, max_wall_s)

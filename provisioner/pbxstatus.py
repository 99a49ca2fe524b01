"""How the bundled Asterisk is doing, for command, API and doctor alike: is it there, does it run, does it answer, what does it complain of."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pbx_sync.asterisk.errors import AsteriskError
from pbx_sync.asterisk.findings import Finding
from pbx_sync.asterisk.instance import Instance, processes_of
from provisioner.bundled import NOT_INSTALLED, bundled_instance, bundled_program, pbx_folder
from provisioner.settings import Settings

MANY_CHANNELS = 400
"""Two for each call. A round number to be warned at, not a measured limit: how many calls a machine carries depends on their codecs."""
KEPT_S = 5.0
_COUNTS = re.compile(r"^(\d+) active (channel|call)s?", re.MULTILINE)
_CONTACTS = re.compile(r"^Objects found: (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PBXStatus:
    """``memory_bytes`` is what its process holds; ``uptime_s`` and the counts are 0 where it does not answer."""

    version: str = ""
    is_installed: bool = False
    is_running: bool = False
    is_answering: bool = False
    pid: int = 0
    uptime_s: float = 0.0
    memory_bytes: int = 0
    channels: int = 0
    calls: int = 0
    registrations: int = 0
    findings: tuple[Finding, ...] = ()

    def rows(self) -> list[tuple[str, str]]:
        """Returns what a person reads, line for line."""
        if not self.is_installed:
            return [("asterisk", NOT_INSTALLED)]
        state = "runs and answers" if self.is_answering else "runs and does not answer" if self.is_running else "does not run"
        rows = [("asterisk", f"{self.version} {state}")]
        if self.is_answering:
            rows += [
                ("process", f"{self.pid}, for {self.uptime_s / 3600:.1f} h, {self.memory_bytes / 1024**2:.0f} MB"),
                ("calls", f"{self.calls} ({self.channels} channels)"),
                ("registrations", str(self.registrations)),
            ]
        return rows


class KeptStatus:
    """The status as it was found a moment ago: however many pages refresh, Asterisk is asked once in ``KEPT_S``.

    Whoever asks while one looks waits for that look.
    """

    def __init__(self, look: Callable[[], PBXStatus], clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._found: PBXStatus | None = None
        self._found_at = 0.0

    def get(self) -> PBXStatus:
        """Returns the status, at most ``KEPT_S`` old."""
        with self._lock:
            if self._found is None or self._clock() - self._found_at >= KEPT_S:
                self._found = self._look()
                self._found_at = self._clock()
            return self._found

    def forget(self) -> None:
        """Has the next to ask look anew, for what changes the status."""
        with self._lock:
            self._found = None


def pbx_status(settings: Settings, quiet_min: float = 15.0) -> PBXStatus:
    """Returns how the bundled Asterisk is. ``quiet_min``: for so many minutes up without a registration is worth a word."""
    program = bundled_program(settings)
    if program is None:
        return PBXStatus()
    try:
        instance = bundled_instance(settings, program)
    except AsteriskError as error:
        return PBXStatus(program.version, True, findings=(Finding(str(error), "mend the setting"),))
    findings = instance.findings()
    running = processes_of(pbx_folder(settings))
    if not running or not instance.is_answering():
        return PBXStatus(program.version, True, bool(running), findings=tuple(findings))
    return _answering(instance, running[0], findings, quiet_min)


def _answering(instance: Instance, pid: int, findings: list[Finding], quiet_min: float) -> PBXStatus:
    try:
        counts = {kind: int(count) for count, kind in _COUNTS.findall(instance.cli("core show channels count"))}
        contacts = _CONTACTS.search(instance.cli("pjsip list contacts"))
    except AsteriskError as error:
        return PBXStatus(instance.program.version, True, True, findings=(*findings, Finding(str(error), "look again in a minute")))
    registrations, channels, uptime_s = int(contacts[1]) if contacts else 0, counts.get("channel", 0), _uptime_s(pid)
    if not registrations and uptime_s > quiet_min * 60:
        findings.append(
            Finding(
                f"no phone is registered, {uptime_s / 60:.0f} minutes after the start",
                f"do phones reach port {instance.facts.sip.port} (firewall)? 'provisioner pbx log --security' shows who tried",
            )
        )
    if channels > MANY_CHANNELS:
        findings.append(
            Finding(
                f"{channels} channels are up, more than this machine carries well", "look for calls in a circle, or use a larger machine"
            )
        )
    return PBXStatus(
        instance.program.version, True, True, True, pid, uptime_s, _memory_bytes(pid), channels, counts.get("call", 0), registrations,
        tuple(findings),
    )  # fmt: skip


def _uptime_s(pid: int) -> float:
    """Returns for how long a process has run (proc(5): starttime is in clock ticks since the machine started)."""
    try:
        started = int(Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK"))


def _memory_bytes(pid: int) -> int:
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("utf-8", "replace"))
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0

"""Measuring: pinning, CPU time and memory of process trees, UDP drops, medians, tables. Knows nothing of servers or scenarios."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MB = 1_000_000
DATABASE = "provisioner.sqlite3"
"""The files of the database, with what SQLite writes beside it, begin so."""
POOLED_FILES = 2 * (5 + 10) + 1
"""What a process may hold of them: the file and its log for each connection of SQLAlchemy's pool and its overflow, and one shared memory."""
_group_numbers = itertools.count(1)


# ---- pinning -------------------------------------------------------------


def cores() -> list[int]:
    """Returns the cores that this process may use, lowest first."""
    return sorted(os.sched_getaffinity(0))


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Runs the body, and every process started in it, on one core; None leaves things as they are."""
    before = os.sched_getaffinity(0)
    if core is not None and core in before:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# ---- the processes of a tree -----------------------------------------------


def _stat_fields(pid: int) -> list[str] | None:
    """Returns the fields of /proc/PID/stat from the state on (index 0 is field 3), or None when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def tree(root: int) -> list[int]:
    """Returns the process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat_fields(int(entry.name))) is not None:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(children.get(pid, []))
    return found


def open_files(pids: Iterable[int]) -> int:
    """Returns how many file descriptors the processes hold together; those of the database count beyond the bound of its pool only.

    The pool grows to its bound when there is something to write, whoever asked for it.
    """
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            pooled = [_is_of_database(descriptor) for descriptor in Path(f"/proc/{pid}/fd").iterdir()]
            total += pooled.count(False) + max(0, pooled.count(True) - POOLED_FILES)
    return total


def _is_of_database(descriptor: Path) -> bool:
    try:
        return descriptor.readlink().name.startswith(DATABASE)
    except OSError:
        return True  # closed meanwhile


# ---- CPU time ----------------------------------------------------------------


class TreeCPU:
    """CPU seconds of a process tree from /proc. Children that died unwaited-for are missed; CgroupCPU sees those too."""

    how = "/proc"

    def __init__(self) -> None:
        self.root = 0

    def launcher(self) -> list[str]:
        return []

    def seconds(self) -> float:
        ticks = 0
        for pid in tree(self.root):
            if (fields := _stat_fields(pid)) is not None:
                ticks += sum(int(value) for value in fields[11:15])  # utime stime cutime cstime
        return ticks / TICKS_PER_S

    def pids(self) -> list[int]:
        return tree(self.root)

    def close(self) -> None:
        """Nothing to undo."""


class CgroupCPU:
    """CPU seconds of all processes that ever were in a private control group (v1 cpuacct or v2), dead children included."""

    how = "cgroup"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = 0

    def launcher(self) -> list[str]:
        """Returns the words to put before a command so that it runs inside the group."""
        return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs")]

    def seconds(self) -> float:
        if (usage := self.folder / "cpuacct.usage").exists():
            return int(usage.read_text()) / 1e9
        rows = dict(line.split() for line in (self.folder / "cpu.stat").read_text().splitlines())
        return int(rows["usage_usec"]) / 1e6

    def pids(self) -> list[int]:
        return [int(line) for line in (self.folder / "cgroup.procs").read_text().split()]

    def close(self) -> None:
        """Removes the group; its processes must have ended (retried for two seconds)."""
        for _ in range(20):
            try:
                self.folder.rmdir()
            except OSError:
                time.sleep(0.1)
            else:
                return


def _own_group(line_match: Callable[[str], bool], mount: Path) -> Path | None:
    """Returns the folder of this process's own group under a mount, or None."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if line_match(controllers) and (mount / path.lstrip("/")).is_dir():
            return mount / path.lstrip("/")
    return None


def cpu_meter() -> CgroupCPU | TreeCPU:
    """Returns the best CPU meter that is allowed here: a private control group, else /proc."""
    candidates = [
        _own_group(lambda names: "cpuacct" in names.split(","), Path("/sys/fs/cgroup/cpuacct")),
        _own_group(lambda names: names == "", Path("/sys/fs/cgroup")),
    ]
    for parent in candidates:
        if parent is None:
            continue
        folder = parent / f"bench-{os.getpid()}-{next(_group_numbers)}"
        try:
            folder.mkdir()
        except OSError:
            continue
        if (folder / "cgroup.procs").exists() and ((folder / "cpuacct.usage").exists() or (folder / "cpu.stat").exists()):
            return CgroupCPU(folder)
        folder.rmdir()
    return TreeCPU()


# ---- memory --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of all processes of a tree: RSS counts shared pages once per process, PSS once in all."""

    rss_bytes: int
    pss_bytes: int


def memory(pids: Iterable[int], *, with_pss: bool = True) -> Memory:
    """Returns the sums of RSS and PSS; PSS is 0 when not asked for or not readable."""
    rss = pss = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            rss += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
        if with_pss:
            with contextlib.suppress(OSError):
                pss += _pss_bytes(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return Memory(rss, pss)


def _pss_bytes(smaps_rollup: str) -> int:
    for line in smaps_rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


@dataclass
class MemorySampler:
    """Peak memory of a tree while the `with` body runs, sampled every `every_s` seconds."""

    pids: Callable[[], list[int]]
    every_s: float = 0.2
    with_pss: bool = True
    peak_rss_bytes: int = 0
    peak_pss_bytes: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def sample(self) -> None:
        """Takes one sample now."""
        now = memory(self.pids(), with_pss=self.with_pss)
        self.peak_rss_bytes = max(self.peak_rss_bytes, now.rss_bytes)
        self.peak_pss_bytes = max(self.peak_pss_bytes, now.pss_bytes)

    def _run(self) -> None:
        while not self._stop.wait(self.every_s):
            self.sample()

    def __enter__(self) -> MemorySampler:
        self.sample()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self.sample()


def forget_peaks(pids: Iterable[int]) -> None:
    """Makes the kernel's own record of each process's highest RSS start anew."""
    for pid in pids:
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def recorded_peak_bytes(pids: Iterable[int]) -> int:
    """Returns the sum of each living process's highest RSS as the kernel recorded it: no sample can miss it."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    total += int(line.split()[1]) * 1024
    return total


# ---- sockets -------------------------------------------------------------------


def udp_drops(port: int) -> int:
    """Returns how many datagrams the kernel dropped at the sockets bound to a UDP port (full receive buffer), IPv4 and IPv6."""
    drops = 0
    for table_file in (Path("/proc/net/udp"), Path("/proc/net/udp6")):
        with contextlib.suppress(OSError):
            for line in table_file.read_text().splitlines()[1:]:
                words = line.split()
                if int(words[1].rsplit(":", 1)[1], 16) == port:
                    drops += int(words[-1])
    return drops


# ---- figures ---------------------------------------------------------------------


def median(values: Iterable[float]) -> float:
    """Returns the median, 0.0 of nothing."""
    listed = list(values)
    return statistics.median(listed) if listed else 0.0


def percentile(values: Iterable[float], percent: float) -> float:
    """Returns the nearest-rank percentile (0..100), 0.0 of nothing."""
    listed = sorted(values)
    if not listed:
        return 0.0
    rank = -(-len(listed) * percent // 100)
    return listed[min(len(listed), max(1, int(rank))) - 1]


def ratio(top: float, bottom: float) -> float:
    """Returns top ÷ bottom; not a number when the bottom is 0, so that nothing measured never meets a target."""
    return top / bottom if bottom else math.nan


def shown(value: object) -> str:
    """Returns a cell as text: large numbers grouped, small ones with enough digits."""
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    if not math.isfinite(value):
        return "-" if math.isnan(value) else "∞"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns an aligned text table, valid as Markdown; every row has as many cells as there are heads."""
    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(len(head), *(len(row[i]) for row in cells)) if cells else len(head) for i, head in enumerate(heads)]
    lines = [heads, ["-" * width for width in widths], *cells]
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines)

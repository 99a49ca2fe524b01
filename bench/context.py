"""What every scenario is given: where to work, how large, on which cores, and set-ups that are made once and shared."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import own as ours
from bench import peers, plans
from bench.plans import Plan
from bench.report import Report
from bench.servers import Server


@dataclass(frozen=True, slots=True)
class Seeded:
    """A seeded database, the storm on it with sizes and CRCs, and a folder with the same bytes for the peers."""

    data_dir: Path
    plan: Plan
    folder: Path
    http_plan: Path


@dataclass
class Context:
    """One run of bench."""

    work: Path
    report: Report
    rounds: int = 3
    quick: bool = False
    phones: int = 4000
    many_phones: int = 10_000
    server_core: int | None = None
    generator_core: int | None = None
    _seeded: dict[int, Seeded] = field(default_factory=dict)

    def seeded(self, phones: int) -> Seeded:
        """Returns the seeded database of that size, made on first use: import, one start until all is served, every body read once."""
        if phones not in self._seeded:
            self._seeded[phones] = self._seed(phones)
        return self._seeded[phones]

    def _seed(self, phones: int) -> Seeded:
        self.report.say(f"(seeding {phones:,} phones)")
        home = self.work / f"seed-{phones}"
        plan = ours.seed(home / "data", phones)
        with ours.start(home / "data") as running:
            ours.wait_served(running, plan)
            bodies = plans.learned_bodies(plan, "127.0.0.1", running.phones_port)
        plan = plans.with_bodies(plan, bodies)
        plans.write_bodies(home / "files", bodies)
        home.chmod(0o755)
        return Seeded(home / "data", plan, home / "files", plan.write_http(home / "http.tsv"))

    def copy_of(self, seeded: Seeded) -> Seeded:
        """Returns the same with a fresh copy of the data folder, for scenarios that change what is stored."""
        copy = self.scratch("changed") / f"data-{len(list(self.scratch('changed').iterdir()))}"
        shutil.copytree(seeded.data_dir, copy)
        return replace(seeded, data_dir=copy)

    def scratch(self, name: str) -> Path:
        """Returns a folder to work in, made where needed."""
        folder = self.work / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextlib.contextmanager
    def nginx(self, folder: Path) -> Iterator[Server]:
        """nginx on the server's core, serving a folder."""
        with peers.nginx(folder, self.scratch("nginx"), core=self.server_core) as server:
            yield server

    @contextlib.contextmanager
    def own(self, seeded: Seeded, *, tftp: bool = False, tftp_root: Path | None = None) -> Iterator[ours.Own]:
        """The server under test on the server's core."""
        with ours.start(seeded.data_dir, core=self.server_core, tftp=tftp, tftp_root=tftp_root) as running:
            yield running

"""Heartbeats: each part of an installation says every second that it serves; readiness and metrics read what it said.

One small file for each part in ``<data_dir>/run/``, replaced whole, so that parts in processes of their own need no channel between them.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = "run"
STALE_AFTER_S = 10.0
"""A part whose last heartbeat is older does not serve: ten beats missed are no longer a busy moment."""

HAS_PBX = "has_pbx"
"""Counter of the worker: 1 where it keeps a PBX in lockstep. A command in another terminal may have been told otherwise, and believes this."""

_PART = re.compile(r"[a-z][a-z0-9_\-]{0,31}")
_LONGEST_FILE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a part last said. ``at`` is in seconds since the epoch; ``counters`` are numbers of its own choice, each under its name."""

    part: str
    pid: int
    at: float
    ok: bool
    detail: str = ""
    counters: Mapping[str, float] = field(default_factory=dict)

    def age_s(self, now: float) -> float:
        return max(0.0, now - self.at)

    def complaint(self, now: float) -> str:
        """Returns why the part does not serve, or an empty text."""
        if self.age_s(now) > STALE_AFTER_S:
            return f"its last heartbeat is {self.age_s(now):.0f} s old"
        return "" if self.ok else self.detail or "it says that it does not serve"


class Heartbeats:
    """Writes heartbeats. Safe to share between threads."""

    def __init__(self, data_dir: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = data_dir / FOLDER
        self._clock = clock

    def beat(self, part: str, ok: bool = True, detail: str = "", counters: Mapping[str, float] | None = None) -> None:
        """Says that ``part`` is alive, and whether it serves. Raises ``OSError`` where the folder cannot be written."""
        if not _PART.fullmatch(part):
            raise ValueError(f"'{part}' is no name of a part: small letters, digits, _ and -")
        self._folder.mkdir(parents=True, exist_ok=True)
        said = {"part": part, "pid": os.getpid(), "at": self._clock(), "ok": ok, "detail": detail, "counters": dict(counters or {})}
        partial = self._folder / f".{part}.{os.getpid()}.{threading.get_ident()}"
        partial.write_text(json.dumps(said), "utf-8")
        partial.replace(self._folder / f"{part}.json")  # atomic (POSIX rename): a reader sees the old file or the new one

    def forget(self, part: str) -> None:
        """Takes a part away that stopped on purpose."""
        (self._folder / f"{part}.json").unlink(missing_ok=True)


def own_folder(data_dir: Path) -> Path:
    """Returns the folder of heartbeats, made where it is not there; root gives it to the owner of the data folder."""
    folder = data_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        owner = data_dir.stat()
        # By descriptor, and never through a link: the owner of the data folder may put anything in the place of this one.
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchown(opened, owner.st_uid, owner.st_gid)
        finally:
            os.close(opened)
    return folder


def read_heartbeats(data_dir: Path) -> dict[str, Heartbeat]:
    """Returns the last heartbeat of each part; a file that cannot be understood is as good as none."""
    found = (_read(path) for path in sorted((data_dir / FOLDER).glob("*.json")))
    return {beat.part: beat for beat in found if beat is not None}


def _read(path: Path) -> Heartbeat | None:
    try:
        with path.open("rb") as file:
            said = json.loads(file.read(_LONGEST_FILE_BYTES))
        return _heartbeat(said, path.stem)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _heartbeat(said: Mapping[str, Any], part: str) -> Heartbeat | None:
    if said["part"] != part or not _PART.fullmatch(part):
        return None
    counters = {str(name): float(value) for name, value in said.get("counters", {}).items()}
    return Heartbeat(part, int(said["pid"]), float(said["at"]), bool(said["ok"]), str(said.get("detail", ""))[:200], counters)

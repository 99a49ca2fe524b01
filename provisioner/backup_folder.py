"""The folder of the backups that the server keeps by itself: their names, when one is due, which of them have had their time.

The names say when an archive was made and whether somebody asked for it; nothing else is kept of them. Everything is counted in archives,
never in days before now: a clock that jumps decades ahead and back deletes none.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from provisioner.backups import Manifest, described
from provisioner.setting_values import TimeOfDay
from provisioner.settings import Settings

FOLDER = "backups"
MONTHS_KEPT = 12
SPARE_BYTES = 64 * 1024**2
"""What a backup leaves free: the database grows meanwhile, and a full disk takes it down."""
_NAME = re.compile(r"provisioner-([0-9]{8}T[0-9]{6}Z)(-asked)?\.tar\.gz\Z")
_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Kept:
    """An archive in the folder. ``at`` is when it was begun, in seconds since the epoch; ``asked``: somebody asked for it."""

    name: str
    at: float
    asked: bool
    size: int


def folder_of(settings: Settings) -> Path:
    """Returns where the archives lie."""
    return settings.data_dir / FOLDER


def obstacle(settings: Settings) -> str:
    """Returns why the server makes no backups at all, in a sentence; empty where it does."""
    if sa.make_url(settings.database).get_backend_name() == "sqlite":
        return ""
    return "the database is PostgreSQL: back it up with pg_dump, and secret.key and provisioner.toml with it"


def kept_in(folder: Path) -> list[Kept]:
    """Returns the archives, the newest first. What has another name, is a link or is no file is none."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.match(path.name)
        if match and path.is_file() and not path.is_symlink() and (at := _time_of(match[1])) is not None:
            found.append(Kept(path.name, at, bool(match[2]), path.stat().st_size))
    return sorted(found, key=lambda item: (item.at, item.name), reverse=True)


def kept_named(folder: Path, name: str) -> Kept | None:
    """Returns the archive of this name. Names are compared with those that are there, never joined to a path."""
    return next((item for item in kept_in(folder) if item.name == name), None)


def contents_of(folder: Path, kept: Iterable[Kept]) -> dict[str, Manifest | None]:
    """Returns name -> what the archive says of itself; None where it cannot be read."""
    return {item.name: described(folder / item.name) for item in kept}


def name_for(at: float, *, asked: bool, folder: Path) -> str:
    """Returns a name that is not taken: a clock that was set back may come by the same second again."""
    moment = datetime.fromtimestamp(int(at), UTC)
    while True:
        name = f"provisioner-{moment.strftime(_TIME)}{'-asked' if asked else ''}.tar.gz"
        if not (folder / name).exists():
            return name
        moment += timedelta(seconds=1)


def last_due(daily: TimeOfDay, now: float) -> float:
    """Returns when a backup was last due. The clock of the machine's place counts, also on days that lack the hour or have it twice."""
    return max(at for at in _instants(daily, now) if at <= now)


def next_due(daily: TimeOfDay, now: float) -> float:
    """Returns when the next one is due."""
    return min(at for at in _instants(daily, now) if at > now)


def newest(kept: Iterable[Kept], now: float) -> float | None:
    """Returns when the last archive was made, or None. One from the future proves nothing: it was made by a clock that was wrong."""
    return max((item.at for item in kept if item.at <= now), default=None)


def superfluous(kept: Sequence[Kept], many: int, now: float) -> list[Kept]:
    """Returns the archives that have had their time.

    Stay: the newest ``many`` of those that were due, of these besides the first of each of the newest twelve months, and the newest
    ``many`` that were asked for. What a wrong clock dated ahead is counted apart, so that it takes no place from the others.
    """
    stay: set[str] = set()
    for some in ([item for item in kept if item.at <= now], [item for item in kept if item.at > now]):
        due = sorted((item for item in some if not item.asked), key=lambda item: item.at)
        asked = sorted((item for item in some if item.asked), key=lambda item: item.at)
        first = {item.name[:18]: item for item in reversed(due)}  # provisioner-YYYYMM
        months = [first[month] for month in sorted(first)[-MONTHS_KEPT:]]
        stay |= {item.name for item in (*due[-many:], *asked[-many:], *months)}
    return [item for item in kept if item.name not in stay]


def _time_of(text: str) -> float | None:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _instants(daily: TimeOfDay, now: float) -> list[float]:
    """Returns when it is that time of day, of the days around now; an hour that a day lacks is the one behind it (mktime(3))."""
    here = time.localtime(now)
    return [time.mktime((here.tm_year, here.tm_mon, here.tm_mday + days, *daily, 0, 0, 0, -1)) for days in (-2, -1, 0, 1, 2)]

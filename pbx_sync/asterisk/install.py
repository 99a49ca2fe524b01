"""Brings Asterisk onto this machine, into a private folder: packages are fetched and unpacked, none of their scripts is run.

No root is needed and the host is left alone. A broken-off install never counts as one: everything happens in a folder beside, which
gets its name when all is there; started again, it goes on with what was fetched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pbx_sync.asterisk.errors import AsteriskError, InstallError
from pbx_sync.asterisk.packages import Host, Progress, fetch_packages
from pbx_sync.asterisk.program import COMPLETE, OLDEST_MAJOR, PRIVATE, Program, private_program, program_of_root

NEEDED_BYTES = 700 * 1024**2
"""Lists (50 MB), packages (80 MB) and the root (270 MB), twice the root where an older one is replaced."""

# Dependencies of packaging, or of modules that are never loaded: an eighth of the bytes.
_NOT_RUN = re.compile(r"(perl|libperl|gnupg|gpg|dirmngr|pinentry|passwd|adduser|debconf|libsnmp|login|init-system)[\w.+-]*_")
_NOT_READ = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/bug", "usr/include")


def install_asterisk(folder: Path, progress: Progress, *, again: bool = False, host: Host | None = None) -> Program:
    """Returns the private Asterisk in ``folder``, which is put there where it is missing (or ``again``).

    Safe to call from several processes at once: one does it, the others wait. Raises ``InstallError``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / ".install.lock"):
            there = None if again else private_program(folder)
            return there or _install(folder, progress, host or Host())
    except OSError as error:
        raise InstallError(f"Asterisk cannot be installed in {folder}: {error.strerror or error}") from error


def _install(folder: Path, progress: Progress, host: Host) -> Program:
    _check_room(folder)
    fetched, fresh, root = folder / ".asterisk-fetched", folder / ".asterisk-unpacked", folder / PRIVATE
    packages = fetch_packages(fetched, host, progress)
    _remove(fresh)
    _unpack(packages, fresh, progress)
    _trim(fresh)
    _link_sounds(fresh)
    _prove(fresh)
    _replace(root, fresh)
    _remove(fetched)
    progress("Asterisk is installed", 1.0)
    return program_of_root(root)


def _check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise InstallError(f"{folder} has {free / 1024**2:.0f} MB free, and Asterisk needs {NEEDED_BYTES / 1024**2:.0f} MB to be installed")


def _unpack(packages: list[Path], root: Path, progress: Progress) -> None:
    root.mkdir()
    wanted = [package for package in packages if not _NOT_RUN.match(package.name)]
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for done, _ in enumerate(pool.map(lambda package: _unpack_one(package, root), wanted), 1):
            progress("Unpacking Asterisk", done / len(wanted))


def _unpack_one(package: Path, root: Path) -> None:
    done = subprocess.run(["dpkg-deb", "--extract", str(package), str(root)], capture_output=True, text=True, check=False)
    if done.returncode:
        complaint = done.stderr.strip()
        package.unlink(missing_ok=True)  # fetched anew by the next try, whatever is wrong with it
        reason = "the disk is full" if "No space left" in complaint else f"{package.name} cannot be unpacked: {complaint[-300:]}"
        raise InstallError(reason)


def _trim(root: Path) -> None:
    for name in _NOT_READ:
        _remove(root / name)


def _link_sounds(root: Path) -> None:
    """Makes the links that the packages' own scripts would make: sounds are looked for by language, below ``sounds/en``."""
    sounds = root / "usr/share/asterisk/sounds"
    voice = next(iter(sorted(sounds.glob("en_*"))), None)
    if voice is None:
        raise InstallError("the packages hold no English sounds")
    if not (sounds / "en").exists():
        (sounds / "en").symlink_to(voice.name)


def _prove(root: Path) -> None:
    """Runs it once and marks the root as complete. Raises ``InstallError`` where it does not run, or is too old."""
    try:
        program = program_of_root(root)
    except AsteriskError as error:
        raise InstallError(f"the Asterisk that was fetched does not run here: {error}") from error
    if program.major < OLDEST_MAJOR:
        raise InstallError(f"this release has Asterisk {program.version}; {OLDEST_MAJOR} or later is needed (Ubuntu 24.04 has it)")
    (root / COMPLETE).write_text(f"{program.version}\n", "utf-8")


def _replace(root: Path, fresh: Path) -> None:
    """Puts ``fresh`` in the place of ``root``; killed in between, there is none and the next install makes one."""
    old = root.with_name(".asterisk-old")
    _remove(old)
    if root.exists():
        root.rename(old)
    fresh.rename(root)
    _remove(old)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

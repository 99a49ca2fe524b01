"""A PostgreSQL server of the tests' own: found or installed, started once in a temporary folder, gone at the end.

``TEST_DATABASE_URL`` names another server instead. Where there is none and it cannot be installed, tests on PostgreSQL fail with the
sentence that says why - in CI as anywhere: nothing is skipped in silence. ``TEST_POSTGRES=off`` leaves them out, except in CI.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import sqlalchemy as sa

ENGINES = ("sqlite", "postgresql")
_OWNER = "postgres"
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=", "max_connections=200", "shared_buffers=32MB")


class PostgresMissing(Exception):
    """There is no PostgreSQL, and it cannot be installed here; the message says what to do."""


def wanted() -> bool:
    """Returns whether tests run on PostgreSQL too: always in CI, elsewhere unless a person switched it off."""
    return os.environ.get("TEST_POSTGRES", "") != "off" or bool(os.environ.get("CI"))


@contextmanager
def running_server() -> Iterator[sa.URL]:
    """Yields the address of a server whose databases may be made and dropped at will."""
    named = os.environ.get("TEST_DATABASE_URL")
    if named:
        yield sa.make_url(named).set(drivername="postgresql+psycopg")
        return
    folder = Path(tempfile.mkdtemp(prefix="provisioner-pg-"))
    try:
        with _cluster(folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fresh_database(server: sa.URL, template: str = "template1") -> Iterator[str]:
    """Yields the address of an empty database, or a copy of ``template``; it is dropped afterwards, with whoever is still connected."""
    name = f"test_{secrets.token_hex(6)}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        # Copied as files: since version 15, where that is no longer how it is done, each page would be written to the log first.
        way = " STRATEGY file_copy" if (connection.dialect.server_version_info or (0,)) >= (15,) else ""
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}{way}"))
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        engine.dispose()


@contextmanager
def _cluster(folder: Path) -> Iterator[sa.URL]:
    """Starts a cluster in ``folder`` that answers on a socket there alone, and stops it."""
    binaries = _binaries()
    if os.geteuid() == 0:
        owner = pwd.getpwnam(_OWNER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    # An order of texts other than that of their bytes, as a real server has it: what leans on SQLite's order shows.
    _as_owner(str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", _OWNER, "-E", "UTF8", "--no-sync", *_locale(binaries))
    options = " ".join(f"-c {option}" for option in (*_FAST, f"unix_socket_directories={folder}"))
    log = str(folder / "log")
    _as_owner(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-t", "60", "-l", log, "-o", options, "start")
    try:
        yield sa.URL.create("postgresql+psycopg", username=_OWNER, database="postgres", query={"host": str(folder)})
    finally:
        _as_owner(str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")


def _locale(binaries: Path) -> tuple[str, ...]:
    major = int(
        subprocess.run([binaries / "initdb", "--version"], capture_output=True, text=True, check=True).stdout.split()[-1].split(".")[0]
    )
    return ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US") if major >= 15 else ("--locale=C.UTF-8",)


def _as_owner(*command: str) -> None:
    """Runs a command as the user that PostgreSQL wants: it refuses to run as root."""
    prefix = ("runuser", "-u", _OWNER, "--") if os.geteuid() == 0 else ()
    done = subprocess.run(
        [*prefix, *command],
        check=False,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    if done.returncode:
        raise PostgresMissing(f"{Path(command[0]).name} failed:\n{done.stdout[-2000:]}")


@cache
def _binaries() -> Path:
    """Returns the folder of ``initdb`` and ``pg_ctl``; installs Debian's package where there is none."""
    found = _installed()
    if found is None:
        _install()
        found = _installed()
    if found is None:
        raise PostgresMissing("PostgreSQL was installed and its initdb is not below /usr/lib/postgresql")
    return found


def _installed() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = [folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()]
    return found[0] if found else None


def _install() -> None:
    if os.geteuid() != 0:
        raise PostgresMissing(
            "the tests need PostgreSQL and cannot install it without root: apt-get install postgresql, or TEST_POSTGRES=off to leave them out"
        )
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("apt-get", "update", "-q"), ("apt-get", "install", "-y", "-q", "--no-install-recommends", "postgresql")):
        done = subprocess.run(command, check=False, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        if done.returncode and command[1] == "install":
            raise PostgresMissing(f"the tests need PostgreSQL and '{' '.join(command)}' failed:\n{done.stdout[-2000:]}")

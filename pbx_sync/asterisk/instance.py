"""One running Asterisk with everything that is its own in one folder: configuration, AstDB, logs, voicemail, control socket."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pbx_sync.asterisk.calldetails import CALL_FILE, make_file
from pbx_sync.asterisk.children import dying_with_us
from pbx_sync.asterisk.configuration import (
    RECORDINGS,
    USER,
    Facts,
    Listen,
    Passwords,
    configuration,
    write_certificate,
    write_configuration,
)
from pbx_sync.asterisk.errors import AsteriskError, StartError
from pbx_sync.asterisk.findings import START, Finding, explain_log, since_start
from pbx_sync.asterisk.program import Program

READY_S = 300.0
"""A start takes a second. With 10,000 extensions it takes 17 s of a processor, a minute where others use it too: Asterisk parses every one
of them three times over (PJSIP itself, its qualifying, message waiting), and sorts them by insertion."""
STOP_S = 4.0
"""What calls and files get to end in, before the process is killed."""
ANSWER_S = 3.0
LOOKED_AT = 1000
"""Lines of the log that are looked at for complaints: those of the last minutes of a bad day, or of the last weeks of a good one."""
LOG_BYTES = 10 * 1024**2
LOGS_KEPT = 4
_FOLDERS = ("etc", "db", "keys", "keys/keys", "agi", "spool", "spool/voicemail", "run", "log", "custom", RECORDINGS)
_LOGS = ("messages", "security")
TRANSPORTS = ("transport-udp", "transport-tcp")
_OPEN_FILES = 65536
"""Each call takes ten or so; a higher limit makes Asterisk close so many at each start of a child."""


class Account(NamedTuple):
    """The user that Asterisk runs as."""

    uid: int
    gid: int


class Instance:
    """An Asterisk in a folder. It is this process's child, and ends with it however this process ends."""

    def __init__(self, folder: Path, program: Program, facts: Facts) -> None:
        self.folder = folder
        self.program = program
        self.facts = facts
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def mailboxes(self) -> Path:
        """SQLite file of the voicemail boxes."""
        return self.folder / "voicemail.sqlite3"

    @property
    def call_details(self) -> Path:
        """SQLite file that the details of calls are written to."""
        return self.folder / "log" / CALL_FILE

    @property
    def passwords(self) -> Passwords:
        """AMI's and ARI's passwords, made at the first call."""
        return passwords_of(self.folder)

    @property
    def user(self) -> str:
        """The name that AMI and ARI know us by."""
        return USER

    def prepare(self, account: Account | None = None) -> list[str]:
        """Makes the folders and writes the configuration; returns the names of the files that changed. Raises ``AsteriskError``."""
        try:
            for name in ("", *_FOLDERS):
                (self.folder / name).mkdir(mode=0o750, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            changed = write_configuration(self.folder, configuration(self.folder, self.program, self.facts, self.passwords))
            changed += write_certificate(self.folder, self.facts)
            (self.folder / RECORDINGS).chmod(0o700)
            make_file(self.call_details)
            if account is not None:
                _give(self.folder, account)
        except (OSError, UnicodeDecodeError, sqlite3.Error) as error:
            place = getattr(error, "filename", None) or self.folder
            raise AsteriskError(f"{place} cannot be read or written: {getattr(error, 'strerror', error)}") from error
        return changed

    def start(self, account: Account | None = None) -> subprocess.Popen[bytes]:
        """Starts it, as ``account`` where we are root; an Asterisk that an earlier owner of this folder left behind is ended first.

        Raises ``StartError``.
        """
        end_orphans(self.folder)
        account = account if os.geteuid() == 0 else None
        user, group = account or (None, None)
        self._mark_start(account)
        with (self.folder / "log" / "start.log").open("wb") as output:
            try:
                self.process = subprocess.Popen(
                    self._command("-f"),
                    cwd=self.folder / "run",
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C at the terminal is for us, who then end it gently
                    preexec_fn=dying_with_us(signal.SIGTERM, open_files=_OPEN_FILES),
                    user=user,
                    group=group,
                    extra_groups=[] if account else None,
                )
            except OSError as error:
                raise StartError(f"{self.program.command[0]} cannot be started: {error.strerror or error}") from error
        return self.process

    def _mark_start(self, account: Account | None) -> None:
        path = self.folder / "log" / "messages"
        with path.open("a", encoding="utf-8") as log:
            log.write(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] {START}\n")
        if account is not None:
            os.chown(path, account.uid, account.gid)

    def wait_until_ready(self, within_s: float = READY_S, told: Callable[[], None] = lambda: None) -> None:
        """Returns once everything is loaded and AMI answers; ``told`` is called now and then. Raises ``StartError``."""
        deadline = time.monotonic() + within_s
        while not self.is_answering(1.0, booted=True):
            if self.process is not None and self.process.poll() is not None:
                raise StartError(f"Asterisk ended at once (status {self.process.returncode}): {self._last_words()}")
            if time.monotonic() > deadline:
                raise StartError(f"Asterisk was not ready within {within_s:.0f} s: {self._last_words()}")
            told()
            time.sleep(0.05)

    def is_answering(self, within_s: float = ANSWER_S, *, booted: bool = False) -> bool:
        """Returns whether AMI lets us in and answers a ping; with ``booted`` also whether everything is loaded."""
        expected = [b"Ping: Pong", *([b"Event: FullyBooted"] if booted else [])]
        return _ami_says(self.facts.ami, self.passwords.ami, expected, within_s)

    def stop(self, within_s: float = STOP_S) -> None:
        """Ends it, gently first. Harmless where it does not run."""
        process, self.process = self.process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(within_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        end_orphans(self.folder, within_s)

    def cli(self, command: str, within_s: float = 30.0) -> str:
        """Returns what the command line of the running Asterisk prints. Raises ``AsteriskError`` where it does not answer."""
        if not (self.folder / "run" / "asterisk.ctl").exists():  # without its own, Asterisk would ask the system's
            raise AsteriskError("Asterisk does not answer: it does not run")
        try:
            done = subprocess.run(
                [*self._command(), "-rx", command], capture_output=True, env=self._environment(), timeout=within_s, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AsteriskError(f"Asterisk's command line does not answer: {error}") from error
        if done.returncode:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            raise AsteriskError(f"Asterisk does not answer: {said[:300] or 'it does not run'}")
        return done.stdout.decode("utf-8", "replace")

    def unbound(self) -> list[str]:
        """Returns the SIP transports that every phone may need and that did not come up, by their name. Raises ``AsteriskError``.

        Asterisk runs on without one whose port it did not get; it lists only those that it has.
        """
        listed = self.cli("pjsip show transports")
        return [name for name in TRANSPORTS if not re.search(rf"\b{name}\b", listed)]

    def reload(self) -> str:
        """Makes the running Asterisk read its files again, without ending a call; returns what it says. Transports need a restart."""
        return self.cli("core reload")

    def log_lines(self, count: int = 200, name: str = "messages") -> list[str]:
        """Returns the newest lines of the log, oldest first."""
        try:
            with (self.folder / "log" / name).open("r", encoding="utf-8", errors="replace") as file:
                return [line.rstrip("\n") for line in deque(file, count)]
        except OSError:
            return []

    def findings(self) -> list[Finding]:
        """Returns what the log has complained of since the newest start; the newest last."""
        return explain_log(since_start(self.log_lines(LOOKED_AT)))

    def bound_logs(self, limit_bytes: int = LOG_BYTES) -> None:
        """Begins new log files where one has grown too long, and takes the oldest away. Called now and then."""
        log = self.folder / "log"
        if any(_size(log / name) > limit_bytes for name in _LOGS):
            self.cli("logger rotate")
            for name in _LOGS:
                for old in log.glob(f"{name}.*"):
                    if old.suffix[1:].isdigit() and int(old.suffix[1:]) >= LOGS_KEPT:
                        old.unlink(missing_ok=True)

    def _command(self, *options: str) -> list[str]:
        return [*self.program.command, "-C", str(self.folder / "etc" / "asterisk.conf"), *options]

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": str(self.folder), **self.program.environment}

    def _last_words(self) -> str:
        """Returns what the log says went wrong: what is known first, for what comes after it is often only its consequence."""
        known = self.findings()
        if known:
            return f"{known[-1].what}; {known[-1].mend}"
        errors = [line for line in (*self.log_lines(100), *self.log_lines(50, "start.log")) if "ERROR" in line]
        return errors[0][-300:] if errors else "its log says nothing"


def passwords_of(folder: Path) -> Passwords:
    """Returns the passwords of the instance in ``folder``, made at the first call; in a file for its owner alone."""
    path = folder / "passwords.json"
    with suppress(FileNotFoundError):
        return Passwords(**json.loads(path.read_text("ascii")))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".passwords.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(Passwords(secrets.token_hex(32), secrets.token_hex(32))._asdict(), file)
    with suppress(FileExistsError):
        os.link(partial, path)  # whoever is first decides: two processes must not hand out two passwords
    partial.unlink()
    return Passwords(**json.loads(path.read_text("ascii")))


def processes_of(folder: Path) -> list[int]:
    """Returns the ids of the Asterisks that run on this folder, whoever started them."""
    wanted = os.fsencode(folder / "etc" / "asterisk.conf")
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                if wanted in words and b"-f" in words:
                    found.append(int(process.name))
    return found


def end_orphans(folder: Path, within_s: float = STOP_S) -> None:
    """Ends every Asterisk that runs on this folder. Raises ``StartError`` for one that is another user's."""
    for number, wait_s in ((signal.SIGTERM, within_s), (signal.SIGKILL, within_s)):
        left = processes_of(folder)
        for pid in left:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
            except PermissionError as error:
                raise StartError(f"another user's Asterisk (process {pid}) runs on {folder}: stop it first") from error
        deadline = time.monotonic() + wait_s
        while left and processes_of(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not left:
            return


def _ami_says(address: Listen, password: str, expected: list[bytes], within_s: float) -> bool:
    ask = f"Action: Login\r\nUsername: {USER}\r\nSecret: {password}\r\nEvents: system\r\n\r\nAction: Ping\r\n\r\n"
    deadline = time.monotonic() + within_s
    heard = b""
    with suppress(OSError), socket.create_connection(reachable(address), timeout=within_s) as connection:
        connection.sendall(ask.encode())
        while not all(word in heard for word in expected) and (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            piece = connection.recv(65536)
            if not piece or b"Response: Error" in piece:
                return False
            heard = heard[-65536:] + piece
    return all(word in heard for word in expected)


def reachable(address: Listen) -> tuple[str, int]:
    """Returns where to connect to for what listens on ``address``: "every address" is none that one connects to."""
    if not ipaddress.ip_address(address.host).is_unspecified:
        return address.host, address.port
    return "::1" if ":" in address.host else "127.0.0.1", address.port


def _give(folder: Path, account: Account) -> None:
    """Makes everything below ``folder`` the account's; links are given themselves, not what they lead to."""
    if os.geteuid() != 0:
        return
    for place, folders, files in os.walk(folder):
        for name in ("", *folders, *files):
            os.chown(Path(place, name) if name else place, account.uid, account.gid, follow_symlinks=False)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0

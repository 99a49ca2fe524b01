"""The bundled Asterisk's keeper: starts it, looks whether it answers, starts it again, ends it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pbx_sync.asterisk.errors import AsteriskError
from pbx_sync.asterisk.instance import Account, Instance
from pbx_sync.asterisk.mailboxes import SQLiteMailboxes
from provisioner.bundled import NOT_INSTALLED, bundled_instance, bundled_program, pbx_folder
from provisioner.parts.certificate import own_certificate
from provisioner.parts.running import Beating, die_with_parent, stop_on_signals
from provisioner.settings import Settings

log = logging.getLogger("provisioner.parts")

LOOK_S = 0.2
PING_EVERY_S = 5.0
PATIENCE_S = 30.0
"""An Asterisk that has not answered for so long hangs: it is ended and started anew. A reload of everything takes less."""
TIDY_EVERY_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
GOOD_AFTER_S = 60.0
"""One that ran so long did not fail at its start: the next pause is a short one again."""


def run_pbx(settings: Settings) -> None:
    """Keeps the bundled Asterisk running until told to stop."""
    die_with_parent()
    stop = threading.Event()
    stop_on_signals(stop)
    beating = Beating(settings, "pbx")
    try:
        Keeper(settings, stop, beating).run()
    finally:
        beating.forget()


class Keeper:
    """One Asterisk, started again whenever it is gone or hangs, with growing pauses while it fails at once."""

    def __init__(
        self, settings: Settings, stop: threading.Event, beat: Callable[[bool, str], None], *, patience_s: float = PATIENCE_S
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._beat = beat
        self._patience_s = patience_s
        self._pause_s = FIRST_PAUSE_S

    def run(self) -> None:
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                self._run_once()
                reason = "it ended"
            except (AsteriskError, OSError) as error:
                reason = str(error)
            if self._stop.is_set():
                return
            self._pause_s = FIRST_PAUSE_S if time.monotonic() - started > GOOD_AFTER_S else self._pause_s
            log.error("event=pbx_down again_in_s=%.1f detail=%s", self._pause_s, reason)
            self._wait(self._pause_s, reason)
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def _run_once(self) -> None:
        """Runs Asterisk until it ends, hangs or is no longer wanted; afterwards none is left. Raises ``AsteriskError``."""
        instance = self._instance()
        account = account_for(self._settings.data_dir)
        SQLiteMailboxes(instance.mailboxes).read()  # made here, so that it is given to the account with everything else
        instance.prepare(account)
        try:
            process = instance.start(account)
            instance.wait_until_ready(told=lambda: self._starting(instance))
            _check(instance)
            _expect_transports(instance)
            log.info("event=pbx_up version=%s pid=%d sip=%s", instance.program.version, process.pid, instance.facts.sip)
            self._watch(instance)
        finally:
            instance.stop()

    def _instance(self) -> Instance:
        program = bundled_program(self._settings)
        if program is None:
            raise AsteriskError(NOT_INSTALLED)
        pbx_folder(self._settings).mkdir(mode=0o700, parents=True, exist_ok=True)
        return bundled_instance(self._settings, program, _certificate(self._settings))

    def _starting(self, instance: Instance) -> None:
        self._beat(False, f"Asterisk {instance.program.version} starts")
        if self._stop.is_set():
            raise AsteriskError("it was stopped while it started")
        _check(instance)

    def _watch(self, instance: Instance) -> None:
        answered = pinged = tidied = time.monotonic()
        while not self._stop.is_set():
            process = instance.process
            if process is None or process.poll() is not None:
                raise AsteriskError(_epitaph(instance))
            now = time.monotonic()
            if now - pinged >= min(PING_EVERY_S, self._patience_s):
                pinged = now
                answered = time.monotonic() if instance.is_answering() else answered
            silent_s = time.monotonic() - answered
            if silent_s > self._patience_s:
                raise AsteriskError(f"it has not answered for {silent_s:.0f} s")
            if now - tidied >= TIDY_EVERY_S:
                tidied = now
                _tidy(instance)
            hangs = silent_s > PING_EVERY_S + 1
            self._beat(not hangs, f"it has not answered for {silent_s:.0f} s" if hangs else f"Asterisk {instance.program.version}")
            self._stop.wait(LOOK_S)

    def _wait(self, seconds: float, reason: str) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stop.is_set():
            self._beat(False, reason)
            self._stop.wait(LOOK_S)


def account_for(data_dir: Path) -> Account | None:
    """Returns the user that Asterisk is to run as where we are root: the data folder's owner. None: as we are."""
    owner = data_dir.stat()
    return Account(owner.st_uid, owner.st_gid) if os.geteuid() == 0 and owner.st_uid != 0 else None


def _certificate(settings: Settings) -> tuple[Path, Path] | None:
    if settings.sip_tls_bind is None:
        return None
    if settings.tls_certificate and settings.tls_key:
        return settings.tls_certificate, settings.tls_key
    return own_certificate(settings.data_dir, settings.host)


def _tidy(instance: Instance) -> None:
    try:
        instance.bound_logs()
    except (AsteriskError, OSError) as error:  # a full disk, for one: no reason to end calls
        log.warning("event=pbx_logs_not_rotated detail=%s", error)


def _check(instance: Instance) -> None:
    """Raises ``AsteriskError`` where no phone, or not even we, can reach it: a port that is taken may be free at the next try."""
    fatal = [finding for finding in instance.findings() if finding.is_fatal]
    if fatal:
        raise AsteriskError(f"{fatal[-1].what}; {fatal[-1].mend}")


def _expect_transports(instance: Instance) -> None:
    """Raises ``AsteriskError`` where SIP does not listen, whatever the log says of it."""
    if unbound := instance.unbound():
        raise AsteriskError(
            f"{' and '.join(unbound)} did not come up on {instance.facts.sip}: is another program there? 'provisioner pbx log' shows more"
        )


def _epitaph(instance: Instance) -> str:
    status = instance.process.returncode if instance.process else 0
    known = instance.findings()
    return f"it ended (status {status})" + (f": {known[-1].what}; {known[-1].mend}" if known else "")

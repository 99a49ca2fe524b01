"""Steering the bundled Asterisk, for whoever is not at its command line: restart, reload, log."""

from __future__ import annotations

import logging
import threading

from pbx_sync.asterisk.errors import AsteriskError
from pbx_sync.asterisk.findings import Finding, explain_log
from pbx_sync.asterisk.instance import Instance, processes_of
from provisioner.bundled import NOT_INSTALLED, bundled_instance, bundled_program
from provisioner.errors import ProvisionerError
from provisioner.settings import Settings

log = logging.getLogger("provisioner.pbx")

LONGEST_CALL_S = 4 * 3600.0
LOGS = ("messages", "security")


class NoBundledPBX(ProvisionerError):
    """There is no bundled Asterisk that could be steered, or it does not run."""

    reason = "not_ready"


def restart_pbx(settings: Settings, *, now: bool) -> None:
    """Restarts Asterisk under the running server; without ``now`` once the last call has ended. Returns at once.

    Raises ``NoBundledPBX``.
    """
    instance = _instance(settings)
    if not processes_of(instance.folder):
        raise NoBundledPBX("Asterisk does not run: it starts with the server")
    command = f"core stop {'now' if now else 'gracefully'}"  # the part that runs it starts it again
    threading.Thread(target=_told, args=(instance, command), name="pbx-restart", daemon=True).start()


def reload_pbx(settings: Settings) -> None:
    """Has Asterisk read its files again, without ending a call. Raises ``NoBundledPBX``."""
    try:
        _instance(settings).reload()
    except AsteriskError as error:
        raise NoBundledPBX(str(error)) from error


def pbx_log(settings: Settings, lines: int, name: str) -> tuple[list[str], list[Finding]]:
    """Returns the newest lines of one of ``LOGS``, and what they complain of, explained. Raises ``NoBundledPBX``."""
    found = _instance(settings).log_lines(lines, name)
    return found, explain_log(found) if name == "messages" else []


def _told(instance: Instance, command: str) -> None:
    try:
        instance.cli(command, within_s=LONGEST_CALL_S)
    except AsteriskError as error:
        log.error("event=pbx_restart_failed detail=%s", error)


def _instance(settings: Settings) -> Instance:
    if settings.pbx != "bundled":
        raise NoBundledPBX(f"PROVISIONER_PBX={settings.pbx}: there is no bundled Asterisk")
    program = bundled_program(settings)
    if program is None:
        raise NoBundledPBX(NOT_INSTALLED)
    try:
        return bundled_instance(settings, program)
    except AsteriskError as error:
        raise NoBundledPBX(str(error)) from error

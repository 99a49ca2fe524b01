"""The bundled Asterisk of a server elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from provisioner.commands.output import note

if TYPE_CHECKING:
    from provisioner.client import Client
    from provisioner.pbxstatus import PBXStatus

POLL_S = 1.0
LAST_CALL_WITHIN_S = 3600.0
MOST_LINES = 2000


class RemotePBX:
    """Looks at it and steers it. Raises ``RemoteError`` where the server refuses, as where its Asterisk is not the bundled one."""

    def __init__(self, client: Client) -> None:
        self._verbs = client.pbx

    def status(self) -> PBXStatus:
        """Returns how it is."""
        from pbx_sync.asterisk.findings import Finding
        from provisioner.commands.asking import asked
        from provisioner.pbxstatus import PBXStatus

        row = dict(asked(self._verbs.service))
        findings = tuple(Finding(**each) for each in row.pop("findings"))
        return PBXStatus(**row, findings=findings)

    def restart(self, *, now: bool, within_s: float) -> None:
        """Restarts it and returns once it is back. Raises ``RemoteError`` where it is not back in time."""
        from provisioner.commands.asking import asked
        from provisioner.errors import RemoteError

        before = self.status().pid
        asked(self._verbs.restart, {"now": now})
        if not now:
            note("Waiting for the last call to end ...")
        deadline = time.monotonic() + within_s + (0 if now else LAST_CALL_WITHIN_S)
        while (said := self.status()).pid == before or not said.is_answering:
            if time.monotonic() > deadline:
                raise RemoteError("Asterisk was told to restart and is not back: 'provisioner pbx status' says more")
            time.sleep(POLL_S)

    def reload(self) -> None:
        """Makes it read its files again."""
        self._asked("reload")

    def log_lines(self, count: int, name: str) -> list[str]:
        """Returns the newest lines of one of its logs, as many as a server gives at once."""
        if count > MOST_LINES:
            note(f"A server gives {MOST_LINES} lines at most: these are the newest.")
        found: list[str] = self._asked("log", lines=min(count, MOST_LINES), log=name)["lines"]
        return found

    def _asked(self, verb: str, **query: Any) -> Any:
        from provisioner.commands.asking import asked

        return asked(getattr(self._verbs, verb), **query)

"""Test calls in Asterisk: whom to ring stands in AstDB, where the dialplan also leaves what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pbx_sync.asterisk.ami import Action
from pbx_sync.asterisk.astdb import Ask
from pbx_sync.asterisk.configuration import TEST_FAMILY, TESTED_FAMILY

RING_MS = 60_000
_DIALLED = re.compile(r"sips?:[0-9A-Za-z@:.;=\[\]_~*#+%?/\-]{1,500}\Z")
"""Contacts that can stand among the arguments of Dial. The phone wrote its own: a comma, an ampersand or a quote would be arguments of its own."""


class AsteriskTestCalls:
    """Rings phones. ``ask`` asks Asterisk many things at once."""

    __test__ = False

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def ring(self, name: str, number: str, uri: str) -> str:
        if not _DIALLED.match(uri):
            return "the phone registered with an address that cannot be dialled: it holds signs that mean something else to the PBX"
        call = {"Channel": f"Local/{name}@test-call/n", "Application": "Wait", "Data": "60", "Timeout": str(RING_MS), "Async": "true"}
        replies = self._ask(
            [
                Action("DBDel", {"Family": TESTED_FAMILY, "Key": name}),
                Action("DBPut", {"Family": TEST_FAMILY, "Key": name, "Val": f"{number},{uri}"}),
                Action("Originate", call),
            ]
        )
        return next((f"the PBX refuses: {reply.text}" for reply in replies[1:] if not reply.is_success), "")

    def outcomes(self) -> Mapping[str, str]:
        (reply,) = self._ask([Action("DBGetTree", {"Family": TESTED_FAMILY})])
        found = {item.get("Key", "").removeprefix(f"/{TESTED_FAMILY}/"): item.get("Val", "") for item in reply.items}
        self._ask([Action("DBDel", {"Family": family, "Key": name}) for name in found for family in (TEST_FAMILY, TESTED_FAMILY)])
        return found

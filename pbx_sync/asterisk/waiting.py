"""The waiting room in Asterisk: endpoints in a context of their own, and what was dialled there, which the dialplan keeps in AstDB.

Beside each account stands a row ``/provisioner-waiting/<account>``, so that those of an earlier run are found and taken away; no extension
carries one, and no account here carries the mark of extensions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence

from pbx_sync.asterisk.ami import Action
from pbx_sync.asterisk.astdb import Ask
from pbx_sync.asterisk.configuration import DIALLED_FAMILY as DIALLED
from pbx_sync.asterisk.objects import AOR, AUTH, ENDPOINT, NOWHERE, REGISTRATION_S
from pbx_sync.waiting import Dialled, WaitingPhone

SEATS = "provisioner-waiting"
CONTEXT = "waiting"


class AsteriskWaitingRoom:
    """Seats phones. ``ask`` asks Asterisk many things at once."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def seat(self, phones: Collection[WaitingPhone]) -> None:
        there = self._tree(SEATS)
        wanted = {phone.account: phone for phone in phones}
        gone = [name for name in there if name not in wanted]
        new = [phone for name, phone in sorted(wanted.items()) if there.get(name) != _mark(phone)]
        self._ask([action for name in gone for action in _removal(name)])
        self._ask([action for phone in new for action in _placing(phone)])

    def dialled(self) -> Sequence[Dialled]:
        found = self._tree(DIALLED)
        self._ask([Action("DBDel", {"Family": DIALLED, "Key": name}) for name in found])
        return [Dialled(name, code) for name, code in sorted(found.items())]

    def _tree(self, family: str) -> dict[str, str]:
        (reply,) = self._ask([Action("DBGetTree", {"Family": family})])
        return {item.get("Key", "").removeprefix(f"/{family}/"): item.get("Val", "") for item in reply.items}


def _placing(phone: WaitingPhone) -> list[Action]:
    """What is referred to stands there before what refers to it; the mark is first, so that nothing is ever left without one."""
    name = phone.account
    rows = {
        (SEATS, name): _mark(phone),
        (AUTH, name): _row(auth_type="userpass", username=name, password=phone.secret),
        (AOR, name): _row(max_contacts="1", remove_existing="yes", **_interval()),
        (ENDPOINT, name): _row(
            context=CONTEXT, message_context=NOWHERE, allow="!all,g722,ulaw,alaw", auth=name, aors=name, identify_by="username", allow_subscribe="no",
            callerid=f'"Waiting" <{name}>', force_rport="yes", rewrite_contact="yes", rtp_symmetric="yes", direct_media="no",
            media_encryption="sdes", media_encryption_optimistic="yes", device_state_busy_at="1",
        ),
    }  # fmt: skip
    return [Action("DBPut", {"Family": family, "Key": key, "Val": value}) for (family, key), value in rows.items()]


def _removal(name: str) -> list[Action]:
    return [Action("DBDel", {"Family": family, "Key": name}) for family in (ENDPOINT, AUTH, AOR, DIALLED, SEATS)]


def _interval() -> dict[str, str]:
    return dict.fromkeys(("minimum_expiration", "default_expiration", "maximum_expiration"), str(REGISTRATION_S))


def _mark(phone: WaitingPhone) -> str:
    """Returns what tells an account with this secret from one with another, and nothing of either."""
    return hashlib.sha256(f"{phone.account}:{phone.secret}".encode()).hexdigest()[:16]


def _row(**fields: str) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

"""What Asterisk itself makes of an extension's rows, from its answer to ``PJSIPShowEndpoint``. Pure.

A row can stand in AstDB and be of no use: Asterisk does not understand it, or a file of its own defines the same name and comes first.
"""

from __future__ import annotations

import json

from pbx_sync.asterisk.ami import Message, Reply
from pbx_sync.asterisk.objects import AUTH, ENDPOINT, Rows

_SHOWN = {"context": "Context", "auth": "Auth", "aors": "Aors", "subscribe_context": "SubscribeContext"}
"""Attribute -> its name in the answer, for those by which another endpoint is told from ours."""


def fault(number: str, rows: Rows, reply: Reply) -> str:
    """Returns why Asterisk does not have the extension as its rows say, as a sentence without secrets, or an empty string."""
    if not reply.is_success:
        return f"Asterisk cannot load it: {reply.text}"
    endpoints, auths, aors = (_details(reply, kind) for kind in ("endpoint", "auth", "aor"))
    wanted = json.loads(rows[ENDPOINT, number])
    shown = endpoints.get(number, {})
    if any(shown.get(field) != wanted[name] for name, field in _SHOWN.items()):
        return "Asterisk takes another endpoint of this name, from a file of its own (pjsip.conf)"
    for (family, name), text in rows.items():
        if family == AUTH and name not in auths:
            return f"Asterisk cannot load its credentials {name}"
        if family == AUTH and auths[name].get("Password") != json.loads(text)["password"]:
            return f"Asterisk takes other credentials of the name {name}, from a file of its own (pjsip.conf)"
    return "" if number in aors else "Asterisk cannot load its address of record"


def _details(reply: Reply, kind: str) -> dict[str, Message]:
    return {item.get("ObjectName", ""): item for item in reply.items if item.get("ObjectType") == kind}

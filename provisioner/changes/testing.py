"""Asking for test calls."""

from __future__ import annotations

from provisioner.changes.unit import UnitMaker
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NotFound
from provisioner.models_testcall import test_call

UNDER_WAY_S = 90.0


class TestingWrites(UnitMaker):
    """Asks the worker to ring a phone."""

    __test__ = False  # its name is no test's
    makes_calls = False
    """The PBX is the bundled one, which has a place that rings phones."""

    def request_test_call(self, actor: str, mac: Mac) -> None:
        """Asks for a test call. Raises ``NotFound``, and ``InputError`` where no PBX of ours could call it, it has no line or a call is under way."""
        with self.unit(actor) as unit:
            record = self.store.phone(mac, unit.connection)
            if record is None:
                raise NotFound({"mac": f"phone {mac.colons} is not listed"})
            if not self.makes_calls:
                raise InputError({"mac": "test calls are made by the bundled PBX: this one is not ours to call from"})
            if not record.lines:
                raise InputError({"mac": "this phone has no line: there is no number to say"})
            last = self.store.test_call(mac)
            if last is not None and last.state in ("asked", "ringing") and unit.at < last.asked_at + UNDER_WAY_S:
                raise InputError({"mac": "a test call to this phone is under way"})
            unit.connection.execute(test_call.delete().where(test_call.c.mac == mac))
            row = {"asked_at": unit.at, "asked_by": actor, "state": "asked", "detail": "", "at": unit.at}
            unit.connection.execute(test_call.insert().values(mac=mac, **row))
            unit.log("phone.test_call", mac, None, None, 1)

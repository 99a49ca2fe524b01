"""Writes of seats: whoever logs in at a hot desk makes its phone theirs, and logging out makes it what it was before.

The phone's lines and keys are those of who sits there, so that everything else here (files, PBX, waking, lockstep) treats them as any
other. What the phone has by itself is kept beside the seat. Until it has that back, nobody else changes its lines, keys or model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from provisioner.changes.keys import KeyInput, key_inputs, key_mistakes, layout_mistake
from provisioner.changes.phones import LineInput, PhoneInput, PhoneWrites, shown_for_change
from provisioner.changes.retired import refuse_retired
from provisioner.changes.unit import Unit
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NotFound
from provisioner.models_seats import seat
from provisioner.records import PhoneRecord
from provisioner.records_seats import SeatRecord

_HOME = ("lines", "keys", "layout")


class SeatWrites(PhoneWrites):
    """Logs people in and out at phones."""

    def take_seat(self, actor: str, mac: Mac, number: str) -> SeatRecord:
        """Makes the phone that extension's, and logs out who sat there, and the extension where it sat before.

        The keys are those of the extension's own phone, without those that do not fit this one; who has no phone of their own has the keys
        of this one. Raises ``NotFound``, and ``InputError`` where the phone is no hot desk or is the extension's own.
        """
        with self.unit(actor) as unit:
            before = self._phone(unit, mac)
            refuse_retired([before])
            there = self.store.seat(mac, unit.connection)
            if there is not None and there.extension == number:
                return there
            home = self.store.seat_home(mac, unit.connection) or {name: shown_for_change(before)[name] for name in _HOME}
            if mistakes := self._seat_mistakes(unit, before, home, number):
                raise InputError(mistakes)
            elsewhere = self.store.seat_of(number, unit.connection)
            if elsewhere is not None:
                self._leave(unit, elsewhere)
            self._sit_down(unit, before, home, number)
            taken = self.store.seat(mac, unit.connection)
            assert taken is not None
            return taken

    def leave_seat(self, actor: str, mac: Mac, expected: SeatRecord | None = None) -> PhoneRecord:
        """Makes the phone what it was before somebody sat down there. Raises ``NotFound`` where nobody sits there.

        With ``expected`` only that seat is left: somebody else may have sat down since the caller looked.
        """
        with self.unit(actor) as unit:
            before = self._phone(unit, mac)
            there = self.store.seat(mac, unit.connection)
            if there is None:
                raise NotFound({"mac": f"nobody sits at phone {mac.colons}"})
            if expected is not None and (expected.extension, expected.since) != (there.extension, there.since):
                return before
            return self._leave(unit, there)

    def _seat_mistakes(self, unit: Unit, before: PhoneRecord, home: dict[str, Any], number: str) -> dict[str, str]:
        desk = self.store.desks([before.mac], unit.connection)[before.mac]
        if not desk.is_hot:
            return {"mac": f"phone {before.mac.colons} is no hot desk: its setting hot_desk is off"}
        if self.store.extension(number, unit.connection) is None:
            return {"extension": f"there is no extension {number[:32]}"}
        if number in [line[1] for line in home["lines"]]:
            return {"extension": f"phone {before.mac.colons} is extension {number}'s own: log out whoever sits there instead"}
        return {}

    def _sit_down(self, unit: Unit, before: PhoneRecord, home: dict[str, Any], number: str) -> None:
        unit.connection.execute(seat.delete().where(seat.c.mac == before.mac))
        given = self._of_guest(unit, before, home, number)
        self._write(unit, before.mac, given, before, "phone.seat_in")
        place = home["lines"][0][1] if home["lines"] else ""
        row = {"extension": number, "since": unit.at, "actor": unit.actor, "place": place, "home": home}
        unit.connection.execute(seat.insert().values(mac=before.mac, **row))

    def _of_guest(self, unit: Unit, before: PhoneRecord, home: dict[str, Any], number: str) -> PhoneInput:
        """Returns the lines and keys of who sits down, as far as this phone can have them."""
        mac = self.store.home_phone(number, unit.connection)
        theirs = self.store.phone(mac, unit.connection) if mac and mac != before.mac else None
        if theirs is None:
            return _given([LineInput(1, number)], self._fitting(before, _keys(home["keys"])), self._layout_left(unit, home["layout"]))
        label = next(line.label for line in theirs.lines if line.line == 1)
        layout = self._layout_for(unit, before, theirs.layout)
        return _given([LineInput(1, number, label)], self._fitting(before, key_inputs(theirs.keys)), layout)

    def _leave(self, unit: Unit, there: SeatRecord) -> PhoneRecord:
        """Gives the phone back what it has by itself, without what has been deleted meanwhile."""
        before, home = self._phone(unit, there.mac), self.store.seat_home(there.mac, unit.connection)
        assert home is not None
        unit.connection.execute(seat.delete().where(seat.c.mac == there.mac))
        numbers = {row.number for row in self.store.extensions_named([line[1] for line in home["lines"]], unit.connection)}
        lines = [LineInput(*line) for line in home["lines"] if line[1] in numbers]
        return self._write(
            unit, there.mac, _given(lines, _keys(home["keys"]), self._layout_left(unit, home["layout"])), before, "phone.seat_out"
        )

    def _layout_left(self, unit: Unit, name: str | None) -> str | None:
        """Returns the layout, unless it was deleted."""
        return name if name and self.store.layout(name, unit.connection) else None

    def _layout_for(self, unit: Unit, before: PhoneRecord, name: str | None) -> str | None:
        """Returns the layout where the phone's model can have it."""
        model, layout = self.store.catalogue.model(before.model), self.store.layout(name, unit.connection) if name else None
        return name if model and layout and not layout_mistake(model, layout) else None

    def _fitting(self, before: PhoneRecord, keys: Sequence[KeyInput]) -> tuple[KeyInput, ...]:
        """Returns the keys that the phone can have: on it and the modules that it has, and on its one line."""
        model = self.store.catalogue.model(before.model)
        if model is None:
            return ()
        near = [key for key in keys if key.module <= before.modules and key.line == 1]
        unfit = {int(where.split(".")[1]) for where in key_mistakes(model, near, None) if where.startswith("keys.")}
        return tuple(key for at, key in enumerate(near) if at not in unfit)


def _given(lines: Sequence[LineInput], keys: Sequence[KeyInput], layout: str | None) -> PhoneInput:
    return PhoneInput(lines=lines, keys=keys, layout=layout, clear_layout=layout is None)


def _keys(rows: Sequence[Sequence[Any]]) -> tuple[KeyInput, ...]:
    """Returns keys as changes keep them, as somebody would write them."""
    return tuple(KeyInput(key, kind, value, label, module, line) for module, key, kind, value, label, line in rows)

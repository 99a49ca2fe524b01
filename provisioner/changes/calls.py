"""Writes of calls: what the PBX told of them is not changed; their recordings are removed, and who listened is kept."""

from __future__ import annotations

from provisioner.changes.unit import UnitMaker
from provisioner.errors import NotFound
from provisioner.models_calls import call
from provisioner.records_calls import CallRecord

LISTENED_AGAIN_S = 600.0
"""A player asks for a recording piece by piece: within so long it is one listening."""


class CallWrites(UnitMaker):
    """Recordings of calls."""

    def listen(self, actor: str, number: int) -> CallRecord:
        """Returns a call that was recorded, and appends to the audit that ``actor`` listens to it. Raises ``NotFound``."""
        record = self._recorded(number)
        newest = self.store.changes(subject=_subject(number), actions=["recording.listen"], limit=20)
        mine = [row.at for row in newest if row.actor == actor]
        if not mine or not 0 <= self.clock() - mine[0] < LISTENED_AGAIN_S:
            with self.unit(actor) as unit:
                unit.log("recording.listen", _subject(number), None, _about(record))
        return record

    def remove_recording(self, actor: str, number: int) -> CallRecord:
        """Takes the recording off a call; returns the call as it was, whose file is to be removed next. Raises ``NotFound``."""
        record = self._recorded(number)
        with self.unit(actor) as unit:
            unit.connection.execute(call.update().where(call.c.number == number).values(recording="", recording_bytes=0))
            unit.log("recording.remove", _subject(number), _about(record), None)
        return record

    def _recorded(self, number: int) -> CallRecord:
        record = self.store.call(number)
        if record is None or not record.recording:
            raise NotFound({"call": f"there is no recording of a call {number}"})
        return record


def _subject(number: int) -> str:
    return f"call {number}"


def _about(record: CallRecord) -> dict[str, object]:
    return {"caller": record.caller, "called": record.called, "started_at": record.started_at}

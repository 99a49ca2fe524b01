"""How many statements the paths that run for thousands of phones take: checked in as ``query_counts.json``, and not allowed to grow unseen."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from pbx_sync.fake import FakePBX
from provisioner.changes.bulk import ExtensionRow, PhoneRow
from provisioner.changes.phones import LineInput, PhoneInput
from provisioner.changes.undoing import Undoing
from provisioner.core.catalogue import Catalogue
from provisioner.wiring import Installation
from provisioner.worker import Worker
from tests.engines import A1, Clock, mac_of, quick_installation, settled_mistakes

COUNTS = Path(__file__).with_name("query_counts.json")
PHONES = 200


@pytest.fixture
def many(tmp_path: Path, toy: Catalogue, sqlite_template: Path) -> Installation:
    (tmp_path / "var").mkdir()
    shutil.copy(sqlite_template, tmp_path / "var" / "tables.sqlite")
    made = quick_installation(f"sqlite:///{tmp_path}/var/tables.sqlite", tmp_path / "var", toy, Clock())
    extensions = [ExtensionRow(str(1000 + number), {}) for number in range(PHONES)]
    lines = [(LineInput(1, str(1000 + number)),) for number in range(PHONES)]
    phones = [PhoneRow(mac_of(number), A1, "default", None, True, lines[number]) for number in range(PHONES)]
    with made.changes.unit("t") as unit:
        made.changes.import_rows(unit, extensions, phones, {})
    return made


def statements(installation: Installation, action: Callable[[], object]) -> int:
    """Returns how many statements ``action`` sends; one for many rows at once counts once, begin and commit do not."""
    sent: list[str] = []

    def note(_connection, _cursor, statement: str, *_more) -> None:
        sent.append(statement)

    sa.event.listen(installation.database.engine, "before_cursor_execute", note)
    try:
        action()
    finally:
        sa.event.remove(installation.database.engine, "before_cursor_execute", note)
    return len([statement for statement in sent if not statement.startswith(("BEGIN", "PRAGMA"))])


def undo(installation: Installation, action: str) -> None:
    undoing = Undoing(installation.store, installation.changes)
    [record] = installation.store.changes(actions=[action], limit=1)
    undoing.undo("t", record, undoing.outlook(record).revision, over_later=True)


def test_statements_are_as_many_as_agreed(many: Installation) -> None:
    store, macs = many.store, [mac_of(number) for number in range(PHONES)]
    pbx = FakePBX()
    worker = Worker(store, many.renderer, pbx, Clock(), Clock())
    counted = {"render_jobs of 1 phone": statements(many, lambda: store.render_jobs(macs[:1]))}
    counted["render_jobs of 200 phones"] = statements(many, lambda: store.render_jobs(macs))
    counted["rendering step of 64 phones"] = statements(many, worker.rendering.step)
    assert worker.pushing
    counted["pushing step of 200 extensions"] = statements(many, worker.pushing.step)
    counted["promoting step of 64 phones"] = statements(many, worker.promoting.step)
    worker.drain()
    many.changes.update_site("t", "default", {"settings": {"voice_vlan": 9}})
    counted["whole worker step of 64 phones"] = statements(many, worker.step)
    worker.drain()
    counted["worker step with nothing to do"] = statements(many, worker.step)
    counted["full check of 200 extensions"] = statements(many, lambda: worker.pushing.check(confirmed=False))
    counted["locksteps of 200 phones"] = statements(many, lambda: store.locksteps(macs, has_pbx=True))
    counted["page of 100 phones"] = statements(many, lambda: store.phones(limit=100))
    counted["page of 100 extensions"] = statements(many, lambda: store.extensions(limit=100))
    counted["one phone's edit"] = statements(many, lambda: many.changes.update_phone("t", macs[0], PhoneInput(firmware="2")))
    worker.drain()
    many.changes.put_layout("t", "Sales", [])
    counted["layout given to 200 phones"] = statements(many, lambda: many.changes.assign_layout("t", macs, "Sales"))
    counted["layout of 200 phones undone"] = statements(many, lambda: undo(many, "layout.assign"))
    counted["import of 200 phones undone"] = statements(many, lambda: undo(many, "import.commit"))
    counted["import of 200 phones put back"] = statements(many, lambda: undo(many, "import.undo"))
    assert counted == json.loads(COUNTS.read_text()), json.dumps(counted, indent=1)
    worker.drain()
    assert settled_mistakes(store, many.renderer, pbx.objects) == []


def test_one_phones_change_is_live_at_once(many: Installation) -> None:
    """The bound is ten times what it takes, in CPU and not by the clock: it finds a scan, not a busy machine."""
    worker = Worker(many.store, many.renderer, FakePBX())
    worker.drain()
    begun = time.process_time()
    many.changes.update_phone("t", mac_of(7), PhoneInput(firmware="3", settings={"voice_vlan": 8}))
    worker.step()
    took = time.process_time() - begun
    facts = many.store.lockstep(mac_of(7), has_pbx=True)
    assert facts and facts.wanted == facts.live
    assert took < 0.5

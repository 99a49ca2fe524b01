"""kill -9 at any moment: no repair, nothing half, and the same end as if nothing had happened."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import sqlalchemy as sa

from provisioner.changes import Changes, KeyInput, LineInput, PhoneInput
from provisioner.changes.rotation import MOST_FORMER
from provisioner.core.catalogue import Catalogue
from provisioner.core.lockstep import names_hash
from provisioner.core.mac import Mac
from provisioner.models import change, phone, phone_key, phone_line, rendered_file
from provisioner.store import Store
from provisioner.worker import Worker
from tests.engines import A1, A2, Clock, mac_of, quick_installation, settled_mistakes
from tests.worker.killed import KeptPBX, run_worker, run_writer

# Children come from a server process that has no thread: forked from here, one would inherit whatever lock the reader just holds.
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["tests.worker.killed"])
KILLS = 100
PHONES = 12
DEPARTMENTS = ["", "Sales", "Support"]
EXTENSIONS = [str(1000 + number) for number in range(8)]


@pytest.fixture
def folder(tmp_path: Path, sqlite_template: Path) -> Path:
    shutil.copy(sqlite_template, tmp_path / "tables.sqlite")
    return tmp_path


def killed(child: BaseProcess) -> None:
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    child.join(60)
    assert child.exitcode == -signal.SIGKILL, "it must have lived until it was killed"


def started(folder: Path, catalogue: Catalogue) -> BaseProcess:
    """Returns a worker that is just about to look for work."""
    ready = FORK.Event()
    child = FORK.Process(target=run_worker, args=(folder, catalogue, ready), daemon=True)
    child.start()
    assert ready.wait(60)
    return child


class Reader(threading.Thread):
    """Reads live files without a pause, as a serving process does, and keeps every set that was not whole."""

    def __init__(self, store: Store) -> None:
        super().__init__(daemon=True)
        self._store, self._end = store, threading.Event()
        self.seen, self.halves = 0, []  # type: ignore[var-annotated]

    def run(self) -> None:
        query = sa.select(phone.c.mac, phone.c.live_hash, rendered_file.c.name, rendered_file.c.sha256).join(
            rendered_file, sa.and_(rendered_file.c.mac == phone.c.mac, rendered_file.c.state == "live"), isouter=True
        )
        while not self._end.wait(0.001):
            sets: dict[tuple[str, str | None], list[tuple[str, str]]] = {}
            with self._store.database.read() as connection:
                for row in connection.execute(query):
                    sets.setdefault((row.mac, row.live_hash), []).extend([(row.name, row.sha256)] if row.name else [])
            self.seen += len(sets)
            self.halves += [key for key, pairs in sets.items() if key[1] != (names_hash(pairs) if pairs else None)]

    def finish(self) -> None:
        self._end.set()
        self.join(60)


def random_change(changes: Changes, dice: random.Random) -> None:
    """Makes one change of any kind; phones and extensions come and go."""
    mac, number = mac_of(dice.randrange(PHONES)), dice.choice(EXTENSIONS)
    known = {record.mac: record for record in changes.store.phones()}
    numbers = [record.number for record in changes.store.extensions()]
    kind = dice.randrange(8)
    if mac not in known:
        changes.create_phone("t", mac, PhoneInput(model=A1, lines=[LineInput(1, dice.choice(numbers))]))
    elif kind == 0:
        changes.delete_phone("t", mac)
    elif kind == 1:
        changes.update_site("t", "default", {"settings": {"voice_vlan": dice.randrange(1, 4000)}})
    elif kind == 2 and number not in numbers:
        changes.create_extension("t", number)
    elif kind == 2 and not any(line.extension == number for record in known.values() for line in record.lines):
        changes.delete_extension("t", number)
    elif kind == 3:
        changes.update_phone("t", mac, PhoneInput(keys=[KeyInput(dice.randrange(1, 9), "blf", number)] if known[mac].model == A1 else []))
    elif kind == 4:
        changes.update_phone("t", mac, PhoneInput(model=dice.choice([A1, A2]), lines=[LineInput(1, dice.choice(numbers))], keys=[]))
    elif kind == 5:
        changes.renew_token("t", mac)
    else:
        number, given = dice.choice(numbers), {"display_name": f"Name {dice.random()}", "secret": f"secret{dice.random()}"}
        former = len(changes.store.extensions_with_secrets([number])[0][1]) - 1
        changes.update_extension("t", number, {**given, "department": dice.choice(DEPARTMENTS)}, revoke_former=former == MOST_FORMER)


@pytest.mark.slow
def test_worker_killed_a_hundred_times_ends_where_it_would_have(folder: Path, toy: Catalogue) -> None:
    dice = random.Random(20_261_122)
    made = quick_installation(f"sqlite:///{folder}/tables.sqlite", folder, toy, Clock())
    for number in EXTENSIONS[:6]:
        made.changes.create_extension("t", number)
    made.changes.put_department("t", "Sales", "600")
    for number in range(PHONES):
        made.changes.create_phone("t", mac_of(number), PhoneInput(model=A1, lines=[LineInput(1, dice.choice(EXTENSIONS[:6]))]))
    made.database.dispose()
    watched = quick_installation(f"sqlite:///{folder}/tables.sqlite", folder, toy, Clock())
    child = started(folder, toy)
    reader = Reader(watched.store)
    reader.start()
    try:
        for round_ in range(KILLS):
            for _ in range(dice.randrange(1, 4)):
                random_change(watched.changes, dice)
            time.sleep(dice.random() * 0.06)
            killed(child)
            child = started(folder, toy)
            if round_ % 10 == 9:
                drained(watched.store)
                endpoints = KeptPBX(folder / "pbx.json").objects
                assert settled_mistakes(watched.store, watched.renderer, endpoints) == [], f"after kill {round_ + 1}"
    finally:
        if child.is_alive():
            killed(child)
        reader.finish()
    assert reader.seen > 1000 and reader.halves == []
    again = Worker(watched.store, watched.renderer, pbx := KeptPBX(folder / "pbx.json"))
    again.drain()
    assert settled_mistakes(watched.store, watched.renderer, pbx.objects) == []
    with watched.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    watched.database.dispose()


def drained(store: Store) -> None:
    """Waits until nothing is open."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not (
            store.macs_to_render(1)
            or store.promotable(1, has_pbx=False)
            or store.extensions_to_push(1)
            or store.removals()
            or store.departments_to_push(1)
        ):
            return
        time.sleep(0.01)
    raise AssertionError("the worker did not come to an end")


@pytest.mark.slow
def test_writer_killed_in_the_middle_leaves_nothing_half(folder: Path, toy: Catalogue) -> None:
    made = quick_installation(f"sqlite:///{folder}/tables.sqlite", folder, toy, Clock())
    for number in ("1000", "1001"):
        made.changes.create_extension("t", number)
    dice = random.Random(7)
    for seed in range(100):
        ready = FORK.Event()
        child = FORK.Process(target=run_writer, args=(folder, toy, seed, ready), daemon=True)
        child.start()
        assert ready.wait(60)
        time.sleep(0.05 + dice.random() * 0.15)
        killed(child)
        if seed >= 11 and len(made.store.phones(limit=21)) > 20:  # a busy machine needs more rounds for as many
            break
    with made.database.read() as connection:
        count = sa.func.count()
        macs = [Mac(mac) for mac in connection.execute(sa.select(phone.c.mac)).scalars()]
        lines = {row.mac: row[1] for row in connection.execute(sa.select(phone_line.c.mac, count).group_by(phone_line.c.mac))}
        keys = {row.mac: row[1] for row in connection.execute(sa.select(phone_key.c.mac, count).group_by(phone_key.c.mac))}
        audit = connection.execute(sa.select(change.c.subject, change.c.action).where(change.c.actor == "writer")).all()
        created = {subject for subject, action in audit if action == "phone.create"}
        deleted = {subject for subject, action in audit if action == "phone.delete"}
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    assert len(macs) > 20
    assert set(lines.values()) == {2} and set(keys.values()) == {8}
    assert set(lines) == set(keys) == set(macs) == created - deleted
    made.database.dispose()

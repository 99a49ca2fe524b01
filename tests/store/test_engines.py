"""What both engines have to do alike: transactions, snapshots, the watcher, odd texts, and the indexes of open work."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from provisioner.changes.bulk import ExtensionRow, PhoneRow
from provisioner.changes.phones import LineInput
from provisioner.core.mac import Mac
from provisioner.db import Database
from provisioner.models import index_log, meta
from provisioner.store import Store
from provisioner.store.serving import IndexChanges
from provisioner.wiring import Installation
from provisioner.worker.lease import Lease
from tests.engines import World, mac_of


def test_write_is_undone_by_any_exception(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), store.database.write() as connection:
        connection.execute(meta.insert().values(key="a", value="b"))
        raise KeyboardInterrupt
    assert store.meta("a") is None


def test_one_writer_at_a_time_and_numbers_in_order(store: Store) -> None:
    entered, order = threading.Event(), []

    def second() -> None:
        entered.wait()
        with store.database.write() as connection:
            order.append("second")
            connection.execute(index_log.insert().values(mac=None, at=0.0))

    thread = threading.Thread(target=second)
    thread.start()
    with store.database.write() as connection:
        connection.execute(index_log.insert().values(mac=None, at=0.0))
        entered.set()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_read_is_one_snapshot(store: Store) -> None:
    with store.database.read() as reading:
        assert reading.execute(sa.select(meta.c.key)).all() == []
        with store.database.write() as connection:
            connection.execute(meta.insert().values(key="a", value="b"))
        assert reading.execute(sa.select(meta.c.key)).all() == []
    assert store.meta("a") == "b"


def test_watcher_sees_a_commit_and_nothing_before_it(store: Store) -> None:
    """Was, on PostgreSQL: the sequence's value, which is seen before the commit; the change itself was then never noticed."""
    watcher = store.database.watcher()
    assert watcher.changed()
    assert not watcher.changed()
    with store.database.write() as connection:
        connection.execute(index_log.insert().values(mac="02acde000001", at=0.0))
        if watcher.changed():  # allowed to be early, as long as it is true again once there is something to see
            assert store.index_position() == 0
    assert watcher.changed()
    assert store.index_changes(0) == IndexChanges(store.index_position(), frozenset({Mac("02acde000001")}))
    assert not watcher.changed()
    with store.database.write() as connection:
        connection.execute(meta.insert().values(key="not an index entry", value=""))
    assert watcher.changed(), "the worker has to see every change, not only those of the index"
    watcher.close()


@pytest.mark.postgres
def test_watcher_and_lease_notice_a_lost_connection(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    lease, other, watcher = Lease(database, tmp_path), Lease(database, tmp_path), database.watcher()
    assert lease.acquire() and lease.is_held()
    assert not other.acquire()
    watcher.changed()
    if not database.is_sqlite:
        with database.engine.connect() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            connection.execute(sa.text(others))
        assert not lease.is_held()
        assert not lease.is_held(), "asked again, a connection that was opened anew would say yes, without the lock"
        with pytest.raises(sa.exc.OperationalError):
            watcher.changed()
        assert watcher.changed(), "after a gap anything may have changed"
        assert other.acquire() or other.acquire(), "the first try finds that its own connection is gone too"
        other.release()
    lease.release()
    watcher.close()
    database.dispose()


def test_text_that_the_engine_cannot_hold_fails_no_batch(store: Store) -> None:
    with store.database.write() as connection:
        connection.execute(meta.insert(), [{"key": "a\0b", "value": "x\0"}, {"key": "c", "value": "d"}])
    assert store.meta("c") == "d"


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgresql://h/d", "postgresql+psycopg"),
        ("postgres://h/d", "postgresql+psycopg"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg"),
    ],
)
def test_usual_addresses_of_postgresql(given: str, driver: str) -> None:
    database = Database(given)
    assert database.url.drivername == driver
    database.dispose()


def test_index_log_trimmed_to_nothing_means_read_everything_again(world: World) -> None:
    """Was: a reader that had been away for longer than the log reaches back stayed as it was for good."""
    world.phone(1)
    position = world.store.index_position()
    assert world.store.index_changes(position) == IndexChanges(position)
    with world.installation.database.write() as connection:
        connection.execute(index_log.delete())
    assert world.store.index_changes(position) == IndexChanges(0, is_everything=True)
    assert world.store.index_changes(0) == IndexChanges(0)
    world.phone(2)
    assert world.store.index_changes(0).is_everything


OPEN_WORK = {
    "ix_phone_to_render": lambda store: store.macs_to_render(64),
    "ix_phone_to_promote": lambda store: store.promotable(200, has_pbx=True),
    "ix_phone_to_wake": lambda store: store.to_wake(20),
    "ix_phone_wake_planned": lambda store: store.wakes_due(1e9, (1e9,), 50),
    "ix_extension_behind": lambda store: store.extensions_to_push(200),
    "ix_extension_rotating": lambda store: store.rotations("", 200),
    "ix_phone_held": lambda store: store.phones_held(),
}


@pytest.mark.parametrize("index", OPEN_WORK)
def test_what_is_open_is_found_by_its_index(installation: Installation, index: str) -> None:
    """A step costs what is open: no scan of ten thousand phones for the one that changed."""
    with installation.changes.unit("t") as unit:  # enough rows for a planner that counts
        extensions = [ExtensionRow(str(number), {}) for number in range(1000, 1400)]
        phones = [PhoneRow(mac_of(number), "acme/a1", "default", None, True, (LineInput(1, str(1000 + number)),)) for number in range(400)]
        installation.changes.import_rows(unit, extensions, phones, {})
        settle = "UPDATE phone SET wanted_hash = 'x', live_hash = 'x', live_at = 1, notified_at = 1"
        unit.connection.execute(sa.text(settle))
        unit.connection.execute(sa.text("UPDATE extension SET pbx_wanted = 'x', pbx_verified = 'x'"))
    database, plans = installation.database, []
    if not database.is_sqlite:  # SQLite plans without statistics, as it does in an installation
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def planned(connection, cursor, statement, parameters, context, executemany) -> None:
        if statement.startswith("SELECT"):
            cursor.execute(explain + statement, parameters)
            plans.append(str(cursor.fetchall()))

    assert OPEN_WORK[index](installation.store) == []
    if index == "ix_extension_behind" and not database.is_sqlite:
        return  # PostgreSQL takes nearly every extension for behind, and reads the few thousand narrow rows of them in one go
    assert plans and index in plans[0], plans
    assert not any(scan in plans[0] for scan in ("SCAN phone USING INDEX sq", "SCAN phone'", "SCAN phone_line", "Seq Scan on phone ")), (
        plans
    )

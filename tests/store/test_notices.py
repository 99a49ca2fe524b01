"""PostgreSQL's notices: every commit is heard, also of another process; a connection that is lost is opened again, and then all look once."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from provisioner import bell, db
from provisioner.bell import Bell
from provisioner.db import Database
from provisioner.models import index_log, meta
from tests.postgres import fresh_database

pytestmark = pytest.mark.postgres
COMMITS = 50
LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


@pytest.fixture
def url(postgres_server: sa.URL, postgres_template: str) -> Iterator[str]:
    with fresh_database(postgres_server, template=postgres_template) as made:
        yield made


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    yield made
    made.dispose()


@pytest.fixture(autouse=True)
def no_other_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not woken sleeps, and whoever looks because time went by looks never: until the test fails."""
    monkeypatch.setattr(bell, "HEARD_S", 600.0)
    monkeypatch.setattr(db, "LOOK_EVERY_S", 600.0)


@contextlib.contextmanager
def listening(database: Database) -> Iterator[Bell]:
    with contextlib.closing(Bell(database, every_s=0.01)) as made:
        until(lambda: is_listening(database))
        made.wait()  # it rings once it listens
        yield made


def is_listening(database: Database) -> bool:
    return database.notices is not None and database.notices.is_listening


def until(claim: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def until_changed(heard: Bell, claim: Callable[[], bool]) -> None:
    """Waits as a loop does: it sleeps, then asks."""
    deadline = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < deadline
        heard.wait()


def commit(url: str, times: int) -> None:
    database = Database(url)
    for _ in range(times):
        with database.write() as connection:
            connection.execute(index_log.insert().values(mac=None, at=0.0))
    database.dispose()


def terminate(database: Database) -> None:
    """Cuts every connection but the one that does it."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with database.engine.connect() as connection:
        connection.execute(sa.text(others))


def test_every_commit_of_another_process_is_heard_and_seen(url: str, database: Database) -> None:
    watcher = database.watcher("index_log")
    with listening(database) as heard:
        assert watcher.changed()
        other = multiprocessing.get_context("spawn").Process(target=commit, args=(url, COMMITS))
        other.start()
        seen = wakes = 0
        while seen < COMMITS:
            assert not heard.wait(), "nobody rang"
            wakes += 1
            if watcher.changed():
                with database.read() as connection:
                    seen = connection.execute(sa.select(sa.func.count()).select_from(index_log)).scalar_one()
        other.join(60)
        assert other.exitcode == 0
        assert wakes <= COMMITS
    watcher.close()


def test_while_nobody_commits_nothing_is_asked(database: Database) -> None:
    watcher = database.watcher("index_log")
    with listening(database):
        assert watcher.changed()
        asked: list[str] = []
        sa.event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        assert not any(watcher.changed() for _ in range(100))
        assert asked == []
    watcher.close()


def test_look_that_comes_with_time_finds_what_nobody_rang_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = database.watcher("index_log")
    with listening(database):
        assert watcher.changed()
        with database.engine.begin() as connection:  # as by a hand in psql
            connection.execute(index_log.insert().values(mac=None, at=0.0))
        assert not watcher.changed()
        monkeypatch.setattr(db, "LOOK_EVERY_S", 0.0)
        watcher.close()
        assert watcher.changed()
        with database.engine.begin() as connection:
            connection.execute(index_log.insert().values(mac=None, at=0.0))
        assert watcher.changed()
    watcher.close()


def test_what_is_rolled_back_rings_for_nobody(database: Database) -> None:
    with listening(database):
        assert database.notices is not None
        before = database.notices.count
        with contextlib.suppress(KeyboardInterrupt), database.write() as connection:
            connection.execute(meta.insert().values(key="a", value="b"))
            raise KeyboardInterrupt
        with database.write():
            pass
        until(lambda: database.notices and database.notices.count > before)
        assert database.notices.count == before + 1


def test_lost_connection_is_opened_again_and_what_was_missed_is_looked_for(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    watcher = database.watcher("index_log")
    with listening(database) as heard:
        assert watcher.changed()
        assert database.notices is not None
        before = database.notices.count
        terminate(database)
        until(lambda: not is_listening(database) or (database.notices and database.notices.count > before))
        with database.write() as connection:
            connection.execute(index_log.insert().values(mac=None, at=0.0))
        with pytest.raises(sa.exc.OperationalError):  # the watcher's own connection is gone too
            until_changed(heard, watcher.changed)
        assert watcher.changed()
        until(lambda: is_listening(database))
        until_changed(heard, lambda: not watcher.changed())
        with database.write() as connection:
            connection.execute(index_log.insert().values(mac=None, at=0.0))
        until_changed(heard, watcher.changed)
    assert "event=commits_not_heard" in caplog.text
    watcher.close()


def test_broken_connections_are_noticed_unless_the_address_says_how(database: Database) -> None:
    named = Database(f"{database.url.render_as_string(hide_password=False)}&connect_timeout=3")
    for made, seconds in ((database, 10), (named, 3)):
        with made.engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            given = driver.info.get_parameters()
        assert int(given["connect_timeout"]) == seconds and int(given["tcp_user_timeout"]) == 20_000
    named.dispose()


def test_loops_of_a_process_share_one_connection_which_the_last_one_closes(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:

        def listeners() -> int:
            return int(connection.execute(sa.text(LISTENERS)).scalar_one())

        with listening(database):
            with listening(database):
                assert listeners() == 1
            assert listeners() == 1
        until(lambda: listeners() == 0)
        with listening(database):
            assert listeners() == 1

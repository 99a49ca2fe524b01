"""A loop is woken by every commit, also of another process, and never before the commit can be seen."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from provisioner import bell
from provisioner.bell import Bell
from provisioner.db import Database

COMMITS = 200


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    made = f"sqlite:///{tmp_path / 'here.sqlite3'}"
    database = Database(made)
    with database.write() as connection:
        connection.execute(sa.text("CREATE TABLE counted (number INTEGER)"))
    database.dispose()
    yield made


@pytest.fixture(autouse=True)
def no_other_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not woken sleeps until the test fails."""
    monkeypatch.setattr(bell, "HEARD_S", 600.0)


def commit(url: str, times: int) -> None:
    database = Database(url)
    for number in range(times):
        with database.write() as connection:
            connection.execute(sa.text("INSERT INTO counted VALUES (:number)"), {"number": number})
    database.dispose()


def test_every_commit_of_another_process_is_heard_and_seen(url: str) -> None:
    database = Database(url)
    watcher = database.watcher()
    assert watcher.changed()
    with contextlib.closing(Bell(database, every_s=600.0)) as heard:
        other = multiprocessing.get_context("spawn").Process(target=commit, args=(url, COMMITS))
        other.start()
        seen = wakes = 0
        while seen < COMMITS:
            assert not heard.wait(), "nobody rang"
            wakes += 1
            if watcher.changed():
                with database.read() as connection:
                    seen = connection.execute(sa.text("SELECT count(*) FROM counted")).scalar_one()
        other.join(60)
        assert other.exitcode == 0
        assert wakes <= COMMITS
    watcher.close()
    database.dispose()


def test_ring_ends_the_sleep_and_the_next_one_where_nobody_sleeps(url: str) -> None:
    with contextlib.closing(Bell(Database(url), every_s=600.0)) as heard:
        heard.ring()
        heard.ring()
        assert heard.wait()
        threading.Timer(0.05, heard.ring).start()
        assert heard.wait()


def test_where_commits_cannot_be_heard_the_loop_wakes_often(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(bell, "INotify", refuse)
    with contextlib.closing(Bell(Database(url), every_s=0.01)) as deaf:
        assert not deaf.wait()
        deaf.ring()
        assert deaf.wait()
    assert "event=commits_not_heard" in caplog.text


def test_commit_that_cannot_be_rung_is_a_commit(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("provisioner.db.os.utime", refuse)
    commit(url, 1)
    with Database(url).read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM counted")).scalar_one() == 1

"""What the recorder keeps of the bytes that phones have: the newest, since when, and never lost between two threads or two batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from provisioner.core.mac import Mac
from provisioner.core.values import Reason
from tests.contract.inside import Inside, inside
from tests.contract.world import Phone
from tests.test_recorder import fetch


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        yield made


def served(own: Inside, phone: Phone, sha256: str, at: float) -> None:
    own.recorder.fetch(fetch(phone.mac, Reason.SERVED, sha256=sha256 * 64, at=at, name=phone.name))


def served_rows(own: Inside) -> list[tuple[str, float, float]]:
    with own.installation.database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.text("SELECT sha256, since, at FROM served_file"))]


def _refuse(*_: object) -> None:
    raise sa.exc.OperationalError("upsert", {}, OSError("the disk is full"))


def test_what_was_served_is_what_lockstep_compares(own: Inside) -> None:
    phone = own.phone("polycom/vvx411", own.site("open"))
    names = [file.name for file, _ in own.installation.store.files(phone.mac)]
    assert len(names) > 1
    for name in names:
        facts = own.installation.store.lockstep(phone.mac, has_pbx=False)
        assert facts is not None
        assert facts.served is None, f"before {name} was fetched"
        own.fetch(name, phone.agent)
        own.recorder.flush()
    facts = own.installation.store.lockstep(phone.mac, has_pbx=False)
    assert facts is not None
    assert facts.served == facts.live == facts.wanted


@pytest.mark.parametrize(
    ("reason", "method", "counts"),
    [
        (Reason.SERVED, "GET", True), (Reason.NOT_MODIFIED, "GET", True), (Reason.SERVED, "HEAD", False), (Reason.ABORTED, "GET", False),
        (Reason.BAD_RANGE, "GET", False), (Reason.FAILED, "GET", False),
    ],
    ids=str,
)  # fmt: skip
def test_only_a_whole_file_counts_as_served(own: Inside, reason: Reason, method: str, counts: bool) -> None:
    phone = own.phone(site=own.site("open"))
    own.done(own.ask(phone.name, phone.agent), phone.name, reason=reason, method=method)
    own.recorder.flush()
    facts = own.installation.store.lockstep(phone.mac, has_pbx=False)
    assert facts is not None
    assert (facts.served is not None) is counts


def test_the_newer_of_two_wires_stays_whoever_writes_last(own: Inside) -> None:
    phone = own.phone(site=own.site("open"))
    own.recorder.fetch(fetch(phone.mac, Reason.SERVED, sha256="b" * 64, at=20.0, name=phone.name))
    own.recorder.flush()
    own.recorder.fetch(fetch(phone.mac, Reason.SERVED, sha256="a" * 64, at=10.0, name=phone.name))
    own.recorder.flush()
    with own.installation.database.read() as connection:
        assert connection.execute(sa.text("SELECT sha256, at FROM served_file")).all() == [("b" * 64, 20.0)]


@pytest.mark.parametrize("between", [True, False], ids=["written-between", "in-one-batch"])
def test_asking_again_for_what_it_has_is_no_new_fetch(own: Inside, between: bool) -> None:
    """A phone that got the wanted bytes and registered is proven; that it is told again, and answered 304, takes nothing back."""
    phone = own.phone(site=own.site("open"))
    steps = [("b", Reason.SERVED), ("a", Reason.SERVED), ("a", Reason.NOT_MODIFIED)]
    for at, (sha256, reason) in enumerate(steps, 20):
        own.recorder.fetch(fetch(phone.mac, reason, sha256=sha256 * 64, at=float(at), name=phone.name))
        if between:
            own.recorder.flush()
    own.recorder.flush()
    with own.installation.database.read() as connection:
        assert connection.execute(sa.text("SELECT sha256, since, at FROM served_file")).all() == [("a" * 64, 21.0, 22.0)]


@pytest.mark.parametrize("failed", ["none", "first", "both"])
def test_bytes_that_came_back_after_others_are_new_though_no_row_tells_of_those(
    own: Inside, monkeypatch: pytest.MonkeyPatch, failed: str
) -> None:
    """A phone that started again and got a boot file in between has lost what it had before, whatever its registration says."""
    phone = own.phone(site=own.site("open"))
    served(own, phone, "a", 20.0)
    assert own.recorder.flush()
    served(own, phone, "b", 30.0)
    if failed != "none":
        with monkeypatch.context() as away:
            away.setattr(own.recorder, "_upsert_served", _refuse)
            assert not own.recorder.flush()
            if failed == "both":
                served(own, phone, "a", 31.0)
                assert not own.recorder.flush()
    served(own, phone, "a", 31.0 if failed != "both" else 32.0)
    assert own.recorder.flush()
    assert [row[:2] for row in served_rows(own)] == [("a" * 64, 31.0)]
    served(own, phone, "a", 40.0)
    assert own.recorder.flush()
    assert served_rows(own) == [("a" * 64, 31.0, 40.0)]


def test_other_bytes_that_go_out_while_a_batch_fails_are_not_forgotten(own: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = own.phone(site=own.site("open"))
    served(own, phone, "b", 10.0)
    assert own.recorder.flush()
    served(own, phone, "a", 20.0)

    def serve_and_refuse(*_: object) -> None:
        served(own, phone, "b", 21.0)
        _refuse()

    with monkeypatch.context() as away:
        away.setattr(own.recorder, "_upsert_served", serve_and_refuse)
        assert not own.recorder.flush()
    own.recorder.stop()
    assert served_rows(own) == [("b" * 64, 21.0, 21.0)]


class MacMetByTheRecorder(Mac):
    """A MAC at whose putting into a dict the recorder's thread gets its turn: the narrowest place between two threads."""

    flush: Callable[[], object] | None = None

    def __hash__(self) -> int:
        flush, MacMetByTheRecorder.flush = MacMetByTheRecorder.flush, None
        if flush is not None:
            flush()
            MacMetByTheRecorder.flush = flush
        return super().__hash__()


def test_nothing_is_lost_that_is_noted_while_the_recorder_takes_what_there_is(own: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = own.phone(site=own.site("open"))
    mac = MacMetByTheRecorder(phone.mac)
    served(own, phone, "b", 10.0)
    with monkeypatch.context() as turns:
        turns.setattr(MacMetByTheRecorder, "flush", own.recorder.flush)
        own.recorder.success(mac, 1, own.clock())
        own.recorder.fetch(fetch(mac, Reason.SERVED, sha256="a" * 64, at=20.0, name=phone.name))
    assert own.recorder.flush()
    assert served_rows(own) == [("a" * 64, 20.0, 20.0)]
    record = own.installation.store.phone(phone.mac)
    assert record is not None
    assert record.first_success_at == own.clock()


def test_since_when_bytes_are_there_outlives_a_database_that_was_away(own: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = own.phone(site=own.site("open"))
    with monkeypatch.context() as away:
        away.setattr(own.recorder, "_upsert_served", _refuse)
        own.recorder.fetch(fetch(phone.mac, Reason.SERVED, sha256="a" * 64, at=20.0, name=phone.name))
        assert not own.recorder.flush()
        own.recorder.fetch(fetch(phone.mac, Reason.NOT_MODIFIED, sha256="a" * 64, at=25.0, name=phone.name))
    assert own.recorder.flush()
    with own.installation.database.read() as connection:
        assert connection.execute(sa.text("SELECT sha256, since, at FROM served_file")).all() == [("a" * 64, 20.0, 25.0)]


def test_what_is_served_after_the_clock_was_set_back_counts(own: Inside) -> None:
    phone = own.phone(site=own.site("open"))
    live = own.installation.store.live_file(phone.mac, phone.name)
    assert live is not None
    for sha256, at in (("0" * 64, own.clock() + 3600), (live.sha256, own.clock())):
        own.recorder.fetch(fetch(phone.mac, Reason.SERVED, name=phone.name, sha256=sha256, at=at))
        own.recorder.flush()
    facts = own.installation.store.lockstep(phone.mac, has_pbx=False)
    assert facts is not None
    assert facts.served == facts.live

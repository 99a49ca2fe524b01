"""The recorder: every fetch in the table and in the log, what lockstep rests on never lost, and nothing that a stranger sends breaks it."""

from __future__ import annotations

import io
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from provisioner import recorder as recorder_module
from provisioner.core.mac import Mac
from provisioner.core.sightings import GUESSED, SHOWN
from provisioner.core.values import Fetch, Reason
from provisioner.models import index_log, phone, sighting
from provisioner.recorder import Recorder, access_line
from tests.conftest import load_cases
from tests.contract.inside import Inside, inside
from tests.contract.world import user_agent
from tests.engines import PARAMS
from tests.postgres import fresh_database

MAC = Mac("805ec0aabbcc")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        yield made


@pytest.fixture(params=PARAMS)
def on_each(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inside]:
    """As ``own``, on both engines: what is written by the driver itself is another text for each."""
    with ExitStack() as stack:
        given: dict[str, object] = {}
        if request.param != "sqlite":
            server, template = (request.getfixturevalue(name) for name in ("postgres_server", "postgres_template"))
            given["database_url"] = stack.enter_context(fresh_database(server, template=template))
        yield stack.enter_context(inside(tmp_path, **given))


def fetch(mac: Mac | None = MAC, reason: Reason = Reason.UNKNOWN_PHONE, **more: object) -> Fetch:
    given: dict = {
        "at": 1_700_000_000.25, "path": "805ec0aabbcc.cfg", "transport": "http", "peer": "192.0.2.9", "user_agent": "", "method": "GET",
        "reason": reason, "mac": mac, "name": "805ec0aabbcc.cfg", "sha256": "", "bytes_sent": 10, "duration_ms": 1.5, **more,
    }  # fmt: skip
    return Fetch(**given)


def test_every_field_of_a_fetch_is_kept(on_each: Inside) -> None:
    """Was: nothing at all of it on PostgreSQL, to which "fetch" is a word of its own."""
    own = on_each
    phone = own.phone(site=own.site("open"))
    own.fetch(phone.name, phone.agent)
    own.recorder.fetch(fetch(None, Reason.BAD_REQUEST, path="p/***/x", name="", transport="tftp", method="PUT"))
    assert own.recorder.flush()
    refused, served = own.installation.store.fetches(limit=2)
    live = own.installation.store.live_file(phone.mac, phone.name)
    assert live is not None
    assert (served.at, served.mac, served.name, served.transport, served.peer) == (
        own.clock(),
        phone.mac,
        phone.name,
        "http",
        "192.168.1.20",
    )
    assert (served.user_agent, served.method, served.reason) == (phone.agent, "GET", "served")
    assert (served.sha256, served.bytes, served.duration_ms) == (live.sha256, live.size, 1.0)
    assert (refused.mac, refused.name, refused.transport, refused.method, refused.reason) == (None, "p/***/x", "tftp", "PUT", "bad_request")


def test_a_success_closes_the_first_fetch_at_once_and_after_a_restart(on_each: Inside) -> None:
    own = on_each
    phone = own.phone()
    other = own.restart()
    own.fetch(f"p/{own.token(phone)}/{phone.name}", phone.agent)
    assert own.ask(phone.name, phone.agent).reason is Reason.BOOTSTRAP_CLOSED
    own.index.refresh()
    own.index.load()
    assert own.ask(phone.name, phone.agent).reason is Reason.BOOTSTRAP_CLOSED, "reading anew before the recorder wrote does not open it"
    own.recorder.flush()
    other.index.refresh()
    assert other.ask(phone.name, phone.agent).reason is Reason.BOOTSTRAP_CLOSED
    assert own.restart().ask(phone.name, phone.agent).reason is Reason.BOOTSTRAP_CLOSED


def test_a_success_of_before_does_not_close_what_was_opened_since(own: Inside) -> None:
    phone = own.phone()
    own.clock.now += 5
    own.fetch(f"p/{own.token(phone)}/{phone.name}", phone.agent)
    own.clock.now += 5
    own.installation.changes.reopen_first_fetch("test", phone.mac)
    own.recorder.flush()
    own.follow()
    assert own.ask(phone.name, phone.agent).reason is Reason.SERVED


def test_a_success_of_an_earlier_life_does_not_shut_out_a_phone_listed_anew(own: Inside) -> None:
    found = own.phone()
    own.installation.changes.revoke_token("test", found.mac)
    own.follow()
    own.fetch(f"p/{own.token(found)}/{found.name}", found.agent)
    own.installation.changes.delete_phone("test", found.mac)
    own.recorder.flush()
    with own.installation.database.write() as connection:
        connection.execute(
            sa.insert(phone).values(mac=found.mac, model=found.model, site="default", settings={}, created_at=1, opened_at=1)
        )
    own.recorder.success(found.mac, 2, 1.0)
    own.recorder.flush()
    with own.installation.database.read() as connection:
        floor, epoch = connection.execute(sa.select(phone.c.token_floor, phone.c.token_epoch)).one()
    assert floor <= epoch


# ---- sightings ----------------------------------------------------------------------------------------------------------


def test_one_row_a_mac_however_often_it_comes(own: Inside) -> None:
    agent = user_agent("yealink/t46u", MAC)
    for at, text in enumerate(["", agent, "", "curl"]):
        own.recorder.fetch(fetch(at=own.clock() + at, user_agent=text, peer=f"192.0.2.{at}"))
        own.recorder.flush()
    (seen,) = own.installation.store.sightings()
    assert (seen.mac, seen.vendor, seen.model, seen.firmware) == (MAC, "yealink", "T46U", "108.86.0.90")
    assert (seen.first_seen, seen.last_seen, seen.count, seen.peer) == (own.clock(), own.clock() + 3, 4, "192.0.2.3")
    said = {(row.source, row.fact): (row.value, row.confidence) for row in seen.evidence}
    assert said["fetch", "path"] == ("805ec0aabbcc.cfg", SHOWN) and said["oui", "vendor"] == ("yealink", GUESSED)


def test_the_prefix_of_the_mac_tells_the_maker_where_nothing_else_does(own: Inside) -> None:
    own.recorder.fetch(fetch(Mac("64167f000001"), transport="tftp", path="64167f000001.cfg"))
    own.recorder.flush()
    assert [seen.vendor for seen in own.installation.store.sightings()] == ["polycom"]


def test_a_conflict_of_a_listed_phone_is_noted(own: Inside) -> None:
    found = own.phone(site=own.site("open"))
    own.fetch(found.name, user_agent("yealink/t31p", found.mac))
    own.recorder.flush()
    with own.installation.database.read() as connection:
        assert connection.execute(sa.select(sighting.c.mac, sighting.c.conflict)).all() == [(found.mac, "refused: conflict")]


def test_a_listed_phone_that_was_refused_is_not_counted_among_those_that_are_not_listed(own: Inside) -> None:
    phone = own.phone()
    own.recorder.fetch(fetch(phone.mac, Reason.BOOTSTRAP_CLOSED, name=phone.name))
    own.recorder.fetch(fetch(MAC))
    own.recorder.flush()
    store = own.installation.store
    assert {seen.mac for seen in store.sightings(listed=True)} == {phone.mac, MAC}
    assert store.counts()["sightings"] == len(store.sightings()) == 1


def test_sightings_fetches_and_index_entries_are_bounded(own: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "TRIM_EVERY_S", 0.0)
    for at in range(300):
        own.recorder.fetch(fetch(Mac(f"805ec0{at:06x}"), at=own.clock() + at))
    for at in range(1500):
        own.recorder.fetch(fetch(None, Reason.UNKNOWN_NAME, at=float(at)))
    own.recorder.flush()
    own.clock.now += 4000
    own.recorder.fetch(fetch())
    own.recorder.flush()
    own.recorder.fetch(fetch())
    own.recorder.flush()
    with own.installation.database.read() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(sighting)).scalar()
        oldest = connection.execute(sa.select(sa.func.min(sighting.c.last_seen))).scalar()
        fetches = connection.execute(sa.text("SELECT count(*) FROM fetch")).scalar()
        kept = connection.execute(sa.select(sa.func.count()).select_from(index_log)).scalar()
    assert count == 100
    assert oldest > 1_700_000_190, "the ones seen longest ago went"
    assert 1000 <= fetches <= 1001
    assert kept <= 1


# ---- pressure and outages -----------------------------------------------------------------------------------------------


def test_a_full_queue_drops_counts_and_keeps_what_was_served(own: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = own.phone(site=own.site("open"))
    monkeypatch.setattr(recorder_module, "QUEUE", 10)
    for _ in range(25):
        own.recorder.fetch(fetch())
    answer = own.fetch(phone.name, phone.agent)
    assert own.recorder.counters["dropped"] == 16
    own.recorder.flush()
    assert len(own.installation.store.fetches()) == 10
    facts = own.installation.store.lockstep(phone.mac, has_pbx=False)
    assert facts is not None
    assert facts.served == facts.live
    assert answer.reason is Reason.SERVED


@pytest.fixture
def locked(own: Inside) -> Iterator[sqlite3.Connection]:
    """The database held by another writer, and a recorder that does not wait long for it."""
    if not own.installation.database.is_sqlite:
        pytest.skip("a lock of SQLite's")
    sa.event.listen(own.recorder._database.engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=50"))
    own.recorder._database.engine.dispose()
    holder = sqlite3.connect(own.installation.settings.data_dir / "provisioner.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    yield holder
    holder.close()


def test_a_locked_database_loses_nothing_and_phones_are_served(own: Inside, locked: sqlite3.Connection) -> None:
    # The phone is made first: the lock is taken by then.
    locked.execute("COMMIT")
    phone = own.phone()
    locked.execute("BEGIN IMMEDIATE")
    path = f"p/{own.token(phone)}/{phone.name}"
    for _ in range(20):
        assert own.fetch(path, phone.agent).reason is Reason.SERVED
    assert not own.recorder.flush()
    assert own.recorder.counters["failed_flushes"] == 1
    assert own.fetch(path, phone.agent).reason is Reason.SERVED
    assert own.ask(phone.name, phone.agent).reason is Reason.BOOTSTRAP_CLOSED
    locked.execute("COMMIT")
    assert own.recorder.flush()
    assert len(own.installation.store.fetches()) == 21
    record = own.installation.store.phone(phone.mac)
    assert record is not None
    assert record.first_success_at == own.clock()
    facts = own.installation.store.lockstep(phone.mac, has_pbx=False)
    assert facts is not None
    assert facts.served == facts.live


class BrokenLog(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_an_access_log_that_is_gone_costs_no_row(own: Inside) -> None:
    recorder = Recorder(own.recorder._database, own.installation.catalogue, fetch_rows=100, sighting_rows=100, access_log=BrokenLog())
    recorder.start()
    for _ in range(3):
        recorder.fetch(fetch())
        time.sleep(0.02)
    recorder.stop()
    assert len(own.installation.store.fetches()) == 3
    assert recorder.counters["failed_log_writes"] >= 1


def test_a_row_that_the_database_refuses_does_not_hold_up_the_others(own: Inside) -> None:
    phone = own.phone(site=own.site("open"))
    own.fetch(phone.name, phone.agent)
    own.recorder.fetch(fetch(bytes_sent=2**70))
    assert not own.recorder.flush()
    own.recorder.fetch(fetch(None, Reason.UNKNOWN_NAME))
    assert own.recorder.flush()
    assert [row.reason for row in own.installation.store.fetches()] == ["unknown_name"]
    assert own.recorder.counters["dropped"] == 2
    facts = own.installation.store.lockstep(phone.mac, has_pbx=False)
    assert facts is not None
    assert facts.served == facts.live, "what lockstep rests on goes with the next"


@pytest.mark.parametrize(
    "text", ["\x00", "a\x00b", "\ud800", "\udfff.cfg", "đi\u1ec7n tho\u1ea1i", "\r\nx", "\x1b[31m", "\u202egfc.x", "\x9b31m", "x" * 70_000]
)
def test_whatever_a_stranger_sends_is_stored(own: Inside, text: str) -> None:
    own.recorder.fetch(fetch(path=text, name="", user_agent=text, peer=text))
    assert own.recorder.flush()
    (row,) = own.installation.store.fetches()
    assert (row.name + row.user_agent + row.peer).isprintable()
    assert len(own.installation.store.sightings()) == 1


def test_stop_writes_what_is_left(own: Inside) -> None:
    own.recorder.start()
    assert threading.active_count() > 1
    for _ in range(9000):
        own.recorder.fetch(fetch(None, Reason.UNKNOWN_NAME))
    own.recorder.stop()
    assert own.recorder.counters["written"] == 9000
    assert own.recorder.counters["dropped"] == 0


# ---- the access log -----------------------------------------------------------------------------------------------------


def test_an_access_line_has_its_fields_in_their_order() -> None:
    line = access_line(fetch(sha256="ab" * 32, user_agent=user_agent("yealink/t46u", MAC)))
    assert line == (
        "at=1700000000.250 reason=unknown_phone mac=805ec0aabbcc file=805ec0aabbcc.cfg transport=http peer=192.0.2.9 method=GET bytes=10"
        " ms=1.5 sha=abababababab ua=Yealink_SIP-T46U_108.86.0.90_80:5e:c0:aa:bb:cc\n"
    )


HOSTILE = [case["ua"] for case in load_cases("ua_cases") if case.get("adversarial")] + [
    "a\r\nreason=served",
    "\x1b[2J",
    "\u2028x",
    "\ud800",
    "\x85",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_line_stays_one_line_of_plain_ascii(text: str) -> None:
    """ua-206: CR and LF in a User-Agent must never reach the log unescaped."""
    for field in ("user_agent", "name", "peer"):
        line = access_line(fetch(**{field: text}))
        assert line.endswith("\n")
        assert len(line.splitlines()) == 1
        assert line.isascii()
        assert line[:-1].isprintable()
        assert line.count(" reason=") == 1
        assert len(line) < 800

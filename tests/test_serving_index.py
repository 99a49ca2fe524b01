"""The serving index: after any changes the same as one read anew, within its bound of memory, and alive after an outage."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.changes import PhoneInput
from provisioner.changes.enrolment import Stocked
from provisioner.core.mac import Mac
from provisioner.core.values import Reason
from provisioner.models import index_log
from provisioner.records import SiteRecord
from provisioner.serving_index import ServingIndex, SiteRule
from tests.contract.inside import Inside, inside, inside_of
from tests.contract.world import wait_until


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("index")) as made:
        yield made


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        yield made


def picture(index: ServingIndex) -> dict:
    """Returns everything that an index says, in plain values."""
    return {
        "phones": dict(index.phones),
        "files": {
            mac: {
                name: (entry.sha256, entry.size, entry.content_type, (index.content(mac, entry) or (None,))[0])
                for name, entry in files.items()
            }
            for mac, files in index.files.items()
            if files
        },
        "uploads": {mac: names for mac, names in index.uploads.items() if names},
        "sites": {name: (rule.access, rule.made_of) for name, rule in index.sites.items()},
        "warehouse": index.warehouse,
        "any_digest": index.any_digest,
    }


MACS = [Mac(f"805ec00000{at:02x}") for at in range(1, 5)]
SITES = ("a", "b", "c")
ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["create", "delete", "disable", "enable", "renew", "revoke", "reopen", "upload"]), st.sampled_from(MACS)),
    st.tuples(st.just("move"), st.tuples(st.sampled_from(MACS), st.sampled_from(SITES))),
    st.tuples(st.just("access"), st.tuples(st.sampled_from(SITES), st.sampled_from(["open", "token", "digest", "first-fetch"]))),
    st.tuples(st.sampled_from(["stock", "unstock", "adopt"]), st.sampled_from(MACS)),
    st.tuples(st.sampled_from(["open window", "close window"]), st.sampled_from(SITES)),
    st.tuples(st.sampled_from(["promote", "refresh"]), st.none()),
)


def act(here: Inside, action: str, what) -> None:
    changes = here.installation.changes
    there = {record.mac for record in here.installation.store.serving_records()}
    if action == "create" and what not in there:
        changes.create_phone("test", what, PhoneInput("yealink/t46u", "a"))
    elif action == "move" and what[0] in there:
        changes.update_phone("test", what[0], PhoneInput(site=what[1]))
    elif action == "access":
        changes.update_site("test", what[0], {"access": what[1]})
    elif action.endswith("window"):
        move_window(here, what, is_opened=action.startswith("open"))
    elif action == "promote":
        here.worker.drain()
    elif action == "refresh":
        here.index.refresh()
    elif action in ("stock", "unstock", "adopt"):
        move_stock(here, action, what, is_listed=what in there)
    elif what in there:
        ways = {
            "delete": changes.delete_phone, "renew": changes.renew_token, "revoke": changes.revoke_token, "reopen": changes.reopen_first_fetch,
        }  # fmt: skip
        if action in ways:
            ways[action]("test", what)
        elif action == "upload":
            rule = here.installation.catalogue.vendors["yealink"].uploads[0]
            here.uploads.keep(what, f"{what}-local.cfg", rule, b"x")
        else:
            changes.update_phone("test", what, PhoneInput(enabled=action == "enable"))


def move_window(here: Inside, site: str, *, is_opened: bool) -> None:
    changes = here.installation.changes
    if is_opened:
        changes.update_site("test", site, {"enrolment": "window"})
        changes.open_window("test", site, 30, 5)
    elif any(window.site == site for window in here.installation.store.windows()):
        changes.close_window("test", site)


def move_stock(here: Inside, action: str, mac: Mac, *, is_listed: bool) -> None:
    changes = here.installation.changes
    is_stocked = mac in here.installation.store.warehouse_macs()
    if action == "stock" and not (is_listed or is_stocked):
        changes.add_to_warehouse("test", [Stocked(mac, "yealink/t46u")])
    elif action == "unstock" and is_stocked:
        changes.remove_from_warehouse("test", mac)
    elif action == "adopt" and not is_listed:
        changes.adopt_phone("test", mac, PhoneInput("yealink/t46u", "a"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(actions=st.lists(ACTIONS, min_size=1, max_size=14))
def test_refreshing_ends_where_reading_anew_does(here: Inside, actions: list) -> None:
    for name in SITES:
        if here.installation.store.site(name) is None:
            here.installation.changes.create_site("test", name, {"access": "open", "trusted_networks": ["10.0.0.0/8"]})
    for action, what in actions:
        act(here, action, what)
    here.index.refresh()
    fresh = ServingIndex(here.installation.store, 64 << 20)
    fresh.load()
    assert picture(here.index) == picture(fresh)


def test_what_is_kept_gives_way_to_nothing(own: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    phones = [own.phone(site=own.site("open")) for _ in range(8)]
    half = sum(entry.size for phone in phones for entry in own.index.files[phone.mac].values()) // 2
    small = inside_of(own.installation, own.clock, half)
    read: list[str] = []
    live_file = small.index._store.live_file

    def counted(mac: Mac, name: str) -> object:
        read.append(mac)
        return live_file(mac, name)

    monkeypatch.setattr(small.index._store, "live_file", counted)
    rounds = []
    for _ in range(3):
        for phone in phones:
            assert small.ask(phone.name, phone.agent).reason is Reason.SERVED
        rounds.append(sorted(read))
        read.clear()
    assert 0 < len(rounds[0]) < len(phones)
    assert rounds[0] == rounds[1] == rounds[2]
    small.recorder._database.dispose()


@pytest.mark.parametrize("cache_bytes", [0, 1, 20_000, 60_000, 64 << 20])
def test_memory_is_bounded_and_the_bytes_are_right(own: Inside, cache_bytes: int) -> None:
    phones = [own.phone(site=own.site("open")) for _ in range(8)]
    small = inside_of(own.installation, own.clock, cache_bytes)

    def held() -> int:
        return sum(len(entry.body) for files in small.index.files.values() for entry in files.values() if entry.body is not None)

    assert held() <= cache_bytes
    for step in range(3):
        for phone in phones:
            answer = small.ask(phone.name, phone.agent)
            assert answer.reason is Reason.SERVED
            assert answer.body == own.installation.store.live_file(phone.mac, phone.name).body  # type: ignore[union-attr]
            assert held() <= cache_bytes
        for phone in phones[step : step + 3]:
            own.installation.changes.update_phone(
                "test", phone.mac, PhoneInput(settings={"timezone": ("Europe/Paris", "Asia/Tokyo")[step % 2]})
            )
        own.worker.drain()
        small.index.refresh()
        assert held() <= cache_bytes
        assert small.index._cached_bytes == held()
    small.index.load()
    assert small.index._cached_bytes == held() <= cache_bytes
    small.recorder._database.dispose()


def test_a_gap_in_the_log_is_read_anew(own: Inside) -> None:
    phone = own.phone(site=own.site("open"))
    own.installation.changes.update_phone("test", phone.mac, PhoneInput(enabled=False))
    with own.installation.database.write() as connection:
        connection.execute(index_log.delete())
        connection.execute(index_log.insert().values(mac="805ec0ffffff", at=1))
    own.index.refresh()
    assert own.ask(phone.name, phone.agent).reason is Reason.DISABLED


@pytest.mark.parametrize("what", ["window", "warehouse", "site"])
def test_what_is_no_phone_has_no_phone_read_again(own: Inside, what: str) -> None:
    """Was: ten thousand phones and all their files were read anew because a window was opened."""
    changes, sites = own.installation.changes, [own.site("open") for _ in range(2)]
    changes.update_site("test", sites[0], {"enrolment": "window"})
    for _ in range(3):
        own.phone(site=sites[1])
    own.index.refresh()
    before, rule = {**own.index.phones}, own.index.sites[sites[1]]
    files = {mac: {**entries} for mac, entries in own.index.files.items()}
    if what == "window":
        changes.open_window("test", sites[0], 30, 5)
    elif what == "warehouse":
        changes.add_to_warehouse("test", [Stocked(Mac("805ec0fffff0"), "yealink/t46u")])
    else:
        changes.update_site("test", sites[0], {"access": "token"})
    read: list[str] = []
    sa.event.listen(own.installation.database.engine, "before_cursor_execute", lambda *args: read.append(args[2]))
    assert own.index.refresh() == 0
    tables = [statement.split("FROM ")[1].split()[0] for statement in read if "FROM " in statement]
    assert tables == ["index_log", "index_log", *{"warehouse": ["warehouse"]}.get(what, ["site", "enrolment_window"])]
    assert all(own.index.phones[mac] is record for mac, record in before.items())
    assert all(own.index.files[mac][name] is entry for mac, entries in files.items() for name, entry in entries.items())
    assert own.index.sites[sites[1]] is rule, "answers that rest on another site hold"
    known = {
        "window": own.index.sites[sites[0]].takes_in(False, own.clock()), "warehouse": Mac("805ec0fffff0") in own.index.warehouse,
        "site": own.index.sites[sites[0]].access == "token",
    }  # fmt: skip
    assert known[what]


def test_many_phones_of_one_change_are_read_and_no_others(own: Inside) -> None:
    site, phones = own.site("open"), [own.phone() for _ in range(4)]
    own.index.refresh()
    before = {**own.index.phones}
    own.installation.changes.update_phones("test", [phone.mac for phone in phones[:3]], site=site)
    assert own.index.refresh() == 3
    assert own.index.phones[phones[0].mac].site == site and own.index.phones[phones[3].mac] is before[phones[3].mac]


def test_a_phone_that_is_adopted_is_out_of_the_warehouse_at_once(own: Inside) -> None:
    mac = Mac("805ec0fffff1")
    own.installation.changes.add_to_warehouse("test", [Stocked(mac, "yealink/t46u")])
    own.index.refresh()
    own.installation.changes.adopt_phone("test", mac, PhoneInput())
    own.index.refresh()
    assert mac not in own.index.warehouse and mac in own.index.phones


def test_a_site_that_is_gone_lets_nothing_out(own: Inside) -> None:
    phone = own.phone(site=own.site("open"))
    own.index.sites = {}
    assert own.ask(phone.name, phone.agent).reason is Reason.UNPROVEN


def test_an_upload_is_known_to_its_process_at_once(own: Inside) -> None:
    own.index.note_upload(MACS[0], "x")
    own.index.note_upload(MACS[0], "y")
    assert own.index.uploads[MACS[0]] == {"x", "y"}


class Outage:
    """Makes statements with ``words`` in them fail, as often as ``left`` says: the driver raises what a lost server makes it raise."""

    def __init__(self, engine: sa.Engine, words: str = "", left: int = 0) -> None:
        self.words, self.left = words, left
        sa.event.listen(engine, "before_cursor_execute", self._fail)

    def _fail(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if self.left and self.words in statement:
            self.left -= 1
            raise sa.exc.OperationalError("the server is gone", None, Exception("gone"))


def test_what_was_committed_during_an_outage_is_read_after_it(own: Inside, caplog: pytest.LogCaptureFixture) -> None:
    phone = own.phone(site=own.site("open"))
    outage = Outage(own.index._store.database.engine, "min(index_log.id)")
    stop = threading.Event()
    beats = []
    thread = threading.Thread(target=own.index.follow, args=(stop, lambda: beats.append(1)))
    thread.start()
    try:
        time.sleep(0.1)
        outage.left = 1_000_000
        own.installation.changes.update_phone("test", phone.mac, PhoneInput(enabled=False))
        wait_until(lambda: "event=index_stale" in caplog.text, what="the word about it")
        time.sleep(0.7)  # and no second one while it lasts
        assert own.ask(phone.name, phone.agent).reason is Reason.SERVED, "what is in memory is served"
        outage.left = 0
        wait_until(lambda: own.ask(phone.name, phone.agent).reason is Reason.DISABLED, what="the index")
        assert beats
        assert caplog.text.count("event=index_stale") == 1
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_a_failed_refresh_is_done_again_without_another_change(own: Inside) -> None:
    phone = own.phone(site=own.site("open"))
    own.installation.changes.update_phone("test", phone.mac, PhoneInput(enabled=False))
    outage = Outage(own.index._store.database.engine, "min(index_log.id)", left=1)
    stop = threading.Event()
    thread = threading.Thread(target=own.index.follow, args=(stop, lambda: None))
    thread.start()
    try:
        wait_until(lambda: own.ask(phone.name, phone.agent).reason is Reason.DISABLED, what="the second try")
        assert outage.left == 0
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("192.168.1.1", True), ("192.169.0.1", False), ("::ffff:192.168.1.1", True), ("fe80::1%eth0", True), ("2001:db8::1", False),
        ("", False), ("junk", False), ("192.168.1.1:80", False), ("192.168.1.1, 10.0.0.1", False), ("0xC0A80101", False), ("x" * 5000, False),
    ],
)  # fmt: skip
def test_trust_is_for_addresses_in_the_sites_networks(peer: str, trusted: bool) -> None:
    rule = SiteRule(SiteRecord("x", "open", ("192.168.0.0/16", "fe80::/10"), "listed", {}, 1))
    assert rule.trusts(peer) is trusted
    assert rule.trusts(peer) is trusted, "the second time from memory"


def test_a_success_and_a_change_of_the_same_moment_are_both_kept(own: Inside) -> None:
    phone = own.phone()
    stop = threading.Event()

    def read_anew() -> None:
        while not stop.is_set():
            own.index.load()
            with own.index._lock:
                own.index._reload([phone.mac])

    thread = threading.Thread(target=read_anew)
    thread.start()
    try:
        for at in range(200):
            with own.index._records_lock:
                own.index.phones[phone.mac] = replace(own.index.phones[phone.mac], first_success_at=None)
            assert own.index.mark_success(phone.mac, 1, own.clock() + at)
            for _ in range(3):
                assert own.index.phones[phone.mac].first_success_at is not None
                time.sleep(0.0005)
    finally:
        stop.set()
        thread.join(10)


def test_file_that_was_replaced_this_moment_is_served_anew_and_not_refused(own: Inside) -> None:
    phone = own.phone(site=own.site("open"))
    small = inside_of(own.installation, own.clock, 0)  # nothing is held in memory, and the index is not refreshed
    before = small.ask(phone.name, phone.agent)
    own.installation.changes.update_phone("test", phone.mac, PhoneInput(settings={"timezone": "Asia/Tokyo"}))
    own.worker.drain()
    after = small.ask(phone.name, phone.agent)
    assert (before.reason, after.reason) == (Reason.SERVED, Reason.SERVED)
    assert after.sha256 == hashlib.sha256(after.body).hexdigest() != before.sha256
    small.recorder._database.dispose()

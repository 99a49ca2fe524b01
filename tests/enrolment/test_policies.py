"""Phones that nobody listed: what each policy makes of them, that windows close themselves, and where their extensions come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from provisioner import bootstrap_notes
from provisioner.changes import LineInput, PhoneInput
from provisioner.changes.enrolment import Stocked
from provisioner.core.enrolment import Newcomer, free_number, judged, pool_problem
from provisioner.core.flood import MOST_OF_ADDRESS
from provisioner.core.mac import Mac
from provisioner.core.values import Reason
from provisioner.errors import InputError, NotFound
from provisioner.models_enrolment import newcomer
from provisioner.records import PhoneRecord
from provisioner.records_enrolment import NewcomerRecord
from tests.contract.inside import ELSEWHERE, LOCAL, Inside, inside
from tests.contract.world import OUIS, user_agent

T46U = "yealink/t46u"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        made.installation.changes.update_site("test", "default", {"trusted_networks": ["192.168.0.0/16"]})
        yield made


def policy(here: Inside, enrolment: str, pool: str = "") -> None:
    here.installation.changes.update_site("test", "default", {"enrolment": enrolment, "pool": pool})
    here.index.refresh()


def mac_of(number: int, oui: str = OUIS["yealink"]) -> Mac:
    return Mac(f"{oui}{0xC00000 + number:06x}")


def plug_in(here: Inside, mac: Mac, agent: str = "", peer: str = LOCAL) -> Reason:
    """A phone asks as from its box; the recorder and the worker do what they do by themselves. Returns how it was answered."""
    here.clock.now += 1
    answer = here.fetch(f"{mac}.cfg", agent or user_agent(T46U, mac), peer=peer)
    here.recorder.flush()
    here.worker.enrolling._next = -1.0
    here.follow()
    return answer.reason


def listed(here: Inside, mac: Mac) -> PhoneRecord | None:
    return here.installation.store.phone(mac)


def noted(here: Inside, mac: Mac) -> NewcomerRecord:
    return next(row for row in here.installation.store.newcomers() if row.mac == mac)


# ---- the rule -----------------------------------------------------------------------------------------------------------

GOOD = {"in_warehouse": True, "window_open": True, "model": T46U}
TABLE = [
    ("nowhere", Newcomer("", **GOOD), "show"),
    ("never, whatever speaks for it", Newcomer("never", **GOOD), "show"),
    ("listed and of the warehouse", Newcomer("listed", in_warehouse=True, model=T46U), "adopt"),
    ("listed and unknown, a window notwithstanding", Newcomer("listed", window_open=True, model=T46U), "show"),
    ("window closed", Newcomer("window", model=T46U), "show"),
    ("window open", Newcomer("window", window_open=True, model=T46U), "adopt"),
    ("window open, model unknown", Newcomer("window", window_open=True), "show"),
    ("window closed, of the warehouse", Newcomer("window", in_warehouse=True, model=T46U), "adopt"),
    ("window open, evidence against it", Newcomer("window", window_open=True, model=T46U, contradiction="x"), "show"),
    ("window open, in a scan", Newcomer("window", window_open=True, model=T46U, frozen=True), "show"),
    ("claim", Newcomer("claim", **GOOD), "wait"),
    ("claim, evidence against it", Newcomer("claim", contradiction="x"), "show"),
]


@pytest.mark.parametrize(("about", "action"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_policy(about: Newcomer, action: str) -> None:
    assert judged(about).action == action
    assert judged(about).why


@pytest.mark.parametrize("pool", ["1000", "1199-1000", "1000-11990", "a-b", "1000-1199,2000-2100", "0-99999999", "00000-99999"])
def test_what_is_no_pool_is_refused_in_words(pool: str) -> None:
    assert pool_problem(pool)


def test_the_lowest_free_number_keeps_its_zeros() -> None:
    assert free_number("0098-0101", {"0098", "0100"}) == "0099"
    assert free_number("98-99", {"98", "99"}) is None


# ---- windows ------------------------------------------------------------------------------------------------------------


def test_a_window_takes_in_what_it_was_opened_for_and_closes_itself(here: Inside) -> None:
    policy(here, "window", "2000-2009")
    assert plug_in(here, mac_of(1)) is Reason.UNKNOWN_PHONE
    assert listed(here, mac_of(1)) is None
    here.installation.changes.open_window("tech", "default", minutes=10, phones=2)
    here.index.refresh()
    for number in (2, 3, 4):
        plug_in(here, mac_of(number))
    assert [listed(here, mac_of(number)) is not None for number in (1, 2, 3, 4)] == [True, True, False, False], (
        "the one that waited comes first"
    )
    assert here.installation.store.windows() == []
    assert "closed" in noted(here, mac_of(4)).outcome
    changes = [(row.actor, row.action) for row in here.installation.store.changes(limit=20)]
    assert ("tech", "window.open") in changes
    assert ("enrolment", "window.close") in changes


def test_a_window_closes_when_its_time_is_over(here: Inside) -> None:
    policy(here, "window")
    here.installation.changes.open_window("tech", "default", minutes=10, phones=50)
    here.clock.now += 10 * 60
    plug_in(here, mac_of(1))
    assert listed(here, mac_of(1)) is None
    assert here.installation.store.windows() == []


def test_a_phone_that_came_in_fetches_like_any_other(here: Inside) -> None:
    policy(here, "window", "2000-2009")
    here.installation.changes.open_window("tech", "default", minutes=10, phones=5)
    here.index.refresh()
    plug_in(here, mac_of(1))
    record = listed(here, mac_of(1))
    assert record is not None
    assert (record.model, record.site, record.firmware, record.lines[0].extension) == (T46U, "default", "108.86.0.90", "2000")
    assert here.fetch(f"{mac_of(1)}.cfg", user_agent(T46U, mac_of(1))).reason is Reason.SERVED


@pytest.mark.parametrize(
    ("agent", "peer", "why"),
    [
        ("curl/8.5.0", LOCAL, "not in the catalogue"),
        (user_agent(T46U, "805ec0eeeeee"), LOCAL, "names the MAC"),
        (user_agent("grandstream/gxp2170", "805ec0c00001"), LOCAL, "is one of yealink"),
        (user_agent(T46U, "805ec0c00001"), ELSEWHERE, "no trusted network"),
    ],
    ids=["no phone", "another MAC", "another maker", "from elsewhere"],
)
def test_an_open_window_is_not_open_to_all(here: Inside, agent: str, peer: str, why: str) -> None:
    policy(here, "window")
    here.installation.changes.open_window("tech", "default", minutes=10, phones=50)
    here.index.refresh()
    plug_in(here, mac_of(1), agent, peer)
    assert listed(here, mac_of(1)) is None
    assert why in noted(here, mac_of(1)).outcome
    assert here.installation.store.windows()[0].taken == 0


def test_a_scan_does_not_come_in_by_a_window(here: Inside) -> None:
    policy(here, "window")
    here.installation.changes.open_window("tech", "default", minutes=10, phones=1000)
    here.index.refresh()
    for number in range(MOST_OF_ADDRESS + 5):
        here.fetch(f"{mac_of(number)}.cfg", user_agent(T46U, mac_of(number)))
    here.recorder.flush()
    here.follow()
    assert here.installation.store.phones(limit=10) == []
    assert "scan" in noted(here, mac_of(0)).outcome


@pytest.mark.parametrize(("minutes", "phones"), [(0, 5), (1441, 5), (5, 0), (5, 1001)])
def test_a_window_is_bounded(here: Inside, minutes: int, phones: int) -> None:
    policy(here, "window")
    with pytest.raises(InputError):
        here.installation.changes.open_window("tech", "default", minutes, phones)


def test_only_a_site_whose_policy_it_is_has_a_window(here: Inside) -> None:
    with pytest.raises(InputError, match="enrolment of this site is not window"):
        here.installation.changes.open_window("tech", "default", 5, 5)
    with pytest.raises(NotFound):
        here.installation.changes.close_window("tech", "default")


# ---- the warehouse ------------------------------------------------------------------------------------------------------


def test_a_phone_of_the_warehouse_is_taken_in_where_it_is_plugged_in(here: Inside) -> None:
    policy(here, "listed", "2000-2009")
    site = "utrecht"
    here.installation.changes.create_site(
        "test", site, {"trusted_networks": ["192.168.50.0/24"], "pool": "3000-3009", "enrolment": "listed"}
    )
    here.installation.changes.add_to_warehouse("tech", [Stocked(mac_of(1), T46U), Stocked(mac_of(2), T46U)])
    here.index.refresh()
    plug_in(here, mac_of(1), peer="192.168.50.7")
    plug_in(here, mac_of(3), peer="192.168.50.8")
    record = listed(here, mac_of(1))
    assert record is not None
    assert (record.site, record.lines[0].extension) == (site, "3000")
    assert listed(here, mac_of(3)) is None
    assert [row.mac for row in here.installation.store.warehouse()] == [mac_of(2)]


def test_a_phone_of_the_warehouse_that_says_it_is_another_model_is_not(here: Inside) -> None:
    here.installation.changes.add_to_warehouse("tech", [Stocked(mac_of(1), "yealink/t31p")])
    here.index.refresh()
    plug_in(here, mac_of(1))
    assert listed(here, mac_of(1)) is None
    assert "says that it is yealink/t46u" in noted(here, mac_of(1)).outcome


def test_the_warehouse_takes_all_of_a_delivery_or_nothing(here: Inside) -> None:
    changes = here.installation.changes
    changes.create_phone("test", mac_of(9), PhoneInput(T46U))
    stock = [Stocked(mac_of(1), T46U), Stocked(mac_of(1), T46U), Stocked(mac_of(2), "yealink/none"), Stocked(mac_of(9), T46U)]
    with pytest.raises(InputError) as caught:
        changes.add_to_warehouse("tech", stock)
    assert caught.value.fields.keys() == {"1.mac", "2.model", "3.mac"}
    assert here.installation.store.warehouse() == []


# ---- the pool -----------------------------------------------------------------------------------------------------------


def test_an_extension_of_the_pool_is_one_that_no_phone_has(here: Inside) -> None:
    policy(here, "listed", "2000-2003")
    changes = here.installation.changes
    changes.create_extension("test", "2000", display_name="Reception")
    changes.create_extension("test", "2001", display_name="Free desk")
    changes.put_department("test", "Sales", "2002")
    changes.create_phone("test", mac_of(9), PhoneInput(T46U, lines=[LineInput(1, "2000")]))
    first = changes.adopt_phone("tech", mac_of(1), PhoneInput(T46U), LOCAL)
    second = changes.adopt_phone("tech", mac_of(2), PhoneInput(T46U), LOCAL)
    assert [record.lines[0].extension for record in (first, second)] == ["2001", "2003"]
    with pytest.raises(InputError, match="every extension of the pool 2000-2003 of default is on a phone"):
        changes.adopt_phone("tech", mac_of(3), PhoneInput(T46U), LOCAL)
    assert listed(here, mac_of(3)) is None
    given = changes.adopt_phone("tech", mac_of(3), PhoneInput(T46U, lines=[LineInput(1, "2001")]), LOCAL)
    assert given.lines[0].extension == "2001", "what is said is not chosen"


def test_a_window_whose_pool_is_used_up_says_so(here: Inside) -> None:
    policy(here, "window", "2000-2000")
    here.installation.changes.open_window("tech", "default", minutes=10, phones=5)
    here.index.refresh()
    plug_in(here, mac_of(1))
    plug_in(here, mac_of(2))
    assert listed(here, mac_of(2)) is None
    assert "could not be taken in" in noted(here, mac_of(2)).outcome
    assert here.installation.store.windows()[0].taken == 1, "who did not come in is not counted"


def test_newcomers_are_bounded_and_the_oldest_go_first(here: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap_notes, "NEWCOMERS", 20)
    for number in range(60):
        here.clock.now += 1
        here.fetch(f"{mac_of(number)}.cfg", peer=f"192.168.3.{number}")
        here.recorder.flush()
    with here.installation.database.read() as connection:
        kept = connection.execute(sa.select(newcomer.c.mac).order_by(newcomer.c.at)).scalars().all()
    assert kept == [mac_of(number) for number in range(40, 60)]

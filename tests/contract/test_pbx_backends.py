"""The stories that every PBX backend must pass. A new one adds a maker to ``BACKENDS`` and changes nothing else here.

A maker yields the backend and a ``Bench``: what a person does behind our back, by the PBX's own means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_sync.asterisk.install import install_asterisk
from pbx_sync.backend import Backend, PBXUnavailable
from pbx_sync.fake import FakePBX
from pbx_sync.plan import GUARD_FROM, Plan, TooMuchChange, diff, guard
from pbx_sync.reconcile import reconcile
from pbx_sync.state import OTHER_FORM, Contact, Endpoint, PBXObject, RingGroup, State
from tests.asterisk.by_hand import backend_of, hand_at
from tests.asterisk.running import fresh_instance
from tests.conftest import BUILD


@dataclass
class Bench:
    """What the stories need besides the backend itself."""

    edit_by_hand: Callable[[Endpoint], None]
    """Changes or adds an object that carries our mark, as a person with access to the PBX would."""
    delete_by_hand: Callable[[str], None]
    stop: Callable[[], None]
    start: Callable[[], None]
    occupy: Callable[[str], None]
    """Makes an object of this number as somebody else would: without our mark."""
    register: Callable[[str], object]
    """Has a phone register as the number."""
    refuse: Callable[[str], None]
    """Makes the PBX refuse the number from now on."""


@contextmanager
def fake() -> Iterator[tuple[Backend, Bench]]:
    pbx = FakePBX()

    def down(is_down: bool) -> None:
        pbx.is_down = is_down

    yield (
        pbx,
        Bench(
            edit_by_hand=lambda endpoint: pbx.objects.__setitem__(endpoint.number, endpoint),
            delete_by_hand=pbx.objects.__delitem__,
            stop=lambda: down(True),
            start=lambda: down(False),
            occupy=pbx.foreign.add,
            register=lambda number: pbx.registrations.append(Contact(number, f"sip:{number}@192.0.2.1", "Acme A1 1.0", 1000.0)),
            refuse=lambda number: pbx.refuses.__setitem__(number, "not this one"),
        ),
    )


@contextmanager
def asterisk() -> Iterator[tuple[Backend, Bench]]:
    with (
        fresh_instance(install_asterisk(BUILD, lambda what, share: None)) as instance,
        backend_of(instance) as pbx,
        hand_at(instance) as hand,
    ):
        yield (
            pbx,
            Bench(
                edit_by_hand=hand.make,
                delete_by_hand=hand.delete_all,
                stop=hand.kill,
                start=hand.start,
                occupy=hand.occupy,
                register=lambda number: hand.register(pbx, number),
                refuse=hand.spoil,
            ),
        )


BACKENDS: dict[str, Callable[[], AbstractContextManager[tuple[Backend, Bench]]]] = {"fake": fake, "asterisk": asterisk}

ALICE = Endpoint("1001", "Alice", "secret-of-alice", "alice@example.org", "Sales")
BOB = Endpoint("1002", 'Zoë <b> & "quoted"; $x', "p'w#;%\\!~^-_", "", "")
STAR = Endpoint("*97", "Voice mail", "secret-of-star")
SALES = RingGroup("600", "Sales", ("1001", "1002"))


@pytest.fixture(params=["fake", pytest.param("asterisk", marks=pytest.mark.asterisk)])
def told(request: pytest.FixtureRequest) -> Iterator[tuple[Backend, Bench]]:
    with BACKENDS[request.param]() as made:
        yield made


@pytest.fixture
def pbx(told: tuple[Backend, Bench]) -> Backend:
    return told[0]


@pytest.fixture
def bench(told: tuple[Backend, Bench]) -> Bench:
    return told[1]


def state(*items: PBXObject) -> State:
    return {item.number: item for item in items}


def test_what_was_applied_reads_back_to_the_letter(pbx: Backend) -> None:
    assert pbx.apply(Plan(create=(STAR, ALICE, BOB))) == {}
    assert pbx.read() == state(ALICE, BOB, STAR)
    assert pbx.read(["1001", "9999"]) == state(ALICE)
    assert pbx.read([]) == {}


def test_applying_again_is_harmless(pbx: Backend) -> None:
    plan = Plan(create=(ALICE,), delete=("1002",))
    pbx.apply(Plan(create=(BOB,)))
    for _ in range(2):
        assert pbx.apply(plan) == {}
        assert pbx.read() == state(ALICE)


@pytest.mark.parametrize("change", [{"display_name": "Eve"}, {"secret": "another-secret"}, {"email": ""}, {"department": "IT"}])
def test_each_field_is_updated_and_told_apart(pbx: Backend, change: dict[str, str]) -> None:
    pbx.apply(Plan(create=(ALICE, BOB)))
    changed = replace(ALICE, **change)
    assert changed.hash != ALICE.hash
    assert diff(pbx.read(), state(changed, BOB)) == Plan(update=(changed,))
    pbx.apply(Plan(update=(changed,)))
    assert pbx.read() == state(changed, BOB)


def test_reconciling_ends_in_an_empty_plan_and_proves_what_it_did(pbx: Backend, bench: Bench) -> None:
    first = reconcile(pbx, state(ALICE, BOB))
    assert first.verified == {"1001": ALICE.hash, "1002": BOB.hash} and first.refused == {}
    assert reconcile(pbx, state(ALICE, BOB)).plan.is_empty
    bench.edit_by_hand(replace(ALICE, display_name="By hand"))
    bench.delete_by_hand("1002")
    bench.edit_by_hand(STAR)
    again = reconcile(pbx, state(ALICE, BOB), only=False)
    assert again.plan == Plan(create=(BOB,), update=(ALICE,), delete=("*97",))
    assert again.verified == {"1001": ALICE.hash, "1002": BOB.hash, "*97": None}
    assert pbx.read() == state(ALICE, BOB)


def test_only_the_numbers_concerned_are_touched(pbx: Backend) -> None:
    pbx.apply(Plan(create=(ALICE, BOB, STAR)))
    outcome = reconcile(pbx, state(replace(ALICE, display_name="New")), ["1002", "7777"])
    assert outcome.verified == {"1001": replace(ALICE, display_name="New").hash, "1002": None, "7777": None}
    assert set(pbx.read()) == {"1001", "*97"}


def test_refusal_names_its_number_and_stops_no_other(pbx: Backend, bench: Bench) -> None:
    bench.refuse("1001")
    outcome = reconcile(pbx, state(ALICE, BOB))
    assert set(outcome.refused) == {"1001"} and outcome.refused["1001"]
    assert outcome.verified == {"1001": None, "1002": BOB.hash}


def test_object_of_somebody_else_is_refused_and_left_alone(pbx: Backend, bench: Bench) -> None:
    bench.occupy("1001")
    outcome = reconcile(pbx, state(ALICE, BOB))
    assert "not ours" in outcome.refused["1001"]
    assert set(pbx.read()) == {"1002"}
    assert reconcile(pbx, state(BOB), only=False).plan.is_empty, "what is not ours is no surplus"


def test_ring_group_lives_among_the_extensions(pbx: Backend) -> None:
    pbx.apply(Plan(create=(ALICE, BOB, SALES)))
    assert pbx.read() == state(ALICE, BOB, SALES)
    smaller = replace(SALES, members=("1002",))
    assert reconcile(pbx, state(smaller)).plan == Plan(update=(smaller,))
    assert reconcile(pbx, {}, ["600"]).verified == {"600": None}
    assert pbx.read() == state(ALICE, BOB)


def test_former_secrets_are_taken_besides_and_end(pbx: Backend) -> None:
    moving = replace(ALICE, secret="the-next-one", former_secrets=(ALICE.secret, "an-older-one"))
    pbx.apply(Plan(create=(moving,)))
    assert pbx.read() == state(moving)
    moved = replace(moving, former_secrets=())
    assert reconcile(pbx, state(moved)).plan == Plan(update=(moved,))
    assert pbx.read() == state(moved)


def test_about_names_a_version_and_a_start(pbx: Backend) -> None:
    about = pbx.about()
    assert about.version and about.started_at > 0 and about.channels == 0
    assert pbx.busy() == frozenset()


def test_pbx_that_is_away_says_so_everywhere(pbx: Backend, bench: Bench) -> None:
    pbx.apply(Plan(create=(ALICE,)))
    bench.stop()
    for call in (
        pbx.read,
        pbx.contacts,
        pbx.busy,
        pbx.about,
        lambda: pbx.apply(Plan(create=(BOB,))),
        lambda: pbx.notify("1001", "check-sync"),
    ):
        with pytest.raises(PBXUnavailable):
            call()
    bench.start()
    assert reconcile(pbx, state(ALICE), only=False).verified == {"1001": ALICE.hash}, "what it lost of the last second is put back"


def test_notify_reaches_registered_contacts_alone(pbx: Backend, bench: Bench) -> None:
    pbx.apply(Plan(create=(ALICE, BOB)))
    bench.register("1001")
    assert pbx.notify("1001", "check-sync;reboot=false") == 1
    assert pbx.notify("1001", "check-sync;reboot=false", [pbx.contacts()[0].uri]) == 1
    assert pbx.notify("1001", "check-sync;reboot=false", ["sip:1001@192.0.2.99"]) == 0
    assert pbx.notify("1002", "check-sync;reboot=false") == 0
    assert pbx.notify("7777", "check-sync;reboot=false") == 0
    assert [contact.number for contact in pbx.contacts()] == ["1001"]
    assert pbx.contacts()[0].registered_at > 0


def test_guard_stops_before_anything_is_touched(pbx: Backend, bench: Bench) -> None:
    many = state(*(Endpoint(str(2000 + number), f"n{number}", f"secret-{number}") for number in range(GUARD_FROM)))
    reconcile(pbx, many)
    fewer = dict(list(many.items())[4:])
    with pytest.raises(TooMuchChange, match="4 of 10 extensions in the PBX would be changed or deleted: look at the plan, then confirm it"):
        reconcile(pbx, fewer, owned=len(fewer), only=False)
    assert pbx.read() == many
    reconcile(pbx, dict(list(many.items())[3:]), only=False)
    reconcile(pbx, fewer, only=False, confirmed=True)
    assert pbx.read() == fewer


NUMBERS = st.sampled_from(["1", "2", "3", "*9"])
STATES = st.dictionaries(NUMBERS, st.builds(Endpoint, st.just(""), st.text("ab", max_size=2), st.text("xy", max_size=2))).map(
    lambda found: {number: replace(endpoint, number=number) for number, endpoint in found.items()}
)


@given(STATES, STATES)
def test_difference_after_applying_a_difference_is_none(actual: dict[str, Endpoint], desired: dict[str, Endpoint]) -> None:
    pbx = FakePBX()
    pbx.objects = dict(actual)
    plan = diff(actual, desired, actual.keys())
    pbx.apply(plan)
    assert pbx.read() == desired
    assert diff(pbx.read(), desired, pbx.read().keys()).is_empty
    assert plan.is_empty == (actual == desired)
    assert not any(endpoint.secret in line for endpoint in desired.values() if len(endpoint.secret) > 1 for line in plan.lines())


def test_guard_lets_an_update_of_ours_through_and_nothing_else_with_it() -> None:
    desired = {str(number): Endpoint(str(number), "Name", "secret") for number in range(10, 30)}
    older = {number: replace(item, deviations=(OTHER_FORM, "endpoint.x is not set")) for number, item in desired.items()}
    guard(diff(older, desired), 20, confirmed=False)
    assert len(diff(older, desired).update) == 20
    for wrong in (
        replace(older["10"], secret="by hand"),
        replace(older["10"], display_name="Other"),
        replace(older["10"], deviations=("x",)),
    ):
        edited = older | {str(number): replace(wrong, number=str(number)) for number in range(10, 17)}
        with pytest.raises(TooMuchChange, match="7 of 20"):
            guard(diff(edited, desired), 20, confirmed=False)


@given(st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_guard_is_a_share_of_what_is_ours(touched: int, owned: int, confirmed: bool) -> None:
    plan = Plan(delete=tuple(map(str, range(touched))))
    stops = not confirmed and owned >= GUARD_FROM and touched * 10 > owned * 3
    if stops:
        with pytest.raises(TooMuchChange):
            guard(plan, owned, confirmed=confirmed)
    else:
        guard(plan, owned, confirmed=confirmed)

"""Nonces of Digest: each count once, whatever the order, and a memory that strangers cannot fill."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.mac import Mac
from provisioner.nonces import NONCE_S, OF_A_PHONE, WINDOW, Nonces
from tests.engines import Clock

MAC = Mac("805ec0aabbcc")


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def nonces(clock: Clock) -> Nonces:
    return Nonces(clock)


@given(st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 200), max_size=80))
def test_no_count_is_taken_twice_and_none_near_the_highest_is_refused(counts: Sequence[int]) -> None:
    nonces = Nonces(Clock(1000.0))
    nonce, taken, highest = nonces.make(), set[int](), -1
    for count in counts:
        wanted = count not in taken and count > highest - WINDOW
        assert nonces.spend(nonce, count, MAC) is wanted
        if wanted:
            taken.add(count)
            highest = max(highest, count)


@given(st.lists(st.tuples(st.sampled_from(["make", "use", "again"]), st.integers(0, 30), st.integers(0, 120)), max_size=60))
def test_whatever_is_forgotten_is_never_good_again(steps: Sequence[tuple[str, int, int]]) -> None:
    clock = Clock(1000.0)
    nonces = Nonces(clock)
    made, used = [nonces.make()], set[str]()
    for step, at, passed in steps:
        clock.now += passed
        if step == "make":
            made.append(nonces.make())
        nonce = made[at % len(made)]
        if nonces.spend(nonce, 1, MAC):
            assert nonce not in used
            used.add(nonce)


def test_a_million_challenges_cost_no_memory(nonces: Nonces) -> None:
    for _ in range(2000):
        assert not nonces.spend(nonces.make()[:-1], 1, MAC)
    assert len(nonces) == 0


def test_one_phone_ends_its_own_old_nonces_and_nobody_elses(nonces: Nonces, clock: Clock) -> None:
    other, kept = Mac("805ec0aabbcd"), nonces.make()
    assert nonces.spend(kept, 1, other)
    first, unused = nonces.make(), nonces.make()
    made = [first]
    for _ in range(OF_A_PHONE):
        clock.now += 1
        made.append(nonces.make())
    assert all(nonces.spend(nonce, 1, MAC) for nonce in made)
    assert not nonces.spend(first, 2, MAC), "its memory is gone, so it is"
    assert not nonces.spend(unused, 1, MAC), "as old as what was forgotten"
    assert all(nonces.spend(nonce, 2, MAC) for nonce in made[1:])
    assert nonces.spend(kept, 2, other)


def test_a_phone_that_comes_no_more_is_forgotten_when_its_nonces_are_over(nonces: Nonces, clock: Clock) -> None:
    old = nonces.make()
    assert nonces.spend(old, 1, MAC)
    clock.now += NONCE_S + 1
    assert nonces.spend(nonces.make(), 1, Mac("805ec0aabbcd"))
    assert len(nonces) == 1
    assert not nonces.spend(old, 1, MAC)


def test_a_clock_that_was_put_back_makes_no_nonce_longer_lived(nonces: Nonces, clock: Clock) -> None:
    nonce = nonces.make()
    clock.now -= 10
    assert not nonces.spend(nonce, 1, MAC)


def test_of_many_threads_with_the_same_count_one_wins(nonces: Nonces) -> None:
    nonce, wins = nonces.make(), []
    barrier = threading.Barrier(8)

    def spend() -> None:
        barrier.wait()
        wins.append(nonces.spend(nonce, 1, MAC))

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == [False] * 7 + [True]

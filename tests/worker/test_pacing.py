"""Turns: a single edit at once, many phones in an order that floods nobody. The numbers are measured against tests/cases/pacing_cases.json."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from provisioner.worker.pacing import ADDRESS, EVERYBODY, LONGEST_S, SITE, Turns
from tests.engines import Clock


def turns(clock: Clock, jitter: float = 1.0) -> Turns:
    return Turns(clock, lambda: jitter)


def test_forty_phones_behind_one_address_do_not_share_its_uplink_at_once() -> None:
    """pacing-001: 40 phones at one source IP."""
    given = turns(Clock())
    waits = [given.wait_s("home", "192.0.2.1") for _ in range(40)]
    assert waits[: ADDRESS.at_once] == [0.0] * 5, "five at once, as many as others allow in a minute"
    assert [later - sooner for sooner, later in pairwise(waits[5:])] == [ADDRESS.pause_s] * 34
    assert max(waits) < 75, "and the last one within a little more than a minute, not eight"


def test_small_site_does_not_wait_behind_a_large_one() -> None:
    """pacing-002: a small site behind a large one."""
    given = turns(Clock())
    large = [given.wait_s("large", f"10.0.{number // 200}.{number % 200}") for number in range(1000)]
    small = [given.wait_s("small", f"10.9.0.{number}") for number in range(2)]
    assert max(large) > 90
    assert max(small) <= 2.0 + 1000 * EVERYBODY.pause_s, "it shares only what everybody shares"
    mixed = turns(Clock())
    order = [("large", mixed.wait_s("large", "")) for _ in range(30)] + [("small", mixed.wait_s("small", "")) for _ in range(2)]
    assert max(wait for site, wait in order if site == "small") < 1.0 < max(wait for site, wait in order if site == "large")


def test_thousand_phones_of_many_sites_take_a_minute() -> None:
    """pacing-003: 1000 phones over many sites."""
    given = turns(Clock())
    waits = [given.wait_s(f"site {number % 50}", f"10.0.{number % 50}.{number // 50}") for number in range(1000)]
    assert 45 <= max(waits) <= 60
    seconds = Counter(int(wait) for wait in waits)
    assert seconds.pop(0) <= EVERYBODY.at_once + 1 / EVERYBODY.pause_s
    assert max(seconds.values()) <= 1 / EVERYBODY.pause_s + 1, "twenty a second from then on"


def test_single_edit_during_a_bulk_is_told_at_once() -> None:
    clock = Clock(0.0)
    given = turns(clock)
    for number in range(2000):
        given.wait_s("large", f"10.0.{number // 200}.{number % 200}")
    clock.now += SITE.refill_s
    assert given.wait_s("large", "10.1.0.1") == 0.0
    assert given.wait_s("large", "10.1.0.2") > 0.0, "one more every two seconds"


def test_turns_are_spread_by_the_jitter_and_never_out_of_sight() -> None:
    clock = Clock()
    even, late = turns(clock), turns(clock, 1.5)
    for number in range(5000):
        wait = even.wait_s("s", "192.0.2.1")
        assert late.wait_s("s", "192.0.2.1") >= wait
        assert wait <= LONGEST_S, number


def test_lanes_of_long_ago_are_forgotten(monkeypatch) -> None:
    monkeypatch.setattr("provisioner.worker.pacing.MOST_LANES", 100)
    clock = Clock()
    given = turns(clock)
    for number in range(1000):
        given.wait_s(f"site {number}", f"address {number}")
        clock.now += 10
    assert len(given._lanes) <= 102

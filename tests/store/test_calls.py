"""Calls in the database, on both engines: newest first, filtered, and only as far as somebody sees."""

from __future__ import annotations

from provisioner.records_calls import CallRecord
from provisioner.scope import Scope
from provisioner.store.scoped import ScopedStore
from provisioner.wiring import Installation
from tests.calls import AT, MISSED, add_call
from tests.engines import World


def test_calls_come_newest_first_and_by_filter(world: World) -> None:
    database, store = world.installation.database, world.store
    first = add_call(database)
    missed = add_call(database, AT + 100, called="600", parties=("1001", "1003", "1004"), **MISSED)
    last = add_call(database, AT + 200, caller="0301234567", called="1002", parties=("1002",))
    assert [row.number for row in store.calls()] == [last, missed, first]
    assert [row.number for row in store.calls(before=missed)] == [first]
    assert [row.number for row in store.calls(limit=1)] == [last]
    assert [row.number for row in store.calls(extension="1004")] == [missed], "whose phone rang as one of a group took part"
    assert [row.number for row in store.calls(extension="1001", outcome="answered")] == [first]
    assert [row.number for row in store.calls(since=AT + 100, until=AT + 200)] == [missed]
    assert store.call(first) == CallRecord(
        first, f"{AT}.1001.1002", AT, AT + 5, AT + 65, "1001", "Alice", "1002", "1002", "answered", 60.0, "", 0
    )
    assert store.call(last + 1) is None


def test_calls_are_seen_as_far_as_the_extensions_are(world: World, installation: Installation) -> None:
    world.changes.create_site("tests", "berlin", {})
    for number, site in (("1001", "default"), ("2001", "berlin"), ("2002", "berlin")):
        world.changes.create_extension("tests", number, site=site)
    theirs = add_call(installation.database, caller="1001", called="1009")
    shared = add_call(installation.database, AT + 1, caller="1001", called="2001")
    ours = add_call(installation.database, AT + 2, caller="2002", called="112", parties=("2002",))
    berlin = ScopedStore(world.store, Scope(("berlin",)))
    assert [row.number for row in berlin.calls()] == [ours, shared]
    assert [row.number for row in berlin.calls(extension="1001")] == [], "whose calls these are is not to be asked by their number"
    assert (berlin.call(theirs), berlin.call(shared)) == (None, world.store.call(shared))
    bob = ScopedStore(world.store, Scope(("berlin",), ("2001",)))
    assert [row.number for row in bob.calls()] == [shared]
    assert bob.call(ours) is None

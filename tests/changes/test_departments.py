"""Departments: they are there once named, their numbers are nobody else's, and only those concerned are pushed."""

from __future__ import annotations

import pytest

from pbx_sync.state import RingGroup
from provisioner.errors import AlreadyExists, InputError, NotFound, StaleWrite
from tests.engines import World


def behind(world: World) -> list[str]:
    return [record.name for record in world.store.departments_to_push(10)]


def test_department_is_there_once_an_extension_names_it(world: World) -> None:
    world.changes.create_extension("t", "1001", department="Sales")
    world.changes.create_extension("t", "1002", department="Sales")
    (record,) = world.store.departments()
    assert (record.name, record.number, record.members) == ("Sales", None, ("1001", "1002"))
    assert behind(world) == [], "what cannot be called is not pushed"


def test_number_rings_its_members_and_follows_them(world: World) -> None:
    world.changes.create_extension("t", "1002", department="Sales")
    world.changes.put_department("t", "Sales", "600")
    world.drain()
    assert world.pbx.objects["600"] == RingGroup("600", "Sales", ("1002",))
    world.changes.create_extension("t", "1001", department="Sales")
    world.drain()
    assert world.pbx.objects["600"] == RingGroup("600", "Sales", ("1001", "1002"))
    world.changes.update_extension("t", "1002", {"department": "Support"})
    world.drain()
    assert world.pbx.objects["600"] == RingGroup("600", "Sales", ("1001",))
    world.changes.delete_extension("t", "1001")
    world.drain()
    assert world.pbx.objects["600"] == RingGroup("600", "Sales", ())


def test_change_of_a_name_or_a_secret_pushes_no_group(world: World) -> None:
    world.changes.create_extension("t", "1001", department="Sales")
    world.changes.put_department("t", "Sales", "600")
    world.drain()
    world.changes.update_extension("t", "1001", {"display_name": "Zoe", "secret": "another-secret", "department": "Sales"})
    assert behind(world) == []
    world.changes.update_extension("t", "1001", {"department": ""})
    assert behind(world) == ["Sales"]


def test_number_that_moves_leaves_the_pbx_at_its_old_place(world: World) -> None:
    world.changes.put_department("t", "Sales", "600")
    world.drain()
    world.changes.put_department("t", "Sales", "601")
    world.drain()
    assert set(world.pbx.objects) == {"601"}
    world.changes.put_department("t", "Sales", None)
    world.drain()
    assert world.pbx.objects == {} and world.store.removals() == []
    world.changes.put_department("t", "Sales", "600")
    world.drain()
    world.changes.delete_department("t", "Sales")
    world.drain()
    assert world.pbx.objects == {} and world.store.departments() == []


def test_number_passes_from_an_extension_to_a_department_and_back(world: World) -> None:
    world.extension("600")
    world.drain()
    world.changes.delete_extension("t", "600")
    world.changes.put_department("t", "Sales", "600")
    world.drain()
    assert world.pbx.objects == {"600": RingGroup("600", "Sales", ())}
    world.changes.put_department("t", "Sales", None)
    world.extension("600", "Alice")
    world.drain()
    assert world.pbx.objects["600"].label == "Alice" and world.store.removals() == []


def test_number_is_nobody_elses(world: World) -> None:
    world.extension("1001")
    world.changes.put_department("t", "Sales", "600")
    for write, sentence in (
        (lambda: world.changes.put_department("t", "Support", "1001"), "1001 is the number of an extension"),
        (lambda: world.changes.put_department("t", "Support", "600"), "600 is the number of the department Sales"),
        (lambda: world.extension("600"), "600 is the number of the department Sales"),
    ):
        with pytest.raises(AlreadyExists, match=sentence):
            write()
    assert [record.name for record in world.store.departments()] == ["Sales"]


@pytest.mark.parametrize(
    ("name", "number", "field"), [("", "600", "name"), ("a\nb", "600", "name"), ("x" * 65, None, "name"), ("Sales", "6 0", "number"), ("Sales", "", "number")]
)  # fmt: skip
def test_wrong_field_is_named(world: World, name: str, number: str | None, field: str) -> None:
    with pytest.raises(InputError) as caught:
        world.changes.put_department("t", name, number)
    assert set(caught.value.fields) == {field}


def test_write_of_a_stale_revision_is_refused_and_one_that_changes_nothing_writes_nothing(world: World) -> None:
    first = world.changes.put_department("t", "Sales", "600")
    assert world.changes.put_department("t", "Sales", "600", expected=first.revision) == first
    assert len(world.store.changes()) == 1
    second = world.changes.put_department("t", "Sales", "601", expected=first.revision)
    for write in (
        lambda: world.changes.put_department("t", "Sales", "602", expected=first.revision),
        lambda: world.changes.delete_department("t", "Sales", expected=first.revision),
    ):
        with pytest.raises(StaleWrite):
            write()
    assert second.revision == first.revision + 1


def test_department_with_extensions_is_not_deleted(world: World) -> None:
    world.changes.create_extension("t", "1001", department="Sales")
    with pytest.raises(InputError, match="1 extensions are in this department"):
        world.changes.delete_department("t", "Sales")
    with pytest.raises(NotFound):
        world.changes.delete_department("t", "Elsewhere")


def test_refused_group_is_shown_and_holds_up_nobody(world: World) -> None:
    world.pbx.refuses["600"] = "not this number"
    world.changes.put_department("t", "Sales", "600")
    mac = world.phone(1, world.extension("1001"))
    world.drain()
    (record,) = world.store.departments()
    assert record.pbx_error == "not this number"
    assert world.live(mac) and world.store.pbx_counts() == {"extensions": 1, "drift": 1, "errors": 1}

"""Writes of extensions: fields, revisions, and exactly the phones that have to be rendered anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from provisioner.changes import Changes, KeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.errors import AlreadyExists, InputError, NotFound, StaleWrite
from provisioner.store import Store
from tests.engines import A2, World, mac_of


def touched(world: World, action: Callable[[], object]) -> set[Mac]:
    """Returns the phones that the action has rendered anew, and checks that the change row counts them."""
    before = {record.mac: record.render_revision for record in world.store.phones()}
    action()
    moved = {record.mac for record in world.store.phones() if record.render_revision != before.get(record.mac)}
    assert world.store.changes(limit=1)[0].phones == len(moved)
    return moved


def test_extension_is_made_with_a_secret_of_its_own(changes: Changes, store: Store) -> None:
    made = changes.create_extension("ann", "1001")
    assert (made.display_name, made.revision, made.pbx_wanted) == ("1001", 1, None)
    secret = store.extension_secret("1001")
    assert secret and len(secret) == 20 and secret.isalnum()
    row = store.changes(limit=1)[0]
    assert (row.actor, row.action, row.subject, row.before) == ("ann", "extension.create", "1001", None)
    assert row.after == {"display_name": "1001", "email": "", "department": "", "site": ""}


MISTAKES = [
    ({"number": ""}, {"number": "1 to 32 digits or letters are needed, for example 1001"}),
    ({"number": "1" * 33}, {"number": "1 to 32 digits or letters are needed, for example 1001"}),
    ({"number": "10 01"}, {"number": "1 to 32 digits or letters are needed, for example 1001"}),
    ({"number": "1001\n"}, {"number": "1 to 32 digits or letters are needed, for example 1001"}),
    (
        {"number": "wait-805ec0aabbcc"},
        {"number": "wait- at the beginning is kept for phones that wait to be claimed: choose another number"},
    ),
    ({"number": "WAIT-7"}, {"number": "wait- at the beginning is kept for phones that wait to be claimed: choose another number"}),
    ({"display_name": "x" * 129}, {"display_name": "at most 128 characters; these are 129"}),
    ({"display_name": "a\nb"}, {"display_name": "line breaks and control characters are not possible here"}),
    ({"display_name": "a\ud800"}, {"display_name": "line breaks and control characters are not possible here"}),
    ({"department": "a\u2028b"}, {"department": "line breaks and control characters are not possible here"}),
    ({"email": "nobody"}, {"email": "this is not an e-mail address"}),
    ({"secret": "short"}, {"secret": "8 to 64 printable characters without blanks are needed (or leave it out: one is made)"}),
    ({"secret": "with a blank"}, {"secret": "8 to 64 printable characters without blanks are needed (or leave it out: one is made)"}),
    ({"colour": "red", "email": "x"}, {"colour": "there is no such field", "email": "this is not an e-mail address"}),
]


@pytest.mark.parametrize(("given", "fields"), MISTAKES)
def test_wrong_field_is_named_with_its_sentence(changes: Changes, store: Store, given: dict[str, str], fields: dict[str, str]) -> None:
    number = given.get("number", "1001")
    with pytest.raises(InputError) as caught:
        changes.create_extension("t", number, **{name: value for name, value in given.items() if name != "number"})
    assert caught.value.fields == fields
    assert store.extensions() == [] and store.changes() == []


def test_second_one_of_a_number_is_refused(changes: Changes) -> None:
    changes.create_extension("t", "1001")
    with pytest.raises(AlreadyExists) as caught:
        changes.create_extension("t", "1001")
    assert caught.value.fields == {"number": "extension 1001 exists already"}


def test_update_of_a_stale_revision_is_refused(changes: Changes, store: Store) -> None:
    first = changes.create_extension("t", "1001")
    second = changes.update_extension("t", "1001", {"email": "a@example.org"}, expected=first.revision)
    assert second.revision == first.revision + 1
    for write in (
        lambda: changes.update_extension("t", "1001", {"email": "b@example.org"}, expected=first.revision),
        lambda: changes.delete_extension("t", "1001", expected=first.revision),
    ):
        with pytest.raises(StaleWrite, match="somebody else changed this since you read it"):
            write()
    found = store.extension("1001")
    assert found and found.email == "a@example.org"


def test_update_that_changes_nothing_writes_nothing(changes: Changes, store: Store) -> None:
    made = changes.create_extension("t", "1001", display_name="Alice")
    assert changes.update_extension("t", "1001", {"display_name": "Alice"}) == made
    assert len(store.changes()) == 1


def test_secret_is_in_no_change_row(world: World) -> None:
    world.extension()
    world.changes.update_extension("t", "1001", {"secret": "brand-new-secret"})
    row = world.store.changes(limit=1)[0]
    assert row.after == {"secret": "changed"}
    assert "brand-new" not in str([(item.before, item.after) for item in world.store.changes()])


def test_unknown_number_is_not_found(changes: Changes) -> None:
    for write in (lambda: changes.update_extension("t", "9", {"email": ""}), lambda: changes.delete_extension("t", "9\0")):
        with pytest.raises(NotFound, match="there is no extension 9"):
            write()


def test_rename_touches_phones_with_a_line_or_an_unnamed_key_of_it_and_no_others(world: World) -> None:
    for number in ("1001", "1002"):
        world.extension(number)
    on_line = world.phone(1, "1001")
    on_key = world.phone(2, "1002", keys=[KeyInput(1, "blf", "1001")])
    world.phone(3, "1002", keys=[KeyInput(1, "blf", "1001", label="The boss"), KeyInput(2, "blf", "1002")])
    world.phone(4, model=A2)
    world.drain()
    moved = touched(world, lambda: world.changes.update_extension("t", "1001", {"display_name": "Zoe"}))
    assert moved == {on_line, on_key}
    world.drain()
    assert "key.0.1 = blf 1001 Zoe" in world.live(on_key)


def test_key_takes_the_name_of_an_extension_that_comes_later_and_loses_it_when_that_goes(world: World) -> None:
    mac = world.phone(1, keys=[KeyInput(1, "blf", "1001")])
    world.drain()
    assert "key.0.1 = blf 1001 \n" in world.live(mac)
    assert touched(world, lambda: world.extension("1001", "Late")) == {mac}
    world.drain()
    assert "key.0.1 = blf 1001 Late" in world.live(mac)
    assert touched(world, lambda: world.changes.delete_extension("t", "1001")) == {mac}
    world.drain()
    assert "key.0.1 = blf 1001 \n" in world.live(mac)


def test_extension_in_use_is_not_deleted(world: World) -> None:
    mac = world.phone(1, world.extension())
    with pytest.raises(InputError) as caught:
        world.changes.delete_extension("t", "1001")
    assert caught.value.fields == {"number": f"extension 1001 is on a line of {mac}: take it off there first"}
    world.changes.update_phone("t", mac, PhoneInput(lines=[]))
    world.changes.delete_extension("t", "1001")
    assert world.store.removals() == ["1001"]
    world.extension()
    assert world.store.removals() == []


def test_extension_of_a_user_is_not_deleted(world: World) -> None:
    world.extension()
    given = {"role": "user", "password": "correct horse battery", "extensions": ["1001"]}
    world.changes.create_user("t", "bob", given)
    with pytest.raises(InputError) as caught:
        world.changes.delete_extension("t", "1001")
    assert caught.value.fields == {"number": "1 users have extension 1001 as their own: give them another one first"}
    world.changes.update_user("t", "bob", {"role": "viewer", "extensions": []})
    world.changes.delete_extension("t", "1001")
    assert world.store.extension("1001") is None


def test_pages_join_and_searches_take_their_signs_literally(changes: Changes, store: Store) -> None:
    """The order is the database's own (PostgreSQL has one for people); what counts is that no page loses or repeats a row."""
    numbers = {"*97", "+49", "1001", "B2", "a1"}
    for number in numbers:
        changes.create_extension("t", number, display_name="100% sure" if number == "B2" else "x_y")
    whole = [record.number for record in store.extensions()]
    paged: list[str] = []
    while page := store.extensions(after=paged[-1] if paged else "", limit=2):
        paged += [record.number for record in page]
    assert paged == whole and set(whole) == numbers
    assert [record.number for record in store.extensions(search="100%")] == ["B2"]
    assert {record.number for record in store.extensions(search="_")} == numbers - {"B2"}
    assert store.extensions(search="\\") == []
    store.extensions(search="a\0b")
    assert store.extension("a\0b") is None


def test_lines_are_unchanged_by_none(world: World) -> None:
    mac = world.phone(1, world.extension())
    record = world.changes.update_phone("t", mac, PhoneInput(lines=[LineInput(2, "1001", "Second")]))
    assert world.changes.update_phone("t", mac, PhoneInput(firmware="1.2")).lines == record.lines
    assert mac == mac_of(1)

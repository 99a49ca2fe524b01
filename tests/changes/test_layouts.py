"""Key layouts: shared keys, slots that each phone fills, and what happens where both lay out a place."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.changes import Changes, KeyInput, LayoutKeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.core.values import Key
from provisioner.errors import InputError, NotFound, StaleWrite
from provisioner.store import Store
from provisioner.wiring import Installation
from tests.engines import A1, A2, mac_of

M1, M2, M3 = (mac_of(number) for number in (1, 2, 3))
SALES = (
    LayoutKeyInput(3, "blf", "1002"),
    LayoutKeyInput(4, "speed_dial", "0800", "Desk"),
    LayoutKeyInput(5, "blf", label="Colleague", slot=True),
)


@pytest.fixture(autouse=True)
def office(changes: Changes) -> None:
    for number, name in (("1001", "Alice"), ("1002", "Bob")):
        changes.create_extension("tests", number, display_name=name)
    for mac in (M1, M2):
        changes.create_phone("tests", mac, PhoneInput(model=A1, lines=[LineInput(1, "1001")]))
    changes.put_layout("tests", "Sales", SALES)


def keys_of(store: Store, mac: Mac = M1) -> dict[tuple[int, int], Key]:
    """Returns the keys that the phone's files are made of."""
    return {(key.module, key.key): key for key in store.render_jobs([mac])[0].config.keys}


def test_phones_of_a_layout_have_its_keys_and_fill_its_slots(changes: Changes, store: Store) -> None:
    changes.assign_layout("tests", [M1, M2], "Sales")
    changes.update_phone("tests", M2, PhoneInput(keys=[KeyInput(5, "blf", "1001"), KeyInput(8, "url", "http://x.example")]))
    assert keys_of(store, M1) == {
        (0, 3): Key(0, 3, "blf", "1002", "Bob"), (0, 4): Key(0, 4, "speed_dial", "0800", "Desk"), (0, 5): Key(0, 5, "none"),
    }  # fmt: skip
    assert keys_of(store, M2)[0, 5] == Key(0, 5, "blf", "1001", "Alice")
    assert keys_of(store, M2)[0, 8].type == "url"
    record = store.phone(M2)
    assert record is not None and record.layout == "Sales"
    assert [(row.key.key, row.source) for row in store.laid_keys(record)] == [(3, "layout"), (4, "layout"), (5, "own"), (8, "own")]


def test_changed_layout_renders_its_phones_and_no_other(changes: Changes, store: Store) -> None:
    changes.assign_layout("tests", [M1], "Sales")
    before = {mac: store.render_jobs([mac])[0].revision for mac in (M1, M2)}
    changes.put_layout("tests", "Sales", SALES[:1], 1)
    after = {mac: store.render_jobs([mac])[0].revision for mac in (M1, M2)}
    assert after[M1] > before[M1] and after[M2] == before[M2]
    change = store.changes(limit=1)[0]
    assert (change.action, change.subject, change.phones) == ("layout.put", "Sales", 1)
    assert len(change.before["keys"]) == 3 and len(change.after["keys"]) == 1


def test_writing_the_same_layout_again_changes_nothing(changes: Changes, store: Store) -> None:
    newest = store.changes(limit=1)[0].id
    assert changes.put_layout("tests", "Sales", SALES, 1).revision == 1
    assert store.changes(limit=1)[0].id == newest


def test_own_key_under_a_layouts_key_is_hidden_and_comes_back(changes: Changes, store: Store) -> None:
    changes.update_phone("tests", M1, PhoneInput(keys=[KeyInput(3, "url", "http://own.example")]))
    changes.assign_layout("tests", [M1], "Sales")
    record = store.phone(M1)
    assert record is not None
    assert store.laid_keys(record)[0].hidden == Key(0, 3, "url", "http://own.example")
    assert keys_of(store)[0, 3].value == "1002"
    changes.update_phone("tests", M1, PhoneInput(clear_layout=True))
    assert keys_of(store) == {(0, 3): Key(0, 3, "url", "http://own.example")}


def test_new_own_key_where_the_layout_has_the_place_is_refused(changes: Changes) -> None:
    changes.update_phone("tests", M1, PhoneInput(keys=[KeyInput(3, "url", "http://own.example")]))
    changes.assign_layout("tests", [M1], "Sales")
    changes.update_phone("tests", M1, PhoneInput(keys=[KeyInput(3, "url", "http://own.example"), KeyInput(5, "blf", "1001")]))
    with pytest.raises(InputError) as caught:
        changes.update_phone("tests", M1, PhoneInput(keys=[KeyInput(3, "url", "http://other.example")]))
    assert caught.value.fields == {"keys.0.key": "key 3 of the phone is laid out by the layout Sales: change it there"}


def test_layout_that_a_model_cannot_have_is_refused_for_all(changes: Changes, store: Store) -> None:
    changes.create_phone("tests", M3, PhoneInput(model=A2))
    with pytest.raises(InputError) as caught:
        changes.assign_layout("tests", [M1, M3, Mac("02acde0000ff")], "Sales")
    assert set(caught.value.fields) == {"phones.1", "phones.2"}
    assert "the Acme A2 has no keys of its own" in caught.value.fields["phones.1"]
    assert {record.layout for record in store.phones()} == {None}
    changed, refused = changes.plan_layout([M1, M3], "Sales")
    assert changed == [M1] and set(refused) == {M3}


def test_key_that_a_phone_of_the_layout_cannot_have_is_refused(changes: Changes) -> None:
    changes.assign_layout("tests", [M1], "Sales")
    with pytest.raises(InputError) as caught:
        changes.put_layout("tests", "Sales", [*SALES, LayoutKeyInput(9, "blf", "1001")])
    assert "key 9 of the phone: there are keys 1 to 8 here; free is key 1 of the phone" in caught.value.fields["keys"]


def test_model_that_the_layout_does_not_fit_is_refused(changes: Changes) -> None:
    changes.assign_layout("tests", [M1], "Sales")
    with pytest.raises(InputError) as caught:
        changes.update_phone("tests", M1, PhoneInput(model=A2))
    assert caught.value.fields["layout"].startswith("the Acme A2 cannot have the layout Sales")


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ([LayoutKeyInput(0, "blf")], "keys.0.key"),
        ([LayoutKeyInput(1, "blf", module=17)], "keys.0.module"),
        ([LayoutKeyInput(1, "blf", line=0)], "keys.0.line"),
        ([LayoutKeyInput(1, "nothing")], "keys.0.type"),
        ([LayoutKeyInput(1, "blf", "a\nb")], "keys.0.value"),
        ([LayoutKeyInput(1, "blf"), LayoutKeyInput(1, "url")], "keys.1.key"),
    ],
)
def test_wrong_key_of_a_layout_is_named(changes: Changes, keys: list[LayoutKeyInput], wrong: str) -> None:
    with pytest.raises(InputError) as caught:
        changes.put_layout("tests", "Other", keys)
    assert list(caught.value.fields) == [wrong]


def test_layout_with_phones_stays(changes: Changes, store: Store) -> None:
    changes.assign_layout("tests", [M1], "Sales")
    with pytest.raises(InputError, match="1 phones have this layout"):
        changes.delete_layout("tests", "Sales")
    changes.delete_phone("tests", M1)
    changes.delete_layout("tests", "Sales", 1)
    assert store.layout("Sales") is None
    with pytest.raises(NotFound):
        changes.assign_layout("tests", [M2], "Sales")


def test_stale_write_of_a_layout_is_refused(changes: Changes) -> None:
    changes.put_layout("tests", "Sales", SALES[:1], 1)
    for act in (lambda: changes.put_layout("tests", "Sales", SALES, 1), lambda: changes.delete_layout("tests", "Sales", 1)):
        with pytest.raises(StaleWrite):
            act()


def test_module_of_a_layout_is_written_into_the_files(changes: Changes, store: Store, installation: Installation) -> None:
    changes.put_layout("tests", "Sales", [LayoutKeyInput(7, "blf", "1002", module=2)])
    changes.assign_layout("tests", [M1], "Sales")
    files = {file.name: file.body.decode() for file in installation.renderer.phone_files(store.render_jobs([M1])[0].config)}
    assert "key.2.7 = blf 1002 Bob" in files[f"{M1}-keys.acme"]


def test_renamed_extension_renders_the_phones_of_a_layout_that_names_it(changes: Changes, store: Store) -> None:
    changes.assign_layout("tests", [M2], "Sales")
    before = store.render_jobs([M2])[0].revision
    changes.update_extension("tests", "1002", {"display_name": "Robert"})
    assert store.render_jobs([M2])[0].revision > before
    assert keys_of(store, M2)[0, 3].label == "Robert"


def test_swapped_phone_keeps_its_layout(changes: Changes) -> None:
    changes.assign_layout("tests", [M1], "Sales")
    assert changes.swap_phone("tests", M1, M3).layout == "Sales"


def test_keys_are_copied_to_many_and_other_places_stay(changes: Changes, store: Store) -> None:
    changes.update_phone("tests", M1, PhoneInput(keys=[KeyInput(2, "blf", "1002"), KeyInput(6, "url", "http://x.example")]))
    changes.update_phone("tests", M2, PhoneInput(keys=[KeyInput(2, "url", "http://old.example"), KeyInput(7, "blf", "1001")]))
    plan = changes.plan_copy(M1, [M1, M2, M2])
    assert [(row.mac, row.added, row.changed, row.mistakes) for row in plan] == [(M2, ((0, 6),), ((0, 2),), ())]
    assert [row.mac for row in changes.copy_keys("tests", M1, [M2])] == [M2]
    assert {place: key.type for place, key in keys_of(store, M2).items()} == {(0, 2): "blf", (0, 6): "url", (0, 7): "blf"}
    assert changes.copy_keys("tests", M1, [M2]) == []


def test_copy_names_what_does_not_fit_and_copies_nothing_or_the_rest(changes: Changes, store: Store) -> None:
    changes.create_phone("tests", M3, PhoneInput(model=A2))
    changes.update_phone("tests", M1, PhoneInput(keys=[KeyInput(2, "blf", "1002")]))
    with pytest.raises(InputError) as caught:
        changes.copy_keys("tests", M1, [M2, M3])
    assert caught.value.fields == {f"phones.{M3.colons}": "the Acme A2 has no keys of its own"}
    assert keys_of(store, M2) == {}
    assert [row.mac for row in changes.copy_keys("tests", M1, [M2, M3], [(0, 2)], only_fitting=True)] == [M2]
    with pytest.raises(InputError):
        changes.plan_copy(M1, [Mac("02acde0000ff")])


def test_layout_keys_survive_every_text(changes: Changes, store: Store) -> None:
    texts: list[Any] = ["ក្រុមលក់", "Bán hàng", "<b>&'\"", "a=b;c"]
    changes.put_layout("tests", "Sales", [LayoutKeyInput(at, "speed_dial", "1", text) for at, text in enumerate(texts, 1)])
    layout = store.layout("Sales")
    assert layout is not None and [row.key.label for row in layout.keys] == texts

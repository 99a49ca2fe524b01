"""Undoing changes of many things: an import and a layout given to many phones go back as a whole, and a swap is swapped back."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from pbx_sync.state import Endpoint
from provisioner.changes import KeyInput, PhoneInput
from provisioner.changes.layouts import LayoutKeyInput
from provisioner.changes.undoing import Undoing
from provisioner.errors import AlreadyExists, InputError, NeedsConfirmation, StaleWrite
from provisioner.importing import apply_plan, preview_import
from provisioner.models import pbx_removal, retired_token
from provisioner.records import ChangeRecord, PhoneRecord
from tests.engines import A1, A2, World, mac_of

CSV = """mac,model,site,extension,display_name,label1,setting:voice_vlan,setting:admin_password,layout
02:ac:de:00:00:01,acme/a1,utrecht,1001,Ann,Desk,30,new-secret-88,Sales
02:ac:de:00:00:05,acme/a1,utrecht,1005,Eve,,,,
,,,1006,Fay,,,,
"""


def newest(world: World, action: str) -> ChangeRecord:
    return world.store.changes(actions=[action], limit=1)[0]


def undo(world: World, record: ChangeRecord, *, over_later: bool = False) -> list[str]:
    undoing = Undoing(world.store, world.changes)
    return undoing.undo("ann", record, undoing.outlook(record).revision, over_later=over_later)


def secret_of(world: World, number: str) -> str:
    item = world.pbx.objects[number]
    assert isinstance(item, Endpoint)
    return item.secret


def phone(world: World, number: int) -> PhoneRecord:
    record = world.store.phone(mac_of(number))
    assert record is not None
    return record


def facts(record: PhoneRecord) -> list[object]:
    names = ("model", "site", "group", "layout", "enabled", "modules", "firmware", "settings", "secret_names", "lines", "keys")
    return [getattr(record, name) for name in names]


def test_parameter_by_hand_that_names_a_password_is_a_secret_of_many_as_it_is_of_one(world: World) -> None:
    """Were it none, the change would keep it in clear."""
    hidden = world.changes.secrecy()
    assert hidden("raw.ring.password") and hidden("admin_password")
    assert not hidden("raw.ring.tone") and not hidden("voice_vlan") and not hidden("no_such_setting")


@pytest.fixture
def imported(world: World) -> ChangeRecord:
    world.changes.create_site("t", "utrecht", {})
    world.changes.put_layout("t", "Sales", [LayoutKeyInput(2, "speed_dial", "112")])
    world.extension("1001")
    world.phone(
        1, "1001", firmware="1.2", keys=[KeyInput(3, "blf", "1005", "Bob")], settings={"voice_vlan": 5, "admin_password": "old-secret-77"}
    )
    world.drain()
    plan = preview_import(world.installation, CSV)
    assert plan.mistakes == ()
    apply_plan(world.installation, "ann", plan, all_or_nothing=True)
    world.drain()
    return newest(world, "import.commit")


def test_import_goes_back_as_a_whole(world: World, imported: ChangeRecord) -> None:
    assert undo(world, imported) == ["admin_password"]
    record = phone(world, 1)
    assert (record.model, record.site, record.layout, record.settings, record.firmware) == (A1, "default", None, {"voice_vlan": 5}, "1.2")
    assert [(line.extension, line.label) for line in record.lines] == [("1001", "")] and record.keys[0].value == "1005"
    assert world.store.phone(mac_of(5)) is None and world.store.extension("1005") is None and world.store.extension("1006") is None
    first = world.store.extension("1001")
    assert first and first.display_name == "Alice"
    with world.installation.database.read() as connection:
        assert set(connection.execute(sa.select(pbx_removal.c.number)).scalars()) == {"1005", "1006"}
        assert connection.execute(sa.select(retired_token.c.epoch).where(retired_token.c.mac == mac_of(5))).scalar() == 1
    world.drain()
    assert "line.1.label = 1001" in world.live(mac_of(1)) and world.live(mac_of(5)) == ""
    assert set(world.pbx.objects) == {"1001"}
    row = newest(world, "import.undo")
    assert row.actor == "ann"
    assert row.after == {
        "change": imported.id,
        "phones_put_back": 1,
        "phones_taken_off": 1,
        "extensions_put_back": 1,
        "extensions_deleted": 2,
    }


def test_undone_import_is_undone_in_its_turn(world: World, imported: ChangeRecord) -> None:
    before = facts(phone(world, 1)), facts(phone(world, 5))
    undo(world, imported)
    assert undo(world, newest(world, "import.undo")) == ["secret"]
    after = facts(phone(world, 1)), facts(phone(world, 5))
    assert after == before
    fresh = phone(world, 5)
    assert fresh.token_epoch == 2, "its old address never opens again"
    for number, name in (("1001", "Ann"), ("1005", "Eve"), ("1006", "Fay")):
        found = world.store.extension(number)
        assert found and found.display_name == name
    world.drain()
    assert set(world.pbx.objects) == {"1001", "1005", "1006"}


def test_what_was_changed_since_is_named_and_goes_back_only_when_confirmed(world: World, imported: ChangeRecord) -> None:
    world.changes.update_phone("bob", mac_of(1), PhoneInput(settings={"voice_vlan": 40}, merge_settings=True, firmware="9"))
    world.changes.update_phone("bob", mac_of(5), PhoneInput(keys=[KeyInput(3, "speed_dial", "112")]))
    world.changes.update_extension("bob", "1001", {"email": "ann@example.org"})  # the import said nothing of it
    told = "phone 02:ac:de:00:00:01 (voice_vlan), phone 02:ac:de:00:00:05 (keys): confirm"
    with pytest.raises(NeedsConfirmation, match=re.escape(told)):
        undo(world, imported)
    assert phone(world, 1).settings["voice_vlan"] == 40
    undo(world, imported, over_later=True)
    record, first = phone(world, 1), world.store.extension("1001")
    assert (record.settings, record.firmware) == ({"voice_vlan": 5}, "9"), "what the import did not touch stays"
    assert first and (first.display_name, first.email) == ("Alice", "ann@example.org")
    assert world.store.phone(mac_of(5)) is None
    undo(world, newest(world, "import.undo"))
    assert [key.value for key in phone(world, 5).keys] == ["112"]


def test_what_is_no_longer_there_stays_away(world: World, imported: ChangeRecord) -> None:
    world.changes.delete_phone("bob", mac_of(1))
    with pytest.raises(NeedsConfirmation, match="no longer there"):
        undo(world, imported)
    undo(world, imported, over_later=True)
    assert world.store.phone(mac_of(1)) is None and world.store.phone(mac_of(5)) is None


def test_import_stays_whole_where_one_thing_cannot_go_back(world: World, imported: ChangeRecord) -> None:
    world.phone(7, "1005")
    with pytest.raises(InputError, match="extension 1005 is on a line of 02:ac:de:00:00:07"):
        undo(world, imported)
    assert phone(world, 1).site == "utrecht" and world.store.extension("1006")
    world.changes.delete_phone("t", mac_of(7))
    world.changes.create_user("t", "fay", {"role": "user", "password": "correct horse battery", "extensions": ["1006"]})
    with pytest.raises(InputError, match="extension 1006 is the own one of a user"):
        undo(world, imported)
    assert world.store.phone(mac_of(5))


def test_what_it_had_has_to_be_there(world: World, imported: ChangeRecord) -> None:
    undo(world, imported)
    world.changes.delete_layout("t", "Sales")
    with pytest.raises(InputError, match="02:ac:de:00:00:01: there is no layout Sales"):
        undo(world, newest(world, "import.undo"))
    world.phone(5)
    with pytest.raises(InputError, match="phone 02:ac:de:00:00:05 is listed already"):
        undo(world, newest(world, "import.undo"), over_later=True)


def test_what_it_has_by_now_has_to_fit_the_model_that_it_had(world: World) -> None:
    world.phone(2, model=A2)
    apply_plan(world.installation, "ann", preview_import(world.installation, "mac,model\n02:ac:de:00:00:02,acme/a1\n"), all_or_nothing=True)
    world.changes.update_phone("t", mac_of(2), PhoneInput(keys=[KeyInput(2, "speed_dial", "112")]))
    with pytest.raises(InputError, match="02:ac:de:00:00:02: the Acme A2 has no keys of its own"):
        undo(world, newest(world, "import.commit"))
    world.changes.update_phone("t", mac_of(2), PhoneInput(keys=[]))
    undo(world, newest(world, "import.commit"))
    assert phone(world, 2).model == A2


def test_what_was_seen_before_it_was_confirmed_is_what_is_undone(world: World, imported: ChangeRecord) -> None:
    undoing = Undoing(world.store, world.changes)
    seen = undoing.outlook(imported).revision
    world.changes.update_phone("bob", mac_of(5), PhoneInput(firmware="2"))
    with pytest.raises(StaleWrite):
        undoing.undo("ann", imported, seen, over_later=True)


def test_layout_goes_back_to_the_one_that_each_phone_had(world: World) -> None:
    for name in ("Sales", "Lab"):
        world.changes.put_layout("t", name, [LayoutKeyInput(2, "speed_dial", "112")])
    macs = [world.phone(number) for number in (1, 2, 3)]
    world.changes.assign_layout("t", macs[:1], "Lab")
    world.changes.assign_layout("ann", macs, "Sales")
    given = newest(world, "layout.assign")
    world.changes.update_phone("t", macs[0], PhoneInput(firmware="3"))  # of another field: it does not stand in the way
    undo(world, given)
    assert [phone(world, number).layout for number in (1, 2, 3)] == ["Lab", None, None] and phone(world, 1).firmware == "3"
    back = newest(world, "layout.undo")
    assert (back.subject, back.phones) == ("Sales", 3)
    world.changes.assign_layout("bob", macs[1:2], "Lab")
    with pytest.raises(NeedsConfirmation, match=re.escape("phone 02:ac:de:00:00:02 (layout)")):
        undo(world, back)
    undo(world, back, over_later=True)
    assert [phone(world, number).layout for number in (1, 2, 3)] == ["Sales"] * 3


def test_change_of_many_counts_as_a_later_one_of_each_and_stands_in_its_list(world: World, imported: ChangeRecord) -> None:
    earlier = next(row for row in world.store.changes(subject=mac_of(1)) if row.action == "phone.create")
    with pytest.raises(NeedsConfirmation, match="was changed 1 times since, last by ann"):
        undo(world, earlier)
    row = world.store.changes(subject=mac_of(1), limit=1)[0]
    assert (row.id, row.subject, row.before["site"], row.after["site"]) == (imported.id, mac_of(1), "default", "utrecht")
    assert row.after["secret_settings"] == ["admin_password"] and "secret-88" not in str(row)
    of_extension = world.store.changes(subject="1001", limit=1)[0]
    assert (of_extension.id, of_extension.after) == (imported.id, {"display_name": "Ann"})
    assert [part.subject for part in world.store.change_parts(imported.id, after=("extension", "1005"), limit=2)] == ["1006", mac_of(1)]


def test_swap_is_swapped_back_with_the_safety_of_a_swap(world: World) -> None:
    for number in ("1001", "1002"):
        world.extension(number)
    world.phone(
        1,
        "1001",
        "1002",
        firmware="1.2",
        keys=[KeyInput(3, "blf", "1002", "Bob")],
        settings={"voice_vlan": 5, "admin_password": "old-secret-77"},
    )
    world.drain()
    before = phone(world, 1)
    token = world.store.phone_access(before)
    world.changes.swap_phone("bob", mac_of(1), mac_of(9))
    swap = newest(world, "phone.swap")
    world.drain()
    known = {number: secret_of(world, number) for number in ("1001", "1002")}
    world.clock.now += 5
    assert undo(world, swap) == []
    after = phone(world, 1)
    assert facts(after) == facts(before)
    assert world.store.phone(mac_of(9)) is None
    assert after.opened_at == world.clock.now and after.token_epoch == 2 and world.store.phone_access(after).url != token.url
    world.drain()
    assert "admin.password = old-secret-77" in world.live(mac_of(1)) and world.live(mac_of(9)) == ""
    for number in ("1001", "1002"):
        item = world.pbx.objects[number]
        assert isinstance(item, Endpoint)
        assert item.secret not in {known[number], f"secret-of-{number}"} and item.former_secrets == ()
    assert world.store.changes(subject=mac_of(1), limit=1)[0].action == "phone.swap"


def test_swap_is_not_undone_over_what_was_done_since_unasked(world: World) -> None:
    world.phone(1)
    world.changes.swap_phone("bob", mac_of(1), mac_of(9))
    swap = newest(world, "phone.swap")
    world.changes.update_phone("bob", mac_of(9), PhoneInput(firmware="7"))
    with pytest.raises(NeedsConfirmation, match="02acde000009 was changed 1 times since"):
        undo(world, swap)
    world.phone(1)
    with pytest.raises(AlreadyExists):
        undo(world, swap, over_later=True)
    world.changes.delete_phone("t", mac_of(1))
    world.changes.delete_phone("t", mac_of(9))
    with pytest.raises(InputError, match="is off the list: list 02:ac:de:00:00:01 anew instead"):
        undo(world, swap, over_later=True)


def test_change_of_an_older_version_is_not_undone(world: World) -> None:
    with world.changes.unit("t") as unit:
        unit.log("import.commit", "1 extensions, 1 phones", None, {"phones_created": 1})
    with pytest.raises(InputError, match="older version"):
        undo(world, newest(world, "import.commit"))

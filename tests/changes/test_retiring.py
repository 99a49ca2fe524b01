"""Taking a phone out of service: one change that takes everything, files that empty it, and the way back."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from pbx_sync.state import Contact, Endpoint
from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.changes.layouts import LayoutKeyInput
from provisioner.changes.undoing import Undoing
from provisioner.core.lockstep import Stage, stage
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NotFound, StaleWrite
from provisioner.importing import apply_plan, preview_import
from provisioner.models import served_file, upload
from provisioner.records import PhoneFilter
from provisioner.worker.waking import IN_A_CALL, NOT_REGISTERED
from tests.engines import World, mac_of

ONE, TWO = mac_of(1), mac_of(2)
OUT = "this phone is taken out of service: take it back into service first"


def listed(world: World) -> None:
    world.changes.create_site("t", "utrecht", {"settings": {"sip_server": "pbx.office.test", "voice_vlan": 7}})
    world.changes.put_layout("t", "sales", [LayoutKeyInput(4, "blf", "1002", "Team")])
    for number in ("1001", "1002"):
        world.extension(number)
    world.phone(
        1, "1001", "1002", site="utrecht", layout="sales", firmware="1.2", modules=1,
        keys=[KeyInput(3, "blf", "1002", "Bob"), KeyInput(1, "blf", "1001", module=1)], settings={"timezone": "Asia/Tokyo", "admin_password": "phone-secret-9"},
    )  # fmt: skip
    world.drain()


def stage_of(world: World, mac: Mac = ONE) -> Stage:
    facts = world.store.lockstep(mac, has_pbx=True)
    assert facts
    return stage(facts)


def fetched(world: World, mac: Mac = ONE) -> None:
    """The phone takes all of its live files, now."""
    with world.installation.database.write() as connection:
        connection.execute(served_file.delete().where(served_file.c.mac == mac))
        for file in world.store.live_files([mac]):
            row = {"mac": mac, "name": file.name, "sha256": file.sha256, "at": world.clock.now, "since": world.clock.now}
            connection.execute(served_file.insert().values(**row))


def uploaded(world: World) -> None:
    with world.installation.database.write() as connection:
        row = {"mac": ONE, "name": "book.xml", "kind": "contacts_upload", "content_type": "text/xml", "received_at": 1.0}
        connection.execute(upload.insert().values(**row, size=1, sha256="0" * 64, body=b"x"))


def test_everything_is_taken_in_one_change(world: World) -> None:
    listed(world)
    uploaded(world)
    before = world.store.phone(ONE)
    after = world.changes.retire_phone("ann", ONE)
    assert before and (after.lines, after.keys, after.layout, dict(after.settings), after.secret_names) == ((), (), None, {}, ())
    assert (after.site, after.model, after.modules, after.firmware) == (before.site, before.model, 1, "1.2"), "its files follow from these"
    assert after.retired_at == world.clock.now and after.token_epoch == before.token_epoch
    assert world.store.uploads_of(ONE) == []
    rows = world.store.changes(limit=3)
    assert [(row.actor, row.action, row.subject) for row in rows] == [
        ("ann", "phone.retire", ONE), ("ann", "extension.update", "1002"), ("ann", "extension.update", "1001"),
    ]  # fmt: skip
    assert rows[0].before["lines"] == [[1, "1001", ""], [2, "1002", ""]] and rows[0].after["lines"] == []
    assert "phone-secret-9" not in str([(row.before, row.after) for row in rows])


def test_its_last_file_holds_nothing_of_before(world: World) -> None:
    listed(world)
    was = world.live(ONE)
    words = ("1001", "secret-of", "phone-secret-9", "Bob", "Team", "pbx.office.test", "Asia/Tokyo")
    assert [word for word in words if word in was] == list(words)
    world.changes.retire_phone("t", ONE)
    world.drain()
    assert [word for word in words if word in world.live(ONE)] == []
    access = world.store.phone_access(world.store.phone(ONE))
    assert f"url = {access.url}" in world.live(ONE) and "admin.password = \n" in world.live(ONE)
    assert "key.1.1 = none  \n" in world.live(ONE), "keys of a module are emptied too"


def test_what_it_knew_is_dead_and_extensions_stay(world: World) -> None:
    listed(world)
    world.phone(2, "1001")
    world.drain()
    world.changes.retire_phone("t", ONE)
    world.drain()
    shared, own = world.pbx.objects["1001"], world.pbx.objects["1002"]
    assert isinstance(shared, Endpoint) and isinstance(own, Endpoint)
    assert shared.former_secrets == ("secret-of-1001",), "the other phone must not be cut off before it has moved"
    assert own.former_secrets == () and own.secret != "secret-of-1002"
    assert shared.secret in world.live(TWO)


def test_what_brings_it_here_stays(world: World) -> None:
    world.phone(1, settings={"voice_vlan": 30, "verify_server_certificate": True, "ldap_server": "ldap.office.test"})
    assert dict(world.changes.retire_phone("t", ONE).settings) == {"voice_vlan": 30, "verify_server_certificate": True}


def test_what_was_added_by_hand_is_remembered_by_its_name_alone(world: World) -> None:
    world.phone(1, world.extension(), settings={"raw.ntp": "time.office.test", "raw.ring.password": "phone-secret-9"})
    assert dict(world.changes.retire_phone("t", ONE).settings) == {"raw.ntp": "", "raw.ring.password": ""}
    assert dict(world.changes.reinstate_phone("t", ONE).settings) == {"raw.ntp": "time.office.test"}


def test_it_is_retiring_until_it_fetched_and_retired_after(world: World) -> None:
    listed(world)
    fetched(world)
    world.changes.retire_phone("t", ONE)
    assert stage_of(world) is Stage.RETIRING
    world.drain()
    assert stage_of(world) is Stage.RETIRING, "what it has is what it was served before"
    fetched(world)
    assert stage_of(world) is Stage.RETIRED
    assert [row.mac for row in world.store.phones(limit=9, wanted=PhoneFilter(stage="retired"))] == [ONE]
    world.drain()
    assert world.store.phone(ONE), "it stays until somebody takes it off"
    world.changes.delete_phone("t", ONE)
    assert world.store.phone(ONE) is None


def test_it_is_told_where_it_was_registered(world: World) -> None:
    listed(world)
    world.pbx.registrations = [Contact("1001", "sip:desk", f"Acme A1 1.0 {ONE}", world.clock.now, "192.0.2.1")]
    world.later(1.0)
    assert world.store.registrations([ONE])
    fetched(world)
    world.pbx.notified.clear()
    world.pbx.notified_uris.clear()
    world.changes.retire_phone("t", ONE)
    world.later(1.0)
    assert world.pbx.notified == [("1001", "check-sync;reboot=false")] and world.pbx.notified_uris == ["sip:desk"]
    assert world.store.wakes([ONE])[ONE].error == ""
    world.changes.request_resync("t", ONE, reboot=False)
    world.later(1.0)
    assert len(world.pbx.notified) == 2, "by hand too"
    fetched(world)
    world.pbx.registrations = []
    world.later(40.0)
    assert len(world.pbx.notified) == 2 and stage_of(world) is Stage.RETIRED


def test_it_is_left_alone_until_its_call_ends(world: World) -> None:
    listed(world)
    world.pbx.registrations = [Contact("1001", "sip:desk", f"Acme A1 1.0 {ONE}", world.clock.now, "192.0.2.1")]
    world.later(1.0)
    fetched(world)
    world.pbx.notified.clear()
    world.pbx.in_call = frozenset({"1001"})
    world.changes.retire_phone("t", ONE)
    world.changes.request_resync("t", ONE, reboot=True)
    world.later(1.0)
    assert world.pbx.notified == [] and world.store.wakes([ONE])[ONE].error == IN_A_CALL
    world.pbx.in_call = frozenset()
    world.later(60.0)
    assert sorted(world.pbx.notified) == [("1001", "check-sync;reboot=false"), ("1001", "check-sync;reboot=true")]


def test_one_that_is_not_registered_waits_for_its_restart(world: World) -> None:
    listed(world)
    world.changes.retire_phone("t", ONE)
    world.later(1.0)
    assert world.store.wakes([ONE])[ONE].error == NOT_REGISTERED and stage_of(world) is Stage.RETIRING


def test_one_that_is_switched_off_is_served_its_emptying(world: World) -> None:
    listed(world)
    world.changes.update_phone("t", ONE, PhoneInput(enabled=False))
    assert world.changes.retire_phone("t", ONE).enabled
    assert not world.changes.reinstate_phone("t", ONE).enabled, "and is switched off again when it is taken back"


def test_phone_that_is_out_of_service_is_no_trouble(world: World) -> None:
    listed(world)
    with world.installation.database.write() as connection:
        connection.execute(sa.text("UPDATE phone SET first_success_at = 1.0"))
    assert [mac for mac, _ in world.store.phones_behind(has_pbx=True, limit=9)] == [ONE]
    world.changes.retire_phone("t", ONE)
    assert world.store.phones_behind(has_pbx=True, limit=9) == []


def test_it_is_taken_back_as_it_was(world: World) -> None:
    listed(world)
    before, was = world.store.phone(ONE), world.live(ONE)
    world.changes.retire_phone("t", ONE)
    world.drain()
    fetched(world)
    after = world.changes.reinstate_phone("t", ONE)
    assert before
    for name in ("model", "site", "group", "layout", "enabled", "modules", "firmware", "settings", "lines", "keys", "token_epoch"):
        assert getattr(after, name) == getattr(before, name), name
    assert (after.retired_at, after.secret_names) == (None, ()), "no change keeps a secret"
    world.drain()
    lines = [line for line in world.live(ONE).splitlines() if "secret" not in line and "password" not in line]
    assert lines == [line for line in was.splitlines() if "secret" not in line and "password" not in line]
    assert "secret-of-1001" not in world.live(ONE), "the password that it had is dead"
    assert stage_of(world) not in (Stage.RETIRED, Stage.RETIRING)


def test_undo_takes_it_back_and_undoing_that_retires_it_again(world: World) -> None:
    listed(world)
    undoing = Undoing(world.store, world.changes)
    world.changes.retire_phone("t", ONE)
    [row] = world.store.changes(subject=ONE, actions=["phone.retire"], limit=1)
    assert undoing.lost(row) == ["admin_password"]
    undoing.undo("ann", row, undoing.outlook(row).revision)
    record = world.store.phone(ONE)
    assert record and record.retired_at is None and len(record.lines) == 2
    [row] = world.store.changes(subject=ONE, actions=["phone.reinstate"], limit=1)
    undoing.undo("ann", row, undoing.outlook(row).revision)
    record = world.store.phone(ONE)
    assert record and record.retired_at is not None and record.lines == ()


def test_undoing_an_older_change_of_it_goes_over_the_retirement(world: World) -> None:
    listed(world)
    world.changes.update_phone("t", ONE, PhoneInput(lines=[LineInput(1, "1002")]))
    [row] = world.store.changes(subject=ONE, actions=["phone.update"], limit=1)
    world.changes.retire_phone("t", ONE)
    Undoing(world.store, world.changes).undo("t", row, None, over_later=True)
    record = world.store.phone(ONE)
    assert record and record.retired_at is None and [line.extension for line in record.lines] == ["1001", "1002"]


def test_taking_back_names_what_is_gone_and_does_nothing_then(world: World) -> None:
    listed(world)
    world.changes.retire_phone("t", ONE)
    world.changes.delete_extension("t", "1002")
    with pytest.raises(InputError) as caught:
        world.changes.reinstate_phone("t", ONE)
    assert caught.value.fields == {"lines.1.extension": "there is no extension 1002"}
    record = world.store.phone(ONE)
    assert record and record.retired_at is not None


def test_one_whose_changes_are_gone_comes_back_without_lines(world: World) -> None:
    listed(world)
    world.changes.retire_phone("t", ONE)
    with world.installation.database.write() as connection:
        connection.execute(sa.text("DELETE FROM change"))
    assert world.changes.reinstate_phone("t", ONE).lines == ()


@pytest.mark.parametrize(
    "write",
    [
        lambda changes: changes.update_phone("t", ONE, PhoneInput(lines=[LineInput(1, "1001")])),
        lambda changes: changes.update_phone("t", ONE, PhoneInput(settings={"voice_vlan": 5})),
        lambda changes: changes.update_phones("t", [ONE], enabled=False),
        lambda changes: changes.assign_layout("t", [ONE], "sales"),
        lambda changes: changes.swap_phone("t", ONE, mac_of(9)),
        lambda changes: changes.take_seat("t", ONE, "1001"),
    ],
    ids=["lines", "settings", "switching many off", "layout", "swap", "hot desk"],
)
def test_nothing_is_given_to_a_phone_out_of_service(world: World, write) -> None:
    listed(world)
    world.changes.retire_phone("t", ONE)
    with pytest.raises(InputError) as caught:
        write(world.changes)
    assert caught.value.fields == {"mac": OUT}


def test_of_many_those_out_of_service_are_named(world: World) -> None:
    listed(world)
    world.phone(2)
    world.changes.retire_phone("t", ONE)
    with pytest.raises(InputError) as caught:
        world.changes.assign_layout("t", [ONE, TWO], "sales")
    assert caught.value.fields == {f"phones.{ONE.colons}": OUT}
    record = world.store.phone(TWO)
    assert record and record.layout is None


def test_copies_of_keys_pass_it_over(world: World) -> None:
    listed(world)
    world.phone(2, keys=[KeyInput(2, "blf", "1001")])
    world.phone(3)
    world.changes.retire_phone("t", ONE)
    assert [(plan.mac, plan.mistakes) for plan in world.changes.plan_copy(TWO, [ONE, mac_of(3)])] == [(ONE, (OUT,)), (mac_of(3), ())]
    with pytest.raises(InputError) as caught:
        world.changes.copy_keys("t", TWO, [ONE, mac_of(3)])
    assert caught.value.fields == {f"phones.{ONE.colons}": OUT}
    assert [plan.mac for plan in world.changes.copy_keys("t", TWO, [ONE, mac_of(3)], only_fitting=True)] == [mac_of(3)]


def test_one_that_was_taken_off_the_list_comes_back_out_of_service(world: World) -> None:
    """Else it would be given a file of its site, with passwords, by its first fetch."""
    listed(world)
    world.changes.update_phone("t", ONE, PhoneInput(settings={"raw.ntp": "time.office.test"}))
    undoing = Undoing(world.store, world.changes)
    world.changes.retire_phone("t", ONE)
    world.changes.delete_phone("t", ONE)
    [row] = world.store.changes(subject=ONE, actions=["phone.delete"], limit=1)
    undoing.undo("ann", row, undoing.outlook(row).revision)
    record = world.store.phone(ONE)
    assert record and record.retired_at == world.clock.now and dict(record.settings) == {"raw.ntp": ""}
    world.drain()
    assert "pbx.office.test" not in world.live(ONE) and stage_of(world) is Stage.RETIRING
    after = world.changes.reinstate_phone("t", ONE)
    assert [line.extension for line in after.lines] == ["1001", "1002"] and after.settings["raw.ntp"] == "time.office.test"
    world.changes.delete_phone("t", ONE)
    [row] = world.store.changes(subject=ONE, actions=["phone.delete"], limit=1)
    undoing.undo("ann", row, None)
    record = world.store.phone(ONE)
    assert record and record.retired_at is None and len(record.lines) == 2


def test_one_that_went_with_an_import_comes_back_out_of_service(world: World) -> None:
    plan = preview_import(world.installation, "mac,model,extension\n02acde000001,acme/a1,1001\n")
    apply_plan(world.installation, "ann", plan, all_or_nothing=True)
    undoing = Undoing(world.store, world.changes)
    world.changes.retire_phone("t", ONE)
    for action in ("import.commit", "import.undo"):
        [row] = world.store.changes(actions=[action], limit=1)
        undoing.undo("t", row, undoing.outlook(row).revision, over_later=True)
        record = world.store.phone(ONE)
    assert record and record.retired_at is not None and record.lines == ()


def test_wrong_moments_are_refused(world: World) -> None:
    listed(world)
    with pytest.raises(NotFound):
        world.changes.retire_phone("t", mac_of(7))
    with pytest.raises(InputError, match="is in service"):
        world.changes.reinstate_phone("t", ONE)
    with pytest.raises(StaleWrite):
        world.changes.retire_phone("t", ONE, expected=99)
    world.changes.retire_phone("t", ONE)
    with pytest.raises(InputError, match="is taken out of service already"):
        world.changes.retire_phone("t", ONE)
    with pytest.raises(StaleWrite):
        world.changes.reinstate_phone("t", ONE, expected=99)


def test_nobody_is_sent_away_from_a_hot_desk(world: World) -> None:
    listed(world)
    world.changes.update_phone("t", ONE, PhoneInput(settings={"hot_desk": True}))
    world.extension("1003")
    world.changes.take_seat("t", ONE, "1003")
    with pytest.raises(InputError, match="somebody sits at this phone"):
        world.changes.retire_phone("t", ONE)

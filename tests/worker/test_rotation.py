"""A new secret: both are taken until every phone has moved, or the last one is put back. No phone is ever locked out."""

from __future__ import annotations

import pytest

from pbx_sync.state import Endpoint
from provisioner.changes import PhoneInput
from provisioner.changes.rotation import MOST_FORMER
from provisioner.core.mac import Mac
from provisioner.errors import InputError
from provisioner.worker.pushing import RETRY_S
from tests.engines import World
from tests.worker.simulated import SimulatedPhone

OLD = "secret-of-1001"
DAY_S = 86_400.0


def accepted(world: World, number: str = "1001") -> tuple[str, ...]:
    item = world.pbx.objects[number]
    assert isinstance(item, Endpoint)
    return (item.secret, *item.former_secrets)


def rotation(world: World, number: str = "1001") -> str:
    record = world.store.extension(number)
    assert record
    return record.rotation


def waiting(world: World, number: str = "1001") -> list[Mac]:
    return world.store.rotation_waiting([number])[number]


def booted(world: World, number: int, *extensions: str) -> SimulatedPhone:
    phone = SimulatedPhone(world, world.phone(number, *extensions))
    world.drain()
    phone.boot()
    world.later(1)
    return phone


def rotate(world: World, secret: str, **more: bool) -> None:
    world.changes.update_extension("t", "1001", {"secret": secret}, **more)
    world.drain()


def test_both_secrets_are_taken_until_the_phone_has_moved(world: World) -> None:
    phone = booted(world, 1, world.extension())
    rotate(world, "the-next-one")
    assert accepted(world) == ("the-next-one", OLD) and rotation(world) == "moving"
    assert waiting(world) == [phone.mac] and phone.is_accepted("1001")
    world.later(1)
    phone.fetch()
    world.later(5)
    assert accepted(world) == ("the-next-one", OLD), "it may not have understood what it took"
    phone.register()
    world.later(1)
    assert accepted(world) == ("the-next-one",) and rotation(world) == "none"
    (change,) = world.store.changes(limit=1)
    assert (change.actor, change.action, change.subject) == ("rotation", "extension.rotated", "1001")
    assert world.worker.counters["rotations_done_total"] == 1
    assert world.drain() == 0


def test_registration_of_before_the_fetch_proves_nothing(world: World) -> None:
    phone = booted(world, 1, world.extension())
    rotate(world, "the-next-one")
    world.later(10)
    phone.register()
    world.later(10)
    phone.fetch()
    world.later(10)
    assert rotation(world) == "moving"


def test_every_phone_of_the_extension_is_waited_for(world: World) -> None:
    first, second = booted(world, 1, world.extension()), booted(world, 2, "1001")
    rotate(world, "the-next-one")
    world.later(1)
    first.boot()
    world.later(1)
    assert waiting(world) == [second.mac] and OLD in accepted(world)
    second.boot()
    world.later(1)
    assert accepted(world) == ("the-next-one",)


def test_each_line_of_a_phone_proves_its_own_extension(world: World) -> None:
    phone = booted(world, 1, world.extension("1001"), world.extension("1002"))
    rotate(world, "the-next-one")
    world.later(1)
    phone.fetch()
    del phone.secrets["1001"]
    phone.register()
    world.later(1)
    assert rotation(world) == "moving", "only its other line registered"


def test_after_the_time_the_last_secret_is_put_back_and_the_failed_one_stays_accepted(world: World) -> None:
    phone, off = booted(world, 1, world.extension()), booted(world, 2, "1001")
    rotate(world, "the-next-one")
    world.later(1)
    phone.boot()
    off.leave()
    world.later(DAY_S - 2)
    assert rotation(world) == "moving"
    world.later(2)
    assert rotation(world) == "rolled_back" and accepted(world) == (OLD, "the-next-one")
    assert phone.is_accepted("1001") and off.is_accepted("1001")
    assert OLD in world.live(phone.mac)
    change = next(item for item in world.store.changes() if item.action == "extension.rolled_back")
    assert (change.actor, change.subject, change.phones) == ("rotation", "1001", 2)
    world.later(10 * DAY_S)
    assert rotation(world) == "rolled_back" and phone.is_accepted("1001"), "however long it takes"
    phone.boot()
    world.later(1)
    assert waiting(world) == [], "the other never took anything but what it should have again"
    assert accepted(world) == (OLD,) and rotation(world) == "none"


def test_second_rotation_during_the_first_keeps_every_secret_that_a_phone_may_have(world: World) -> None:
    phone, slow = booted(world, 1, world.extension()), booted(world, 2, "1001")
    rotate(world, "second-secret")
    world.later(1)
    phone.boot()
    rotate(world, "third-secret-x")
    assert accepted(world) == ("third-secret-x", "second-secret", OLD)
    assert phone.is_accepted("1001") and slow.is_accepted("1001")
    world.later(1)
    for one in (phone, slow):
        one.boot()
    world.later(1)
    assert accepted(world) == ("third-secret-x",)


def test_one_rotation_too_many_is_refused_and_locks_nobody_out(world: World) -> None:
    phone = booted(world, 1, world.extension())
    for number in range(MOST_FORMER):
        rotate(world, f"secret-number-{number}")
    with pytest.raises(InputError, match="3 earlier secrets of 1001 are still accepted"):
        rotate(world, "one-too-many")
    assert phone.is_accepted("1001")
    rotate(world, "secret-number-1")
    assert accepted(world) == ("secret-number-1", "secret-number-2", "secret-number-0", OLD), "one that is taken already is none more"
    rotate(world, "now-for-good", revoke_former=True)
    assert accepted(world) == ("now-for-good",) and not phone.is_accepted("1001")


def test_secret_that_is_put_back_by_hand_needs_no_phone_to_move(world: World) -> None:
    booted(world, 1, world.extension())
    rotate(world, "a-slip-of-mine")
    rotate(world, OLD)
    world.later(1)
    assert accepted(world) == (OLD,) and rotation(world) == "none"


def test_former_secrets_are_revoked_without_a_new_one(world: World) -> None:
    booted(world, 1, world.extension())
    rotate(world, "the-next-one")
    world.changes.update_extension("t", "1001", {}, revoke_former=True)
    world.drain()
    assert accepted(world) == ("the-next-one",) and rotation(world) == "none"


def test_same_secret_again_changes_nothing(world: World) -> None:
    booted(world, 1, world.extension())
    before = world.store.extension("1001")
    rotate(world, OLD)
    assert world.store.extension("1001") == before


def test_extension_on_no_phone_in_use_keeps_no_former_secret(world: World) -> None:
    world.extension()
    rotate(world, "second-secret")
    assert accepted(world) == ("second-secret",)
    phone = booted(world, 1, "1001")
    world.changes.update_phone("t", phone.mac, PhoneInput(enabled=False))
    rotate(world, "third-secret-x")
    assert accepted(world) == ("third-secret-x",) and rotation(world) == "none"


@pytest.mark.parametrize("how", ["taken off", "disabled", "line taken"])
def test_phone_that_goes_meanwhile_is_not_waited_for(world: World, how: str) -> None:
    gone, phone = booted(world, 1, world.extension()), booted(world, 2, "1001")
    rotate(world, "the-next-one")
    world.later(1)
    phone.boot()
    world.later(1)
    assert rotation(world) == "moving"
    if how == "taken off":
        world.changes.delete_phone("t", gone.mac)
    else:
        given = PhoneInput(enabled=False) if how == "disabled" else PhoneInput(lines=[])
        world.changes.update_phone("t", gone.mac, given)
    world.later(1)
    assert rotation(world) == "none" and accepted(world) == ("the-next-one",)


def test_pbx_that_is_away_ends_nothing_too_early(world: World) -> None:
    phone = booted(world, 1, world.extension())
    world.pbx.is_down = True
    rotate(world, "the-next-one")
    world.later(1)
    phone.fetch()
    assert phone.secrets["1001"] == OLD, "the PBX comes first"
    world.pbx.is_down = False
    world.later(RETRY_S)
    assert accepted(world) == ("the-next-one", OLD)
    world.later(1)
    phone.boot()
    world.later(1)
    assert accepted(world) == ("the-next-one",)


def test_rename_during_a_rotation_keeps_the_former_secret(world: World) -> None:
    booted(world, 1, world.extension())
    rotate(world, "the-next-one")
    world.changes.update_extension("t", "1001", {"display_name": "Bob"})
    world.drain()
    assert accepted(world) == ("the-next-one", OLD)


def test_edit_between_judging_and_ending_is_not_ended(world: World) -> None:
    """The rotation that was judged is over; the one that began meanwhile is not."""
    phone = booted(world, 1, world.extension())
    rotate(world, "the-next-one")
    world.later(1)
    phone.boot()
    rotating = world.worker.lockstep.rotating
    finish = rotating._writes.finish_rotation

    def rotates_meanwhile(moved):
        rotating._writes.finish_rotation = finish
        world.changes.update_extension("t", "1001", {"secret": "in-between-one"})
        return finish(moved)

    rotating._writes.finish_rotation = rotates_meanwhile
    world.later(1)
    assert rotation(world) == "moving" and accepted(world) == ("in-between-one", "the-next-one", OLD)


def test_without_a_pbx_nothing_is_kept_that_nobody_could_prove(world: World) -> None:
    world.changes.keeps_former = False
    world.phone(1, world.extension())
    world.changes.update_extension("t", "1001", {"secret": "the-next-one"})
    assert rotation(world) == "none"


def test_secrets_at_rest_are_sealed_and_in_no_change(world: World) -> None:
    booted(world, 1, world.extension())
    rotate(world, "the-next-one")
    with world.installation.database.read() as connection:
        row = connection.exec_driver_sql("SELECT former_secrets FROM extension").scalar()
    assert row and OLD.encode() not in bytes(row)
    assert "the-next-one" not in str([(item.before, item.after) for item in world.store.changes()])


def test_many_rotations_are_looked_at_in_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.worker.rotating.BATCH", 2)
    phones = [booted(world, number, world.extension(str(1000 + number))) for number in range(5)]
    for number in range(5):
        world.changes.rotate_secret("t", str(1000 + number))
    world.drain()
    world.later(1)
    for phone in phones:
        phone.boot()
    for _ in range(4):
        world.later(1)
    assert [rotation(world, str(1000 + number)) for number in range(5)] == ["none"] * 5

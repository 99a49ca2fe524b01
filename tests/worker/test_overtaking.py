"""What is edited by itself does not wait for thousands that are rendered or pushed anew."""

from __future__ import annotations

from provisioner.changes import PhoneInput
from provisioner.models import change
from provisioner.worker.pushing import BATCH as PUSHED
from provisioner.worker.rendering import BATCH
from tests.engines import World, mac_of, settled_mistakes


def test_one_edit_overtakes_a_change_of_the_whole_site(world: World) -> None:
    macs = [world.phone(number) for number in range(1, BATCH + 10)]
    world.drain()
    world.changes.update_site("t", "default", {"settings": {"voice_vlan": 9}})
    world.worker.rendering.step()
    edited = macs[-1]
    assert edited in world.store.macs_to_render(BATCH), "the rest of the site, it among them"
    world.changes.update_site("t", "default", {"settings": {"voice_vlan": 10}})
    world.changes.update_phone("t", edited, PhoneInput(settings={"timezone": "Asia/Tokyo"}))
    assert world.store.macs_to_render(BATCH) == [edited]
    world.worker.step()
    assert "Asia/Tokyo" in world.live(edited)
    assert mac_of(1) in world.store.macs_to_render(BATCH), "the others are still waiting, in their order"
    world.drain()
    assert settled_mistakes(world.store, world.installation.renderer, world.pbx.objects) == []


def test_one_extension_overtakes_a_thousand_that_are_pushed(world: World) -> None:
    for number in range(PUSHED + 20):
        world.extension(f"{2000 + number}")
    world.changes.update_site("t", "default", {"settings": {"voice_vlan": 9}})
    edited = f"{2000 + PUSHED + 19}"
    with world.installation.database.write() as connection:  # more phones than any one edit has
        connection.execute(change.update().where(change.c.action == "site.update").values(phones=PUSHED + 20))
    world.changes.update_extension("t", edited, {"display_name": "In a hurry"})
    assert [record.number for record, _ in world.store.extensions_to_push(PUSHED)] == [edited]
    assert world.worker.lockstep
    world.worker.lockstep.push()
    assert world.pbx.objects.keys() == {edited}
    world.drain()
    assert len(world.pbx.objects) == PUSHED + 20


def test_extension_that_the_pbx_refused_does_not_hold_up_the_others(world: World) -> None:
    for number in range(PUSHED + 20):
        world.extension(f"{2000 + number}")
    world.pbx.refuses = {"2000": "no room"}
    world.changes.update_extension("t", "2000", {"display_name": "Refused"})
    world.drain()
    assert len(world.pbx.objects) == PUSHED + 19

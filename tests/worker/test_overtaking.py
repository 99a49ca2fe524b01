"""A phone that is edited by itself does not wait for a site whose thousands are rendered anew."""

from __future__ import annotations

from provisioner.changes import PhoneInput
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

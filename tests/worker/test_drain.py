"""From an edit to what phone and PBX have: each step, in its order, on both engines."""

from __future__ import annotations

import dataclasses

import pytest
import sqlalchemy as sa

from pbx_sync.plan import Plan
from pbx_sync.state import Endpoint
from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.models import index_log, pbx_removal, phone
from provisioner.worker.pushing import CHECK_EVERY_S, RETRY_S
from provisioner.worker.waking import NOT_REGISTERED
from tests.engines import World, mac_of, settled_mistakes


def settled(world: World) -> list[str]:
    return settled_mistakes(world.store, world.installation.renderer, world.pbx.objects)


def logged(world: World) -> list[str | None]:
    with world.installation.database.read() as connection:
        return list(connection.execute(sa.select(index_log.c.mac).order_by(index_log.c.id)).scalars())


def stage_facts(world: World, mac: Mac):
    facts = world.store.lockstep(mac, has_pbx=True)
    assert facts
    return facts


def test_new_phone_reaches_the_pbx_and_then_its_files(world: World) -> None:
    mac = world.phone(1, world.extension())
    before = len(logged(world))
    world.worker.rendering.step()
    assert world.worker.promoting.step() == 0, "the PBX does not know the password yet"
    world.drain()
    assert "line.1.secret = secret-of-1001" in world.live(mac)
    assert settled(world) == []
    assert logged(world)[before:] == [mac]
    facts = stage_facts(world, mac)
    assert facts.wanted == facts.live and facts.pbx_wanted == facts.pbx_verified
    assert facts.live_at == world.clock.now
    assert facts.notified_at is None and facts.notify_error == NOT_REGISTERED
    assert world.drain() == 0


def test_edit_and_undo_promotes_nothing(world: World) -> None:
    mac = world.phone(1, world.extension())
    world.drain()
    before, row = logged(world), world.row(mac)
    world.changes.update_extension("t", "1001", {"display_name": "Bob"})
    world.changes.update_extension("t", "1001", {"display_name": "Alice"})
    world.later(5)
    assert (world.row(mac).live_at, world.row(mac).live_hash, logged(world)) == (row.live_at, row.live_hash, before)
    assert settled(world) == []


class CountingPBX:
    """Wraps a PBX and counts the plans that change something."""

    def __init__(self, world: World) -> None:
        self.inner, self.plans = world.pbx, []
        self.read, self.notify, self.contacts = world.pbx.read, world.pbx.notify, world.pbx.contacts

    def apply(self, plan: Plan) -> dict[str, str]:
        self.plans.append(plan)
        return self.inner.apply(plan)


def test_fifty_edits_cost_one_push(world: World) -> None:
    world.phone(1, world.extension())
    world.drain()
    counting = CountingPBX(world)
    world.worker.pushing._backend = counting  # type: ignore[union-attr]
    for number in range(50):
        world.changes.update_extension("t", "1001", {"display_name": f"Name {number}"})
    world.drain()
    assert len(counting.plans) == 1
    assert [endpoint.display_name for endpoint in counting.plans[0].update] == ["Name 49"]
    assert settled(world) == []


def test_while_the_pbx_is_away_only_phones_of_changed_extensions_wait(world: World) -> None:
    for number in ("1001", "1002", "1003"):
        world.extension(number)
    first, second, third = world.phone(1, "1001"), world.phone(2, "1002"), world.phone(3, "1003")
    world.drain()
    world.pbx.is_down = True
    old = world.live(first)
    world.changes.update_extension("t", "1001", {"secret": "another-secret"})
    world.changes.update_phone("t", second, PhoneInput(lines=[LineInput(1, "1002", "Reception")]))
    world.changes.update_phone("t", third, PhoneInput(keys=[KeyInput(1, "blf", "1001")]))
    world.drain()
    assert world.live(first) == old, "a phone never holds a password that the PBX does not know"
    assert "line.1.label = Reception" in world.live(second)
    assert "1001" in world.live(third), "a key does not wait for the PBX"
    assert world.worker.pushing and not world.worker.pushing.is_up
    world.pbx.is_down = False
    assert world.drain() == 0, "it is not asked again at once"
    world.later(RETRY_S)
    assert world.worker.pushing.is_up
    assert "another-secret" in world.live(first)
    assert settled(world) == []


def test_pbx_that_went_away_with_nothing_to_push_is_soon_seen_back_and_compared(world: World) -> None:
    """Was: noticed only at the next full check, five minutes later; until then readiness complained."""
    world.phone(1, world.extension())
    world.drain()
    world.pbx.is_down = True
    world.later(1.0)
    assert world.worker.pushing and not world.worker.pushing.is_up, "observing notices it too"
    world.pbx.is_down = False
    world.pbx.objects.clear()
    world.later(RETRY_S)
    assert world.worker.pushing.is_up
    assert settled(world) == []


def test_refused_extension_holds_only_its_own_phones_and_says_why(world: World) -> None:
    for number in ("1001", "1002"):
        world.extension(number)
    world.pbx.refuses["1001"] = "the name is taken"
    first, second = world.phone(1, "1001"), world.phone(2, "1002")
    world.drain()
    assert world.live(first) == "" and "1002" in world.live(second)
    assert stage_facts(world, first).error == "extension: the name is taken"
    assert stage_facts(world, second).error == ""
    world.pbx.refuses.clear()
    world.changes.update_extension("t", "1001", {"display_name": "Other"})
    world.drain()
    assert settled(world) == []


def test_refused_extensions_do_not_block_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.worker.pushing.BATCH", 3)
    for number in range(8):
        world.extension(str(1000 + number))
        world.pbx.refuses[str(1000 + number)] = "no"
    world.drain()
    world.extension("2000")
    world.drain()
    assert set(world.pbx.objects) == {"2000"}
    world.pbx.refuses.clear()
    world.later(CHECK_EVERY_S)
    assert settled(world) == [], "the full check tries refused ones again"


class ForgetfulPBX(CountingPBX):
    """Takes everything and keeps the names in small letters; deletes nothing."""

    def apply(self, plan: Plan) -> dict[str, str]:
        self.plans.append(plan)
        lower = lambda endpoint: dataclasses.replace(endpoint, display_name=endpoint.display_name.lower())  # noqa: E731
        return self.inner.apply(Plan(tuple(map(lower, plan.create)), tuple(map(lower, plan.update))))


def test_pbx_that_reads_back_otherwise_is_told_once_and_shown(world: World) -> None:
    """Was: pushed again on every step, without end."""
    mac = world.phone(1, world.extension())
    forgetful = ForgetfulPBX(world)
    world.worker.pushing._backend = forgetful  # type: ignore[union-attr]
    world.drain()
    assert world.live(mac) == ""
    assert "reads back something else" in stage_facts(world, mac).error
    told = len(forgetful.plans)
    world.drain()
    assert len(forgetful.plans) == told
    world.changes.delete_phone("t", mac)
    world.changes.delete_extension("t", "1001")
    world.drain()
    assert "1001" in world.pbx.objects
    assert world.store.removals() == ["1001"]


def test_extension_that_is_made_anew_after_a_refusal_is_pushed(world: World) -> None:
    """Was: taken for the refused one of the same revision, and left until the next full check."""
    world.extension("1001", "First")
    world.pbx.refuses["1001"] = "no"
    world.drain()
    world.pbx.refuses.clear()
    world.changes.delete_extension("t", "1001")
    world.drain()
    world.extension("1001", "Second")
    world.drain()
    assert world.pbx.objects["1001"].display_name == "Second"


def test_edit_between_reading_and_writing_is_not_lost(world: World) -> None:
    """The write of what was verified holds only for what was pushed; the full check used to write over a later edit."""
    world.phone(1, world.extension())
    world.drain()
    original = world.pbx.apply
    world.pbx.objects["1001"] = dataclasses.replace(world.pbx.objects["1001"], display_name="drifted")

    def edits_meanwhile(plan: Plan) -> dict[str, str]:
        world.pbx.apply = original  # type: ignore[method-assign]
        world.changes.update_extension("t", "1001", {"display_name": "Edited meanwhile"})
        return original(plan)

    world.pbx.apply = edits_meanwhile  # type: ignore[method-assign]
    world.later(CHECK_EVERY_S)
    assert world.pbx.objects["1001"].display_name == "Edited meanwhile"
    assert settled(world) == []


@pytest.mark.parametrize("listed_again", [False, True], ids=["edited", "deleted and listed again"])
def test_phone_changed_while_it_was_rendered_is_rendered_again(world: World, monkeypatch: pytest.MonkeyPatch, listed_again: bool) -> None:
    mac = world.phone(1, world.extension(), settings={"voice_vlan": 5})
    original = Renderer.phone_files

    def edits_meanwhile(renderer: Renderer, config):
        monkeypatch.setattr(Renderer, "phone_files", original)
        if listed_again:
            world.clock.now += 1
            world.changes.delete_phone("t", mac)
            world.phone(1, "1001", settings={"timezone": "Asia/Tokyo"})
        else:
            world.changes.update_phone("t", mac, PhoneInput(settings={"timezone": "Asia/Tokyo"}))
        return original(renderer, config)

    monkeypatch.setattr(Renderer, "phone_files", edits_meanwhile)
    world.drain()
    assert "Asia/Tokyo" in world.live(mac)
    assert settled(world) == []


def test_failing_template_holds_the_phone_on_its_last_files(world: World) -> None:
    mac, other = world.phone(1, world.extension()), world.phone(2)
    world.drain()
    good = world.live(mac)
    broken = {"settings": {"syslog_server": "broken.example"}, "wanted_hash": None}
    with world.installation.database.write() as connection:  # past the proof, as a template does that fails for one phone only
        connection.execute(phone.update().where(phone.c.mac == mac).values(**broken))
    world.drain()
    assert world.live(mac) == good
    assert "not_there" in world.row(mac).error and world.row(mac).error_at == world.clock.now
    assert dict(world.store.phones_held()) == {mac: world.row(mac).error}
    world.changes.update_phone("t", other, PhoneInput(settings={"voice_vlan": 7}))
    world.changes.update_phone("t", mac, PhoneInput(settings={}))
    world.drain()
    assert world.row(mac).error == ""
    assert settled(world) == []


def test_other_templates_render_every_phone_anew(world: World) -> None:
    macs = [world.phone(number) for number in (1, 2)]
    world.worker.rendering.start()
    world.drain()
    assert world.drain() == 0
    world.worker.rendering.start()
    assert world.store.macs_to_render(10) == [], "nothing changed"
    vendor = world.store.catalogue.vendors["acme"]
    templates = {**vendor.templates, "device.acme.j2": vendor.templates["device.acme.j2"] + "more = 1\n"}
    changed = dataclasses.replace(world.store.catalogue, vendors={"acme": dataclasses.replace(vendor, templates=templates)})
    world.store.catalogue = changed
    world.worker.rendering._renderer = Renderer(changed)
    world.worker.rendering.start()
    assert world.store.macs_to_render(10) == macs
    world.drain()
    assert all("more = 1" in world.live(mac) for mac in macs)


def test_deleted_extension_leaves_the_pbx(world: World) -> None:
    world.extension()
    world.drain()
    assert "1001" in world.pbx.objects
    world.changes.delete_extension("t", "1001")
    world.drain()
    assert world.pbx.objects == {}
    assert world.store.removals() == []


def test_extension_deleted_while_the_pbx_is_away_leaves_it_later(world: World) -> None:
    world.extension()
    world.drain()
    world.pbx.is_down = True
    world.changes.delete_extension("t", "1001")
    world.drain()
    world.pbx.is_down = False
    world.later(RETRY_S)
    assert world.pbx.objects == {}


def test_drift_is_found_and_repaired_by_the_check(world: World) -> None:
    for number in range(1000, 1012):
        world.extension(str(number))
    world.drain()
    world.pbx.objects["1001"] = dataclasses.replace(world.pbx.objects["1001"], secret="by-hand")
    del world.pbx.objects["1002"]
    world.pbx.objects["7777"] = Endpoint("7777", "Nobody's", "secret")
    assert world.worker.pushing.plan().lines() == ["+ 1002 Alice", "~ 1001 Alice: secret is another one", "- 7777"]  # type: ignore[union-attr]
    world.later(CHECK_EVERY_S - 1)
    assert "7777" in world.pbx.objects
    world.later(1)
    assert settled(world) == []
    assert world.worker.pushing and world.worker.pushing.drift == 3
    drift = world.store.pbx_facts()["drift"]
    assert (drift["at"], drift["count"], drift["numbers"], drift["is_put_back"]) == (world.clock.now, 3, ["1001", "1002", "7777"], True)
    assert drift["details"][:2] == ["1001: secret is another one", "1002: it is gone"]
    assert world.worker.counters["drift_put_back_total"] == 3
    world.later(CHECK_EVERY_S)
    assert world.worker.pushing.drift == 0
    assert world.store.pbx_facts()["drift"] == drift, "what was the last drift can still be seen"


def test_guard_leaves_a_pbx_alone_that_looks_all_wrong_until_confirmed(world: World) -> None:
    for number in range(1000, 1010):
        world.extension(str(number))
    world.drain()
    for number in range(1000, 1004):
        world.pbx.objects[str(number)] = dataclasses.replace(world.pbx.objects[str(number)], display_name="by hand")
    world.later(CHECK_EVERY_S)
    pushing = world.worker.pushing
    assert pushing and pushing.drift == 4 and pushing.is_up
    assert world.pbx.objects["1000"].display_name == "by hand"
    world.changes.update_extension("t", "1009", {"display_name": "An edit goes through"})
    world.drain()
    assert world.pbx.objects["1009"].display_name == "An edit goes through"
    facts = world.store.pbx_facts()
    assert facts["guard"].startswith("4 of 10 extensions in the PBX would be changed or deleted") and "sync --confirm" in facts["guard"]
    assert facts["drift"]["is_put_back"] is False
    assert facts["drift"]["details"][0] == "1000: display_name is 'by hand'"
    pushing.check(confirmed=True)
    assert settled(world) == []
    assert world.store.pbx_facts()["guard"] == ""


def test_many_edits_are_no_drift(world: World) -> None:
    """Edits are pushed before anything is compared: the guard is there for what nobody asked for."""
    for number in range(1000, 1012):
        world.extension(str(number))
    world.drain()
    for number in range(1000, 1012):
        world.changes.update_extension("t", str(number), {"display_name": "Renamed"})
    world.restarted()
    world.drain()
    assert world.worker.pushing and world.worker.pushing.drift == 0
    assert settled(world) == []


def test_removed_vendor_holds_its_phones_and_stops_nobody(world: World) -> None:
    world.phone(1, world.extension())
    world.drain()
    with world.installation.database.write() as connection:
        connection.execute(phone.update().values(model="gone/x1", notified_at=None, notify_error=""))
    world.drain()
    world.changes.request_resync("t", mac_of(1), reboot=False)
    world.drain()


def test_removals_of_many_are_one_batch(world: World) -> None:
    with world.installation.database.write() as connection:
        connection.execute(pbx_removal.insert(), [{"number": str(number)} for number in range(1000)])
    world.drain()
    assert world.store.removals() == []

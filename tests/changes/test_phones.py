"""Writes of phones: what is given, what is left, what is refused, and that a refusal leaves nothing behind."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from provisioner.changes import Changes, KeyInput, LineInput, PhoneInput
from provisioner.errors import AlreadyExists, InputError, NotFound, RenderError, StaleWrite
from provisioner.models import index_log, metadata, phone, rendered_file
from provisioner.store import Store
from tests.engines import A1, A2, World, mac_of

MAC = mac_of(1)


def test_new_phone_takes_the_defaults(changes: Changes, store: Store, world: World) -> None:
    record = changes.create_phone("ann", MAC, PhoneInput(model=A1))
    assert (record.site, record.group, record.enabled, record.modules, record.firmware) == ("default", None, True, 0, "")
    assert record.created_at == record.opened_at == world.clock.now
    row = store.changes(limit=1)[0]
    assert (row.actor, row.action, row.subject, row.before, row.phones) == ("ann", "phone.create", MAC, None, 1)
    assert store.macs_to_render(10) == [MAC]


MISTAKES = [
    (PhoneInput(model="acme/zz"), {"model": "the catalogue has no model acme/zz; 'provisioner check' lists them"}),
    (PhoneInput(site="nowhere"), {"site": "there is no site nowhere"}),
    (PhoneInput(group="nobody"), {"group": "there is no group nobody"}),
    (PhoneInput(modules=3), {"modules": "the Acme A1 takes 2 expansion modules"}),
    (PhoneInput(modules=-1), {"modules": "the Acme A1 takes 2 expansion modules"}),
    (PhoneInput(firmware="1" * 65), {"firmware": "at most 64 characters; these are 65"}),
    (PhoneInput(firmware="1\n2"), {"firmware": "line breaks and control characters are not possible here"}),
    (PhoneInput(lines=[LineInput(3, "1001")]), {"lines.0.line": "the Acme A1 has lines 1 to 2"}),
    (PhoneInput(lines=[LineInput(1, "1001"), LineInput(1, "1001")]), {"lines.1.line": "line 1 is there twice"}),
    (PhoneInput(lines=[LineInput(1, "9")]), {"lines.0.extension": "there is no extension 9"}),
    (PhoneInput(lines=[LineInput(1, "1001", "x" * 65)]), {"lines.0.label": "at most 64 characters; these are 65"}),
    (PhoneInput(keys=[KeyInput(9, "blf")]), {"keys.0.key": "there are keys 1 to 8 here; free is key 1 of the phone"}),
    (PhoneInput(keys=[KeyInput(1, "blf"), KeyInput(1, "blf")]), {"keys.1.key": "key 1 is there twice"}),
    (PhoneInput(keys=[KeyInput(1, "blf", module=3)]), {"keys.0.module": "the Acme A1 has no module 3; free is key 1 of the phone"}),
    (
        PhoneInput(keys=[KeyInput(1, "dnd")]),
        {"keys.0.type": "the Acme A1 lacks the key type 'dnd', because this phone does not exist; it has blf, line, speed_dial, url"},
    ),
    (PhoneInput(keys=[KeyInput(1, "blf", line=3)]), {"keys.0.line": "the Acme A1 has lines 1 to 2"}),
    (PhoneInput(keys=[KeyInput(1, "blf", "a\tb")]), {"keys.0.value": "line breaks and control characters are not possible here"}),
    (PhoneInput(keys=[KeyInput(1, "blf", "v" * 256)]), {"keys.0.value": "at most 255 characters; these are 256"}),
    (PhoneInput(settings={"nothing": 1}), {"settings.nothing": "there is no such setting"}),
    (PhoneInput(settings={"voice_vlan": "x"}), {"settings.voice_vlan": "a whole number is needed"}),
    (
        PhoneInput(settings={"admin_password": "***"}),
        {"settings.admin_password": "*** keeps a secret that is there, and none is: send the secret"},
    ),
]


def contents(world: World) -> dict[str, list[tuple]]:
    with world.installation.database.read() as connection:
        return {name: sorted(map(repr, connection.execute(sa.select(table)))) for name, table in metadata.tables.items()}


@pytest.mark.parametrize(("given", "fields"), MISTAKES)
@pytest.mark.parametrize("is_new", [True, False], ids=["create", "update"])
def test_wrong_field_is_named_and_nothing_is_written(world: World, given: PhoneInput, fields: dict[str, str], is_new: bool) -> None:
    world.extension()
    if not is_new:
        world.phone(1)
    before = contents(world)
    with pytest.raises(InputError) as caught:
        if is_new:
            world.changes.create_phone("t", MAC, PhoneInput(**{**_fields(given), "model": given.model or A1}))
        else:
            world.changes.update_phone("t", MAC, given)
    assert caught.value.fields == fields
    assert contents(world) == before


def _fields(given: PhoneInput) -> dict[str, object]:
    return {name: getattr(given, name) for name in PhoneInput.__dataclass_fields__}


def test_without_a_model_or_twice_it_is_refused(changes: Changes) -> None:
    with pytest.raises(InputError, match="a model is needed, for example yealink/t46u"):
        changes.create_phone("t", MAC, PhoneInput())
    changes.create_phone("t", MAC, PhoneInput(model=A1))
    with pytest.raises(AlreadyExists, match="phone 02:ac:de:00:00:01 is listed already"):
        changes.create_phone("t", MAC, PhoneInput(model=A1))


def test_none_leaves_everything_as_it_is(world: World) -> None:
    world.extension()
    world.changes.put_group("t", "desk", {})
    given = {
        "group": "desk",
        "modules": 1,
        "firmware": "1.2",
        "enabled": False,
        "settings": {"voice_vlan": 3, "admin_password": "hidden-9"},
    }
    world.phone(1, "1001", keys=[KeyInput(1, "blf", "1001", module=1)], **given)
    before = world.store.phone(MAC)
    after = world.changes.update_phone("t", MAC, PhoneInput())
    assert before and after
    unchanged = [name for name in PhoneInput.__dataclass_fields__ if hasattr(after, name)]
    assert [getattr(after, name) for name in unchanged] == [getattr(before, name) for name in unchanged]
    assert after.secret_names == ("admin_password",)
    assert after.revision == before.revision + 1
    cleared = world.changes.update_phone("t", MAC, PhoneInput(clear_group=True, lines=[], keys=[], settings={}))
    assert (cleared.group, cleared.lines, cleared.keys, cleared.settings, cleared.secret_names) == (None, (), (), {}, ())
    assert cleared.modules == 1, "a module stays attached when its keys are cleared"


def test_stars_keep_a_secret_and_merging_lays_over(world: World) -> None:
    world.phone(1, settings={"admin_password": "hidden-9", "voice_vlan": 3})
    world.changes.update_phone("t", MAC, PhoneInput(settings={"admin_password": "***"}))
    assert world.store.phone_secret_settings([MAC]) == {MAC: {"admin_password": "hidden-9"}}
    merged = world.changes.update_phone("t", MAC, PhoneInput(settings={"voice_vlan": 4}, merge_settings=True))
    assert merged.settings == {"voice_vlan": 4} and merged.secret_names == ("admin_password",)
    gone = world.changes.update_phone("t", MAC, PhoneInput(settings={"admin_password": None}, merge_settings=True))
    assert gone.secret_names == ()


def test_parameter_by_hand_is_taken_from_the_vendors_list_and_a_password_kept_secret(world: World) -> None:
    record = world.store.phone(world.phone(1, settings={"raw.ring.tone": "9", "raw.ring.password": "hidden-9", "raw.timezone": "Mars"}))
    assert record and record.settings == {"raw.ring.tone": "9", "raw.timezone": "Mars"} and record.secret_names == ("raw.ring.password",)
    (job,) = world.store.render_jobs([MAC])
    text = world.installation.renderer.phone_files(job.config)[0].body.decode()
    assert "ring.tone = 9\n" in text and "ring.password = hidden-9\n" in text
    assert re.findall(r"(?m)^timezone = (.*)$", text) == ["Mars"], "what the templates say of it has given way"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("raw.line.1.user", "Acme: this parameter is not set by hand"),
        ("raw.url", "Acme: this parameter is not set by hand"),
        ("raw.ring.tones", "Acme: no list of parameters has this name"),
        ("raw.account.1.nat.rport", "Acme: no list of parameters has this name"),
    ],
)
def test_parameter_by_hand_that_the_vendor_does_not_take_is_refused(world: World, name: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        world.phone(1, settings={name: "1"})
    assert caught.value.fields[f"settings.{name}"].startswith(why)


def test_settings_that_no_list_takes_any_more_stay_and_hinder_no_other(world: World) -> None:
    world.phone(1, settings={"voice_vlan": 3})
    sealed = world.installation.box.seal(b'{"raw.gone.password": "hidden-9"}', f"phone:{MAC}")
    with world.installation.database.write() as connection:
        gone = {"raw.gone.one": "5", "raw.gone.two": "6", "voice_vlan": 3}
        connection.execute(phone.update().where(phone.c.mac == MAC).values(settings=gone, secret_settings=sealed))
    merged = world.changes.update_phone("t", MAC, PhoneInput(settings={"voice_vlan": 4}, merge_settings=True))
    assert merged.settings == {"raw.gone.one": "5", "raw.gone.two": "6", "voice_vlan": 4}
    whole = {"raw.gone.one": "5", "raw.gone.password": "***", "voice_vlan": 5}
    replaced = world.changes.update_phone("t", MAC, PhoneInput(settings=whole))
    assert replaced.settings == {"raw.gone.one": "5", "voice_vlan": 5}
    assert world.store.phone_secret_settings([MAC]) == {MAC: {"raw.gone.password": "hidden-9"}}
    for wrong in ({"raw.gone.one": "7"}, {"raw.gone.two": "6"}, {"raw.gone.password": "other-99"}, {"voice_vlan": True}):
        with pytest.raises(InputError) as caught:
            world.changes.update_phone("t", MAC, PhoneInput(settings=wrong, merge_settings=True))
        assert list(caught.value.fields) == [f"settings.{name}" for name in wrong]


def test_key_that_does_not_fit_is_told_where_it_would_go(world: World) -> None:
    full = [KeyInput(number, "blf", "1") for number in range(1, world.installation.catalogue.vendors["acme"].models["a1"].keys + 1)]
    with pytest.raises(InputError) as caught:
        world.phone(1, keys=[*full, KeyInput(99, "blf", "1"), KeyInput(1, "blf", "1", module=9)])
    assert caught.value.fields == {
        f"keys.{len(full)}.key": f"there are keys 1 to {len(full)} here; free is key 1 of module 1",
        f"keys.{len(full) + 1}.module": "the Acme A1 has no module 9; free is key 2 of module 1",
    }


def test_modules_with_keys_on_them_are_not_taken_off(world: World) -> None:
    world.phone(1, keys=[KeyInput(1, "blf", "1", module=2)])
    with pytest.raises(InputError) as caught:
        world.changes.update_phone("t", MAC, PhoneInput(modules=1))
    assert caught.value.fields == {"modules": "keys are laid out on module 2: take them off first"}
    assert world.changes.update_phone("t", MAC, PhoneInput(modules=0, keys=[])).modules == 0


def test_new_model_must_take_the_lines_and_keys_that_stay(world: World) -> None:
    world.extension()
    world.phone(1, "1001", "1001", keys=[KeyInput(1, "blf", "1001")])
    with pytest.raises(InputError) as caught:
        world.changes.update_phone("t", MAC, PhoneInput(model=A2))
    assert caught.value.fields == {"lines.1.line": "the Acme A2 has lines 1 to 1", "keys.0.module": "the Acme A2 has no keys of its own"}
    world.changes.update_phone("t", MAC, PhoneInput(modules=2))
    moved = world.changes.update_phone("t", MAC, PhoneInput(model=A2, lines=[LineInput(1, "1001")], keys=[]))
    assert (moved.model, moved.modules) == (A2, 0), "the new model takes no modules"


def test_failing_proof_rolls_everything_back(world: World) -> None:
    world.phone(1)
    world.changes.put_group("t", "desk", {})
    world.changes.update_phone("t", MAC, PhoneInput(group="desk"))
    world.drain()
    before = contents(world)
    broken = {"syslog_server": "broken.example"}
    for write in (
        lambda: world.changes.update_phone("t", MAC, PhoneInput(settings=broken)),
        lambda: world.changes.create_phone("t", mac_of(2), PhoneInput(model=A1, settings=broken)),
        lambda: world.changes.update_site("t", "default", {"settings": broken}),
        lambda: world.changes.put_group("t", "desk", broken),
    ):
        with pytest.raises(RenderError, match=r"device\.acme\.j2 line 7: 'not_there' is undefined"):
            write()
        assert contents(world) == before


def test_stale_write_and_unknown_phone(world: World) -> None:
    world.phone(1)
    record = world.store.phone(MAC)
    assert record
    world.changes.update_phone("t", MAC, PhoneInput(firmware="2"), expected=record.revision)
    for write in (
        lambda: world.changes.update_phone("t", MAC, PhoneInput(), expected=record.revision),
        lambda: world.changes.delete_phone("t", MAC, expected=record.revision),
    ):
        with pytest.raises(StaleWrite):
            write()
    for action in (
        lambda: world.changes.delete_phone("t", mac_of(2)),
        lambda: world.changes.renew_token("t", mac_of(2)),
        lambda: world.changes.request_resync("t", mac_of(2), reboot=False),
    ):
        with pytest.raises(NotFound, match="phone 02:ac:de:00:00:02 is not listed"):
            action()


def test_secrets_are_in_no_change_row(world: World) -> None:
    world.phone(1, world.extension(), settings={"admin_password": "phone-secret-9"})
    world.changes.update_phone("t", MAC, PhoneInput(settings={"admin_password": "phone-secret-10"}))
    world.changes.delete_phone("t", MAC)
    rows = str([(row.before, row.after) for row in world.store.changes()])
    assert "phone-secret" not in rows and "secret-of-1001" not in rows
    assert "'secret_settings': ['admin_password']" in rows


def test_deleted_phone_leaves_nothing(world: World) -> None:
    world.phone(1, world.extension(), keys=[KeyInput(1, "blf", "1001")])
    world.drain()
    world.changes.delete_phone("t", MAC)
    with world.installation.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(rendered_file)).scalar() == 0
        assert connection.execute(sa.select(index_log.c.mac).order_by(index_log.c.id.desc()).limit(1)).scalar() == MAC
    assert world.store.phones() == []


def test_address_of_a_phone_that_was_taken_off_never_opens_again(world: World) -> None:
    world.phone(1)
    world.changes.revoke_token("t", MAC)
    world.changes.delete_phone("t", MAC)
    again = world.changes.create_phone("t", MAC, PhoneInput(model=A1))
    assert (again.token_epoch, world.row(MAC).token_floor) == (3, 3)
    world.changes.delete_phone("t", MAC)
    assert world.changes.create_phone("t", MAC, PhoneInput(model=A1)).token_epoch == 4


def test_tokens_and_the_first_fetch(world: World) -> None:
    world.phone(1)
    world.drain()
    first = world.live(MAC)
    assert world.changes.renew_token("t", MAC).token_epoch == 2
    assert world.row(MAC).token_floor == 1
    world.drain()
    assert world.live(MAC) != first
    assert world.changes.revoke_token("t", MAC).token_epoch == 3
    assert world.row(MAC).token_floor == 3
    with world.installation.database.write() as connection:
        connection.execute(phone.update().values(first_success_at=1.0))
    world.clock.now += 10
    opened = world.changes.reopen_first_fetch("t", MAC)
    assert (opened.opened_at, opened.first_success_at) == (world.clock.now, None)

"""Swapping a broken phone: everything goes over, and what the old one knew is worth nothing."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from pbx_sync.state import Endpoint
from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.changes.layouts import LayoutKeyInput
from provisioner.errors import AlreadyExists, InputError, NotFound
from provisioner.models import rendered_file, retired_token, upload
from tests.engines import A2, World, mac_of

OLD, NEW = mac_of(1), mac_of(9)


def listed(world: World) -> None:
    world.changes.create_site("t", "utrecht", {})
    world.changes.put_group("t", "reception", {})
    for number in ("1001", "1002"):
        world.extension(number)
    world.phone(
        1, "1001", "1002", site="utrecht", group="reception", firmware="1.2", modules=1,
        keys=[KeyInput(3, "blf", "1002", "Bob"), KeyInput(1, "blf", "1001", module=1)], settings={"voice_vlan": 5, "admin_password": "phone-secret-9"},
    )  # fmt: skip
    world.drain()


def test_everything_goes_over_and_the_old_one_is_dead(world: World) -> None:
    listed(world)
    before, token = world.store.phone(OLD), world.store.phone_access(world.store.phone(OLD))
    world.clock.now += 5
    after = world.changes.swap_phone("ann", OLD, NEW)
    assert before
    for name in ("model", "site", "group", "modules", "settings", "secret_names", "lines", "keys"):
        assert getattr(after, name) == getattr(before, name), name
    assert (after.mac, after.firmware, after.enabled) == (NEW, "", True)
    assert (after.opened_at, after.first_success_at) == (world.clock.now, None)
    assert world.store.phone(OLD) is None
    world.drain()
    assert "admin.password = phone-secret-9" in world.live(NEW) and world.live(OLD) == ""
    with world.installation.database.read() as connection:
        assert connection.execute(sa.select(retired_token.c.epoch).where(retired_token.c.mac == OLD)).scalar() == 1
        assert connection.execute(sa.select(rendered_file.c.mac).where(rendered_file.c.mac == OLD)).first() is None
    again = world.changes.create_phone("t", OLD, PhoneInput(model="acme/a1"))
    assert world.store.phone_access(again).url != token.url, "its old address never opens again"
    for number in ("1001", "1002"):
        item = world.pbx.objects[number]
        assert isinstance(item, Endpoint)
        assert item.secret != f"secret-of-{number}" and item.former_secrets == (), "the broken phone must not register any more"
        assert f"secret = {item.secret}" in world.live(NEW)


def test_it_is_one_transaction_and_in_the_changes(world: World) -> None:
    listed(world)
    world.changes.swap_phone("ann", OLD, NEW)
    rows = world.store.changes(limit=4)
    assert [(row.actor, row.action, row.subject) for row in rows] == [
        ("ann", "phone.swap", OLD),
        ("ann", "extension.update", "1002"),
        ("ann", "extension.update", "1001"),
        ("ann", "phone.create", NEW),
    ]
    assert rows[0].after == {"mac": NEW, "model": "acme/a1"}
    assert "phone-secret-9" not in str([(row.before, row.after) for row in rows])


def test_extension_that_another_phone_has_too_rotates(world: World) -> None:
    listed(world)
    other = world.phone(2, "1001")
    world.drain()
    world.changes.swap_phone("t", OLD, NEW)
    world.drain()
    shared, own = world.pbx.objects["1001"], world.pbx.objects["1002"]
    assert isinstance(shared, Endpoint) and isinstance(own, Endpoint)
    assert shared.former_secrets == ("secret-of-1001",) and own.former_secrets == ()
    assert shared.secret in world.live(other) and shared.secret in world.live(NEW)
    record = world.store.extension("1001")
    assert record and record.rotation == "moving"


def test_disabled_other_phone_keeps_no_secret_alive(world: World) -> None:
    listed(world)
    world.phone(2, "1001", enabled=False)
    world.changes.swap_phone("t", OLD, NEW)
    assert [len(secrets) for _, secrets in world.store.extensions_with_secrets()] == [1, 1]


def test_rotation_in_progress_ends_with_the_broken_phone(world: World) -> None:
    listed(world)
    world.changes.rotate_secret("t", "1001")
    world.changes.swap_phone("t", OLD, NEW)
    assert [len(secrets) for _, secrets in world.store.extensions_with_secrets()] == [1, 1]


def test_another_model_takes_over_what_fits(world: World) -> None:
    world.phone(1, world.extension())
    world.drain()
    assert world.changes.swap_phone("t", OLD, NEW, A2).model == A2
    world.drain()
    assert "line.1.user = 1001" in world.live(NEW)


def test_what_does_not_fit_another_model_is_named_and_nothing_is_done(world: World) -> None:
    listed(world)
    with pytest.raises(InputError) as caught:
        world.changes.swap_phone("t", OLD, NEW, A2)
    assert caught.value.fields["lines.1.line"] == "the Acme A2 has lines 1 to 1"
    assert set(caught.value.fields) == {"lines.1.line", "keys.0.module", "keys.1.module"}
    assert world.store.phone(OLD) and world.store.phone(NEW) is None
    assert world.store.extension_secret("1001") == "secret-of-1001"


@pytest.mark.parametrize(
    ("old", "new", "error"), [(mac_of(5), NEW, NotFound), (OLD, mac_of(2), AlreadyExists), (OLD, OLD, InputError)]
)  # fmt: skip
def test_wrong_phone_is_refused(world: World, old, new, error: type[Exception]) -> None:
    listed(world)
    world.phone(2)
    with pytest.raises(error):
        world.changes.swap_phone("t", old, new)
    assert world.store.phone(OLD)


def test_phone_that_was_on_the_list_before_comes_back_with_a_new_address(world: World) -> None:
    world.phone(1, world.extension())
    world.changes.swap_phone("t", OLD, NEW)
    back = world.changes.swap_phone("t", NEW, OLD)
    assert back.token_epoch == 2 and back.lines[0].extension == "1001"
    assert world.changes.update_phone("t", OLD, PhoneInput(lines=[LineInput(1, "1001", "x")]))


def test_what_the_user_had_on_the_phone_goes_over_but_not_its_log(world: World) -> None:
    listed(world)
    sent = {f"{OLD}-contacts.xml": ("contacts_upload", b"Mum"), f"calls/{OLD}.xml": ("call_list", b"calls"), f"{OLD}.log": ("log", b"log")}
    for name, (kind, body) in sent.items():
        with world.store.database.write() as connection:
            sealed = world.store.box.seal(body, f"upload:{OLD}:{name}")
            row = {
                "mac": OLD,
                "name": name,
                "kind": kind,
                "content_type": "text/xml",
                "received_at": 5.0,
                "size": len(body),
                "sha256": "0" * 64,
            }
            connection.execute(upload.insert().values(**row, body=sealed))
    world.changes.swap_phone("t", OLD, NEW)
    assert {row.name for row in world.store.uploads_of(NEW)} == {f"{NEW}-contacts.xml", f"calls/{NEW}.xml"}
    found = world.store.upload_body(NEW, f"{NEW}-contacts.xml")
    assert found is not None
    assert found[1] == b"Mum"
    assert world.store.uploads_of(OLD) == []


def test_keys_that_the_layout_hides_go_over_hidden(world: World) -> None:
    listed(world)
    world.changes.put_layout("t", "Sales", [LayoutKeyInput(3, "speed_dial", "112")])
    world.changes.assign_layout("t", [OLD], "Sales")
    after = world.changes.swap_phone("ann", OLD, NEW)
    assert after.layout == "Sales"
    assert [(key.module, key.key, key.value) for key in after.keys] == [(0, 3, "1002"), (1, 1, "1001")]

"""Writes of sites, groups and tokens."""

from __future__ import annotations

import pytest

from provisioner.changes import Changes, PhoneInput
from provisioner.errors import AlreadyExists, InputError, NotFound, StaleWrite
from provisioner.models import phone_group, site
from provisioner.store import Store
from tests.changes.test_extensions import touched
from tests.engines import World


def test_site_settings_touch_the_phones_of_the_site_alone(world: World) -> None:
    world.changes.create_site("t", "north", {"timezone": "Europe/Amsterdam"})
    here, _there = world.phone(1, site="north"), world.phone(2)
    moved = touched(world, lambda: world.changes.update_site("t", "north", {"settings": {"voice_vlan": 9}}))
    assert moved == {here}
    for same in ({"settings": {"voice_vlan": 9}}, {"access": "token"}, {"trusted_networks": ["10.0.0.1/8"]}):
        assert touched(world, lambda same=same: world.changes.update_site("t", "north", same)) == set()
    assert world.store.site("north").trusted_networks == ("10.0.0.0/8",)  # type: ignore[union-attr]


def test_group_settings_touch_the_phones_of_the_group_alone(world: World) -> None:
    world.changes.put_group("t", "desk", {})
    here, _there = world.phone(1, group="desk"), world.phone(2)
    assert touched(world, lambda: world.changes.put_group("t", "desk", {"voice_vlan": 9})) == {here}
    with pytest.raises(InputError, match="1 phones are in this group"):
        world.changes.delete_group("t", "desk")
    world.changes.update_phone("t", here, PhoneInput(clear_group=True))
    world.changes.delete_group("t", "desk")
    assert world.store.groups() == []
    with pytest.raises(NotFound):
        world.changes.delete_group("t", "desk")


def test_settings_that_no_list_takes_any_more_hinder_no_others_of_a_site_or_group(world: World) -> None:
    world.changes.create_site("t", "north", {})
    world.changes.put_group("t", "desk", {})
    gone = {"raw.gone.one": "5", "raw.gone.two": "6"}
    with world.installation.database.write() as connection:
        for table in (site, phone_group):
            connection.execute(table.update().values(settings=gone))
    given = {"settings": {"voice_vlan": 9}}
    assert world.changes.update_site("t", "north", given, merge_settings=True).settings == {**gone, "voice_vlan": 9}
    assert world.changes.put_group("t", "desk", {**gone, "voice_vlan": 9}).settings == {**gone, "voice_vlan": 9}
    with pytest.raises(InputError):
        world.changes.put_group("t", "desk", {**gone, "raw.gone.two": "7"})


SITE_MISTAKES = [
    ("a/b", {}, {"name": "1 to 64 letters, digits, blanks, dots or dashes are needed"}),
    ("s", {"access": "wide"}, {"access": "one of open, first-fetch, token, digest, mtls is needed"}),
    ("s", {"enrolment": "all"}, {"enrolment": "one of never, listed, window, claim is needed"}),
    (
        "s",
        {"trusted_networks": ["10.0.0.0/8", "x"]},
        {"trusted_networks.1": "'x' is not a network, for example 192.168.1.0/24"},
    ),
    ("s", {"settings": {"admin_password": "secret-99"}}, {"settings.admin_password": "a secret is set for each phone, not for many"}),
    ("s", {"timezone": "Mars/Base"}, {"settings.timezone": None}),
]


@pytest.mark.parametrize(("name", "given", "fields"), SITE_MISTAKES)
def test_wrong_field_of_a_site(changes: Changes, store: Store, name: str, given: dict, fields: dict) -> None:
    with pytest.raises(InputError) as caught:
        changes.create_site("t", name, given)
    assert caught.value.fields.keys() == fields.keys()
    assert all(sentence is None or caught.value.fields[field] == sentence for field, sentence in fields.items())
    assert [record.name for record in store.sites()] == ["default"]


def test_site_in_use_and_the_default_stay(world: World) -> None:
    world.changes.create_site("t", "north", {})
    mac = world.phone(1, site="north")
    for name, words in (("north", "1 phones are at this site"), ("default", "the site default stays")):
        with pytest.raises(InputError, match=words):
            world.changes.delete_site("t", name)
    with pytest.raises(AlreadyExists):
        world.changes.create_site("t", "north", {})
    with pytest.raises(StaleWrite):
        world.changes.update_site("t", "north", {"access": "open"}, expected=99)
    world.changes.delete_phone("t", mac)
    world.changes.delete_site("t", "north")
    with pytest.raises(NotFound, match="there is no site north"):
        world.changes.update_site("t", "north", {})


def test_token_is_shown_once_and_kept_as_a_digest(changes: Changes, store: Store) -> None:
    made = changes.create_token("t", "automation", "admin")
    assert made not in str(store.changes()) and len(made) >= 32
    for name, role, token, words in (
        ("automation", "admin", None, "a token automation exists already"),
        ("x", "king", None, "one of viewer, technician, admin is needed"),
        ("x", "admin", "short", "a token needs at least 20 characters"),
        ("", "admin", None, "1 to 64 letters"),
    ):
        with pytest.raises(InputError, match=words):
            changes.create_token("t", name, role, token)
    changes.delete_token("t", "automation")
    with pytest.raises(NotFound):
        changes.delete_token("t", "automation")


def test_use_of_a_token_is_noted_once_a_minute(world: World) -> None:
    world.changes.create_token("t", "automation", "viewer")
    used = []
    for seconds in (0, 30, 31):
        world.clock.now += seconds
        world.changes.touch_token("automation")
        used.append(world.store.api_tokens()[0].last_used_at)
    assert used == [used[0], used[0], used[0] + 61]

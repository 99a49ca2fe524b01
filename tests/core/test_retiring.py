"""The last files of a phone, for every model of the catalogue: no line, no key, nothing of its site; and what brings it here stays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from provisioner.core.catalogue import Model
from provisioner.core.layers import Layer, explained, merged
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.core.retiring import CLEARED, KEPT, emptied_layers, emptying
from provisioner.core.values import Key, Line, PhoneConfig, SettingValue
from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()
RENDERER = Renderer(CATALOGUE)
MODELS = [model for vendor in CATALOGUE.vendors.values() for model in vendor.models.values()]
URL = "http://prov.test:8080/p/aaaaaaaaaaaaaaaaaaaaaaaa/"
WORD = "of-before"
CHOSEN: dict[str, SettingValue] = {
    row.name: WORD for row in CATALOGUE.settings.values() if row.type in ("string", "secret", "host") and not row.choices
}


def layers_of(model: Model, **more: SettingValue) -> list[Layer]:
    """Everything that could be set of a phone is, at its site, its group or itself."""
    own = {row.name: row.default for row in CATALOGUE.settings.values()}
    return [
        Layer("default", "", own),
        Layer("installation", "", {"sip_server": f"{WORD}.test", "sip_port": 5099}),
        Layer("vendor", model.vendor, CATALOGUE.vendors[model.vendor].settings),
        Layer("site", "s", CHOSEN),
        Layer("group", "g", {"dnd_default": "keep", "encrypt_files": True}),
        Layer("model", model.id, model.settings),
        Layer("phone", "m", {**CHOSEN, **more}),
    ]


def config_of(model: Model, layers: Sequence[Layer]) -> PhoneConfig:
    lines = tuple(Line(at, f"77{at:02}", f"{WORD} {at}", f"{WORD}-secret") for at in range(1, model.lines + 1))
    keys = tuple(Key(0, at, "none", "", WORD) for at in range(1, model.keys + 1))
    return PhoneConfig(Mac("805ec0aabbcc"), model.id, lines, keys, merged(layers), URL, firmware="", file_key=f"{WORD}-key")


def emptied(model: Model, **more: SettingValue) -> PhoneConfig:
    layers = emptied_layers(layers_of(model, **more), CATALOGUE.vendors[model.vendor].factory)
    return emptying(config_of(model, layers))


def text_of(config: PhoneConfig) -> str:
    return "".join(file.body.decode() for file in RENDERER.phone_files(config))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_files_of_every_model_hold_nothing_of_before(model: Model) -> None:
    assert WORD in text_of(config_of(model, layers_of(model)))
    text = text_of(emptied(model))
    assert [word for word in (WORD, "7701") if word in text] == []
    assert "prov.test:8080/p/aaaa" in text, "it still finds here"


@pytest.mark.parametrize("vendor", ["yealink", "grandstream", "polycom"])
def test_logins_are_those_of_a_new_phone(vendor: str) -> None:
    model = next(iter(CATALOGUE.vendors[vendor].models.values()))
    settings = emptied(model).settings
    assert {name: settings[name] for name in ("admin_password", "user_password")} == dict(CATALOGUE.vendors[vendor].factory) != {}


def test_what_brings_the_phone_here_stays_and_all_else_is_as_from_the_table() -> None:
    model = CATALOGUE.vendors["yealink"].models["t46u"]
    given = {"voice_vlan": 20, "verify_server_certificate": True, "provisioning_daily": True, "timezone": "Asia/Tokyo", "language": "nl"}
    before, after = config_of(model, layers_of(model, **given)), emptied(model, **given)
    assert (after.lines, after.keys, after.file_key, after.is_emptied) == ((), (), "", True)
    assert (after.mac, after.provisioning_url) == (before.mac, URL)
    assert {name: after.settings[name] for name in KEPT} == {name: before.settings[name] for name in KEPT}
    assert after.settings["voice_vlan"] == 20
    cleared = {**CLEARED, **CATALOGUE.vendors["yealink"].factory}
    assert {name: after.settings[name] for name in cleared} == cleared
    catalogue = merged(layer for layer in layers_of(model) if layer.kind in ("default", "vendor", "model"))
    rest = set(after.settings) - {*KEPT, *cleared}
    assert {name: after.settings[name] for name in rest} == {name: catalogue[name] for name in rest}


@pytest.mark.parametrize(
    ("model", "name", "line"),
    [
        ("yealink/t46u", "phone_setting.custom_softkey_enable", "phone_setting.custom_softkey_enable = %NULL%\n"),
        ("grandstream/gxp2170", "P1406", "<P1406></P1406>"),
        ("polycom/vvx411", "up.welcomeSoundEnabled", 'up.welcomeSoundEnabled=""'),
    ],
)
def test_what_was_added_by_hand_is_written_empty(model: str, name: str, line: str) -> None:
    found = CATALOGUE.model(model)
    assert found
    by_hand: dict[str, SettingValue] = {f"raw.{name}": "by-hand"}
    before = text_of(config_of(found, layers_of(found, **by_hand)))
    assert "by-hand" in before and line not in before
    assert line in text_of(emptied(found, **by_hand))


def test_what_the_templates_say_holds_over_what_was_added_by_hand() -> None:
    found = CATALOGUE.vendors["yealink"].models["t46u"]
    by_hand: dict[str, SettingValue] = {"raw.call_waiting.enable": "0"}
    assert "\ncall_waiting.enable = 0\n" in text_of(config_of(found, layers_of(found, **by_hand)))
    text = text_of(emptied(found, **by_hand))
    assert "\ncall_waiting.enable = 1\n" in text and text.count("\ncall_waiting.enable") == 1


def test_where_a_value_comes_from_is_told_as_it_is() -> None:
    model = CATALOGUE.vendors["yealink"].models["t46u"]
    layers = emptied_layers(layers_of(model, voice_vlan=20), {"admin_password": "admin"})
    found = {name: explained(layers, name) for name in ("voice_vlan", "admin_password", "ldap_server")}
    assert {name: (origin.value, origin.layer) for name, origin in found.items() if origin} == {
        "voice_vlan": (20, "phone"), "admin_password": ("admin", "phone"), "ldap_server": ("", "default"),
    }  # fmt: skip


def test_names_are_those_of_the_table_of_settings() -> None:
    assert {*KEPT, *CLEARED} <= set(CATALOGUE.settings)


def test_a_table_without_a_setting_gets_none() -> None:
    layers = [Layer("default", "", {"timezone": "UTC"}), Layer("phone", "m", {"voice_vlan": 20, "ldap_server": WORD})]
    assert merged(emptied_layers(layers, {"admin_password": "admin"})) == {"timezone": "UTC", "voice_vlan": 20}

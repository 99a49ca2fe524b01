"""The last files of a phone, for every model of the catalogue: no line, no key, nothing of its site; and what brings it here stays."""

from __future__ import annotations

import pytest

from provisioner.core.catalogue import Model
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.core.retiring import CLEARED, KEPT, emptying
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


def defaults(model: Model) -> dict[str, SettingValue]:
    own = {row.name: row.default for row in CATALOGUE.settings.values()}
    return {**own, **CATALOGUE.vendors[model.vendor].settings, **model.settings}


def config_of(model: Model, **more: SettingValue) -> PhoneConfig:
    lines = tuple(Line(at, f"77{at:02}", f"{WORD} {at}", f"{WORD}-secret") for at in range(1, model.lines + 1))
    keys = tuple(Key(0, at, "none", "", WORD) for at in range(1, model.keys + 1))
    settings = {**defaults(model), **CHOSEN, **more}
    return PhoneConfig(Mac("805ec0aabbcc"), model.id, lines, keys, settings, URL, firmware="", file_key=f"{WORD}-key")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_files_of_every_model_hold_nothing_of_before(model: Model) -> None:
    config, vendor = config_of(model), CATALOGUE.vendors[model.vendor]
    assert any(WORD in file.body.decode() for file in RENDERER.phone_files(config))
    files = RENDERER.phone_files(emptying(config, defaults(model), vendor.factory))
    assert [file.name for file in files if WORD in file.body.decode() or "7701" in file.body.decode()] == []
    assert any("prov.test:8080/p/aaaa" in file.body.decode() for file in files), "it still finds here"


@pytest.mark.parametrize("vendor", ["yealink", "grandstream", "polycom"])
def test_logins_are_those_of_a_new_phone(vendor: str) -> None:
    model = next(iter(CATALOGUE.vendors[vendor].models.values()))
    factory = CATALOGUE.vendors[vendor].factory
    settings = emptying(config_of(model), defaults(model), factory).settings
    assert {name: settings[name] for name in ("admin_password", "user_password")} == dict(factory) != {}


def test_what_brings_the_phone_here_stays_and_all_else_is_as_from_the_table() -> None:
    model = CATALOGUE.vendors["yealink"].models["t46u"]
    given = {"voice_vlan": 20, "verify_server_certificate": True, "provisioning_daily": True, "timezone": "Asia/Tokyo", "language": "nl"}
    config = config_of(model, **given)
    emptied = emptying(config, defaults(model), {})
    assert (emptied.lines, emptied.keys, emptied.file_key, emptied.is_emptied) == ((), (), "", True)
    assert (emptied.mac, emptied.provisioning_url) == (config.mac, URL)
    assert {name: emptied.settings[name] for name in KEPT} == {name: config.settings[name] for name in KEPT}
    assert {name: emptied.settings[name] for name in CLEARED} == dict(CLEARED)
    rest = set(emptied.settings) - {*KEPT, *CLEARED}
    assert {name: emptied.settings[name] for name in rest} == {name: defaults(model)[name] for name in rest}


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
    config = config_of(found, **{f"raw.{name}": WORD})
    assert f"{WORD}" in text_of(config) and line not in text_of(config)
    assert line in text_of(emptying(config, defaults(found), {}))


def test_what_the_templates_say_holds_over_what_was_added_by_hand() -> None:
    found = CATALOGUE.vendors["yealink"].models["t46u"]
    config = config_of(found, **{"raw.call_waiting.enable": "0"})
    assert "\ncall_waiting.enable = 0\n" in text_of(config)
    emptied = text_of(emptying(config, defaults(found), {}))
    assert "\ncall_waiting.enable = 1\n" in emptied and emptied.count("\ncall_waiting.enable") == 1


def text_of(config: PhoneConfig) -> str:
    return "".join(file.body.decode() for file in RENDERER.phone_files(config))


def test_names_are_those_of_the_table_of_settings() -> None:
    assert {*KEPT, *CLEARED} <= set(CATALOGUE.settings)


def test_a_table_without_a_setting_gets_none() -> None:
    model = MODELS[0]
    assert set(emptying(config_of(model), {"timezone": "UTC"}, {"admin_password": "admin"}).settings) <= {"timezone", *KEPT}

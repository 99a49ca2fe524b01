"""Keys that page a multicast group and keys of lines that the PBX shares, maker by maker, and what settings make of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from provisioner.catalog.examples import example_config
from provisioner.changes.keys import value_mistakes
from provisioner.core.multicast import multicast_mistake
from provisioner.core.render import Renderer, acting_key
from provisioner.core.settings_check import checked_setting
from provisioner.core.values import Key, SettingValue
from provisioner.errors import InputError
from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()
RENDERER = Renderer(CATALOGUE)
GROUP = "224.0.1.116:5001"


def text_of(model: str, keys: list[dict[str, object]], **settings: SettingValue) -> str:
    lines = [{"line": at, "extension": f"100{at}", "display_name": "N", "secret": "s"} for at in (1, 2)]
    vendor, name = model.split("/")
    raw = {"mac": "02:00:00:00:00:01", "line": lines, "key": keys, "settings": settings, "modules": 1}
    return "".join(file.body.decode() for file in RENDERER.phone_files(example_config(CATALOGUE, vendor, name, raw)))


PAGED = {
    "yealink/t46u": ["linekey.5.type = 24", f"linekey.5.value = {GROUP}"],
    "yealink/t28p": ["linekey.5.type = 24", f"linekey.5.value = {GROUP}"],
    "grandstream/gxp2170": [f"<P1371>13</P1371><P1372>0</P1372><P1473>Page</P1473><P1474>{GROUP}</P1474>"],
    "grandstream/grp2614": ['"pks.vpk.5.keyMode">MulticastPaging<', f'"pks.vpk.5.value">{GROUP}<'],
    "grandstream/gxv3380": ['"pks.mpk.5.mode">MulticastPaging<', f'"pks.mpk.5.value">{GROUP}<'],
    "grandstream/gxp2120": [f"<P1371>23</P1371><P1372>0</P1372><P1473>Page</P1473><P1474>{GROUP}</P1474>"],
}


@pytest.mark.parametrize("model", PAGED)
@pytest.mark.parametrize(("value", "listens"), [(GROUP, ""), (GROUP, "239.9.9.9:9999"), ("", GROUP)])
def test_a_paging_key_speaks_to_its_group_or_to_the_one_that_the_phone_hears(model: str, value: str, listens: str) -> None:
    key: dict[str, object] = {"module": 0, "key": 5, "type": "paging", "value": value, "label": "Page"}
    text = text_of(model, [key], paging_listen=listens)
    assert [part for part in PAGED[model] if part not in text] == []


def test_a_paging_key_on_a_module() -> None:
    key: dict[str, object] = {"module": 1, "key": 2, "type": "paging", "value": GROUP, "label": "Page"}
    assert f"<P23005>13</P23005><P23006>0</P23006><P23007>Page</P23007><P23008>{GROUP}</P23008>" in text_of("grandstream/gxp2170", [key])
    text = text_of("yealink/t46u", [key])
    assert "expansion_module.1.key.2.type = 24" in text and f"expansion_module.1.key.2.value = {GROUP}" in text


SHARED = {
    "yealink/t46u": (["account.2.shared_line = 1", "linekey.3.type = 15", "linekey.3.line = 2"], "account.2.shared_line = 0"),
    "yealink/t28p": (["account.2.shared_line = 1", "linekey.3.type = 21"], "linekey.3.type = 15"),
    "grandstream/gxp2170": (["<P1367>32</P1367><P1368>1</P1368>", "<P424>102</P424>", "<P198>100</P198>"], "<P424>100</P424>"),
    "grandstream/gxp1760": (["<P1367>1</P1367><P1368>1</P1368>", "<P424>102</P424>"], "<P1367>0</P1367>"),
    "grandstream/grp2614": (['"pks.vpk.3.keyMode">SharedLine<', '"account.2.sip.specialFeature">Broadsoft<'], '"pks.vpk.3.keyMode">Line<'),
    "polycom/vvx450": (['reg.2.type="shared"', 'lineKey.3.category="Line" lineKey.3.index="2"'], 'reg.2.lineKeys="1"'),
    "polycom/spip650": (['reg.2.type="shared"'], 'reg.2.lineKeys="1"'),
}


@pytest.mark.parametrize("model", SHARED)
def test_a_shared_line_is_shared_only_where_the_pbx_can(model: str) -> None:
    key: dict[str, object] = {"module": 0, "key": 3, "type": "shared_line", "line": 2}
    shared, plain = text_of(model, [key], shared_lines="sca"), text_of(model, [key])
    expected, ordinary = SHARED[model]
    assert [part for part in expected if part not in shared] == []
    assert ordinary in plain
    assert plain == text_of(model, [key | {"type": "line"}]) == text_of(model, [key | {"type": "line"}], shared_lines="sca")


@pytest.mark.parametrize(
    ("kind", "value", "settings", "acts"),
    [
        ("paging", "", {}, ("none", "")),
        ("paging", "", {"paging_listen": GROUP}, ("paging", GROUP)),
        ("shared_line", "", {}, ("line", "")),
        ("shared_line", "", {"shared_lines": "sca"}, ("shared_line", "")),
        ("blf", "1002", {"paging_listen": GROUP}, ("blf", "1002")),
    ],
)
def test_how_a_key_acts(kind: str, value: str, settings: Mapping[str, SettingValue], acts: tuple[str, str]) -> None:
    key = acting_key(Key(0, 4, kind, value, "Text", 2), settings)
    assert (key.type, key.value, key.label, key.line) == (*acts, "Text", 2)


WRONG = [
    "x",
    "224.0.1.116",
    "224.0.1.116:",
    "224.0.1.116:0",
    "224.0.1.116:65536",
    "10.0.0.1:5001",
    "224.0.1.300:5001",
    "[ff02::1]:5001",
    f"{GROUP} ",
]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_group_is_refused_with_the_mend(text: str) -> None:
    assert re.search(r"224\.0\.", multicast_mistake(text)) or "65535" in multicast_mistake(text)
    assert value_mistakes("paging", text)["value"].endswith("paging_listen")
    assert value_mistakes("speed_dial", text) == {}
    if text.strip() == text:
        with pytest.raises(InputError):
            checked_setting(CATALOGUE.settings, CATALOGUE.zones, "paging_listen", text)


@pytest.mark.parametrize("text", ["", GROUP, "239.255.255.255:65535", "224.0.0.0:1"])
def test_a_group_or_nothing_is_taken(text: str) -> None:
    assert value_mistakes("paging", text) == {}
    assert checked_setting(CATALOGUE.settings, CATALOGUE.zones, "paging_listen", text) == text


@pytest.mark.parametrize("model", sorted(model.id for vendor in CATALOGUE.vendors.values() for model in vendor.models.values()))
def test_each_missing_type_of_key_has_its_reason(model: str) -> None:
    record = CATALOGUE.model(model)
    assert record is not None
    assert all(record.missing_keys.values())
    assert ("shared_lines" in record.unsupported) == ("shared_line" in record.missing_keys)

"""Loading the catalogue: what a model takes from its series, and every planted mistake with its file and line."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner.catalog import DEFAULT_FOLDER, load_catalogue
from provisioner.catalog.model_files import merged_rows
from provisioner.catalog.reading import line_of
from provisioner.core.render import tables
from provisioner.errors import CatalogueError

TOY = Path(__file__).resolve().parent.parent / "toy_catalogue"
SERIES = """lines = 4
keys = 8
codecs = ["pcma"]
key_types = ["line", "blf"]
sources = ["data sheet of the series"]

[maps.colour]
red = "1"

[quirks]
wide = true
tall = true
"""
MODEL = """series = "s"
title = "A7"
ua_models = ["A7"]
keys = 12
sources = ["data sheet"]

[maps.colour]
blue = "9"

[quirks]
tall = false

[[disagreement]]
field = "keys"
chosen = "12"
why = "the newer data sheet"
[disagreement.values]
"data sheet 1" = "10"
"data sheet 2" = "12"
"""


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "catalogue"
    shutil.copytree(TOY, folder)
    for name in ("settings.toml", "other_makers.toml"):
        shutil.copy(DEFAULT_FOLDER / name, folder)
    (folder / "acme" / "series").mkdir()
    (folder / "acme" / "series" / "s.toml").write_text(SERIES)
    (folder / "acme" / "models" / "a7.toml").write_text(MODEL)
    return folder


def test_a_model_stands_on_its_series(toy: Path) -> None:
    vendor = load_catalogue(toy).vendors["acme"]
    model = vendor.models["a7"]
    assert (model.lines, model.keys, model.codecs, model.key_types) == (4, 12, ("pcma",), frozenset({"line", "blf"}))
    assert model.quirks == {"wide": True, "tall": False}
    assert model.sources == ("data sheet of the series", "data sheet")
    assert [(row.field, row.chosen, dict(row.values)) for row in model.disagreements] == [
        ("keys", "12", {"data sheet 1": "10", "data sheet 2": "12"})
    ]
    assert tables(vendor, model)["colour"] == {"red": "1", "blue": "9"}
    assert tables(vendor, vendor.models["a1"]) is vendor.maps


def test_rows_of_a_table_lie_over_those_of_the_series_and_lists_replace() -> None:
    series = {"codecs": ["pcma"], "quirks": {"a": 1, "b": 1}, "when": [{"firmware": "<1"}], "maps": {"t": {"x": "1", "y": "1"}}}
    own = {"codecs": ["g722"], "quirks": {"b": 2}, "when": [{"firmware": "<2"}], "maps": {"t": {"y": "2"}, "u": {"z": "3"}}}
    whole = merged_rows(series, own)
    assert whole["codecs"] == ["g722"]
    assert whole["quirks"] == {"a": 1, "b": 2}
    assert [row["firmware"] for row in whole["when"]] == ["<1", "<2"]
    assert whole["maps"] == {"t": {"x": "1", "y": "2"}, "u": {"z": "3"}}


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        path = folder / "acme" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return plant


def added(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "acme" / name).parent.joinpath(Path(name).name).write_text(text) and None


def both(*plants: Callable[[Path], None]) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        for one in plants:
            one(folder)

    return plant


def table(name: str, rows: str) -> Callable[[Path], None]:
    """Plants a setting at the end of the table of all settings."""

    def plant(folder: Path) -> None:
        with (folder / name).open("a") as file:
            file.write(f'\n[planted]\nlabel = "P"\nhelp = "p"\n{rows}\n')

    return plant


def maker(rows: str) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        with (folder / "other_makers.toml").open("a") as file:
            file.write(f'\n[[maker]]\nname = "Planted"\nouis = []\n{rows}\n')

    return plant


PART = 'parts = ["3111-48450-001"]\n'
KEYED = replaced("templates/device.acme.j2", "\n", "\n{% if file_key %}key = {{ file_key }}{% endif %}\n")
LOOKED_UP = added("templates/_sip.j2", "{{ maps.transport[settings.sip_transport] }}")

PLANTED = [
    ("a key that the model file does not know", replaced("models/a7.toml", "keys = 12", "keyz = 12"), "a7.toml:4: keyz"),
    ("panels that do not hold every key", replaced("models/a7.toml", "[quirks]", '[[panel]]\nname = "line"\nkeys = 11\n[quirks]'), "the panels have 11 keys and the model 12"),
    ("a page larger than its panel", replaced("models/a7.toml", "[quirks]", '[[panel]]\nname = "line"\nkeys = 12\nper_page = 13\n[quirks]'), "a page of 13 keys is larger"),
    ("more keys beside the display than on a page", replaced("models/a7.toml", "[quirks]", '[[panel]]\nname = "line"\nkeys = 12\nper_page = 6\nleft = 7\n[quirks]'), "7 keys are left of the display, and a page has 6"),
    ("a number that is text", replaced("models/a7.toml", "keys = 12", 'keys = "many"'), "a7.toml:4: keys"),
    ("no TOML at all", replaced("models/a7.toml", "keys = 12", "keys 12"), "a7.toml:4: "),
    ("an unknown key of a series", replaced("series/s.toml", "lines = 4", "wires = 4"), "s.toml:1: wires"),
    ("a series that is not there", replaced("models/a7.toml", '"s"', '"t"'), "a7.toml:1: series: there is no series/t.toml"),
    ("a series that nobody names", replaced("models/a7.toml", 'series = "s"\n', ""), "s.toml:1: no model is of this series"),
    ("a field that neither has", replaced("series/s.toml", "lines = 4\n", ""), "a7.toml:1: lines: is missing"),
    ("a disagreement of one", replaced("models/a7.toml", '"data sheet 1" = "10"\n', ""), "a7.toml:17: disagreement.0.values"),
    ("a firmware that is no condition", added("models/a8.toml", MODEL.replace("A7", "A8") + '[[when]]\nfirmware = "old"\nquirks = {}\n'), "a8.toml:21: when.0.firmware"),
    ("a User-Agent of two models", added("models/a8.toml", MODEL), "a8.toml:3: ua_models: A7 belongs to a7"),
    ("a source that is missing", replaced("series/s.toml", 'sources = ["data sheet of the series"]', "sources = []"), "s.toml:5: sources"),
    ("no sources at all", lambda folder: (folder / "acme" / "SOURCES.md").unlink(), "acme/SOURCES.md:1: SOURCES.md is missing or empty"),
    ("empty sources", lambda folder: (folder / "acme" / "SOURCES.md").write_text("\n") and None, "acme/SOURCES.md:1: SOURCES.md is missing or empty"),
    ("a title of two models", added("models/a8.toml", MODEL.replace('["A7"]', '["A8"]')), "a8.toml:2: title: A7 belongs to a7"),
    ("a part number of two models", both(added("models/a7.toml", PART + MODEL), added("models/a8.toml", PART + MODEL.replace("A7", "A8"))), "a8.toml:1: parts: 3111-48450-001 belongs to a7"),
    ("a source chosen that is none", replaced("models/a7.toml", 'chosen = "12"', 'chosen = "13"'), "a7.toml:15: disagreement.0.chosen: 13 is none of"),
    ("an OUI that is none", replaced("vendor.toml", '["02acde"]', '["02ACDE"]'), "vendor.toml:5: ouis.0: '02ACDE' is no OUI"),
    ("an OUI of group addresses", replaced("vendor.toml", '["02acde"]', '["03acde"]'), "vendor.toml:5: ouis: 03acde is of group addresses"),
    ("an OUI of another maker", replaced("vendor.toml", '["02acde"]', '["0c1105"]'), "maker.1.ouis: OUI 0c1105 belongs to acme"),
    ("a choice without a word", both(LOOKED_UP, replaced("vendor.toml", "[settings]", '[maps.transport]\nudp = "0"\n[settings]')), "vendor.toml:23: maps.transport: has no word for tcp, a choice of sip_transport"),
    ("a word for no choice", both(LOOKED_UP, replaced("models/a7.toml", "[quirks]", '[maps.transport]\nudpp = "0"\n[quirks]')), "a7.toml:11: maps.transport.udpp: is no choice of sip_transport"),
    ("a setting that nobody follows", replaced("vendor.toml", '"*" = "this phone', 'codecs = "this phone'), "vendor.toml:14: unsupported: neither a template nor this table has"),
    ("a form of encryption that nobody knows", replaced("vendor.toml", 'template = "device.acme.j2"', 'template = "device.acme.j2"\nencoder = "rot13"'), "file.0.encoder: Must be one of"),
    ("an encrypted file without its key", replaced("vendor.toml", 'template = "device.acme.j2"', 'template = "device.acme.j2"\nencoder = "aes_128_ecb"'), "vendor.toml:31: file.0.encoder: no template writes file_key"),
    ("an encrypted file of every phone", both(KEYED, replaced("vendor.toml", 'template = "common.acme.j2"', 'template = "common.acme.j2"\nencoder = "aes_128_ecb"')), "vendor.toml:43: file.2.encoder: only a file of scope phone"),
    ("two forms of encryption", both(KEYED, replaced("vendor.toml", 'template = "device.acme.j2"', 'template = "device.acme.j2"\nencoder = "aes_128_ecb"'), replaced("vendor.toml", 'template = "keys.acme.j2"', 'template = "keys.acme.j2"\nencoder = "openssl_aes_256_cbc"')), "file.1.encoder: a phone has one key"),
    ("a key for no file", KEYED, "a template writes file_key, and no file has an encoder"),
    ("a setting declared twice over", replaced("vendor.toml", '"*" =', 'timezone = "no"\n"*" ='), "vendor.toml:15: unsupported.timezone: a template uses this setting"),
    ("a template of a setting that is none", added("templates/_sip.j2", "{{ settings.sip_servr }}"), "vendor.toml:14: unsupported: a template uses settings.sip_servr"),
    ("a value out of its bounds", replaced("vendor.toml", "backlight_s = 30", "backlight_s = -1"), "vendor.toml:24: settings.backlight_s: -1 is not between"),
    ("a template of no file", added("templates/stray.j2", "x"), "stray.j2:1: no file rule uses this template"),
    ("a list of parameters without source", replaced("parameters.txt", "# Source", "Source"), "parameters.txt:1: the first line says where"),
    ("a pattern that is none", replaced("vendor.toml", "'^url$'", "'^url($'"), "raw.refused: bad pattern"),
    ("a mask without a group", replaced("vendor.toml", "(?P<secret>", "(?P<open>"), "masks: "),
    ("an unknown placeholder", replaced("vendor.toml", "{mac}.acme", "{mack}.acme"), "{mack} is no placeholder"),
    ("a key that is there twice", replaced("vendor.toml", "name = ", 'name = "Twice"\nname = '), "vendor.toml:3: Cannot overwrite a value"),
    ("a table that does not end", added("models/a8.toml", "[quirks"), "a8.toml:1: "),
    ("a number among words", replaced("vendor.toml", "[settings]", "[maps.m]\na = 1\n[settings]"), "vendor.toml:24: maps.m.a: Not a valid string."),
    ("a pattern of User-Agents that is none", replaced("vendor.toml", "user_agents = [", "user_agents = [\n'(', "), "vendor.toml:6: user_agents: bad pattern"),
    ("a group that nobody reads", replaced("vendor.toml", "(?P<model>", "(?P<modell>"), "has a group named modell; there are hardware, mac, model, version"),
    ("a part number twice in one model", added("models/a7.toml", PART.replace("]", ', "3111-48450-001"]') + MODEL), "a7.toml:1: parts: 3111-48450-001 belongs to a7"),
    ("a codec that nobody can choose", replaced("series/s.toml", '"pcma"', '"mp3"'), "a7.toml:1: codecs: mp3 is no choice of the setting codecs"),
    ("a place beyond the keys", replaced("models/a7.toml", "[quirks]", '[[place]]\nfirst = 1\nlast = 99\nlacks = ["blf"]\n[quirks]'), "a7.toml:10: place.0: keys 1 to 99: there are 1 to 12"),
    ("a model of nobody's word", added("models/a8.toml", MODEL.replace("A7", "A8").replace('series = "s"\n', "lines = 1\ncodecs = []\n").replace('["data sheet"]', "[]")), "a8.toml:6: sources: is missing"),
    ("an upload of no phone", replaced("vendor.toml", '"{mac}.log"', '"all.log"'), "all.log: an upload needs {mac} in its name"),
    ("a file of a phone that names none", replaced("vendor.toml", '"{mac}-keys.acme"', '"keys.acme"'), "keys.acme: a file of scope phone needs {mac}"),
    ("more kept than taken", replaced("vendor.toml", 'mode = "append"', 'mode = "append"\nmax_bytes = 9\nkeep_bytes = 10'), "upload.0.keep_bytes: more would be kept than is taken"),
    ("a default that is no choice", table("settings.toml", 'type = "choice"\ndefault = "x"\nchoices = ["a"]'), "planted.default: "),
    ("a choice without choices", table("settings.toml", 'type = "choice"\ndefault = "x"'), "planted.choices: a setting of type choice needs its choices"),
    ("bounds the wrong way round", table("settings.toml", 'type = "integer"\ndefault = 5\nminimum = 9\nmaximum = 1'), "planted.minimum: 9 is more than the maximum 1"),
    ("a maker of no source", maker('names = []\nsource = ""'), "source: Shorter than minimum length 1."),
    ("a maker's name with a slip", maker('names = ["{mack}.cfg"]\nsource = "x"'), "names: {mack}.cfg: {mack} is no placeholder"),
    ("a maker's name of no phone", maker('names = ["all.cfg"]\nsource = "x"'), "names: all.cfg: needs {mac}"),
    ("a template that includes itself", added("templates/_sip.j2", '\n{% include "_sip.j2" %}'), "_sip.j2:2: includes itself: _sip.j2 -> _sip.j2"),
    ("parts that include each other", both(added("templates/_sip.j2", "{% from '_rtp.j2' import x %}"), added("templates/_rtp.j2", '{%- include "_sip.j2" %}')), "_sip.j2:1: includes itself: _sip.j2 -> _rtp.j2 -> _sip.j2"),
    ("a file that is no text", lambda folder: (folder / "acme" / "models" / "a7.toml").write_bytes(b'keys = 1\ntitle = "\xff"') and None, "a7.toml:2: is no UTF-8 text (byte ff)"),
    ("a template that is no text", lambda folder: (folder / "acme" / "templates" / "_sip.j2").write_bytes(b"\n\xff") and None, "_sip.j2:2: is no UTF-8 text (byte ff)"),
    ("a list that is no text", lambda folder: (folder / "acme" / "parameters.txt").write_bytes(b"# x\n\xff") and None, "parameters.txt:2: is no UTF-8 text (byte ff)"),
    ("a folder in a file's place", lambda folder: (folder / "acme" / "templates" / "_sip.j2").mkdir(), "_sip.j2:1: cannot be read: Is a directory"),
    ("a link to nowhere", lambda folder: (folder / "acme" / "models" / "a8.toml").symlink_to("gone"), "a8.toml:1: cannot be read: No such file or directory"),
    ("a folder of no vendor", lambda folder: (folder / "acmee").mkdir(), "acmee/vendor.toml:1: cannot be read: No such file or directory"),
    ("a template that is not there", replaced("vendor.toml", "device.acme.j2", "gone.acme.j2"), "there is no templates/gone.acme.j2"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "sentence"), [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED])
def test_a_planted_mistake_is_listed_with_file_and_line(toy: Path, plant: Callable[[Path], None], sentence: str) -> None:
    plant(toy)
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(toy)
    assert sentence in str(caught.value)
    assert [line for line in caught.value.mistakes if not re.match(rf"{re.escape(str(toy))}/[^:]+:\d+: ", line)] == []


def test_one_unreadable_file_is_one_mistake(toy: Path) -> None:
    """Nothing else is said to be wrong for the lack of what it holds."""
    (toy / "acme" / "vendor.toml").write_text("name = \n")
    (toy / "acme" / "parameters.txt").unlink()
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(toy)
    assert list(caught.value.mistakes) == [f"{toy}/acme/vendor.toml:1: Invalid value"]


def test_lines_of_a_file_are_found_by_their_path() -> None:
    text = 'a = 1\n\n[t]\nb = 2\n[[r]]\nc = 3\n[[r]]\nc = 4\n[maps.m]\n"x-1" = "2"\n'
    places = {"a": 1, "t.b": 4, "r.0.c": 6, "r.1.c": 8, "r.1.d": 7, "maps.m.x-1": 10, "maps.m.gone": 9, "nowhere": 1}
    assert {where: line_of(text, where) for where in places} == places


def test_keys_sit_on_pages_of_panels_that_count_on() -> None:
    catalogue = load_catalogue()
    t46u, gxp2160 = catalogue.model("yealink/t46u"), catalogue.model("grandstream/gxp2160")
    assert t46u is not None and gxp2160 is not None
    assert [page[0] for page in t46u.panels[0].pages(1)] == [1, 10, 19] and t46u.panels[0].left == 5
    line, more = gxp2160.panels
    assert len(line.pages(1)) == 4 and more.pages(25) == [list(range(25, 49))]
    assert t46u.expansion is not None and t46u.expansion.per_page == 20

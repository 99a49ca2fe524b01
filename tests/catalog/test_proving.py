"""What ``provisioner check`` finds by rendering: each planted mistake is listed with file and line, and the real catalogue has none."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner.catalog import DEFAULT_FOLDER, load_catalogue
from provisioner.catalog.places import first_difference
from provisioner.catalog.proving import rendering_mistakes
from provisioner.core.raw import RawRule
from tests.catalog.test_catalog import added, both, replaced
from tests.installations import toy_catalogue

DEVICE = "templates/device.acme.j2"
TEMPLATE = added("templates/device.acme.j2", 'fine = 1\n{% include "_part.j2" %}\n')


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return toy_catalogue(tmp_path / "catalogue")


def recorded(name: str, text: bytes) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        (folder / "acme" / "examples" / name).write_bytes(text)

    return plant


def removed(pattern: str) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        for path in (folder / "acme").glob(pattern):
            path.unlink()

    return plant


PLANTED = [
    ("a name that nobody gives", replaced(DEVICE, "timezone = {{", "timezone = {{ nothing ~"), "device.acme.j2:4: 'nothing' is undefined"),
    ("a broken part of a template", both(TEMPLATE, added("templates/_part.j2", "\n\n{{ nothing }}\n")), "_part.j2:3: 'nothing' is undefined"),
    ("a template that is no Jinja", replaced(DEVICE, "{% endif %}", "{% end %}"), "device.acme.j2:8: Encountered unknown tag 'end'"),
    ("a broken part", both(TEMPLATE, added("templates/_part.j2", "\n{% if %}\n")), "_part.j2:2: Expected an expression"),
    ("a part that is not there", TEMPLATE, "device.acme.j2:2: _part.j2"),
    ("a common file that fails", added("templates/common.acme.j2", "ntp = {{ nothing.at_all }}"), "common.acme.j2:1: 'nothing' is undefined"),
    ("an unknown parameter", replaced(DEVICE, "timezone = ", "tiemzone = "), "device.acme.j2:4: tiemzone is not in the maker's list"),
    ("an unknown parameter with numbers", replaced(DEVICE, "line.{{ number }}.user", "line.{{ number }}.usr"), "device.acme.j2:10: line.1.usr is not in the"),
    ("a parameter of a table", both(replaced(DEVICE, "url = ", "{{ maps.names.address }} = "), replaced("vendor.toml", "[settings]", '[maps.names]\naddress = "uri"\n[settings]')), "vendor.toml:24: uri is not in the maker's list"),
    ("a model without example", removed("examples/a2-*.toml"), "models/a2.toml:1: no example of it: write examples/a2-<story>.toml"),
    ("an example of no model", recorded("a9-desk.toml", b'mac = "02:ac:de:00:00:a9"\n'), "a9-desk.toml:1: there is no models/a9.toml"),
    ("an example that is no TOML", recorded("a2-hall.toml", b'mac = "02:ac:de:00:00:a2"\n[[line]\n'), "a2-hall.toml:2: "),
    ("a filter that is none", replaced(DEVICE, "{{ settings.timezone }}", "{{ settings.timezone | nofilter }}"), "device.acme.j2:4: No filter named 'nofilter'."),
    ("a macro that calls itself", replaced(DEVICE, "timezone = ", "timezone = {% macro a() %}{{ a() }}{% endmacro %}{{ a() if not lines else \"\" }}"), "device.acme.j2:1: a part of this template calls itself without end"),
    ("an example with a setting that is none", recorded("a2-hall.toml", b'mac = "02acde0000a2"\n[settings]\ntiemzone = "UTC"\n'), "a2-hall.toml:3: settings.tiemzone: there is no such setting; did you mean timezone?"),
    ("an example with a value that is none", recorded("a2-hall.toml", b'mac = "02acde0000a2"\n[settings]\nvoice_vlan = 9999\n'), "a2-hall.toml:3: settings.voice_vlan: 9999 is not between"),
    ("an example with a key too many", recorded("a2-hall.toml", b'mac = "02acde0000a2"\n[[key]]\nmodule = 0\nkey = 99\ntype = "blf"\n'), "a2-hall.toml:4: key.0.key: there is no such key"),
    ("an example with a line too many", recorded("a2-hall.toml", b'mac = "02acde0000a2"\n[[line]]\nline = 9\nextension = "1"\ndisplay_name = ""\nsecret = "s"\n'), "a2-hall.toml:3: line.0.line: the model has lines 1 to 1"),
    ("an example with a field that is none", recorded("a2-hall.toml", b'mac = "02acde0000a2"\n[[line]]\nlinee = 1\n'), "a2-hall.toml:3: line.0.linee: Unknown field."),
    ("an example that is no text", recorded("a2-hall.toml", b'mac = "\xff"'), "a2-hall.toml:1: is no UTF-8 text (byte ff)"),
    ("an example without a MAC", recorded("a2-hall.toml", b"[[line]]\nline = 1\n"), "a2-hall.toml:1: "),
    ("a file that was not recorded", removed("examples/a1-desk/02acde0000a1.acme"), "a1-desk.toml:1: 02acde0000a1.acme comes out and is not recorded"),
    ("a file that does not come out", recorded("a2-hall/gone.acme", b""), "a2-hall/gone.acme:1: no such file comes out"),
    ("a file that comes out otherwise", replaced("examples/a1-desk/02acde0000a1.acme", "user = 1001", "user = 1002"), "02acde0000a1.acme:6: comes out otherwise"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "sentence"), [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED])
def test_a_planted_mistake_is_listed_with_file_and_line(toy: Path, plant: Callable[[Path], None], sentence: str) -> None:
    plant(toy)
    mistakes = rendering_mistakes(toy, load_catalogue(toy))
    assert [mistake for mistake in mistakes if sentence in mistake], mistakes
    assert all(re.match(rf"{re.escape(str(toy))}/\S+:\d+: ", mistake) for mistake in mistakes), mistakes


def test_a_choice_that_a_computed_table_lacks_is_found_by_rendering(toy: Path) -> None:
    replaced(DEVICE, "timezone = ", "url = {{ maps['tra' ~ 'ns'][settings.sip_transport] }}\ntimezone = ")(toy)
    replaced("vendor.toml", "[settings]", '[maps.trans]\nudp = "0"\ntcp = "1"\n[settings]')(toy)
    mistake, *others = rendering_mistakes(toy, load_catalogue(toy))
    assert "device.acme.j2:4: 'dict object' has no attribute 'tls'" in mistake
    assert all("comes out otherwise" in other for other in others)


def test_the_catalogue_has_no_mistake() -> None:
    assert rendering_mistakes(DEFAULT_FOLDER, load_catalogue()) == []


def test_a_list_may_hold_a_name_with_some_or_all_of_its_numbers_as_n() -> None:
    rule = RawRule(frozenset({"account.N.sip.server.1.address", "se.rt.customN.type", "P30"}), (), "{name}")
    known = ("account.3.sip.server.1.address", "se.rt.custom2.type", "P30")
    assert [name for name in known if not rule.knows(name)] == []
    assert [name for name in ("P31", "account.3.sip.server.2.address", "se.rt.custom.type") if rule.knows(name)] == []


def test_files_differ_first_where_one_ends() -> None:
    assert [first_difference(b"a\nb\n", other) for other in (b"a\n", b"a\nc\n", b"a\nb\nc\n")] == [2, 2, 3]

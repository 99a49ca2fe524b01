"""The same stories over HTTP and TFTP: who gets which file, and that everybody else gets the same nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from provisioner.changes import KeyInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.settings import ROOT
from tests.conftest import load_cases
from tests.contract.world import MODELS, OUIS, OverHTTP, OverTFTP, Phone, Wire, World, wait_until

WRONG = "a" * 24
VENDORS = ("yealink/t46u", "grandstream/gxp2170", "polycom/vvx411")


def colons(mac: str, by: str = ":") -> str:
    return by.join(mac[at : at + 2] for at in range(0, 12, 2))


@pytest.mark.parametrize("model", MODELS)
def test_a_phone_gets_its_own_file_by_its_vendors_name(served: World, phones: dict[str, Phone], wire: Wire, model: str) -> None:
    phone = phones[model]
    body = wire.get(phone.name, phone.agent)
    assert body == served.body(phone)
    assert phone.secret.encode() in body


@pytest.mark.parametrize("model", VENDORS)
@pytest.mark.parametrize(
    "spell",
    [str.upper, colons, lambda mac: colons(mac).upper(), lambda mac: colons(mac, "-"), lambda mac: colons(mac, "-").upper()],
    ids=["upper case", "colons", "upper colons", "dashes", "upper dashes"],
)
def test_every_spelling_of_the_mac_is_the_same_file(served: World, phones: dict[str, Phone], wire: Wire, model: str, spell) -> None:
    phone = phones[model]
    assert wire.get(phone.name.replace(phone.mac, spell(phone.mac)), phone.agent) == served.body(phone)


@pytest.mark.parametrize("model", VENDORS)
def test_the_case_of_the_whole_name_does_not_matter(served: World, phones: dict[str, Phone], wire: Wire, model: str) -> None:
    assert wire.get(phones[model].name.upper(), phones[model].agent) == served.body(phones[model])


def test_a_slash_before_the_name_and_another_servers_folder_do_not_matter(served: World, phones: dict[str, Phone], wire: Wire) -> None:
    phone = phones["yealink/t46u"]
    for path in (f"/{phone.name}", f"provision/{phone.name}", f"a/b/{phone.name}"):
        assert wire.get(path, phone.agent) == served.body(phone)


@pytest.mark.parametrize("model", VENDORS)
def test_the_capability_path_serves_from_anywhere(served: World, wire: Wire, model: str) -> None:
    phone = served.phone(model, served.site("token", ()))
    assert wire.get(phone.name, phone.agent) is None
    assert wire.get(served.own(phone)) == served.body(phone)
    assert wire.get(served.own(phone, phone.name.upper())) == served.body(phone)


def test_a_wrong_token_and_another_phones_token_open_nothing(served: World, phones: dict[str, Phone], wire: Wire) -> None:
    phone, other = phones["yealink/t46u"], phones["polycom/vvx411"]
    assert wire.get(f"p/{WRONG}/{phone.name}", phone.agent) is None
    assert wire.get(f"p/{served.token(other.mac)}/{phone.name}", phone.agent) is None
    assert wire.get(served.own(phone)[:-1], phone.agent) is None


@pytest.mark.parametrize("model", VENDORS)
def test_an_unknown_mac_gets_nothing(wire: Wire, model: str) -> None:
    phone = Phone(Mac(f"{OUIS[model.partition('/')[0]]}fffff1"), model, "", "")
    assert wire.get(phone.name, phone.agent) is None
    assert wire.get(f"p/{WRONG}/{phone.name}", phone.agent) is None


def test_a_disabled_phone_gets_nothing_not_even_with_its_token(served: World, wire: Wire) -> None:
    phone = served.phone(site=served.site("open"), enabled=False)
    assert wire.get(phone.name, phone.agent) is None
    assert wire.get(served.own(phone)) is None


@pytest.mark.parametrize("access", ["open", "first-fetch"])
def test_an_untrusted_network_gets_nothing_without_a_token(served: World, wire: Wire, access: str) -> None:
    phone = served.phone(site=served.site(access, ("192.0.2.0/24", "2001:db8::/32")))
    assert wire.get(phone.name, phone.agent) is None
    assert wire.get(served.own(phone)) == served.body(phone)


@pytest.mark.parametrize("model", VENDORS)
def test_the_first_fetch_closes_with_the_first_success_at_the_phones_own_address(served: World, wire: Wire, model: str) -> None:
    phone = served.phone(model)
    other = OverTFTP(served) if wire.name == "http" else OverHTTP(served)
    assert wire.get(phone.name, phone.agent) == served.body(phone)
    assert wire.get(phone.name, phone.agent) == served.body(phone), "the bootstrap name alone closes nothing"
    assert wire.get(served.own(phone), phone.agent) == served.body(phone)
    if wire.name == "http":  # over TFTP the server hears of the last ACK a moment after the client sent it
        assert wire.get(phone.name, phone.agent) is None
    wait_until(lambda: wire.get(phone.name, phone.agent) is None, what="closing")
    wait_until(lambda: other.get(phone.name, phone.agent) is None, what="closing on the other wire")
    assert wire.get(served.own(phone)) == served.body(phone)
    served.installation.changes.reopen_first_fetch("test", phone.mac)
    wait_until(lambda: wire.get(phone.name, phone.agent) is not None, what="re-opening")


@pytest.mark.parametrize("name", ["y000000000108.cfg", "Y000000000108.CFG", f"p/{WRONG}/y000000000108.cfg"])
def test_a_common_file_is_there_for_all_and_knows_no_secret(served: World, phones: dict[str, Phone], wire: Wire, name: str) -> None:
    body = wire.get(name)
    assert body
    assert not any(phone.secret.encode() in body or served.token(phone.mac).encode() in body for phone in phones.values())


@pytest.mark.parametrize(
    "name", ["y000000000000.boot", "cfg.xml", "000000000000.cfg", "000000000000-directory.xml", "sip.ld", "nothing.at.all", "", "p", "p/"]
)
def test_what_is_not_there_is_a_plain_no(wire: Wire, name: str) -> None:
    assert wire.get(name) is None


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("wall.jpg", "wall.jpg"),
        ("ring/tones/bell.wav", "ring/tones/bell.wav"),
        ("firmware/T46U-108.86.0.90.rom", "firmware/T46U-108.86.0.90.rom"),
        ("T46U-108.86.0.90.rom", "firmware/T46U-108.86.0.90.rom"),
        (f"p/{WRONG}/T46U-108.86.0.90.rom", "firmware/T46U-108.86.0.90.rom"),
        ("202401011200.bin", "202401011200.bin"),
    ],
)
def test_a_static_file_is_served_under_its_own_path(served: World, wire: Wire, path: str, file: str) -> None:
    assert wire.get(path) == (served.static / file).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "ring", "ring/", "ring/tones", "firmware/", ".", "..", "../tests", "ring/../wall.jpg", "ring/./tones/bell.wav", "../../etc/passwd",
        "ring/../../../../../../etc/passwd", "..\\..\\etc\\passwd", "ring\\tones\\bell.wav", "out", ".hidden", ".git/config",
        "ring//tones/bell.wav", "wall.jpg\x00.cfg", "wall.jpg/", "/etc/passwd", "//etc/passwd", "wall.jpg\n",
    ],
)  # fmt: skip
def test_directories_hidden_files_and_ways_out_are_refused(wire: Wire, path: str) -> None:
    if "\x00" in path and wire.name == "tftp":
        path = path.replace("\x00", "\x01")  # NUL ends the name on that wire
    assert wire.get(path) is None


def test_a_change_is_live_within_a_moment_and_without_a_restart(served: World, wire: Wire) -> None:
    phone = served.phone(site=served.site("open"))
    before = wire.get(phone.name, phone.agent)
    keys = [KeyInput(3, "speed_dial", "4711", "Label-of-the-change")]
    served.installation.changes.update_phone("test", phone.mac, PhoneInput(keys=keys))
    wait_until(lambda: b"Label-of-the-change" in (wire.get(phone.name, phone.agent) or b""), what="the change")
    assert wire.get(phone.name, phone.agent) == served.body(phone) != before
    served.installation.changes.delete_phone("test", phone.mac)
    wait_until(lambda: wire.get(phone.name, phone.agent) is None, what="the deletion")


# ---- what real phones ask for, in their order ---------------------------------------------------------------------------


def recorded_boots() -> list:
    cases = []
    for path in sorted((ROOT / "phone_templates").glob("*/examples/boot.toml")):
        for at, boot in enumerate(tomllib.loads(path.read_text("utf-8"))["boot"]):
            vendor = path.parent.parent.name
            model = boot["model"] if "/" in boot["model"] else f"{vendor}/{boot['model']}"
            cases.append(pytest.param(model, boot, id=f"{vendor}-{at + 1} {boot.get('story', boot['source'])[:60]}"))
    return cases


def spoken_agent(boot: dict, phone: Phone) -> str:
    """Returns the recorded User-Agent with this phone's MAC in the place of the recorded one."""
    text = boot["user_agent"].replace("{mac}", phone.mac)
    for recorded in ("80:5e:c0:aa:bb:cc", "00:15:65:12:34:56", "24:9a:d8:41:6c:5c"):
        text = text.replace(recorded, colons(phone.mac))
    return text.replace("64167f0a0b0c", phone.mac).replace("0004f2010203", phone.mac)


@pytest.mark.parametrize(("model", "boot"), recorded_boots())
def test_a_recorded_boot_is_answered_as_recorded(served: World, model: str, boot: dict) -> None:
    phone = served.phone(model, served.site("open"))
    agent = spoken_agent(boot, phone)
    for step in boot["request"]:
        name = step["name"].format(mac=phone.mac)
        created = _static_for(served, name) if step["expect"] == "static" else None
        answer = served.http(step["method"], name, agent, b"<xml/>" if step["method"] == "PUT" else None)
        wanted = 404 if step["expect"] == "absent" else 200
        assert answer.status == wanted, (step, answer)
        if step["method"] == "GET" and wanted == 200:
            assert answer.body, step
        if created is not None:
            assert answer.body == created.read_bytes()
            created.unlink()


@pytest.mark.parametrize(("model", "boot"), recorded_boots())
def test_a_recorded_boot_over_tftp(served: World, phones: dict[str, Phone], model: str, boot: dict) -> None:
    if any(step["method"] == "PUT" for step in boot["request"]):
        boot = {**boot, "request": [step for step in boot["request"][:10] if step["method"] != "PUT"]}
    phone = phones[model]
    for step in boot["request"]:
        if step["method"] == "HEAD":
            continue
        name = step["name"].format(mac=phone.mac)
        created = _static_for(served, name) if step["expect"] == "static" else None
        body = served.tftp(name)
        assert (body is None) == (step["expect"] == "absent"), step
        if created is not None:
            assert body == created.read_bytes()
            created.unlink()


def _static_for(served: World, name: str) -> Path:
    path = served.static / name
    path.write_bytes(b"firmware of the test")
    return path


MODELS_OF = {"Yealink": "yealink/t46u", "Polycom": "polycom/vvx411", "Grandstream": "grandstream/gxp2170"}
MEANT = {
    "y0000000000NN.cfg": "y000000000108.cfg",
    "<partnumber>.sip.ld": "3111-48450-001.sip.ld",
    "CONFIG_FILES": "<mac>-user.cfg",
    "cfg<model>.xml": "cfggxp2170.xml",
    "<model>fw.bin": "gxp2170fw.bin",
}
"""What the words of the recorded orders stand for."""
THERE = {
    "Yealink": {"y000000000108.cfg", "<mac>.cfg"},
    "Polycom": {"<mac>.cfg", "<mac>-user.cfg", "<mac>-directory.xml"},
    "Grandstream": {"cfg<mac>.xml"},
}
"""Which of the names have a file; the others are "not found", and the phone goes on."""


@pytest.mark.parametrize(
    "case", [case for case in load_cases("fetch_sequences") if case["vendor"] in MODELS_OF], ids=lambda case: case["id"]
)
def test_a_recorded_order_ends_with_the_phones_own_file(served: World, phones: dict[str, Phone], wire: Wire, case: dict) -> None:
    phone, there = phones[MODELS_OF[case["vendor"]]], THERE[case["vendor"]]
    words = [step.removeprefix("PUT ").split()[0] for step in case["order"]]
    names = [MEANT.get(word, word) for word in words]
    found = {name for name in names if wire.get(name.replace("<mac>", phone.mac), phone.agent) is not None}
    assert found == there & set(names)

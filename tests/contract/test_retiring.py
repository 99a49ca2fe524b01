"""A phone of each maker is taken out of service: what it fetches over HTTP leaves it nothing of before, value by value."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree import ElementTree

import pytest

from provisioner.changes import KeyInput, PhoneInput
from provisioner.core.lockstep import Stage, stage
from tests.contract.world import Phone, World, wait_until
from tests.phones.config import Firmware
from tests.phones.grandstream import Grandstream
from tests.phones.grandstream import parameters as grandstream_parameters
from tests.phones.polycom import Polycom, attributes
from tests.phones.yealink import Yealink
from tests.phones.yealink import parameters as yealink_parameters

FIRMWARE = {
    "yealink/t46u": Yealink, "yealink/t54w": Yealink, "grandstream/gxp2170": Grandstream, "grandstream/grp2614": Grandstream,
    "polycom/vvx411": Polycom,
}  # fmt: skip
SETTINGS = {
    "sip_server": "pbx.office.test", "second_sip_server": "spare.office.test", "outbound_proxy": "proxy.office.test",
    "admin_password": "phone-secret-9", "voicemail_number": "*9797", "pickup_code": "*6868", "hotline_number": "4711",
    "ldap_server": "ldap.office.test", "ldap_base": "dc=office-test", "ldap_user": "cn=reader", "ldap_password": "ldap-secret-9",
    "syslog_server": "log.office.test", "ntp_server": "time.office.test", "action_url_start": "http://hook.office.test/up",
    "dot1x_mode": "md5", "dot1x_user": "port-user-9", "dot1x_password": "port-secret-9", "voice_vlan": 20, "emergency_numbers": "112,0999",
}  # fmt: skip
CONTACT = b"<directory><item_list><item><fn>Grandma</fn><ct>0205550199</ct><sd>1</sd></item></item_list></directory>"
BEFORE = (
    "office.test", "office-test", "secret", "S1pS3cret", "port-user", "cn=reader", "*9797", "*6868", "4711", "0999", "Grandma", "0205550199",
    "Alice", "Front desk", "Boss", "3111",
)  # fmt: skip
"""Words of what the phone was given, and its user had given it."""


@dataclass
class OwnAddress:
    """The server as the phone sees it at its own address, and what it got there."""

    world: World
    phone: Phone
    agent: str
    token: str = ""
    """Of an address that it had before; empty: the present one."""
    got: dict[str, bytes] = field(default_factory=dict)
    kept: list[int] = field(default_factory=list)

    def get(self, name: str) -> bytes | None:
        path = f"p/{self.token}/{name}" if self.token else self.world.own(self.phone, name)
        answer = self.world.http("GET", path, self.agent)
        if answer.status == 200:
            self.got[name] = answer.body
        return answer.body if answer.status == 200 else None

    def put(self, name: str, body: bytes) -> None:
        self.kept.append(self.world.http("PUT", self.world.own(self.phone, name), self.agent, body).status)


def furnished(served: World, model: str) -> Phone:
    phone = served.phone(model, served.site("token", ()))
    changes = served.installation.changes
    changes.update_extension("test", phone.extension, {"display_name": "Alice"})
    keys = [KeyInput(2, "blf", phone.extension, "Front desk"), KeyInput(3, "speed_dial", "3111", "Boss")]
    changes.update_phone("test", phone.mac, PhoneInput(keys=keys, settings=SETTINGS))
    served.wait_live(phone)
    return phone


def values(model: str, mac: str, got: dict[str, bytes]) -> dict[str, str]:
    """Returns every value that the maker's own reader finds in what was fetched, with the file and the name of its parameter."""
    found: dict[str, str] = {}
    for name, body in got.items():
        if model.startswith("yealink/"):
            read = yealink_parameters(body, {})
        elif model.startswith("grandstream/"):
            read = grandstream_parameters(body, mac, {})
        elif name.endswith("-directory.xml"):
            read = {f"contact.{at}": item.text or "" for at, item in enumerate(ElementTree.fromstring(body).iter()) if item.text}
        else:
            read = attributes(body)
        found |= {f"{name}: {parameter}": value for parameter, value in read.items()}
    return found


def left_of_before(found: dict[str, str], *more: str) -> dict[str, str]:
    return {name: value for name, value in found.items() if any(word in value for word in (*BEFORE, *more))}


@pytest.mark.parametrize("model", FIRMWARE)
def test_what_a_retired_phone_fetches_leaves_it_nothing_of_before(served: World, model: str) -> None:
    phone = furnished(served, model)
    vendor, _, name = model.partition("/")
    firmware: Firmware = FIRMWARE[model](name, phone.mac)
    before = OwnAddress(served, phone, firmware.user_agent)
    if vendor == "polycom":
        before.put(f"{phone.mac}-directory.xml", CONTACT)
        assert before.kept[0] in (200, 201, 204)
    firmware.fetch(before)
    config = firmware.config()
    assert [line.secret for line in config.lines] == [phone.secret] and config.watched
    told = left_of_before(values(model, phone.mac, before.got), phone.extension)
    assert len(told) > 10, "else nothing is proven by their absence"
    assert any("Grandma" in value for value in told.values()) == (vendor == "polycom")

    served.installation.changes.retire_phone("test", phone.mac)
    assert stage_of(served, phone) is Stage.RETIRING
    served.wait_live(phone)
    after = OwnAddress(served, phone, firmware.user_agent)
    firmware.fetch(after)
    assert firmware.config().lines == () and firmware.config().watched == ()
    assert firmware.config().url == config.url, "it is still led to where it is served"
    found = values(model, phone.mac, after.got)
    assert len(found) > 50 and left_of_before(found, phone.extension, phone.secret) == {}
    wait_until(lambda: stage_of(served, phone) is Stage.RETIRED, what="the record of its last fetch")
    after.put(f"{phone.mac}-{'directory' if vendor == 'polycom' else 'contact'}.xml", CONTACT)
    assert after.kept[-1] in (404, 405), "what it gave would be given back to it"
    assert served.installation.store.uploads_of(phone.mac) == []


@pytest.mark.parametrize("model", FIRMWARE)
def test_a_phone_taken_back_has_what_it_had_with_another_password(served: World, model: str) -> None:
    phone = furnished(served, model)
    changes = served.installation.changes
    changes.retire_phone("test", phone.mac)
    served.wait_live(phone)
    changes.reinstate_phone("test", phone.mac)
    served.wait_live(phone)
    firmware: Firmware = FIRMWARE[model](model.partition("/")[2], phone.mac)
    firmware.fetch(OwnAddress(served, phone, firmware.user_agent))
    [line] = firmware.config().lines
    assert (line.number, line.display_name, line.server) == (phone.extension, "Alice", "pbx.office.test")
    assert line.secret == served.installation.store.extension_secret(phone.extension) != phone.secret
    assert [key.label for key in firmware.config().watched] == ["Front desk"]


@pytest.mark.parametrize(("model", "key"), [("yealink/t46u", "aes_key_16"), ("grandstream/gxp2170", "P1359")])
def test_a_phone_with_encrypted_files_gives_its_key_back(served: World, model: str, key: str) -> None:
    phone = furnished(served, model)
    firmware: Firmware = FIRMWARE[model](model.partition("/")[2], phone.mac)
    at_first = OwnAddress(served, phone, firmware.user_agent, served.token(phone.mac))
    served.installation.changes.update_phone("test", phone.mac, PhoneInput(settings={"encrypt_files": True}, merge_settings=True))
    served.wait_index()  # the hash of what goes out encrypted is another one
    firmware.fetch(at_first)
    keyed = OwnAddress(served, phone, firmware.user_agent)
    firmware.fetch(keyed)
    assert firmware.config().lines and phone.extension.encode() not in keyed.got[phone.name], "it reads what nobody else can"
    served.installation.changes.retire_phone("test", phone.mac)
    served.wait_live(phone)
    after = OwnAddress(served, phone, firmware.user_agent)
    firmware.fetch(after)
    assert firmware.config().lines == ()
    assert [value for name, value in values(model, phone.mac, after.got).items() if key in name and value] == []
    assert key in after.got[phone.name].decode(), "else it would keep the key that it has"


def stage_of(served: World, phone: Phone) -> Stage:
    facts = served.installation.store.lockstep(phone.mac, has_pbx=False)
    assert facts is not None
    return stage(facts)

"""Pinned firmware, from the pin to the bytes: each maker's own names, share by share, and a stop where phones do not come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from provisioner.changes import PhoneInput
from provisioner.changes.firmware import PinInput
from provisioner.core.rollout import Pin
from provisioner.core.values import FileAnswer, Reason
from provisioner.errors import InputError, NotFound, StaleWrite
from provisioner.models import registration
from tests.contract.inside import ELSEWHERE, Inside, inside
from tests.contract.world import Phone

ROM = "T46U(T43U,T46U,T41U,T48U,T42U,T44U,T44W)-108.86.0.90.rom"
IMAGES = {
    "yealink/t46u": (ROM, "108.86.0.90", (ROM,)),
    "grandstream/gxp2170": ("new/gxp2170fw.bin", "1.0.11.79", ("gxp2170fw.bin",)),
    "polycom/vvx411": (
        "3111-48450-001.sip.ld", "6.4.6.2494",
        ("3111-48450-001.sip.ld", "3111-48450-001.3111-48450-001.sip.ld", "sip.ld"),
    ),
}  # fmt: skip
AGENTS = {
    "yealink": "Yealink SIP-T46U {version} {colons}",
    "grandstream": "Grandstream Model HW GXP2170 SW {version} DevId {mac}",
    "polycom": "FileTransport PolycomVVX-VVX_411-UA/{version} (SN:{mac}) Type/Application",
}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        for file, version, _ in IMAGES.values():
            path = made.installation.settings.tftp_root / "firmware" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"image {version}".encode() * 1000)
        yield made


def pin(own: Inside, target: str, model: str = "yealink/t46u", **more: Any) -> Pin:
    file, version, _ = IMAGES[model]
    made = own.installation.changes.put_pin("test", target, PinInput(**{"file": file, "version": version, **more}))
    roll(own)
    return made


def roll(own: Inside) -> None:
    """What the worker does two seconds later."""
    own.worker.rollout._next = -1.0
    own.follow()


def now(own: Inside, target: str) -> Pin:
    return next(pin for pin in own.installation.store.firmware_pins() if pin.target == target)


def given(own: Inside) -> set[str]:
    return set(own.installation.store.firmware_releases())


def comes_back(own: Inside, phone: Phone, version: str) -> None:
    """The phone restarts with a version: it registers again, and says so."""
    own.clock.now += 60
    agent = AGENTS[phone.vendor].format(version=version, mac=phone.mac, colons=phone.mac.colons)
    row = {"mac": phone.mac, "extension": phone.extension, "registered_at": own.clock.now, "uri": "sip:x", "address": "192.0.2.1"}
    with own.installation.database.write() as connection:
        connection.execute(registration.delete().where(registration.c.mac == phone.mac))
        connection.execute(registration.insert().values(**row, user_agent=agent))
    roll(own)


def ask(own: Inside, phone: Phone, name: str) -> FileAnswer:
    return own.ask(f"p/{own.token(phone)}/{phone.mac}/{name}", phone.agent)


@pytest.mark.parametrize("model", IMAGES)
def test_each_makers_own_name_leads_to_the_pinned_image(own: Inside, model: str) -> None:
    file, _, names = IMAGES[model]
    phone, other = own.phone(model), own.phone(model)
    pin(own, phone.mac, model)
    for name in names:
        answer = ask(own, phone, name)
        assert answer.reason is Reason.SERVED, name
        assert answer.static_path == (own.installation.settings.tftp_root / "firmware" / file).resolve()
        assert ask(own, other, name).reason is Reason.NO_SUCH_FILE, "a pin of one phone is no other's"
    assert own.ask(f"{phone.mac}/{names[0]}", phone.agent, peer=ELSEWHERE).reason is Reason.UNPROVEN


@pytest.mark.parametrize("model", IMAGES)
def test_the_phones_file_names_the_address_of_its_image(own: Inside, model: str) -> None:
    phone = own.phone(model)
    master = f"{phone.mac}.cfg" if phone.vendor == "polycom" else phone.name
    before = own.ask(f"p/{own.token(phone)}/{master}", phone.agent).body.decode()
    assert f"/{phone.mac}/" not in before
    pin(own, phone.mac, model)
    after = own.ask(f"p/{own.token(phone)}/{master}", phone.agent).body.decode()
    assert f"prov.example:1/p/{own.token(phone)}/{phone.mac}" in after


def test_an_image_for_other_hardware_is_not_given(own: Inside) -> None:
    phone = own.phone("polycom/vvx411")
    pin(own, phone.mac, "polycom/vvx411", hardware="3111-48450-001")
    assert ask(own, phone, "3111-48450-001.sip.ld").reason is Reason.SERVED
    assert ask(own, phone, "3111-48400-001.sip.ld").reason is Reason.NO_SUCH_FILE


def test_a_phone_whose_user_agent_tells_other_hardware_is_passed_over(own: Inside) -> None:
    old, new = own.phone("grandstream/gxp2170"), own.phone("grandstream/gxp2170")
    for phone, revision in ((old, "V1.0A"), (new, "V2.0A")):
        agent = f"Grandstream Model HW GXP2170 {revision} SW 1.0.9.1 DevId {phone.mac}"
        own.fetch(f"p/{own.token(phone)}/{phone.name}", agent)
    own.recorder.flush()
    pin(own, "grandstream/gxp2170", "grandstream/gxp2170", hardware="V2.0A", shares=(100,))
    assert given(own) == {new.mac}


def test_the_next_share_is_given_only_after_the_first_came_back_with_the_version(own: Inside) -> None:
    phones = {phone.mac: phone for phone in (own.phone() for _ in range(4))}
    pin(own, "yealink/t46u", shares=(25, 100))
    [first] = given(own)
    comes_back(own, phones[first], "108.86.0.80")
    assert given(own) == {first}, "it registered with the old version"
    comes_back(own, phones[first], "108.86.0.90")
    roll(own)
    assert given(own) == set(phones)
    assert own.worker.rollout.counters == {"firmware_given": 4.0, "firmware_confirmed": 1.0, "firmware_stopped": 0.0}
    for phone in phones.values():
        comes_back(own, phone, "108.86.0.90")
    roll(own)
    assert now(own, "yealink/t46u").state == "done"


def test_all_releases_are_read_again_only_after_one_was_confirmed(own: Inside) -> None:
    phone = own.phone()
    pin(own, phone.mac)
    read: list[str] = []
    sa.event.listen(own.installation.database.engine, "before_cursor_execute", lambda *args: read.append(args[2]))

    def reads() -> int:
        found = sum("firmware_release.released_at" in statement for statement in read)
        read.clear()
        return found

    roll(own)
    assert reads() == 1
    comes_back(own, phone, "108.86.0.90")
    assert reads() == 2


def test_a_registration_from_before_proves_nothing(own: Inside) -> None:
    phone, _ = own.phone(), own.phone()
    comes_back(own, phone, "108.86.0.90")
    own.clock.now += 60
    pin(own, phone.mac)
    assert own.installation.store.firmware_releases()[phone.mac].confirmed_at is None


def test_a_phone_that_does_not_come_back_stops_the_roll_out_until_somebody_resumes_it(own: Inside) -> None:
    phones = {phone.mac: phone for phone in (own.phone() for _ in range(4))}
    pin(own, "yealink/t46u", shares=(25, 100), timeout_s=600)
    [first] = given(own)
    own.clock.now += 601
    roll(own)
    stopped = now(own, "yealink/t46u")
    assert stopped.state == "stopped"
    assert phones[first].mac.colons in stopped.reason
    comes_back(own, phones[first], "108.86.0.90")
    assert given(own) == {first}
    own.installation.changes.resume_pin("test", "yealink/t46u")
    comes_back(own, phones[first], "108.86.0.90")
    roll(own)
    assert given(own) == set(phones)


def test_a_phone_that_is_taken_out_of_service_holds_nobody_up(own: Inside) -> None:
    phones = {phone.mac: phone for phone in (own.phone() for _ in range(4))}
    pin(own, "yealink/t46u", shares=(25, 100), timeout_s=600)
    [first] = given(own)
    own.installation.changes.retire_phone("test", phones[first].mac)
    own.clock.now += 601
    roll(own)
    assert now(own, "yealink/t46u").state == "rolling"
    assert first not in given(own) and len(given(own)) == 1, "another one shows how it goes"


def test_a_phone_without_lines_is_believed_by_what_it_fetches(own: Inside) -> None:
    phone = own.phone()
    own.installation.changes.update_phone("test", phone.mac, PhoneInput(lines=[]))
    pin(own, phone.mac, shares=(100,))
    own.clock.now += 60
    own.fetch(f"p/{own.token(phone)}/{phone.name}", AGENTS["yealink"].format(version="108.86.0.90", colons=phone.mac.colons))
    own.recorder.flush()
    roll(own)
    assert now(own, phone.mac).state == "done"


def test_the_nearest_pin_counts_and_taking_it_off_takes_the_image(own: Inside) -> None:
    folder = own.installation.settings.tftp_root / "firmware"
    (folder / "other.rom").write_bytes(b"other")
    phone = own.phone()
    pin(own, "yealink/t46u", shares=(100,))
    assert ask(own, phone, "x.rom").static_path == (folder / ROM).resolve()
    pin(own, phone.mac.colons, file="other.rom", version="108.87.0.1")
    assert ask(own, phone, "x.rom").static_path == (folder / "other.rom").resolve()
    own.installation.changes.delete_pin("test", phone.mac)
    roll(own)
    assert ask(own, phone, "x.rom").static_path == (folder / ROM).resolve()
    own.installation.changes.delete_pin("test", "yealink/t46u")
    roll(own)
    assert ask(own, phone, "x.rom").reason is Reason.NO_SUCH_FILE
    assert b"firmware.url = %NULL%" in own.ask(f"p/{own.token(phone)}/{phone.name}", phone.agent).body


def test_a_phone_that_left_the_group_loses_the_groups_image(own: Inside) -> None:
    own.installation.changes.put_group("test", "sales", {})
    phone = own.phone()
    own.installation.changes.update_phone("test", phone.mac, PhoneInput(group="sales"))
    pin(own, "yealink/t46u@sales", shares=(100,))
    assert given(own) == {phone.mac}
    own.installation.changes.update_phone("test", phone.mac, PhoneInput(clear_group=True))
    roll(own)
    assert given(own) == set()


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"file": "missing.rom"}, "file"),
        ({"file": "../secret.key"}, "file"),
        ({"file": "/etc/passwd"}, "file"),
        ({"file": ".hidden.rom"}, "file"),
        ({"version": "new"}, "version"),
        ({"shares": (50, 25, 100)}, "shares"),
        ({"shares": (50,)}, "shares"),
        ({"timeout_s": 1}, "timeout_s"),
    ],
)
def test_a_pin_with_a_mistake_names_the_field(own: Inside, more: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as raised:
        pin(own, "yealink/t46u", **more)
    assert list(raised.value.fields) == [field]


def test_targets_and_revisions_are_checked(own: Inside) -> None:
    changes = own.installation.changes
    for target in ("acme/none", "yealink/t46u@nobody", "80:5e:c0:99:99:99"):
        with pytest.raises(InputError):
            pin(own, target)
    pin(own, "yealink/t46u")
    with pytest.raises(StaleWrite):
        changes.delete_pin("test", "yealink/t46u", 7)
    with pytest.raises(NotFound):
        changes.resume_pin("test", "yealink/t54w")

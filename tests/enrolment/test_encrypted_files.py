"""Encrypted files as phones meet them: the key comes with the first file, what follows opens with it, and a phone that was reset gets a new one."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from provisioner.api.bootstrap import what_of
from provisioner.changes import PhoneInput
from provisioner.core.lockstep import Stage, stage
from provisioner.core.values import FileAnswer, Reason
from provisioner.transports.http import PhonesHTTP
from provisioner.transports.http_reply import Conditions
from tests.contract.inside import ELSEWHERE, LOCAL, Inside, inside
from tests.contract.world import Phone
from tests.openssl import opened_cbc, opened_ecb
from tests.phones.config import Config, Firmware, Unreadable
from tests.phones.device import FIRMWARES

MODELS = ("yealink/t46u", "grandstream/gxp2170")
MOST_BOOTS = 4


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        yield made


@dataclass
class Handset:
    """A phone on somebody's desk. What it was told stays in it until it is reset."""

    here: Inside
    phone: Phone
    peer: str = LOCAL
    folder: str = ""
    firmware: Firmware = field(init=False)
    answers: list[FileAnswer] = field(default_factory=list)

    def __post_init__(self) -> None:
        vendor, _, model = self.phone.model.partition("/")
        self.firmware = FIRMWARES[vendor](model, str(self.phone.mac))

    def reset(self) -> None:
        """To factory settings: its address and its key are gone."""
        self.folder = ""
        self.__post_init__()

    def get(self, name: str) -> bytes | None:
        answer = self.here.fetch(self.folder + name, self.phone.agent, peer=self.peer)
        if name == self.phone.name:
            self.answers.append(answer)
        return answer.body if answer.reason is Reason.SERVED else None

    def put(self, name: str, body: bytes) -> None:
        raise OSError(f"{name}: this phone sends nothing")

    def boot(self) -> Config:
        """Fetches, and again for as long as its files send it to another address."""
        for _ in range(MOST_BOOTS):
            asked = self.folder
            self.firmware.fetch(self)
            config = self.firmware.config()
            self.folder = urlsplit(config.url).path.lstrip("/") if config.url else ""
            if self.folder == asked:
                return config
        raise AssertionError("its files send it around in circles")


def encrypted(here: Inside, model: str, access: str = "first-fetch") -> Phone:
    """Lists a phone at a site of its own that encrypts."""
    site = here.site(access)
    here.installation.changes.update_site("test", site, {"settings": {"encrypt_files": True}})
    return here.phone(model, site)


def switch(here: Inside, phone: Phone, is_on: bool) -> None:
    here.clock.now += 1
    here.installation.changes.update_phone("test", phone.mac, PhoneInput(settings={"encrypt_files": is_on}))
    here.follow()


def secret_of(config: Config) -> str:
    return config.lines[0].secret


def is_clear(answer: FileAnswer) -> bool:
    return answer.body[:2] in (b"#!", b"<?")


def stage_of(here: Inside, phone: Phone) -> Stage:
    here.recorder.flush()
    facts = here.installation.store.lockstep(phone.mac, has_pbx=False)
    assert facts is not None
    return stage(facts)


@pytest.mark.parametrize("model", MODELS)
def test_a_fresh_phone_reads_its_key_in_clear_and_everything_after_it_encrypted(here: Inside, model: str) -> None:
    phone = encrypted(here, model)
    handset = Handset(here, phone)
    assert secret_of(handset.boot()) == phone.secret
    first, *later = handset.answers
    assert is_clear(first) and phone.secret.encode() in first.body
    assert later and not any(is_clear(answer) or phone.secret.encode() in answer.body for answer in later)
    assert stage_of(here, phone) is Stage.IN_LOCKSTEP, "the file in clear is what was served, in whatever form"
    switch(here, phone, True)  # a change that touches it, and changes nothing
    assert handset.boot() and stage_of(here, phone) is Stage.IN_LOCKSTEP


@pytest.mark.parametrize("model", MODELS)
def test_the_key_that_the_phone_was_given_opens_the_file_and_no_other_phones_does(here: Inside, model: str) -> None:
    phones = [encrypted(here, model) for _ in range(2)]
    configs, bodies = [], []
    for phone in phones:
        handset = Handset(here, phone)
        handset.boot()
        configs.append(here.installation.store.render_jobs([phone.mac])[0].config)
        bodies.append(handset.answers[-1].body)
    opened = opened_ecb if model.startswith("yealink") else opened_cbc
    assert phones[0].secret.encode() in opened(bodies[0], configs[0].file_key)
    with pytest.raises(Unreadable):
        Handset(here, phones[1]).firmware.fetch(_Given(bodies[0]))
    assert configs[0].file_key != configs[1].file_key


@dataclass
class _Given:
    """A server that has one file under every name."""

    body: bytes

    def get(self, name: str) -> bytes | None:
        return None if name.endswith(".boot") else self.body

    def put(self, name: str, body: bytes) -> None:
        raise OSError(name)


def test_switched_on_later_the_old_address_brings_the_key_and_then_ends(here: Inside) -> None:
    phone = here.phone("grandstream/gxp2170")
    handset = Handset(here, phone)
    handset.boot()
    before = handset.folder
    switch(here, phone, True)
    assert stage_of(here, phone) is Stage.WAITING_FOR_PHONE
    assert secret_of(handset.boot()) == phone.secret
    assert handset.folder != before and not is_clear(handset.answers[-1])
    assert stage_of(here, phone) is Stage.IN_LOCKSTEP
    assert here.ask(before + phone.name, phone.agent).reason is Reason.BAD_TOKEN, "whoever read it on the way gets nothing in clear by it"


def test_switched_off_the_phone_gets_its_file_in_clear_where_it_is(here: Inside) -> None:
    phone = encrypted(here, "yealink/t46u")
    handset = Handset(here, phone)
    handset.boot()
    at = handset.folder
    switch(here, phone, False)
    assert secret_of(handset.boot()) == phone.secret
    assert handset.folder == at and is_clear(handset.answers[-1])
    switch(here, phone, True)
    handset.boot()
    assert handset.folder != at, "its address was good for a file in clear meanwhile"
    assert not is_clear(handset.answers[-1]) and stage_of(here, phone) is Stage.IN_LOCKSTEP


@pytest.mark.parametrize(("model", "access"), [("yealink/t46u", "open"), ("grandstream/gxp2170", "first-fetch")])
def test_a_phone_that_was_reset_is_refused_and_shown_until_somebody_opens_it_again(here: Inside, model: str, access: str) -> None:
    phone = encrypted(here, model, access)
    handset = Handset(here, phone)
    handset.boot()
    handset.reset()
    handset.firmware.fetch(handset)
    assert handset.answers[-1].reason is Reason.BOOTSTRAP_CLOSED, "what it could read, anybody in the network could"
    here.recorder.flush()
    assert [what_of(row) for row in here.installation.store.bootstrap_refusals(mac=phone.mac)] == ["reset"]
    here.clock.now += 1
    here.installation.changes.reopen_first_fetch("technician", phone.mac)
    here.follow()
    assert secret_of(handset.boot()) == phone.secret
    assert not is_clear(handset.answers[-1]) and stage_of(here, phone) is Stage.IN_LOCKSTEP


def test_digest_credentials_bring_a_phone_that_has_its_key_nothing_in_clear(here: Inside) -> None:
    phone = encrypted(here, MODELS[0], "digest")
    handset = Handset(here, phone)
    handset.folder = f"p/{here.token(phone)}/"
    assert handset.get(phone.name)
    password = here.installation.box.phone_password(phone.mac, "digest")
    header = "Basic " + b64encode(f"{phone.mac}:{password}".encode()).decode()
    assert here.ask(phone.name, phone.agent, authorization=header).reason is Reason.BOOTSTRAP_CLOSED


def test_a_new_address_brings_a_new_key_under_the_old_one(here: Inside) -> None:
    phone = encrypted(here, "grandstream/gxp2170")
    handset = Handset(here, phone)
    handset.boot()
    before = here.installation.store.render_jobs([phone.mac])[0].config.file_key
    here.installation.changes.renew_token("test", phone.mac)
    here.follow()
    after = here.installation.store.render_jobs([phone.mac])[0].config.file_key
    assert before != after
    del handset.answers[:]
    handset.boot()
    assert after.encode() in opened_cbc(handset.answers[0].body, before)
    assert after.encode() in opened_cbc(handset.answers[-1].body, after)


def test_an_install_link_brings_the_key_from_anywhere(here: Inside) -> None:
    phone = encrypted(here, MODELS[0])
    link = here.installation.changes.issue_install_link("test", phone.mac, 72)
    here.follow()
    handset = Handset(here, phone, ELSEWHERE, urlsplit(link.url).path.lstrip("/"))
    assert secret_of(handset.boot()) == phone.secret
    assert is_clear(handset.answers[0]) and not is_clear(handset.answers[-1])


def test_a_phone_whose_form_is_not_known_keeps_its_file_in_clear(here: Inside) -> None:
    for model in ("polycom/vvx411", "grandstream/grp2614"):
        phone = encrypted(here, model)
        here.fetch(phone.name, phone.agent)
        answer = here.fetch(f"p/{here.token(phone)}/{phone.name}", phone.agent)
        assert phone.secret.encode() in answer.body
        job = here.installation.store.render_jobs([phone.mac])[0]
        assert not job.config.file_key and job.enciphered_since is None
        found = here.installation.catalogue.model(model)
        assert found is not None and "no source" in found.unsupported["encrypt_files"]


def test_ranges_tags_and_other_processes_speak_of_the_same_bytes(here: Inside) -> None:
    phone = encrypted(here, MODELS[0])
    handset = Handset(here, phone)
    handset.boot()
    request = here.request(handset.folder + phone.name, phone.agent)
    answer = here.server.answer(request)
    second = here.restart().server.answer(request)
    assert (second.body, second.sha256) == (answer.body, answer.sha256)
    http = PhonesHTTP(here.server, here.credentials, here.uploads)
    part = http.encoded(answer, "GET", Conditions(range="bytes=16-31"))
    assert part.status == 206 and bytes(part.body) == answer.body[16:32]
    assert http.encoded(answer, "GET", Conditions(none_match=f'"{answer.sha256}"')).status == 304

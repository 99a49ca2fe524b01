"""The stories of ``test_faults`` on an Asterisk that somebody else runs, set up as the page says: what is not ours is the same to the byte afterwards.

Nobody starts that one again but its owner, who is this test.
"""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pbx_sync.asterisk.ami import AMI
from pbx_sync.asterisk.backend import AsteriskBackend
from pbx_sync.asterisk.instance import Instance
from pbx_sync.asterisk.objects import NOTIFIER
from pbx_sync.asterisk.program import Program
from provisioner.changes import KeyInput, PhoneInput
from provisioner.core.lockstep import Stage
from tests.asterisk.by_hand import Hand as Owner
from tests.asterisk.by_hand import address_of, hand_at
from tests.asterisk.relay import Relay
from tests.asterisk.test_howto import set_up_by_hand
from tests.contract.world import wait_until, world
from tests.installations import API_TOKEN
from tests.phones.network import Network
from tests.phones.office import MODELS, PATIENCE_S, Desk, Hand, Office, open_for_work, wait_speech

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(300)]

PHONES, RENEW_S = 6, 2.0
THEIRS = {
    ("ps_endpoint/endpoint", "7001"): '{"context":"internal","allow":"ulaw","aors":"7001","auth":"7001"}',
    ("ps_auth/auth", "7001"): '{"auth_type":"userpass","username":"7001","password":"of-the-owner"}',
    ("ps_aor/aor", "7001"): '{"max_contacts":"1"}',
    ("ps_endpoint/endpoint", NOTIFIER): '{"context":"default","allow":"ulaw"}',
    ("cidname", "0201234567"): "The owner's dentist",
    ("provisioner-of-theirs", "1001"): "has nothing to do with us",
}
TAKEN = "7001"
HTTP_500 = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Elsewhere(Office):
    """An office whose Asterisk is somebody else's, reached through a relay."""

    instance: Instance | None = None
    relay: Relay | None = None
    owner: Owner | None = None

    @property
    def pbx_folder(self) -> Path:
        assert self.instance is not None
        return self.instance.folder

    @contextmanager
    def hand(self) -> Iterator[Hand]:
        assert self.instance is not None
        ami = AMI(address_of(self.instance))
        try:
            yield Hand(ami)
        finally:
            ami.close()

    def edit(self, *desks: Desk, text: str) -> None:
        """Changes name and secret of these desks, and a label of the first."""
        changes = self.world.installation.changes
        changes.update_phone("test", desks[0].mac, PhoneInput(keys=[KeyInput(2, "blf", desks[0].number, text)]))
        for desk in desks:
            changes.update_extension("test", desk.number, {"display_name": text, "secret": f"Secret-{text}-{desk.number}"})

    def wait_away(self, words: str = "") -> None:
        """Waits until the PBX is told to be away, and why."""

        def is_told() -> bool:
            shown = self.api("GET", "/pbx")
            return shown["state"] == "away" and words in shown["reason"]

        wait_until(is_told, PATIENCE_S, f"the reason: {words}")

    def rows(self) -> set[str]:
        """Returns every row of that Asterisk's database, as its own command line shows it."""
        assert self.instance is not None
        return {line for line in self.instance.cli("database show").splitlines() if line.startswith("/")}

    def files(self) -> dict[str, bytes]:
        """Returns every file of its configuration."""
        places = (self.pbx_folder / "etc", self.pbx_folder / "custom")
        return {path.name: path.read_bytes() for place in places for path in place.iterdir()}


@pytest.fixture(scope="module")
def firm(asterisk_program: Program) -> Iterator[Elsewhere]:
    """Six phones in lockstep with an Asterisk that has extensions of its own, in its database and in its files."""
    with set_up_by_hand(asterisk_program) as instance, tempfile.TemporaryDirectory(prefix="office-") as folder:
        (instance.folder / "custom" / "pjsip.conf").write_text("[7100]\ntype = endpoint\ncontext = internal\nallow = ulaw\n")
        instance.start()
        instance.wait_until_ready()
        relay = Relay(instance.facts.ami)
        given = {"pbx": "external", "pbx_ami_address": "{}:{}".format(*relay.address), "pbx_ami_user": instance.user}
        given |= {"pbx_ami_password": instance.passwords.ami, "sip_bind": f"{instance.facts.sip}", "api_token": API_TOKEN}
        try:
            with hand_at(instance) as owner, world(Path(folder), "phones", "worker", "admin", ready=False, **given) as running:
                owner.put(THEIRS)
                with Network() as network:
                    made = Elsewhere(running, network, instance=instance, relay=relay, owner=owner)
                    with open_for_work(made):
                        yield made
        finally:
            relay.close()


@pytest.fixture(scope="module", autouse=True)
def theirs_is_left_alone(firm: Elsewhere) -> Iterator[None]:
    """Whatever happened, all that was there before is there as it was, and what came is ours."""
    rows, files = firm.rows(), firm.files()
    assert len(THEIRS.keys() & {tuple(re.split(r"/(?=[^/]*$)", line.split(" ")[0][1:])) for line in rows}) == len(THEIRS)
    for place in range(PHONES):
        firm.desk(MODELS[place % len(MODELS)], renew_s=RENEW_S)
    firm.boot()
    firm.wait_in_lockstep()
    yield
    assert firm.files() == files
    now = firm.rows()
    assert rows <= now, sorted(rows - now)
    numbers = {desk.number for desk in firm.desks}
    foreign = [line for line in now - rows if not numbers & set(re.split(r"\W", line))]
    assert foreign == []


@pytest.fixture(autouse=True)
def all_heal(firm: Elsewhere, theirs_is_left_alone: None) -> Iterator[None]:
    """After each story all phones come into lockstep by themselves."""
    yield
    taken = [desk for desk in firm.desks if desk.number == TAKEN]
    firm.wait_in_lockstep(*(desk for desk in firm.desks if desk not in taken))
    # The former secrets of those who moved just now end a moment later.
    store = firm.world.installation.store
    wait_until(lambda: not store.rotations("", 100) and store.pbx_counts()["drift"] == len(taken), PATIENCE_S, "the end of former secrets")
    wait_until(lambda: all(desk.phone.is_registered for desk in firm.desks if desk not in taken), PATIENCE_S, "registrations of all phones")


def test_it_is_killed_in_the_middle_of_a_push_and_started_by_its_owner(firm: Elsewhere) -> None:
    assert firm.owner is not None
    firm.edit(*firm.desks, text="Killed")
    firm.owner.kill()
    firm.edit(*firm.desks[:2], text="While-it-is-down")
    firm.wait_away()
    firm.owner.start()


def test_it_hangs_and_a_label_is_live_meanwhile(firm: Elsewhere) -> None:
    assert firm.owner is not None
    desk, before = firm.desks[0], firm.facts(firm.desks[0]).live
    with firm.owner.frozen():
        changes = firm.world.installation.changes
        changes.update_phone("test", desk.mac, PhoneInput(keys=[KeyInput(2, "blf", desk.number, "While it hangs")]))
        wait_until(lambda: firm.facts(desk).live not in (None, before), PATIENCE_S, "the label")
        changes.update_extension("test", firm.desks[1].number, {"secret": "Secret-while-it-hangs"})


def test_all_of_ours_is_wiped_and_the_rest_is_changed_by_hand(firm: Elsewhere) -> None:
    assert firm.owner is not None
    for desk in firm.desks[2:]:
        firm.owner.delete_all(desk.number)
    with firm.hand() as hand:
        hand.edit("endpoint", firm.desks[0].number, callerid='"Hand" <1>')
        hand.delete("auth", firm.desks[1].number)
    firm.edit(firm.desks[3], text="Wiped")
    firm.api("POST", "/pbx/sync", {"confirm": True})
    with firm.hand() as hand:
        assert (hand.get("endpoint", firm.desks[0].number) or {})["callerid"] != '"Hand" <1>'


def test_its_owner_changes_the_password_and_the_sentence_says_which_one(firm: Elsewhere) -> None:
    assert firm.instance is not None and firm.relay is not None
    path = firm.pbx_folder / "etc" / "manager.conf"
    right = path.read_text("utf-8")
    path.write_text(right.replace(firm.instance.passwords.ami, "0" * 64), "utf-8")
    firm.instance.cli("manager reload")
    with firm.relay.cut():  # who is logged in stays so
        firm.edit(firm.desks[4], text="Password")
        firm.wait_away()
    firm.wait_away("PROVISIONER_PBX_AMI_PASSWORD")
    path.write_text(right, "utf-8")
    firm.instance.cli("manager reload")


def test_something_else_answers_500_at_its_address(firm: Elsewhere) -> None:
    assert firm.relay is not None
    with firm.relay.answering(HTTP_500):
        firm.edit(firm.desks[5], text="Answers-500")
        firm.wait_away("does not speak as Asterisk does")
        assert firm.stage(firm.desks[5]) in (Stage.RENDERING, Stage.PUSHING)


def test_the_worker_is_killed_in_the_middle_of_a_push(firm: Elsewhere) -> None:
    firm.edit(*firm.desks, text="Worker")
    os.kill(firm.part_pid("worker"), signal.SIGKILL)


def test_a_number_that_its_owner_has_is_held_alone(firm: Elsewhere) -> None:
    desk = firm.desk("yealink/t46u", number=TAKEN)
    wait_until(lambda: firm.stage(desk) == Stage.HELD, PATIENCE_S, "the refusal")
    assert "not ours" in firm.facts(desk).error


def test_one_of_two_phones_is_told_by_the_endpoint_that_its_owner_has_for_that(firm: Elsewhere) -> None:
    assert firm.owner is not None and firm.instance is not None
    with closing(AsteriskBackend(address_of(firm.instance))) as backend:
        other = firm.owner.register(backend, firm.desks[2].number)
        assert backend.notify(firm.desks[2].number, "check-sync", [f"sip:{other.account.number}@{other.link.host}:{other.link.port}"]) == 1
        wait_until(lambda: other.events == ["check-sync"], PATIENCE_S, "the NOTIFY")
        firm.owner.network.run(other.register(0))


def test_two_phones_talk_after_all_of_that(firm: Elsewhere) -> None:
    out, there = firm.connect(*firm.desks[:2])
    wait_speech(out, firm.desks[1])
    firm.hang_up(out)
    assert there.peer

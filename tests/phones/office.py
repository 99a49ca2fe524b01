"""An office for tests: an installation that serves with its PBX, and simulated phones that boot from its URL alone."""

from __future__ import annotations

import http.client
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from pbx_sync.asterisk.ami import AMI, Action
from pbx_sync.asterisk.program import PRIVATE, Program
from provisioner.bundled import bundled_address, pbx_folder
from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.core.lockstep import LockstepFacts, Stage, stage
from provisioner.core.mac import Mac
from tests.contract.world import OUIS, World, is_answering, wait_until, world
from tests.installations import API_TOKEN
from tests.phones.calls import Call, State
from tests.phones.device import Device
from tests.phones.dialog import Dialog
from tests.phones.message import token
from tests.phones.network import Network
from tests.ports import free_port

PARTS = ("phones", "worker", "pbx", "admin")
MODELS = ("yealink/t46u", "grandstream/gxp2170", "grandstream/grp2614", "polycom/vvx411")
FIRST_NUMBER = 1001
PATIENCE_S = 60.0
"""What a busy machine may take for what takes a second."""


@dataclass
class Desk:
    """Somebody's desk: an extension, the phone's row, and the phone itself."""

    number: str
    mac: Mac
    phone: Device


@dataclass(frozen=True)
class Hand:
    """Somebody with access to Asterisk's own database. ``kind`` is endpoint, aor or auth."""

    ami: AMI

    def get(self, kind: str, name: str) -> dict[str, str] | None:
        """Returns an object's fields, None where it is not there."""
        (reply,) = self.ami.ask_all([Action("DBGet", {"Family": f"ps_{kind}/{kind}", "Key": name})])
        return dict(json.loads(reply.items[0]["Val"])) if reply.items else None

    def put(self, kind: str, name: str, fields: Mapping[str, str]) -> None:
        (reply,) = self.ami.ask_all([Action("DBPut", {"Family": f"ps_{kind}/{kind}", "Key": name, "Val": json.dumps(fields)})])
        assert reply.is_success, reply

    def edit(self, kind: str, name: str, **fields: str) -> None:
        self.put(kind, name, {**(self.get(kind, name) or {}), **fields})

    def delete(self, kind: str, name: str) -> None:
        self.ami.ask_all([Action("DBDel", {"Family": f"ps_{kind}/{kind}", "Key": name})])

    def wipe(self) -> None:
        """Deletes everything that was ever pushed, the marks and the registrations as well."""
        families = ("provisioner", "provisioner-group", "ps_endpoint", "ps_auth", "ps_aor", "registrar")
        self.ami.ask_all([Action("DBDelTree", {"Family": family}) for family in families])


@dataclass
class Office:
    """The installation, its people, and their phones."""

    world: World
    network: Network
    desks: list[Desk] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    # ---- setting up ----------------------------------------------------------------------------------------------------

    def desk(
        self, model: str, watches: Sequence[str] = (), *, site: str = "default", renew_s: float | None = None, **extension: str
    ) -> Desk:
        """Lists an extension and a phone with a line and a watched key for each number; its phone is still in its box."""
        place = next(self._numbers)
        number = extension.pop("number", f"{FIRST_NUMBER + place - 1}")
        mac = Mac(f"{OUIS[model.partition('/')[0]]}{place:06x}")
        changes = self.world.installation.changes
        changes.create_extension("test", number, **{"display_name": f"Person {place}", **extension})
        keys = [KeyInput(at, "blf", watched, f"Key {watched}") for at, watched in enumerate(watches, 2)]
        changes.create_phone("test", mac, PhoneInput(model, site, lines=[LineInput(1, number)], keys=keys))
        host = f"127.0.{1 + place // 200}.{1 + place % 200}"
        phone = Device(self.network, model, str(mac), self.url, number=place, host=host, renew_s=renew_s)
        made = Desk(number, mac, phone)
        self.desks.append(made)
        return made

    @property
    def url(self) -> str:
        """Returns what a phone is told at first: the server, and no more."""
        return f"http://127.0.0.1:{self.world.http_port}/"

    def boot(self, *desks: Desk) -> None:
        """Switches phones on, all that are named or all there are, once their files can be had."""
        chosen = desks or tuple(self.desks)
        self.wait_live(*chosen)
        self.network.all([desk.phone.start() for desk in chosen])

    def wait_live(self, *desks: Desk) -> None:
        """Waits until the files of these phones are live, then until they can be had."""
        wait_until(lambda: all(self._is_live(desk) for desk in desks), PATIENCE_S, "promotion of all files")
        for mac, name, sha256, _ in self.world.installation.store.live_facts(desk.mac for desk in desks):
            path = f"p/{self.world.token(mac)}/{name}"
            wait_until(
                lambda path=path, sha256=sha256: self.world.http("HEAD", path).headers.get("etag") == f'"{sha256}"', PATIENCE_S, path
            )

    def _is_live(self, desk: Desk) -> bool:
        facts = self.facts(desk)
        return facts.wanted is not None and facts.wanted == facts.live

    # ---- looking -------------------------------------------------------------------------------------------------------

    def facts(self, desk: Desk) -> LockstepFacts:
        found = self.world.installation.store.lockstep(desk.mac, has_pbx=True)
        assert found is not None
        return found

    def stage(self, desk: Desk) -> Stage:
        return stage(self.facts(desk))

    def stages(self, desks: Sequence[Desk]) -> dict[str, list[str]]:
        """Returns stage -> numbers: for a sentence about who is not there yet."""
        facts = self.world.installation.store.locksteps([desk.mac for desk in desks], has_pbx=True)
        found: dict[str, list[str]] = {}
        for desk in desks:
            found.setdefault(str(stage(facts[desk.mac])), []).append(desk.number)
        return found

    def counted(self) -> dict[str, int]:
        """Returns stage -> how many of all phones are in it."""
        return {name: len(numbers) for name, numbers in sorted(self.stages(self.desks).items())}

    def wait_in_lockstep(self, *desks: Desk, seconds: float = PATIENCE_S) -> float:
        """Returns after how many seconds all that are named, or all, were in lockstep."""
        chosen = desks or tuple(self.desks)
        began = time.monotonic()
        while set(found := self.stages(chosen)) != {str(Stage.IN_LOCKSTEP)}:
            if time.monotonic() - began > seconds:
                raise AssertionError(f"not in lockstep after {seconds:.0f} s: {_but(found)}; {self._details(chosen)}")
            time.sleep(0.01 if len(chosen) < 50 else 0.2)
        return time.monotonic() - began

    def _details(self, desks: Sequence[Desk]) -> str:
        """Returns the facts of the first phone that is not in lockstep, and what it lived through."""
        for desk in desks:
            facts = self.facts(desk)
            if stage(facts) != Stage.IN_LOCKSTEP:
                phone = desk.phone
                return f"{desk.number}: {facts}; events {phone.events[-3:]}, asked {phone.asked[-3:]}, registrations {phone.registrations}, {phone.failures[-3:]}"
        return "all arrived just now"

    @cached_property
    def admin_port(self) -> int:
        """Returns the port of the admin listener, which answers by then: it is waited for once."""
        port = self.world.installation.settings.admin_bind.port
        wait_until(lambda: is_answering(port), PATIENCE_S, "the admin listener")
        return port

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Returns what the admin API answers. Raises ``AssertionError`` with its problem where it is no success."""
        status, answer = self._asked(method, path, body)
        assert status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Returns the status and the problem with which the API refuses something."""
        status, answer = self._asked(method, path, body)
        assert status >= 400, f"{method} {path}: {status} {answer}"
        return status, answer

    def _asked(self, method: str, path: str, body: object) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=60)
        try:
            headers = {"Authorization": f"Bearer {API_TOKEN}", "Content-Type": "application/json"}
            connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            read = answer.read()
            return answer.status, json.loads(read) if read else None
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """Returns a sample of /metrics."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=30)
        try:
            connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {API_TOKEN}"})
            lines = connection.getresponse().read().decode().splitlines()
        finally:
            connection.close()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))

    @property
    def pbx_folder(self) -> Path:
        """Returns the folder of the running Asterisk."""
        return pbx_folder(self.world.installation.settings)

    @contextmanager
    def hand(self) -> Iterator[Hand]:
        """Yields a person at the Asterisk, who changes its database behind our back."""
        ami = AMI(bundled_address(self.world.installation.settings))
        try:
            yield Hand(ami)
        finally:
            ami.close()

    def pbx_log(self) -> str:
        """Returns the end of Asterisk's own log."""
        path = self.pbx_folder / "log" / "messages"
        return path.read_text("utf-8", "replace")[-8_000:] if path.exists() else ""

    def part_pid(self, part: str) -> int:
        """Returns the process id of a part of the server, the newest one where it was started again."""
        lines = [line for line in self.world.serve.log().splitlines() if f"event=started part={part} " in line]
        return int(lines[-1].rpartition("pid=")[2])

    @contextmanager
    def paused_worker(self) -> Iterator[None]:
        """Stops the worker for as long as the block lasts: what is changed in it is one change for the worker."""
        pid = self.part_pid("worker")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    # ---- calling -------------------------------------------------------------------------------------------------------

    def dial(self, desk: Desk, number: str) -> Call:
        return self.network.run(desk.phone.agent.call(number))

    def rings(self, desk: Desk) -> Call:
        """Returns the call that rings at a desk, as soon as it does."""
        wait_until(desk.phone.agent.ringing, PATIENCE_S, f"ringing at {desk.number}")
        call = desk.phone.agent.ringing()
        assert call is not None
        return call

    def answer(self, call: Call) -> None:
        self.network.run(call.answer())

    def refuse(self, call: Call) -> None:
        self.network.run(_refused(call))

    def hang_up(self, *calls: Call) -> None:
        for call in calls:
            self.network.run(call.hang_up())

    def connect(self, caller: Desk, called: Desk) -> tuple[Call, Call]:
        """Returns both ends of a call between two desks, who hear each other: a PBX answers the caller before it connects the two."""
        out = self.dial(caller, called.number)
        there = self.rings(called)
        self.answer(there)
        wait_state(out, State.CONFIRMED)
        wait_speech(there, caller)
        return out, there


def send_message(device: Device, number: str) -> int:
    """Sends a text message (RFC 3428) from the phone; returns the status that it was answered with."""
    agent = device.agent
    dialog = Dialog(token(), f"{agent.identity};tag={token()}", f"<{agent.uri_of(number)}>", agent.uri_of(number))
    asked = agent.ask_in(dialog, "MESSAGE", [("Content-Type", "text/plain")], "hello")
    return device.network.run(asked).status


async def _refused(call: Call) -> None:
    call.refuse()


def wait_state(call: Call, state: State) -> None:
    wait_until(lambda: call.state == state, PATIENCE_S, f"{state} of the call to {call.peer} (it is {call.state} {call.cause})")


def wait_speech(call: Call, desk: Desk) -> None:
    """Waits until the tone of the desk's phone is what is heard."""
    wait_until(lambda: call.hears(desk.phone.agent), PATIENCE_S, f"the voice of {desk.number}")


def wait_lamp(desk: Desk, number: str, state: str) -> None:
    lamp = desk.phone.lamp(number)
    wait_until(
        lambda: lamp.state == state, PATIENCE_S, f"lamp {number} at {desk.number} {state} (it is {lamp.state!r}, refusal {lamp.refusal})"
    )


def _but(stages: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: numbers[:8] for name, numbers in stages.items() if name != Stage.IN_LOCKSTEP}


def bundled() -> dict[str, object]:
    """Returns the settings of a bundled PBX on free loopback ports."""
    names = ("sip_bind", "ami_bind", "ari_bind")
    return {"pbx": "bundled", "api_token": API_TOKEN, "rtp_ports": "20000-29999", **{name: f"127.0.0.1:{free_port()}" for name in names}}


@contextmanager
def office(program: Program, *, beside: Mapping[str, str] | None = None, **settings: object) -> Iterator[Office]:
    """Runs an installation with its PBX until the block ends: the Asterisk that the tests share, in an instance of its own.

    ``beside`` goes into the environment of the server besides its settings.
    """
    # Not below pytest's folder: the path of Asterisk's control socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="office-", ignore_cleanup_errors=True) as folder:
        _lend(program, Path(folder) / "var")
        given = {**bundled(), **settings}
        with (
            world(Path(folder), *PARTS, ready=False, beside=beside, **given) as running,
            Network() as network,
            open_for_work(Office(running, network)) as made,
        ):
            yield made


@contextmanager
def office_of_each_model(program: Program) -> Iterator[Office]:
    """An office with a phone of each model that watches the first, everybody in lockstep."""
    with office(program) as made:
        for model in MODELS:
            made.desk(model, [f"{FIRST_NUMBER}"])
        made.boot()
        made.wait_in_lockstep()
        yield made


@contextmanager
def open_for_work(made: Office) -> Iterator[Office]:
    """Yields an office as soon as its server answers phones; at the end it is told what server, phones and Asterisk lived through."""
    try:
        wait_until(lambda: is_answering(made.world.http_port), PATIENCE_S, "the phones listener")
        yield made
        assert made.network.failures == [], made.network.failures[:5]
    finally:
        lived = (f"{desk.number} {desk.phone.asked[-4:]} {desk.phone.failures[-2:]}" for desk in made.desks[:8])
        print(made.world.serve.log()[-20_000:], *lived, made.pbx_log(), sep="\n")
        made.network.all([desk.phone.stop() for desk in made.desks])


def _lend(program: Program, data_dir: Path) -> None:
    """Lets an installation find the Asterisk that the tests installed, as if it had been installed for it."""
    data_dir.mkdir(parents=True)
    (data_dir / PRIVATE).symlink_to(program.share.parents[2])

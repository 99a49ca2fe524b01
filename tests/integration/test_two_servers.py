"""Two whole servers on one PostgreSQL: whatever phones or people do at one holds at the other, and the work of one that dies goes on.

The Asterisk is homed on the first; the second reaches it by its manager interface. Each server has an address of its own of loopback and
the same port, as two machines behind one name have.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pbx_sync.asterisk.program import Program
from provisioner.bundled import bundled_address
from provisioner.heartbeat import read_heartbeats
from provisioner.nodes import nodes_there
from provisioner.secrets import KEY_FILE
from tests.contract.world import Serve, wait_until
from tests.installations import API_TOKEN
from tests.phones.office import Desk, Office, office
from tests.postgres import fresh_database

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres]
WAITS = "another worker holds the lease"


@dataclass
class Second:
    """The second server. ``ask`` speaks to one of its listeners."""

    serve: Serve
    host: str
    phones_port: int
    admin_port: int

    def ask(
        self, path: str, *, agent: str = "", admin: bool = False, method: str = "GET", body: object = None, peer: str = ""
    ) -> tuple[int, bytes]:
        port = self.admin_port if admin else self.phones_port
        connection = http.client.HTTPConnection(self.host, port, timeout=60, source_address=(peer or self.host, 0))
        try:
            headers = {"Authorization": f"Bearer {API_TOKEN}", "Content-Type": "application/json"} if admin else {"User-Agent": agent}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def api(self, path: str, method: str = "GET", body: object = None) -> Any:
        status, answer = self.ask(f"/api/v1{path}", admin=True, method=method, body=body)
        assert status < 300, (path, status, answer)
        return json.loads(answer)

    def answers(self) -> bool:
        try:
            return self.ask("/none")[0] == 404 and self.ask("/healthz", admin=True)[0] == 200
        except OSError:
            return False


@dataclass
class Pair:
    first: Office
    second: Second

    def worker_waits(self, data_dir: Path) -> bool:
        beat = read_heartbeats(data_dir).get("worker")
        return beat is not None and beat.detail == WAITS

    def first_waits(self) -> bool:
        return self.worker_waits(self.first.world.installation.settings.data_dir)

    def second_waits(self) -> bool:
        return self.worker_waits(Path(self.second.serve.environ["PROVISIONER_DATA_DIR"]))

    def is_everywhere(self, desk: Desk, text: str) -> bool:
        """Returns whether both servers serve the phone a file with this text, and the same bytes."""
        path, agent = self.own_path(desk), desk.phone.firmware.user_agent
        there = self.second.ask(path, agent=agent)
        here = self.first.world.http("GET", path[1:], agent)
        return there == (here.status, here.body) and text.encode() in there[1]

    def own_path(self, desk: Desk) -> str:
        return f"/p/{self.first.world.token(desk.mac)}/{desk.mac}.cfg"

    def stage_at_second(self, desk: Desk) -> str:
        return str(self.second.api(f"/phones/{desk.mac}/lockstep")["stage"])


@contextmanager
def second_server(first: Office, folder: Path) -> Iterator[Second]:
    settings = first.world.installation.settings
    (folder / "var").mkdir()
    (folder / "var" / KEY_FILE).write_bytes((settings.data_dir / KEY_FILE).read_bytes())
    ami = bundled_address(settings)
    own = {
        "DATA_DIR": folder / "var",
        "PHONES_BIND": f"127.0.0.2:{settings.phones_bind.port}",
        "ADMIN_BIND": f"127.0.0.2:{settings.admin_bind.port}",
        "PBX": "external",
        "PBX_AMI_ADDRESS": str(ami),
        "PBX_AMI_USER": ami.ami_user,
        "PBX_AMI_PASSWORD": ami.ami_password,
    }
    environ = {**first.world.serve.environ, **{f"PROVISIONER_{name}": str(value) for name, value in own.items()}}
    made = Second(Serve(environ, folder, ("phones", "worker", "admin")), "127.0.0.2", settings.phones_bind.port, settings.admin_bind.port)
    made.serve.start()
    try:
        wait_until(made.answers, what="the second server")
        yield made
    finally:
        made.serve.stop()
        sys.stdout.write(made.serve.log()[-20_000:])


@pytest.fixture(scope="module")
def pair(asterisk_program: Program, postgres_server: sa.URL, postgres_template: str) -> Iterator[Pair]:
    with (
        fresh_database(postgres_server, template=postgres_template) as url,
        tempfile.TemporaryDirectory(prefix="second-") as folder,
        office(asterisk_program, database_url=url) as first,
    ):
        first.desk("yealink/t46u")
        first.wait_live(*first.desks)
        with second_server(first, Path(folder)) as second:
            made = Pair(first, second)
            wait_until(made.second_waits, what="the second worker's wait for the lease")
            yield made


def test_first_fetch_that_ended_at_one_is_over_at_the_other(pair: Pair) -> None:
    desk, agent = pair.first.desks[0], pair.first.desks[0].phone.firmware.user_agent

    def status(peer: str) -> int:
        return pair.second.ask(f"/{desk.mac}.cfg", agent=agent, peer=peer)[0]

    assert status(desk.phone.host) == 200, "it is open, at both"
    pair.first.boot(desk)
    assert "/p/" in desk.phone.url
    wait_until(lambda: status(desk.phone.host) == 404, what="the end of the first fetch at the second server")


def test_phone_that_fetched_at_one_and_registers_is_in_lockstep_at_the_other(pair: Pair) -> None:
    (desk,) = pair.first.desks
    pair.first.wait_in_lockstep(desk)
    assert pair.stage_at_second(desk) == "in_lockstep"


def test_change_at_either_is_served_by_both_at_the_same_address(pair: Pair) -> None:
    (desk,) = pair.first.desks
    for number, place in enumerate(("first", "second")):
        name = f"Changed at the {place}"
        body = {"display_name": name}
        if place == "first":
            pair.first.api("PATCH", f"/extensions/{desk.number}", body)
        else:
            pair.second.api(f"/extensions/{desk.number}", "PATCH", body)
        wait_until(partial(pair.is_everywhere, desk, name), what=f"change {number} at both")
    pair.first.wait_in_lockstep(desk)


def test_what_both_saw_is_recorded(pair: Pair) -> None:
    (desk,) = pair.first.desks
    path, agent = pair.own_path(desk), desk.phone.firmware.user_agent
    assert pair.second.ask(path, agent=agent)[0] == 200
    assert pair.first.world.http("GET", path[1:], agent).status == 200

    def peers() -> set[str]:
        return {str(row["peer"]) for row in pair.second.api(f"/phones/{desk.mac}/fetches?limit=200")["items"]}

    wait_until(lambda: {"127.0.0.1", "127.0.0.2", desk.phone.host} <= peers(), what="the record of both")


def test_secret_that_both_rotate_at_once_leaves_no_phone_behind(pair: Pair) -> None:
    (desk,) = pair.first.desks
    before = secret_of(pair, desk)
    threads = [
        threading.Thread(target=lambda: pair.first.api("POST", f"/extensions/{desk.number}/rotation", {})),
        threading.Thread(target=lambda: pair.second.api(f"/extensions/{desk.number}/rotation", "POST", {})),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rotated = [
        row
        for row in pair.second.api(f"/changes?subject={desk.number}&limit=50")["items"]
        if (row["after"] or {}).get("secret") == "changed"
    ]
    assert len(rotated) == 2, "each of the two is a change of its own"
    wait_until(lambda: pair.second.api(f"/extensions/{desk.number}/rotation")["state"] == "none", what="the end of the rotation")
    pair.first.wait_in_lockstep(desk)
    assert secret_of(pair, desk) != before
    assert desk.phone.firmware.config().lines[0].secret == secret_of(pair, desk)
    assert desk.phone.is_registered and pair.stage_at_second(desk) == "in_lockstep"


def secret_of(pair: Pair, desk: Desk) -> str:
    return str(pair.first.world.installation.store.extension_secret(desk.number))


def test_worker_that_is_killed_is_followed_by_the_other_which_goes_on_where_it_was(pair: Pair) -> None:
    """The first server's supervisor is held meanwhile: else it would start its own anew within milliseconds."""
    (desk,) = pair.first.desks
    supervisor, told = pair.first.world.serve.process.pid, len(desk.phone.events)
    os.kill(supervisor, signal.SIGSTOP)
    try:
        os.kill(pair.first.part_pid("worker"), signal.SIGKILL)
        pair.first.api("PATCH", f"/extensions/{desk.number}", {"display_name": "Left by the first"})
        wait_until(lambda: pair.is_everywhere(desk, "Left by the first"), what="the work of the second worker")
        pair.first.wait_in_lockstep(desk)
        assert not pair.second_waits()
        assert len(desk.phone.events) == told + 1, "it was told once"
    finally:
        os.kill(supervisor, signal.SIGCONT)
    wait_until(pair.first_waits, what="the first server's new worker, which waits")


def test_servers_say_what_they_are_and_a_whole_one_that_dies_is_followed_too(pair: Pair) -> None:
    (desk,) = pair.first.desks
    said = nodes_there(pair.first.world.installation.database)
    assert len(said) == 2 and len({item._replace(name="", clock_ahead_s=0.0) for item in said}) == 1
    assert all(abs(item.clock_ahead_s) < 1.0 for item in said)
    pair.second.serve.kill()
    pair.first.api("PATCH", f"/extensions/{desk.number}", {"display_name": "The first again"})
    path, agent = pair.own_path(desk), desk.phone.firmware.user_agent
    wait_until(lambda: b"The first again" in pair.first.world.http("GET", path[1:], agent).body, what="the first worker's work")
    pair.first.wait_in_lockstep(desk)

"""``plan``, ``sync``, departments, rotation and swap from the command line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest

from pbx_sync.fake import FakePBX
from provisioner.api import create_admin_app
from provisioner.heartbeat import FOLDER
from provisioner.settings import load_settings
from provisioner.wiring import open_installation
from provisioner.worker import Worker
from provisioner.worker.lease import Lease
from tests.client.conftest import listening
from tests.commands.conftest import MAC, Cli


@contextmanager
def serving(cli: Cli, pbx: FakePBX) -> Iterator[None]:
    """A worker as the running server has one, in a thread, with the lease; it compares only when it is asked, so that nobody else puts right what is spoilt here."""
    made = open_installation(load_settings(cli.env, file=cli.folder / "none.toml"))
    lease, stop = Lease(made.database, cli.data / FOLDER), threading.Event()
    assert lease.acquire()
    worker = Worker(made.store, made.renderer, pbx)
    thread = threading.Thread(target=worker.run, args=(stop, lambda ok, detail: None), daemon=True)
    with mock.patch("provisioner.worker.pushing.SPOT_EVERY_S", 3600.0):
        worker.drain()
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(10)
            lease.release()
            made.database.dispose()


def test_plan_without_a_server_asks_the_pbx_itself_and_changes_nothing(cli: Cli) -> None:
    for _ in range(2):
        assert cli("plan", status=2).stdout == "+ 1001 Alice\n"
    assert cli("sync").stdout == "nothing differs\n", "what was open is pushed before anything is compared"


def test_plan_and_sync_of_a_running_server_are_its_workers(cli: Cli) -> None:
    pbx = FakePBX()
    for number in range(1002, 1012):
        cli("extension", "add", str(number))
    with serving(cli, pbx):
        assert cli("plan").stdout == "nothing differs\n"
        del pbx.objects["1001"]
        assert cli("plan", status=2).stdout == "+ 1001 Alice\n"
        assert cli.json("sync")["create"] == 1
        for number in range(1001, 1006):
            pbx.objects[str(number)] = pbx.objects["1011"]
        refused = cli("sync", status=1).stderr
        assert "5 of 11 extensions in the PBX would be changed or deleted" in refused and "sync --confirm" in refused
        assert "sync --confirm" in cli("plan", status=2).stdout
        assert cli("sync", "--confirm").stdout.splitlines()[0].startswith("~ 1001 Alice: number is '1011'")
        pbx.refuses["1003"] = "not this one"
        del pbx.objects["1003"]
        assert "the PBX refused 1003: not this one" in cli("sync", status=1).stderr
        pbx.is_down = True
        assert "the PBX does not answer" in cli("plan", status=1).stderr


def test_plan_and_sync_from_afar_say_and_do_the_same(cli: Cli) -> None:
    pbx = FakePBX()
    place = open_installation(load_settings(cli.env, file=cli.folder / "none.toml"))
    env = {"PROVISIONER_TOKEN": place.changes.create_token("tests", "afar", "admin")}
    with serving(cli, pbx), listening(create_admin_app(place)) as url:
        env["PROVISIONER_SERVER"] = url
        assert cli("plan", env=env).stdout == "nothing differs\n"
        del pbx.objects["1001"]
        assert cli("plan", env=env, status=2).stdout == cli("plan", status=2).stdout == "+ 1001 Alice\n"
        assert cli("plan", "--json", env=env, status=2).stdout == cli("plan", "--json", status=2).stdout
        assert cli("sync", env=env).stdout == "+ 1001 Alice\n" and "1001" in pbx.objects
        pbx.is_down = True
        assert "the PBX does not answer" in cli("plan", env=env, status=1).stderr
    place.database.dispose()


@pytest.mark.parametrize("command", ["plan", "sync"])
def test_without_a_pbx_there_is_nothing_to_compare(cli: Cli, command: str) -> None:
    assert "no PBX is kept in lockstep" in cli(command, status=1, env={"PROVISIONER_PBX": "none"}).stderr


def test_departments_are_added_listed_and_removed(cli: Cli) -> None:
    assert cli("department", "add", "Sales", "--number", "600").stdout == "department Sales rings its 0 members at 600\n"
    cli("extension", "set", "1001", "--department", "Sales")
    assert cli("department", "list").stdout.splitlines()[1].split() == ["Sales", "600", "1", "1001"]
    assert cli.json("department", "list")[0]["members"] == ["1001"]
    assert "1001 is the number of an extension" in cli("department", "add", "Else", "--number", "1001", status=1).stderr
    assert "1 extensions are in this department" in cli("department", "remove", "Sales", status=1).stderr
    cli("extension", "set", "1001", "--department", "")
    cli("department", "remove", "Sales")
    assert cli.json("department", "list") == []


def test_password_is_rotated_and_shown_as_moving(cli: Cli) -> None:
    assert "its phones are moving" in cli("extension", "rotate", "1001").stdout
    assert "moving" in cli("extension", "list").stdout
    cli("extension", "rotate", "1001", "--secret-stdin", "--revoke-former", stdin="brand-new-secret\n")
    assert cli.json("extension", "list")[0]["rotation_started_at"] is None
    assert "brand-new-secret" in cli("render", MAC, "--show-secrets").stdout


def test_broken_phone_is_swapped(cli: Cli) -> None:
    assert "is in the place of 02:ac:de:00:00:01, 1: 1001 (Desk)" in cli("phone", "swap", MAC, "02:ac:de:00:00:02").stdout
    assert [phone["mac"] for phone in cli.json("phone", "list")] == ["02:ac:de:00:00:02"]
    assert "is not listed" in cli("phone", "swap", MAC, "02:ac:de:00:00:03", status=1).stderr

"""Files of one's own from the editor to the phone: tried, applied to a running server, refused at a start, and kept through an upgrade."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.changes import LineInput, PhoneInput
from provisioner.core.mac import Mac
from tests.commands.conftest import Cli, forget_logging
from tests.contract.world import World, wait_until, world
from tests.installations import copy_toy

DEVICE = "acme/templates/device.acme.j2"
DESK, HALL = Mac("02acde0000a1"), Mac("02acde0000a2")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[World]:
    copy_toy(tmp_path / "shipped")
    level = logging.getLogger().level
    with world(tmp_path, "phones", "worker", catalogue_dir=tmp_path / "shipped") as made:
        changes = made.installation.changes
        for mac, model, number in ((DESK, "acme/a1", "1001"), (HALL, "acme/a2", "1002")):
            changes.create_extension("test", number, secret=f"s3cret-of-{number}")
            changes.create_phone("test", mac, PhoneInput(model, lines=[LineInput(1, number)]))
        yield made
    forget_logging()
    logging.getLogger().setLevel(level)


def fetched(running: World, mac: Mac) -> str:
    try:
        answer = running.http("GET", f"p/{running.token(mac)}/{mac}.acme")
    except OSError:  # a part that is made anew does not listen for a moment
        return ""
    return answer.body.decode() if answer.status == 200 else ""


def replaced(path: Path, before: str, after: str) -> None:
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")


def test_from_the_editor_to_the_phone_and_through_an_upgrade(running: World, tmp_path: Path) -> None:
    cli = Cli(tmp_path / "commands")
    cli.env = {**running.serve.environ}
    for mac in (DESK, HALL):
        wait_until(lambda mac=mac: "timezone = " in fetched(running, mac), what="the first files")
    hall = running.installation.store.lockstep(HALL, has_pbx=False)

    cli("catalogue", "override", DEVICE)
    own = tmp_path / "var/catalogue" / DEVICE
    replaced(own, "timezone = ", '{% if model.name == "a1" %}\ntimezone = early\n{% endif %}\ntimezone = ')
    assert "1 of 2 phones would get other files" in cli("catalogue", "try", DEVICE).output
    assert "the server has taken it up" in cli("catalogue", "apply").output
    wait_until(lambda: "timezone = early" in fetched(running, DESK), what="the phone's file with the template of one's own")
    now = running.installation.store.lockstep(HALL, has_pbx=False)
    assert hall and now and hall.live == now.live == now.wanted, "a phone whose files do not change keeps them"
    assert "event=died" not in running.serve.log()

    running.serve.stop()
    replaced(own, "timezone = early", "{{ nothing }}")
    replaced(tmp_path / "shipped" / DEVICE, "sip = ", "sip.new = yes\nsip = ")
    with (tmp_path / "shipped/acme/parameters.txt").open("a") as file:
        file.write("sip.new\n")
    running.serve.start()
    wait_until(lambda: "timezone = early" in fetched(running, DESK), what="what was in use, after the start")
    assert f"event=overlay_refused mistake='{own}:5: 'nothing' is undefined" in running.serve.log()

    cli("catalogue", "revert", DEVICE, "--to", "1")
    assert "since you took it over" in cli("catalogue", "list").output
    assert "sip.new" not in fetched(running, DESK)
    cli("catalogue", "merge", DEVICE)
    cli("catalogue", "merge", DEVICE, "--take")
    cli("catalogue", "apply")
    wait_until(lambda: "sip.new = yes" in (text := fetched(running, DESK)) and "timezone = early" in text, what="both changes in one file")

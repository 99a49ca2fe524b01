"""``provisioner catalogue`` and what other commands say of files of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.conftest import MAC, Cli

DEVICE = "acme/templates/device.acme.j2"


@pytest.fixture
def own(cli: Cli) -> Path:
    """The shipped template, taken over."""
    cli("catalogue", "override", DEVICE)
    return cli.data / "catalogue" / DEVICE


def edited(path: Path, before: str, after: str) -> None:
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")


def test_try_shows_what_changes_and_no_secret(cli: Cli, own: Path) -> None:
    assert "nothing differs" not in cli("catalogue", "try").output
    edited(own, "timezone = ", "backlight = 5\ntimezone = ")
    edited(own, ".secret = {{ line.secret }}", ".secret = {{ line.secret }}x")
    refused = cli("catalogue", "try", DEVICE, status=1).stderr
    assert f"{own}:4: backlight is not in the maker's list of parameters" in refused
    edited(own, "backlight = 5", "timezone = early")
    shown = cli("catalogue", "try", DEVICE, "--mac", MAC).output
    assert f"==> phone {MAC}" in shown
    assert "+timezone = early" in shown
    assert "hunter2" not in shown
    assert "1 of 1 phone would get other files" in shown
    assert "timezone = early" not in cli("render", MAC).output, "nothing is in use yet"
    cli("catalogue", "try", "--mac", "02:ac:de:00:00:99", status=1)
    cli("catalogue", "try", "../../etc/passwd", status=1)


def test_try_of_a_template_that_fails_for_a_phone(cli: Cli, own: Path) -> None:
    edited(own, "timezone = ", '{% if settings.ntp_server == "only.here" %}{{ nothing }}{% endif %}\ntimezone = ')
    cli("phone", "set", MAC, "--setting", "ntp_server=only.here")
    shown = cli("catalogue", "try", status=1).stderr
    assert f"would be held: {MAC}: {DEVICE} line 4: 'nothing' is undefined" in shown


def test_apply_keeps_versions_and_notes_the_change(cli: Cli, own: Path) -> None:
    edited(own, "timezone = ", "timezone = early\ntimezone = ")
    assert f"{DEVICE}: version 1 is in use" in cli("catalogue", "apply").output
    assert "timezone = early" in cli("render", MAC).output
    assert "nothing differs" in cli("catalogue", "apply").output
    edited(own, "early", "late")
    assert "not in use as it is on disk" in cli("catalogue", "list").output
    assert "no server runs here" in cli("catalogue", "apply").output
    assert [row["version"] for row in cli.json("catalogue", "versions", DEVICE)] == [2, 1]
    cli("catalogue", "revert", DEVICE, "--to", "1")
    assert "early" in own.read_text("utf-8")
    cli("catalogue", "apply")
    newest = cli.json("change", "list", "--limit", "1")[0]
    assert (newest["action"], newest["before"], newest["after"]) == ("catalogue.apply", {DEVICE: "version 2"}, {DEVICE: "version 3"})
    cli("change", "undo", str(newest["id"]), status=1)
    cli("catalogue", "drop", DEVICE)
    assert "the shipped file is in use again" in cli("catalogue", "apply").output
    assert "early" not in cli("render", MAC).output


def test_mistakes_are_refused_and_told_everywhere(cli: Cli, own: Path) -> None:
    cli("catalogue", "apply")
    edited(own, "timezone = ", "{{ nothing }}")
    assert f"{own}:4: 'nothing' is undefined" in cli("catalogue", "apply", status=1).stderr
    assert f"{own}:4: 'nothing' is undefined" in cli("check", status=1).stderr
    assert "refused as they are on disk" in cli("doctor", status=1).output
    assert "refused at the last start or apply" in cli("catalogue", "list").stderr
    assert "timezone = " in cli("render", MAC).output


def test_upgrade_is_told_and_merged(cli: Cli, own: Path) -> None:
    edited(own, "timezone = ", "# ours\ntimezone = ")
    cli("catalogue", "apply")
    edited(cli.folder / "catalogue" / DEVICE, "sip = ", "# theirs\nsip = ")
    for example in (cli.folder / "catalogue/acme/examples").glob("*/*.acme"):
        edited(example, "\nsip = ", "\n# theirs\nsip = ") if "\nsip = " in example.read_text("utf-8") else None
    sentence = f"since you took it over: see 'provisioner catalogue diff {DEVICE}'"
    assert sentence in cli("check").stderr
    assert sentence in cli("doctor", status=0).output
    assert sentence in cli("catalogue", "list").output
    shown = cli("catalogue", "diff").output
    assert "+# ours" in shown
    assert "+# theirs" in shown
    assert "merged without conflict" in cli("catalogue", "merge", DEVICE).output
    cli("catalogue", "merge", DEVICE, "--take", "--keep-mine", status=2)
    cli("catalogue", "merge", DEVICE, "--take")
    cli("catalogue", "apply")
    shown = cli("render", MAC).output
    assert "# ours" in shown
    assert "# theirs" in shown
    assert sentence not in cli("catalogue", "list").output
    assert "nothing to merge" in cli("catalogue", "merge", DEVICE).output


def test_conflict_of_a_merge(cli: Cli, own: Path) -> None:
    edited(own, "timezone = ", "timezone = mine ")
    edited(cli.folder / "catalogue" / DEVICE, "timezone = ", "timezone = new ")
    assert "1 place to decide" in cli("catalogue", "merge", DEVICE, status=1).stderr
    cli("catalogue", "merge", DEVICE, "--take", status=1)
    cli("catalogue", "merge", DEVICE, "--keep-mine")
    assert "nothing to merge" in cli("catalogue", "merge", DEVICE).output


def test_where_there_is_no_overlay(cli: Cli) -> None:
    for off in ("off", str(cli.folder / "catalogue")):
        assert "no files of one's own are read" in cli("catalogue", "list", status=1, env={"PROVISIONER_CATALOGUE_OVERLAY": off}).stderr
    assert "is the folder for them" in cli("catalogue", "list").stderr
    elsewhere = {"PROVISIONER_CATALOGUE_OVERLAY": str(cli.folder / "mine")}
    cli("catalogue", "override", DEVICE, env=elsewhere)
    assert (cli.folder / "mine" / DEVICE).is_file()

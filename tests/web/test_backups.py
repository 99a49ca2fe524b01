"""The page of backups: what there is, one now, one taken away sealed, one deleted; and what the first page says of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from provisioner.backup_folder import folder_of
from provisioner.backups import write_backup
from provisioner.heartbeat import Heartbeats
from provisioner.sealed_file import MAGIC
from provisioner.wiring import Installation
from tests.installations import make_installation
from tests.web.conftest import PASSWORD, Person, words_in

NAME = "provisioner-20261126T013000Z.tar.gz"
PASSPHRASE = "correct horse battery"


@pytest.fixture
def installation(furnished: Path, tmp_path: Path) -> Iterator[Installation]:
    """On SQLite whatever engine the others run on."""
    shutil.copytree(furnished, tmp_path / "var")
    made = make_installation(tmp_path)
    yield made
    made.database.dispose()


@pytest.fixture
def admin(app: Flask) -> Person:
    return Person(app, "admin")


@pytest.fixture
def archive(installation: Installation) -> Path:
    folder = folder_of(installation.settings)
    folder.mkdir(mode=0o700)
    write_backup(installation.settings, Path("none.toml"), folder / NAME)
    return folder / NAME


def test_page_of_none_says_how_it_goes_on(admin: Person) -> None:
    words = words_in(admin.get("/backups"))
    assert "None yet." in words and "Each day at 02:30" in words and "provisioner restore --force FILE" in words
    assert "Voice mail and recordings of calls" in words


def test_one_is_made_now_and_followed(admin: Person, installation: Installation) -> None:
    assert "The worker does not run" in words_in(admin.post("/backups"))
    Heartbeats(installation.settings.data_dir).beat("worker")
    assert admin.post("/backups").status_code == 303
    assert "One is being made Waiting · 0 %" in words_in(admin.get("/backups"))
    refused = admin.post("/backups")
    assert refused.status_code == 409 and "A backup is being made already: wait until it is done." in words_in(refused)
    run = installation.store.backup_waiting()
    assert run is not None
    installation.changes.begin_backup(run.id, NAME)
    installation.changes.note_backup(run.id, "packing", 60)
    assert "Packing · 60 %" in words_in(admin.get("/backups"))
    installation.changes.end_backup(run.id)
    assert "One is being made" not in words_in(admin.get("/backups"))


def test_failed_one_is_shown_on_both_pages(admin: Person, installation: Installation) -> None:
    installation.changes.end_backup(installation.changes.begin_backup(None, NAME), "the backup cannot be written: No space left on device")
    for path in ("/", "/backups"):
        words = words_in(admin.get(path))
        assert "A backup wants attention." in words and "No space left on device" in words
    installation.changes.end_backup(installation.changes.begin_backup(None, NAME))
    assert "A backup wants attention." not in words_in(admin.get("/"))


def test_one_is_taken_away_with_a_passphrase_typed_twice(admin: Person, archive: Path) -> None:
    assert "Extensions 1" in words_in(admin.get(f"/backups/{NAME}"))
    where = f"/backups/{NAME}/download"
    other = admin.post(where, passphrase=PASSPHRASE, again="another")
    assert other.status_code == 422 and "This is not what the field above says." in words_in(other)
    short = admin.post(where, passphrase="short", again="short")
    assert short.status_code == 422 and "12 to 1024 characters are needed" in words_in(short)
    taken = admin.post(where, passphrase=PASSPHRASE, again=PASSPHRASE)
    assert taken.status_code == 200 and taken.data.startswith(MAGIC) and taken.headers["Cache-Control"] == "no-store"


def test_one_is_deleted_by_a_form_of_ours_alone(admin: Person, archive: Path) -> None:
    admin_token, admin.token = admin.token, "0" * 64
    assert admin.post(f"/backups/{NAME}/delete").status_code == 403 and archive.exists()
    admin.token = admin_token
    assert admin.post(f"/backups/{NAME}/delete").status_code == 303 and not archive.exists()
    assert admin.get(f"/backups/{NAME}").status_code == 404
    assert admin.post(f"/backups/{NAME}/delete").status_code == 404


def test_one_that_cannot_be_read_is_said_to_be_no_use(admin: Person, archive: Path) -> None:
    archive.write_bytes(b"no archive")
    assert "Cannot be read" in words_in(admin.get("/backups"))
    assert "it is no use" in words_in(admin.get(f"/backups/{NAME}"))


def test_only_admins_of_everything(app: Flask, installation: Installation, archive: Path) -> None:
    installation.changes.create_user("tests", "theirs", {"role": "admin", "password": PASSWORD, "sites": ["default"]})
    for name in ("technician", "viewer", "user", "theirs"):
        person = Person(app, name)
        answers = [person.get("/backups"), person.get(f"/backups/{NAME}"), person.post("/backups")]
        answers += [person.post(f"/backups/{NAME}/{what}", passphrase=PASSPHRASE, again=PASSPHRASE) for what in ("download", "delete")]
        assert [answer.status_code for answer in answers] == [403] * 5
        assert "/backups" not in person.get("/help").text
    assert archive.exists()

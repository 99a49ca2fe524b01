"""Backups over the API: for admins of everything alone; taken away sealed, or not at all; no name leads out of the folder."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.api import create_admin_app
from provisioner.backup_folder import folder_of
from provisioner.backups import write_backup
from provisioner.heartbeat import Heartbeats
from provisioner.sealed_file import unsealed
from provisioner.wiring import Installation
from tests.api.conftest import Api, errors, reason
from tests.installations import API_TOKEN, make_installation

NAME = "provisioner-20261126T013000Z.tar.gz"
PASSPHRASE = {"passphrase": "correct horse battery"}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """On SQLite whatever engine the others run on: on PostgreSQL there is nothing here to test."""
    made = make_installation(tmp_path)
    yield made
    made.database.dispose()


@pytest.fixture
def archive(installation: Installation) -> Path:
    folder = folder_of(installation.settings)
    folder.mkdir(mode=0o700)
    write_backup(installation.settings, Path("none.toml"), folder / NAME)
    return folder / NAME


def actions(installation: Installation) -> list[tuple[str, str]]:
    return [(row.action, row.subject) for row in installation.store.changes(limit=5) if row.action.startswith("backup.")]


def test_list_says_what_each_holds(admin: Api, archive: Path) -> None:
    shown = admin.get("/backups").get_json()
    (item,) = shown["items"]
    assert (item["name"], item["phones"], item["extensions"], item["asked"]) == (NAME, 0, 0, False)
    assert item["size"] == archive.stat().st_size
    assert shown["next_at"] is not None
    assert (shown["obstacle"], shown["run"]) == ("", None)
    archive.write_bytes(b"no archive")
    assert admin.get("/backups").get_json()["items"][0]["version"] is None


def test_one_is_asked_for_once_and_only_where_somebody_makes_it(admin: Api, installation: Installation) -> None:
    assert admin.post("/backups").status_code == 503
    Heartbeats(installation.settings.data_dir).beat("worker")
    asked = admin.post("/backups")
    assert asked.status_code == 202
    assert (asked.get_json()["state"], asked.get_json()["percent"]) == ("waiting", 0)
    again = admin.post("/backups")
    assert (again.status_code, reason(again)) == (409, "already_exists")
    assert actions(installation) == [("backup.ask", str(asked.get_json()["id"]))]
    assert admin.get("/backups").get_json()["run"] == asked.get_json()


def test_download_is_sealed_and_noted(admin: Api, archive: Path, installation: Installation) -> None:
    answer = admin.post(f"/backups/{NAME}/download", PASSPHRASE, headers={"Idempotency-Key": "once"})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={NAME}.sealed"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert b"".join(unsealed(io.BytesIO(answer.data), PASSPHRASE["passphrase"])) == archive.read_bytes()
    assert actions(installation) == [("backup.download", NAME)]
    with installation.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM idempotency_key").scalar() == 0


def test_download_without_a_passphrase_that_will_do_is_refused(admin: Api, archive: Path, installation: Installation) -> None:
    for given in ({"passphrase": "short"}, {"passphrase": "aaaaaaaaaaaaaaaa"}, {}):
        answer = admin.post(f"/backups/{NAME}/download", given)
        assert answer.status_code == 422 and "passphrase" in errors(answer)
    assert actions(installation) == []


def test_two_downloads_at_a_time(admin: Api, archive: Path) -> None:
    first = [admin.post(f"/backups/{NAME}/download", PASSPHRASE, buffered=False) for _ in range(2)]  # headers alone: nobody reads them yet
    busy = admin.post(f"/backups/{NAME}/download", PASSPHRASE)
    assert (busy.status_code, reason(busy)) == (503, "overloaded")
    for answer in first:
        answer.close()
    third = admin.post(f"/backups/{NAME}/download", PASSPHRASE, buffered=False)
    assert third.status_code == 200
    third.close()


@pytest.mark.parametrize(
    "name", ["..%2f..%2fsecret.key", "%2e%2e", "secret.key", f".{NAME}.12", f"{NAME}%00", f"{NAME}.sealed", "%2fetc%2fpasswd", "x" * 3000]
)
def test_no_name_leads_out_of_the_folder(admin: Api, archive: Path, installation: Installation, name: str) -> None:
    assert admin.post(f"/backups/{name}/download", PASSPHRASE).status_code == 404
    assert admin.delete(f"/backups/{name}").status_code in (404, 405)
    assert archive.exists() and (installation.settings.data_dir / "secret.key").exists()
    assert actions(installation) == []


def test_one_is_deleted_for_good(admin: Api, archive: Path, installation: Installation) -> None:
    assert admin.delete(f"/backups/{NAME}").status_code == 204
    assert not archive.exists()
    assert admin.delete(f"/backups/{NAME}").status_code == 404
    assert actions(installation) == [("backup.delete", NAME)]


def test_only_admins_of_everything(roles: dict[str, Api], admin: Api, installation: Installation, archive: Path) -> None:
    token = admin.post("/tokens", {"name": "hanoi", "role": "admin", "sites": ["default"]}).get_json()["token"]
    theirs = Api(create_admin_app(installation), token)
    for who in (roles["viewer"], roles["technician"], theirs):
        for method, path in (
            ("GET", "/backups"),
            ("POST", "/backups"),
            ("DELETE", f"/backups/{NAME}"),
            ("POST", f"/backups/{NAME}/download"),
        ):
            assert who.send(method, path, json=PASSPHRASE).status_code == 403
    assert archive.exists()


def test_postgresql_is_left_to_its_own_tool(installation: Installation) -> None:
    settings = replace(installation.settings, database_url="postgresql://u:hunter2hunter2@db/p")
    admin = Api(create_admin_app(replace(installation, settings=settings)), API_TOKEN)
    shown = admin.get("/backups").get_json()
    assert "pg_dump" in shown["obstacle"] and shown["next_at"] is None
    refused = admin.post("/backups")
    assert refused.status_code == 422 and "pg_dump" in errors(refused)["backup"]
    assert "hunter2" not in refused.text


def test_metric_says_when_the_last_one_was_made(admin: Api, archive: Path, installation: Installation) -> None:
    installation.changes.clock = lambda: 2e9
    text = admin.get("/metrics").text
    assert "provisioner_last_backup_timestamp_seconds 1.7956" in text

"""``backup`` and ``restore``: round trip, damage, hostile archives, roll-back."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import tarfile
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from provisioner import backups
from provisioner.errors import ProvisionerError
from provisioner.sealed_file import sealed
from provisioner.settings import load_settings
from tests.commands.conftest import MAC, Cli


def contents(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive, "r:gz") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def packed(path: Path, files: dict[str, bytes], *, listed: bool = True) -> Path:
    """Writes an archive of ``files``; ``listed`` makes its list fit."""
    if listed:
        rows = {
            name: {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
            for name, body in files.items()
            if name != "manifest.json"
        }
        files = {**files, "manifest.json": json.dumps({**json.loads(files["manifest.json"]), "files": rows}).encode()}
    with tarfile.open(path, "w:gz") as tar:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return path


def state(folder: Path) -> dict[str, bytes]:
    """Returns every file below the data folder that makes an installation, and its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name[-4:] not in {"-wal", "-shm"}
    }


@pytest.fixture
def archive(cli: Cli) -> Path:
    (cli.folder / "provisioner.toml").write_text('LOG_LEVEL = "DEBUG"\n')
    cli("backup", "b.tar.gz")
    return cli.folder / "b.tar.gz"


def test_backup_is_private_and_lists_its_hashes(cli: Cli, archive: Path) -> None:
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    files = contents(archive)
    assert set(files) == {"manifest.json", "provisioner.sqlite3", "secret.key", "provisioner.toml"}
    manifest = json.loads(files["manifest.json"])
    assert manifest["version"]
    assert manifest["created_at"].endswith("Z")
    assert manifest["files"]["secret.key"]["sha256"] == hashlib.sha256(files["secret.key"]).hexdigest()
    assert not list(cli.data.glob(".backup-*"))
    assert [path.name for path in cli.folder.glob(".b.tar.gz*")] == []


def test_backup_while_the_database_is_written(cli: Cli) -> None:
    with closing(sqlite3.connect(cli.data / "provisioner.sqlite3")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE extension SET display_name = 'unfinished'")
        cli("backup", "b.tar.gz")
        connection.rollback()
    (cli.folder / "copy.sqlite3").write_bytes(contents(cli.folder / "b.tar.gz")["provisioner.sqlite3"])
    with closing(sqlite3.connect(cli.folder / "copy.sqlite3")) as copy:
        assert copy.execute("SELECT display_name FROM extension").fetchone() == ("Alice",)


def test_restore_into_an_empty_folder(cli: Cli, archive: Path) -> None:
    shutil.rmtree(cli.data)
    (cli.folder / "provisioner.toml").unlink()
    cli("restore", "b.tar.gz")
    assert [row["mac"] for row in cli.json("phone", "list")] == [MAC]
    assert "hunter2hunter2" in cli("render", MAC, "--show-secrets").stdout
    assert (cli.folder / "provisioner.toml").read_text() == 'LOG_LEVEL = "DEBUG"\n'
    assert stat.S_IMODE((cli.data / "secret.key").stat().st_mode) == 0o600
    assert not list(cli.data.glob("replaced-*"))


def test_settings_of_the_backup_say_where_things_go(cli: Cli, tmp_path: Path) -> None:
    (cli.folder / "provisioner.toml").write_text(f'DATA_DIR = "{tmp_path / "told"}"\n')
    cli("backup", "b.tar.gz")
    (cli.folder / "provisioner.toml").unlink()
    del cli.env["PROVISIONER_DATA_DIR"]
    cli("restore", "b.tar.gz")
    assert (tmp_path / "told" / "secret.key").exists()


def test_restore_refuses_to_overwrite_and_keeps_what_it_replaces(cli: Cli, archive: Path) -> None:
    cli("phone", "remove", MAC)
    before = state(cli.data)
    assert "give --force" in cli("restore", "b.tar.gz", status=1).stderr
    assert state(cli.data) == before
    shown = cli("restore", "--force", "b.tar.gz").stdout
    assert "what was there before is in" in shown
    assert len(cli.json("phone", "list")) == 1
    (kept,) = cli.data.glob("replaced-*")
    assert {path.name for path in kept.iterdir()} >= {"provisioner.sqlite3", "secret.key", "provisioner.toml"}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


def test_restore_refuses_while_the_database_is_in_use(cli: Cli, archive: Path) -> None:
    with closing(sqlite3.connect(cli.data / "provisioner.sqlite3")) as connection:
        connection.execute("SELECT count(*) FROM phone").fetchone()  # as an idle server: connected, nothing under way
        assert "stop the server first" in cli("restore", "--force", "b.tar.gz", status=1).stderr
    cli("restore", "--force", "b.tar.gz")


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "var/secret.key", "other.txt", "./secret.key"])
def test_foreign_name_in_the_archive_is_refused(cli: Cli, archive: Path, name: str) -> None:
    before = state(cli.data)
    hostile = packed(cli.folder / "hostile.tar.gz", {**contents(archive), name: b"x"})
    assert "does not belong into a backup" in cli("restore", "--force", str(hostile), status=1).stderr
    assert state(cli.data) == before
    assert not (cli.folder / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE])
def test_link_or_device_in_the_archive_is_refused(cli: Cli, archive: Path, kind: bytes) -> None:
    files = contents(archive)
    with tarfile.open(cli.folder / "hostile.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("secret.key")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
        rest = tarfile.TarInfo("manifest.json")
        rest.size = len(files["manifest.json"])
        tar.addfile(rest, io.BytesIO(files["manifest.json"]))
    assert "does not belong" in cli("restore", "--force", "hostile.tar.gz", status=1).stderr


def changed(files: dict[str, bytes], name: str, body: bytes) -> dict[str, bytes]:
    return {**files, name: body}


def test_changed_file_is_damage(cli: Cli, archive: Path) -> None:
    packed(cli.folder / "bad.tar.gz", changed(contents(archive), "secret.key", os.urandom(32)), listed=False)
    assert "is damaged: secret.key" in cli("restore", "--force", "bad.tar.gz", status=1).stderr


def test_key_that_does_not_fit_is_refused(cli: Cli, archive: Path) -> None:
    before = state(cli.data)
    packed(cli.folder / "bad.tar.gz", changed(contents(archive), "secret.key", os.urandom(32)))
    assert "does not fit this database" in cli("restore", "--force", "bad.tar.gz", status=1).stderr
    assert state(cli.data) == before


def test_broken_database_is_refused(cli: Cli, archive: Path) -> None:
    packed(cli.folder / "bad.tar.gz", changed(contents(archive), "provisioner.sqlite3", b"no database" * 1000))
    assert "cannot be read" in cli("restore", "--force", "bad.tar.gz", status=1).stderr


def test_archive_that_is_cut_or_none_is_refused(cli: Cli, archive: Path) -> None:
    whole = archive.read_bytes()
    for body in (
        whole[: len(whole) // 2],
        b"not an archive",
        b"",
        packed(cli.folder / "x.tar.gz", {"provisioner.toml": b""}, listed=False).read_bytes(),
    ):
        (cli.folder / "bad.tar.gz").write_bytes(body)
        before = state(cli.data)
        assert cli("restore", "--force", "bad.tar.gz", status=1).stderr.startswith("error: ")
        assert state(cli.data) == before


def test_archive_whose_packing_is_spoilt_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """What the library of gzip raises in the middle of a large member is none of tar's errors."""
    large = io.BytesIO()
    with tarfile.open(fileobj=large, mode="w") as tar:
        member = tarfile.TarInfo(backups.DATABASE_FILE)
        member.size = 1024**2
        tar.addfile(member, io.BytesIO(os.urandom(member.size)))
    packing = zlib.compressobj(wbits=31)
    archive, folder = tmp_path / "bad.tar.gz", tmp_path / "unpacked"
    folder.mkdir()
    whole = packing.compress(large.getvalue()[: 512 * 1024]) + packing.flush(zlib.Z_FULL_FLUSH)
    archive.write_bytes(whole + b"\x07" * 512 * 1024)  # a block of a type that there is not (RFC 1951, section 3.2.3)
    for read in (lambda: backups.unpack(archive, folder), lambda: backups.settings_text(archive)):
        with pytest.raises(ProvisionerError, match="is not a whole backup"):
            read()
    assert backups.described(archive) is None


def test_other_format_and_missing_part_are_refused(cli: Cli, archive: Path) -> None:
    files = contents(archive)
    other = {**files, "manifest.json": files["manifest.json"].replace(b"backup-1", b"backup-9")}
    packed(cli.folder / "bad.tar.gz", other, listed=False)
    assert "this version reads" in cli("restore", "--force", "bad.tar.gz", status=1).stderr
    packed(cli.folder / "bad.tar.gz", {name: body for name, body in files.items() if name != "secret.key"}, listed=True)
    assert "lacks the database or the key" in cli("restore", "--force", "bad.tar.gz", status=1).stderr


def test_failure_half_way_is_undone(cli: Cli, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(cli.data)
    place = backups._place
    calls = []

    def fails_second(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(28, "No space left on device", str(target))
        place(source, target)

    monkeypatch.setattr(backups, "_place", fails_second)
    assert "No space left" in cli("restore", "--force", "b.tar.gz", status=1).stderr
    assert set(state(cli.data)) == set(before)  # of the database only the mark of its journal mode is another
    assert (cli.data / "secret.key").read_bytes() == before["secret.key"]
    assert (cli.folder / "provisioner.toml").exists()
    monkeypatch.undo()
    monkeypatch.chdir(cli.folder)
    assert len(cli.json("phone", "list")) == 1


def test_postgresql_is_left_to_its_own_tool(cli: Cli) -> None:
    env = {"PROVISIONER_DATABASE_URL": "postgresql://u:hunter2hunter2@db/p"}
    said = cli("backup", "b.tar.gz", status=1, env=env).stderr
    assert "pg_dump" in said
    assert "secret.key" in said
    assert "hunter2" not in said


def test_backup_without_installation(bare: Cli) -> None:
    assert "is not there" in bare("backup", "b.tar.gz", status=1).stderr


def test_database_of_a_newer_version_is_refused(cli: Cli, archive: Path) -> None:
    copy = cli.folder / "newer.sqlite3"
    copy.write_bytes(contents(archive)["provisioner.sqlite3"])
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9999'")
        connection.commit()
    packed(cli.folder / "bad.tar.gz", changed(contents(archive), "provisioner.sqlite3", copy.read_bytes()))
    assert "newer version" in cli("restore", "--force", "bad.tar.gz", status=1).stderr


def test_settings_load_from_the_file_of_the_archive(cli: Cli, archive: Path) -> None:
    assert backups.settings_text(archive) == b'LOG_LEVEL = "DEBUG"\n'
    assert load_settings({}, file=cli.folder / "provisioner.toml").log_level == "DEBUG"


PASSPHRASE = "correct horse battery"


@pytest.fixture
def sealed_archive(cli: Cli, archive: Path) -> Path:
    with archive.open("rb") as source:
        (cli.folder / "b.sealed").write_bytes(b"".join(sealed(source, PASSPHRASE, cost=1)))
    return cli.folder / "b.sealed"


def test_sealed_backup_is_restored_with_its_passphrase(cli: Cli, sealed_archive: Path) -> None:
    (cli.folder / "words").write_text(f"{PASSPHRASE}\n")
    shutil.rmtree(cli.data)
    (cli.folder / "provisioner.toml").unlink()
    cli("restore", "b.sealed", "--passphrase-file", "words")
    assert [row["mac"] for row in cli.json("phone", "list")] == [MAC]
    assert not list(cli.folder.glob(".provisioner-*"))


def test_sealed_backup_is_not_restored_with_another_one(cli: Cli, sealed_archive: Path) -> None:
    before = state(cli.data)
    (cli.folder / "words").write_text("another passphrase\n")
    assert cli("restore", "--force", "b.sealed", "--passphrase-file", "words", status=1).stderr == (
        "error: the passphrase does not open this backup\n"
    )
    assert "is sealed: give --passphrase-file" in cli("restore", "--force", "b.sealed", status=2).stderr
    sealed_archive.write_bytes(sealed_archive.read_bytes()[:-1])
    (cli.folder / "words").write_text(PASSPHRASE)
    assert "damaged, cut or changed" in cli("restore", "--force", "b.sealed", "--passphrase-file", "words", status=1).stderr
    assert state(cli.data) == before
    assert not list(cli.folder.glob(".provisioner-*"))


def test_list_shows_what_the_server_keeps(cli: Cli) -> None:
    assert cli.json("backup", "list") == []
    folder = cli.data / "backups"
    folder.mkdir(mode=0o700)
    cli("backup", "var/backups/provisioner-20261122T023000Z.tar.gz")
    (folder / "provisioner-20261123T023000Z-asked.tar.gz").write_bytes(b"no archive")
    newest, first = cli.json("backup", "list")
    assert (newest["asked"], newest["holds"]) == (True, None)
    assert (first["asked"], first["holds"]["phones"], first["holds"]["extensions"]) == (False, 1, 1)
    shown = cli("backup", "list")
    assert "cannot be read" in shown.stdout
    assert "The next one is due at" in shown.stderr


def test_file_may_be_called_as_a_command(cli: Cli) -> None:
    cli("backup", "file", "list")
    assert set(contents(cli.folder / "list")) >= {"manifest.json", "provisioner.sqlite3"}


def test_database_of_an_older_version_is_backed_up(cli: Cli) -> None:
    with closing(sqlite3.connect(cli.data / "provisioner.sqlite3")) as connection:
        connection.execute("DROP TABLE backup_run")
        connection.commit()
    cli("backup", "b.tar.gz")
    assert backups.described(cli.folder / "b.tar.gz") is not None

"""Files of one's own over the catalogue are in a backup, and come back with it."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from provisioner import backups
from provisioner.errors import ProvisionerError
from provisioner.overlay.packing import PACKED, packed, unpack_into
from tests.commands.conftest import MAC, Cli
from tests.commands.test_backup import contents
from tests.commands.test_catalogue import DEVICE, edited


@pytest.fixture
def own(cli: Cli) -> Path:
    """A template of one's own, in use."""
    cli("catalogue", "override", DEVICE)
    own = cli.data / "catalogue" / DEVICE
    edited(own, "timezone = ", "timezone = early\ntimezone = ")
    cli("catalogue", "apply")
    assert "timezone = early" in cli("render", MAC).output
    return own


def test_restored_elsewhere_phones_get_what_they_got(cli: Cli, own: Path) -> None:
    text = own.read_bytes()
    cli("backup", "b.tar.gz")
    shutil.rmtree(cli.data)
    cli("restore", "b.tar.gz")
    assert own.read_bytes() == text
    cli("catalogue", "apply")
    assert "timezone = early" in cli("render", MAC).output


def test_what_was_there_is_kept_beside_and_no_longer_in_use(cli: Cli, own: Path) -> None:
    cli("backup", "b.tar.gz")
    edited(own, "early", "late")
    (own.parent / "_more.j2").write_text("later\n")
    cli("catalogue", "apply")
    cli("restore", "--force", "b.tar.gz")
    assert "timezone = early" in own.read_text() and not (own.parent / "_more.j2").exists()
    kept = next(cli.data.glob("replaced-*"))
    assert "timezone = late" in (kept / "catalogue" / DEVICE).read_text()
    assert not (cli.data / "catalogue.kept").exists()
    cli("catalogue", "apply")
    assert "timezone = early" in cli("render", MAC).output


def test_restore_that_fails_puts_them_back(cli: Cli, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("backup", "b.tar.gz")
    edited(own, "early", "late")
    cli("catalogue", "apply")
    place = backups._place

    def fails_last(source: Path, target: Path) -> None:
        if target.name == "catalogue":
            raise OSError(28, "No space left on device", str(target))
        place(source, target)

    monkeypatch.setattr(backups, "_place", fails_last)
    assert "No space left" in cli("restore", "--force", "b.tar.gz", status=1).stderr
    assert "timezone = late" in own.read_text()
    assert "timezone = late" in cli("render", MAC).output
    assert not list(cli.data.glob("replaced-*"))


def test_backup_without_any_leaves_those_that_are_there(cli: Cli) -> None:
    cli("backup", "b.tar.gz")
    assert PACKED not in contents(cli.folder / "b.tar.gz")
    cli("catalogue", "override", DEVICE)
    cli("restore", "--force", "b.tar.gz")
    assert (cli.data / "catalogue" / DEVICE).exists()


@pytest.mark.parametrize(
    "said",
    [
        "[]", "{", "1", '{"acme/vendor.toml": 7}', '{"acme/vendor.toml": "?"}', *(json.dumps({name: ""}) for name in ("../x", "/etc/passwd", "acme/../vendor.toml", "a\0b", "")),
    ],
)  # fmt: skip
def test_text_that_holds_anything_else_writes_nothing(tmp_path: Path, said: str) -> None:
    with pytest.raises(ProvisionerError):
        unpack_into(tmp_path / "own", said.encode())
    assert not list(tmp_path.iterdir())


def test_only_what_the_catalogue_reads_is_packed(tmp_path: Path) -> None:
    own = tmp_path / "own"
    assert packed(own) is None
    (own / "acme").mkdir(parents=True)
    (own / "acme" / "vendor.toml").write_bytes(b"a\r\n\xff")
    (own / "notes.doc").write_text("mine")
    (own / "acme" / "sheet.toml").symlink_to("/etc/hostname")
    text = packed(own)
    assert text is not None and json.loads(text) == {"acme/vendor.toml": base64.b64encode(b"a\r\n\xff").decode()}
    unpack_into(tmp_path / "back", text)
    assert (tmp_path / "back" / "acme" / "vendor.toml").read_bytes() == b"a\r\n\xff"

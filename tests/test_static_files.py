"""Which file below the static root a name means, and that what is remembered of it never outlives the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner import static_files
from provisioner.static_files import StaticFiles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "firmware").mkdir(parents=True)
    (folder / "sub" / ".git").mkdir(parents=True)
    for name in ("a.cfg", "firmware/fw.rom", "sub/b.wav", ".hidden", "sub/.git/config"):
        (folder / name).write_bytes(name.encode())
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    (folder / "inside").symlink_to(folder / "a.cfg")
    (folder / "circle").symlink_to(folder / "circle")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.cfg", "a.cfg"),
        ("sub/b.wav", "sub/b.wav"),
        ("fw.rom", "firmware/fw.rom"),
        ("v1/fw.rom", "firmware/fw.rom"),
        ("inside", "a.cfg"),
    ],
)
def test_a_name_means_the_file_without_its_links_every_time(root: Path, name: str, file: str) -> None:
    files = StaticFiles(root)
    assert [files.find(name) for _ in range(3)] == [root / file] * 3


NOTHING = ["", "/", "a.cfg/", "sub", "none.cfg", ".hidden", "sub/.git/config", "out", "up/secret", "circle", "pipe", "a\0b", "n" * 300]


@pytest.mark.parametrize("name", [*NOTHING, "../secret", "sub/../../secret"])
def test_what_is_no_file_hidden_or_outside_does_not_exist(root: Path, name: str) -> None:
    files = StaticFiles(root)
    assert [files.find(name) for _ in range(2)] == [None, None]


def test_a_file_that_came_went_or_was_replaced_is_seen_at_once(root: Path, tmp_path: Path) -> None:
    files = StaticFiles(root)
    assert files.find("new.cfg") is None
    (root / "new.cfg").write_bytes(b"1")
    assert files.find("new.cfg") == root / "new.cfg"
    (root / "new.cfg").unlink()
    assert files.find("new.cfg") is None
    (root / "new.cfg").symlink_to(root / "a.cfg")
    assert files.find("new.cfg") == root / "a.cfg"
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "link").replace(root / "new.cfg")
    assert files.find("new.cfg") is None, "a link that leads outside by now"


def test_a_folder_exchanged_for_a_link_outside_is_seen_at_once(root: Path, tmp_path: Path) -> None:
    files = StaticFiles(root)
    assert files.find("sub/b.wav") == root / "sub" / "b.wav"
    (root / "sub").rename(tmp_path / "moved")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "b.wav").write_bytes(b"outside")
    (root / "sub").symlink_to(tmp_path / "other")
    assert files.find("sub/b.wav") is None


def test_what_is_remembered_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_files, "REMEMBERED", 3)
    files = StaticFiles(root)
    for number in range(20):
        (root / f"{number}").write_bytes(b"x")
        assert files.find(f"{number}") == root / f"{number}"
        assert len(files._resolved) <= 3

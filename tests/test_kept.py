"""What takes long to make: found by the next start, made anew where it is not what it should be, and never in the way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner import kept_catalogue
from provisioner.catalog import load_catalogue
from provisioner.core.catalogue import Catalogue
from provisioner.errors import CatalogueError
from provisioner.kept import keep, read_kept
from provisioner.kept_catalogue import OWN_FOLDER, load_kept_catalogue
from tests.installations import copy_toy

FACTS, CONTENT = b"facts", b"what was made of them"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    keep(tmp_path / "kept" / "thing", FACTS, CONTENT)
    return tmp_path / "kept" / "thing"


def test_what_was_kept_is_found_by_what_it_was_made_from(path: Path) -> None:
    assert read_kept(path, FACTS) == CONTENT
    assert read_kept(path, b"other facts") is None
    assert read_kept(path.with_name("none"), FACTS) is None


@pytest.mark.parametrize("rest", [0, 5, -1], ids=["empty", "torn at its beginning", "torn at its end"])
def test_a_file_that_was_cut_short_is_not_taken(path: Path, rest: int) -> None:
    path.write_bytes(path.read_bytes()[:rest])
    assert read_kept(path, FACTS) is None
    keep(path, FACTS, CONTENT)
    assert read_kept(path, FACTS) == CONTENT


def test_a_folder_that_takes_no_file_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    keep(tmp_path / "file" / "thing", FACTS, CONTENT)
    assert read_kept(tmp_path / "file" / "thing", FACTS) is None


def test_nothing_is_kept_where_python_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    keep(tmp_path / "thing", FACTS, CONTENT)
    assert list(tmp_path.iterdir()) == []


def test_other_accounts_may_read_what_root_kept(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small catalogue in the place of the project's own, read once."""
    folder = tmp_path / "catalogue"
    copy_toy(folder)
    monkeypatch.setattr(kept_catalogue, "OWN_FOLDER", folder)
    monkeypatch.setattr(kept_catalogue, "kept_beside", lambda _: tmp_path / "kept")
    load_kept_catalogue(folder)
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders whose catalogue was read rather than taken as it was kept."""
    seen: list[Path] = []

    def read(folder: Path) -> Catalogue:
        seen.append(folder)
        return load_catalogue(folder)

    monkeypatch.setattr(kept_catalogue, "_read", read)
    return seen


def test_a_catalogue_that_was_kept_is_the_one_that_was_read(catalogue: Catalogue) -> None:
    load_kept_catalogue(OWN_FOLDER)
    found = load_kept_catalogue(OWN_FOLDER)
    assert (found.vendors, found.makers, found.zones) == (catalogue.vendors, catalogue.makers, catalogue.zones)
    assert (dict(found.settings), found.settings.rules) == (dict(catalogue.settings), catalogue.settings.rules)


def changed_model(own: Path) -> None:
    path = next((own / "acme" / "models").glob("*.toml"))
    path.write_text(path.read_text("utf-8") + "\n", "utf-8")


def new_file(own: Path) -> None:
    (own / "acme" / "templates" / "_more.j2").write_text("{# nothing yet #}", "utf-8")


@pytest.mark.parametrize("happens", [changed_model, new_file])
def test_a_catalogue_that_changed_is_read_again(own: Path, reads: list[Path], happens: Callable[[Path], None]) -> None:
    load_kept_catalogue(own)
    assert reads == [], "kept"
    happens(own)
    load_kept_catalogue(own)
    load_kept_catalogue(own)
    assert reads == [own], "once"


def test_mistakes_are_told_each_time(own: Path) -> None:
    (own / "acme" / "vendor.toml").write_text("name = ", "utf-8")
    for _ in range(2):
        with pytest.raises(CatalogueError, match=r"vendor\.toml:1"):
            load_kept_catalogue(own)


def test_the_catalogue_of_another_folder_is_read(own: Path, reads: list[Path], tmp_path: Path) -> None:
    copy_toy(tmp_path / "other")
    load_kept_catalogue(tmp_path / "other")
    load_kept_catalogue(tmp_path / "other")
    assert reads == [tmp_path / "other"] * 2

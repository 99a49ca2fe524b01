"""The project as a folder: nothing of the place where it was made, a reason for each dependency, no stray files at the top."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.arch.sources import ROOT

TOP = {
    "provisioner", "phone_templates", "pbx_sync", "tftp_root", "web", "tests", "setup.cfg", "pyproject.toml",
    "README.md", "LICENSE", "CHANGELOG.md", "Makefile", "docs", "bench", ".ci", ".gitignore",
}  # fmt: skip
"""Everything that stands at the top. Another entry needs a reason, and its line here."""

IGNORED = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines() if line and not line.startswith("#")]

# A path of somebody's machine: home folders, work folders, folders of package mirrors.
WORKPLACE = re.compile(r"(?<![\w./~}-])/(?:work|workspace|home/\w+|root|Users/\w+|mnt|opt/pypi[\w-]*)(?=/|\b)")
REGISTRIES = re.compile(r"\b(?:pypi\.org|pythonhosted\.org|deb\.debian\.org|archive\.ubuntu\.com|security\.debian\.org|registry\.npmjs\.org)\b|--(?:extra-)?index-url|--find-links")  # fmt: skip


def is_ignored(path: Path) -> bool:
    relative = path.relative_to(ROOT)
    names = [str(relative), *relative.parts]
    return any(fnmatch.fnmatch(name, pattern) for pattern in IGNORED for name in names) or ".git" in relative.parts


def text_files(folder: Path = ROOT) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.iterdir()):
        if is_ignored(path):
            continue
        if path.is_dir():
            yield from text_files(path)
        else:
            try:
                yield path.relative_to(ROOT), path.read_text("utf-8")
            except UnicodeDecodeError:
                continue


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    own = Path(__file__).relative_to(ROOT)
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in text_files()
        if path != own
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_top_level_is_the_agreed_one() -> None:
    there = {path.name for path in ROOT.iterdir() if not is_ignored(path)}
    assert there == TOP


def test_no_path_of_a_workplace() -> None:
    assert lines_with(WORKPLACE) == []


def test_no_package_registry_is_named() -> None:
    assert lines_with(REGISTRIES) == []


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    project = tomllib.loads(text)["project"]
    wanted = [*project["dependencies"], *(item for extra in project["optional-dependencies"].values() for item in extra)]
    bare = [item for item in wanted if not re.search(rf'^\s*"{re.escape(item)}",\s+# \S.+$', text, re.MULTILINE)]
    assert bare == []


@pytest.mark.parametrize("name", ["Makefile", ".ci/run"])
def test_what_is_run_by_a_shell_is_there(name: str) -> None:
    path = ROOT / name
    assert path.is_file()
    assert name == "Makefile" or path.stat().st_mode & 0o111


def test_licence_is_the_one_that_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["license"] in ("MIT", {"text": "MIT"})
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")

"""The second look at failed tests: what it may look at, and that a test that fails twice fails the build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import again


def kept(folder: Path, names: list[str], ended: int | None) -> Path:
    cache = folder / "lastfailed"
    cache.write_text(json.dumps(dict.fromkeys(names, True)), "utf-8")
    if ended is not None:
        cache.with_name(again.ENDED).write_text(str(ended), "utf-8")
    return cache


def test_what_failed_is_looked_at_again(tmp_path: Path) -> None:
    assert again.failed(kept(tmp_path, ["tests/b.py::two", "tests/a.py::one"], 1)) == ["tests/a.py::one", "tests/b.py::two"]


@pytest.mark.parametrize(
    ("names", "ended", "why"),
    [
        (["a", "b", "c", "d"], 1, "4 tests failed"),
        ([], 1, "0 tests failed"),
        (["a"], 2, "broke off with status 2"),
        (["a"], 3, "broke off with status 3"),
        (["a"], None, "no test run came to its end"),
    ],
)
def test_nothing_else_is(tmp_path: Path, names: list[str], ended: int | None, why: str) -> None:
    with pytest.raises(SystemExit, match=why):
        again.failed(kept(tmp_path, names, ended))


@pytest.mark.parametrize(("body", "status"), [("assert True", 0), ("assert False", 1)])
def test_the_second_run_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], body: str, status: int
) -> None:
    folder = tmp_path / ".pytest_cache" / "v" / "cache"
    folder.mkdir(parents=True)
    (tmp_path / "conftest.py").write_text(Path(again.__file__).read_text("utf-8"), "utf-8")  # its hook is there then too
    (tmp_path / "test_it.py").write_text(f"def test_one():\n    {body}\n", "utf-8")
    monkeypatch.setattr(again, "CACHE", kept(folder, ["test_it.py::test_one"], 1))
    assert again.main() == status
    assert ("UNSTEADY, to be mended: test_it.py::test_one" in capfd.readouterr().out) is (status == 0)

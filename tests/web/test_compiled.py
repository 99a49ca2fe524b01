"""Templates of pages in their compiled form: found by the next start, and made anew where they changed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import DictLoader

from web.__main__ import main
from web.compiled import FOLDER, compile_all, keep_compiled

SOURCES = {"hello.html": "Hello {{ 'bob'|loud }}, {{ name }}"}


def pages(folder: Path, sources: dict[str, str] = SOURCES, loud: str = "!") -> Flask:
    app = Flask(__name__)
    app.jinja_loader = DictLoader(sources)
    keep_compiled(app, folder)
    app.jinja_env.filters["loud"] = lambda text: text.upper() + loud
    return app


def shown(app: Flask, name: str = "hello.html") -> str:
    return app.jinja_env.get_template(name).render(name="<you>")


def no_compiling(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("compiled although it was kept")

    monkeypatch.setattr(app.jinja_env, "compile", refuse)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    compile_all(pages(tmp_path / "kept"))
    return tmp_path / "kept"


def test_what_was_kept_is_not_compiled_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = pages(folder)
    no_compiling(again, monkeypatch)
    assert shown(again) == "Hello BOB!, &lt;you&gt;"


def test_a_template_that_changed_is_compiled_again(folder: Path) -> None:
    assert shown(pages(folder, {"hello.html": "Bye {{ name }}"})) == "Bye &lt;you&gt;"


def test_filters_are_asked_when_a_page_is_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = pages(folder, loud="?")
    no_compiling(again, monkeypatch)
    assert shown(again).startswith("Hello BOB?")


def test_all_pages_are_compiled_at_once() -> None:
    assert main() == 0
    templates = [path.name for path in (Path(__file__).parents[2] / "web" / "templates").glob("*.html")]
    assert len(list(FOLDER.glob(f"*.{sys.implementation.cache_tag}.page"))) >= len(templates) > 50

"""Sizes and exceptions, held by a ratchet: ``style.json`` lists what is over a bound today, and may only shrink.

``python -m tests.arch.test_style`` writes it anew after something became smaller; it refuses to write what has grown. With ``--accept`` it
writes that too: for the commit that gives the reason.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import tokenize
from collections import Counter
from pathlib import Path

import pytest

from tests.arch.sources import CODE, ROOT, python_files, tree

FILE_LINES = 400
FUNCTION_LINES = 40
DATA = Path(__file__).with_name("style.json")
COMMENTS = {
    "type: ignore": re.compile(r"#\s*type:\s*ignore"),
    "noqa": re.compile(r"#\s*noqa"),
    "pragma: no cover": re.compile(r"#\s*pragma:\s*no cover"),
}


def long_files() -> dict[str, int]:
    """Returns path -> lines of every file over the bound."""
    sizes = {str(path): len((ROOT / path).read_text("utf-8").splitlines()) for path in python_files(*CODE)}
    return {path: size for path, size in sizes.items() if size > FILE_LINES}


def long_functions() -> dict[str, int]:
    """Returns path:function -> lines of every function over the bound."""
    return {
        f"{path}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in python_files(*CODE)
        for node in ast.walk(tree(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES
    }


def comments(text: str) -> list[str]:
    """Returns the comments of a file that takes an exception anywhere: taking all the others apart into tokens would take longest here."""
    if not any(pattern.search(text) for pattern in COMMENTS.values()):
        return []
    return [token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT]


def counts() -> dict[str, int]:
    """Returns how often each exception is taken, in the packages and everywhere else."""
    found: Counter[str] = Counter({f"{kind} in {place}": 0 for kind in (*COMMENTS, "print(") for place in ("code", "tests")})
    for path in python_files(*CODE):
        place = "tests" if path.parts[0] in {"tests", "bench"} else "code"
        for comment in comments((ROOT / path).read_text("utf-8")):
            found.update(f"{kind} in {place}" for kind, pattern in COMMENTS.items() if pattern.search(comment))
        calls = (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
        found[f"print( in {place}"] += sum(call.func.id == "print" for call in calls if isinstance(call.func, ast.Name))
    return dict(found)


MEASURES = {"long_files": long_files, "long_functions": long_functions, "counts": counts}


def grown(was: dict[str, int], now: dict[str, int]) -> list[str]:
    return [f"{name}: {now[name]}, was {was.get(name, 'none')}" for name in sorted(now) if now[name] > was.get(name, 0)]


def shrunk(was: dict[str, int], now: dict[str, int]) -> list[str]:
    return [f"{name}: {now.get(name, 'none')}, was {was[name]}" for name in sorted(was) if now.get(name, 0) < was[name]]


@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_has_grown(measure: str) -> None:
    was = json.loads(DATA.read_text("utf-8"))[measure]
    assert grown(was, MEASURES[measure]()) == [], "make it smaller; a new exception needs a reason that a reviewer accepts"


@pytest.mark.parametrize("measure", MEASURES)
def test_list_of_exceptions_has_none_too_many(measure: str) -> None:
    was = json.loads(DATA.read_text("utf-8"))[measure]
    gone = [name for name in was if measure != "counts" and name not in MEASURES[measure]()]
    assert gone == [], "within the bound by now: python -m tests.arch.test_style takes it off the list"


if __name__ == "__main__":
    before = json.loads(DATA.read_text("utf-8")) if DATA.exists() else {}
    after = {name: dict(sorted(measure().items())) for name, measure in MEASURES.items()}
    worse = [line for name in after for line in grown(before.get(name, {}), after[name])] if before else []
    if worse and "--accept" not in sys.argv:
        sys.exit("not written, for this has grown:\n  " + "\n  ".join(worse))
    DATA.write_text(json.dumps(after, indent=2) + "\n", "utf-8")

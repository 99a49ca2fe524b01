"""No vendor's name decides anything in the code: vendors are data.

The rule, as far as a syntax tree can tell it: no identifier contains a vendor's name; a text may, where it is for people - a docstring, a
sentence (it has a blank in it), or an example - and never where the program could act on it: in a comparison, as a key, or as the whole
argument of a call. Vendors are whatever folders ``phone_templates/`` has, so a new one is held to the same.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.arch.sources import PACKAGES, ROOT, docstrings, python_files, tree

VENDORS = sorted(path.parent.name for path in (ROOT / "phone_templates").glob("*/vendor.toml"))
NAME = re.compile("|".join(VENDORS), re.IGNORECASE)
EXAMPLES = re.compile(r"^_?(EXAMPLES?|PATH_HELP)$")
"""Constants that hold examples for the API's document, and nothing else."""


def identifiers(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(path)):
        for field in ("id", "attr", "arg", "name", "module", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield value, getattr(node, "lineno", 0)


def examples(path: Path) -> set[int]:
    """Returns the ids of constants in an example: below EXAMPLE = ..., metadata={"example": ...} or example=..."""
    found: set[int] = set()
    for node in ast.walk(tree(path)):
        parts: list[ast.AST] = []
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named = [target for target in targets if isinstance(target, ast.Name) and EXAMPLES.match(target.id)]
            parts = [node.value] if named and node.value else []
        elif isinstance(node, ast.Dict):
            parts = [
                value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value in ("example", "examples")
            ]
        elif isinstance(node, ast.keyword) and node.arg in ("example", "examples"):
            parts = [node.value]
        found |= {id(inner) for part in parts for inner in ast.walk(part)}
    return found


def deciding(path: Path) -> set[int]:
    """Returns the ids of constants that the program may act on: compared, looked up, matched."""
    found: set[int] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.Compare, ast.Subscript, ast.MatchValue)):
            found |= {id(inner) for inner in ast.walk(node)}
        elif isinstance(node, ast.Call):
            attribute = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if attribute in {"startswith", "endswith", "get", "removeprefix", "partition", "index", "find", "match", "search", "fullmatch"}:
                found |= {id(inner) for argument in node.args for inner in ast.walk(argument)}
        elif isinstance(node, ast.Dict):
            found |= {id(key) for key in node.keys if key is not None}
    return found


@pytest.mark.parametrize("path", python_files(*PACKAGES), ids=str)
def test_no_vendor_name_in_code(path: Path) -> None:
    wrong = [f"{path}:{line}: {name}" for name, line in identifiers(path) if NAME.search(name)]
    for_people, acted_on = docstrings(path) | examples(path), deciding(path)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.search(node.value):
            is_sentence = " " in node.value.strip() and id(node) not in acted_on
            if id(node) not in for_people and not is_sentence:
                wrong.append(f"{path}:{node.lineno}: {node.value!r}")
    assert wrong == []


def test_rule_would_see_a_decision() -> None:
    assert VENDORS
    assert NAME.search(f"{VENDORS[0]}/x1")

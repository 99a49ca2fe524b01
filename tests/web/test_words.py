"""Everything that the code writes to the change log has words on the pages, and no words are left of what is written no more."""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import provisioner
from provisioner.pbxstatus import KEPT_S, KeptStatus, PBXStatus
from tests.web.conftest import Person
from web.words import ACCESS, ACCESS_SHORT, ACTIONS, ENROLMENT, ENROLMENT_SHORT

SERVER = Path(provisioner.__file__).parent
ACTION = re.compile(r"[a-z_]+\.[a-z_]+")
NOT_LOGGED = {"webhook.test"}
"""Sent to a webhook, and no change."""
AT_THE_EDGE = {"note", "note_secrets_shown"}
"""By these the API, the pages and the commands name an action; the changes themselves name theirs anywhere in their code."""


def test_every_logged_action_has_words_and_all_words_are_of_one() -> None:
    assert logged_actions() == set(ACTIONS)


def test_short_words_are_those_of_the_choices() -> None:
    assert (ACCESS_SHORT.keys(), ENROLMENT_SHORT.keys()) == (ACCESS.keys(), ENROLMENT.keys())


def test_sites_are_listed_with_short_words_in_khmer(admin: Person) -> None:
    row = admin.get("/sites", **{"Accept-Language": "km"}).text.partition("<tbody>")[2].partition("</tbody>")[0]
    assert "ទាញលើកដំបូង<" in row and "៖" not in row


def test_status_of_asterisk_is_kept_a_moment() -> None:
    now, looks = [100.0], []

    def look() -> PBXStatus:
        looks.append(now[0])
        return PBXStatus(version=str(len(looks)))

    kept = KeptStatus(look, lambda: now[0])
    assert [kept.get().version for _ in range(3)] == ["1"] * 3
    now[0] += KEPT_S
    assert [kept.get().version for _ in range(3)] == ["2"] * 3
    kept.forget()
    assert kept.get().version == "3" and looks == [100.0, 105.0, 105.0]


def test_pages_that_ask_for_the_status_at_once_share_one_look() -> None:
    looks, may_end = [], threading.Event()

    def look() -> PBXStatus:
        looks.append("look")
        may_end.wait(10)
        return PBXStatus(version="shared")

    kept = KeptStatus(look)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(kept.get) for _ in range(4)]
        may_end.set()
        assert [each.result().version for each in asked] == ["shared"] * 4
    assert looks == ["look"]


def logged_actions() -> set[str]:
    trees = [ast.parse(path.read_text("utf-8")) for path in sorted((SERVER / "changes").glob("*.py"))]
    edges = [*SERVER.glob("api/*.py"), *SERVER.glob("commands/*.py"), *(SERVER.parent / "web").rglob("*.py")]
    trees += [call for path in edges for call in calls_of(ast.parse(path.read_text("utf-8")))]
    return {text for tree in trees for text in constants_of(tree)} - NOT_LOGGED


def calls_of(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in AT_THE_EDGE:
            yield node


def constants_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ACTION.fullmatch(node.value):
            yield node.value

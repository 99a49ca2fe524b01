"""The pages of a fresh installation, and somebody of each role who is signed in."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.test import TestResponse

from provisioner.admin import create_app
from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.wiring import Installation
from tests.installations import fresh_installation, make_installation

PASSWORD = "a long enough password"
MAC = "02:ac:de:00:00:01"
BARE = Mac("02acde000001")
HTML = {"Accept": "text/html"}


class Person:
    """Somebody with a browser: keeps cookies, and sends forms with their token."""

    def __init__(self, app: Flask, name: str = "") -> None:
        self.client = app.test_client()
        self.token = ""
        if name:
            self.token = token_in(self.get("/sign-in"))
            answer = self.post("/sign-in", name=name, password=PASSWORD)
            assert answer.status_code == 303, answer.text
            self.token = token_in(self.get("/you"))

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers={**HTML, **headers})

    def post(self, path: str, **fields: Any) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token, **fields}, headers=HTML)


def token_in(answer: TestResponse) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', answer.text)
    assert found, answer.text
    return found[1]


def words_in(answer: TestResponse) -> str:
    """Returns what stands on a page, without its tags and with single blanks."""
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", main)))


def furnish(installation: Installation) -> None:
    """Makes somebody of each role."""
    changes = installation.changes
    changes.create_extension("tests", "1001", display_name="Alice")
    for name, more in (("admin", {}), ("technician", {}), ("viewer", {}), ("user", {"extensions": ["1001"]})):
        changes.create_user("tests", name, {"role": name, "password": PASSWORD, **more})


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an installation with somebody of each role, to be copied: their passwords are hashed once."""
    made = make_installation(tmp_path_factory.mktemp("furnished"))
    furnish(made)
    made.database.dispose()
    return made.settings.data_dir


@pytest.fixture
def installation(furnished: Path, tmp_path: Path) -> Iterator[Installation]:
    shutil.copytree(furnished, tmp_path / "var")
    with fresh_installation(tmp_path) as fresh:
        if fresh.store.user("admin") is None:  # on a server that TEST_DATABASE_URL names there was nothing to copy
            furnish(fresh)
        yield fresh


class KeptTemplates(BytecodeCache):
    """Compiled templates of pages, which each application of a test would compile anew."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


TEMPLATES = KeptTemplates()


@pytest.fixture
def app(installation: Installation) -> Flask:
    made = create_app(installation)[0]
    made.jinja_env.bytecode_cache = TEMPLATES
    return made


@pytest.fixture
def admin(app: Flask) -> Person:
    return Person(app, "admin")


@pytest.fixture
def phone(installation: Installation) -> Mac:
    """A phone with a line, a key and a secret setting."""
    given = PhoneInput(
        model="acme/a1", lines=[LineInput(1, "1001")], keys=[KeyInput(3, "blf", "1002", "Bob")],
        settings={"voice_vlan": 20, "admin_password": "phone-secret-9"},
    )  # fmt: skip
    installation.changes.create_phone("tests", BARE, given)
    return BARE

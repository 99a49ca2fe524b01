"""Every operation of the OpenAPI document can be reached, by names that do not collide; and the folder needs nothing but Python."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from docs import client_table, pages
from provisioner import client as package
from provisioner.client import Client, Noun
from provisioner.client.client import Operation, operations
from tests.client.conftest import listening

ALL = [each for verbs in operations().values() for each in verbs.values()]


def documented() -> set[tuple[str, str]]:
    paths = pages.openapi()["paths"].items()
    return {(method.upper(), path) for path, item in paths for method in item if method in {"get", "post", "put", "patch", "delete"}}


def test_table_is_as_the_document_says() -> None:
    assert client_table.stale(pages.openapi()) == [], "run 'make docs'"


def test_every_documented_operation_is_one_verb() -> None:
    assert sorted((each.method, each.path) for each in ALL) == sorted(documented())


def test_every_operation_asks_what_it_is_documented_to() -> None:
    asked: list[tuple[str, str, str]] = []
    app = Flask("echo")

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    @app.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def echo(path: str) -> Any:
        asked.append((request.method, request.path, request.headers.get("Idempotency-Key", "")))
        return {"items": [], "next": None}

    with listening(app) as url:
        client = Client(url, "a-token")
        for each in ALL:
            answer = getattr(getattr(client, each.noun), each.verb)(*[f"a {name}" for name in each.names], *_body(each))
            assert list(answer) == ([] if each.page else ["items", "next"]), each
    assert [(method, path) for method, path, _ in asked] == [(each.method, re.sub(r"{(\w+)}", r"a \1", each.path)) for each in ALL]
    assert [bool(key) for *_, key in asked] == [each.is_keyed for each in ALL]


def _body(operation: Operation) -> list[Any]:
    return [] if not operation.takes else [{}] if "application/json" in operation.takes else ["text"]


def test_nouns_and_verbs_tell_what_they_are() -> None:
    client = Client("https://pbx.example.org", "a-token")
    assert {"phones", "extensions", "openapi"} <= set(dir(client)) and "resync" in dir(client.phones)
    assert isinstance(client.phones, Noun) and "resync: Ask a phone to fetch" in str(client.phones.__doc__)
    assert str(client.phones.fetches.__doc__).startswith("phones.fetches(mac, limit=, before=, reason=): List what a phone asked for")
    with pytest.raises(AttributeError, match="the API has no noun 'fones'; it has extensions, "):
        Client.__getattr__(client, "fones")
    with pytest.raises(AttributeError, match="phones has no verb 'resink'"):
        client.phones.resink("x")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda client: client.phones.show(), "phones.show takes mac"),
        (lambda client: client.phones.show("a", {}), "phones.show takes mac"),
        (lambda client: client.phones.list(sight="x"), "phones.list has no sight; it has limit, after, site, model, search, stage"),
        (lambda client: client.phones.create("mac,model"), "the body of phones.create is an object or a list"),
        (lambda client: client.phones.resync("a", {}, read={}), "phones.resync cannot be made to depend on what was read"),
        (lambda client: client.phones.change("a", {}, read={}), "this has no ETag"),
        (lambda client: client.phones.list(read={}), "phones.list cannot be made to depend on what was read"),
        (lambda client: client.phones.change("a", {}, key="mine"), "phones.change takes no Idempotency-Key"),
    ],
)
def test_wrong_call_is_told_before_anything_is_asked(call: Any, sentence: str) -> None:
    with pytest.raises(TypeError, match=re.escape(sentence)):
        call(Client("http://192.0.2.1", "a-token"))


def test_folder_works_alone_with_the_standard_library(tmp_path: Path) -> None:
    shutil.copytree(Path(str(package.__file__)).parent, tmp_path / "provisioner_client")
    script = """
import json, sys
sys.path.insert(0, sys.argv[1])
import provisioner_client as client
print(json.dumps([client.Client("https://pbx.example.org", "t").phones.show.operation.path, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True)
    path, modules = json.loads(ran.stdout)
    assert path == "/api/v1/phones/{mac}"
    assert {name for name in modules if not name.startswith("_")} - sys.stdlib_module_names == {"provisioner_client"}

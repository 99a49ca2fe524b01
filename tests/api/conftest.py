"""The API of a fresh installation, and a client for each role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from provisioner.api import create_admin_app
from provisioner.wiring import Installation
from tests.installations import API_TOKEN, fresh_installation

MAC = "02:ac:de:00:00:01"
BARE = "02acde000001"


class Api:
    """Sends requests under ``/api/v1`` with a role's token."""

    def __init__(self, app: Flask, token: str | None) -> None:
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def send(self, method: str, path: str, **more: Any) -> TestResponse:
        headers = {**self.headers, **more.pop("headers", {})}
        where = path if path.startswith(("/api", "/healthz", "/readyz", "/metrics")) else f"/api/v1{path}"
        return self.client.open(where, method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.send("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.send("POST", path, **({"json": body} if body is not None else {}), **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.send("PATCH", path, json=body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.send("PUT", path, json=body, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self.send("DELETE", path, **more)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with fresh_installation(tmp_path) as fresh:
        yield fresh


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a worker that no test runs."""
    monkeypatch.setattr("provisioner.api.pbx.ANSWER_S", 0.2)


@pytest.fixture
def app(installation: Installation) -> Flask:
    return create_admin_app(installation)


@pytest.fixture
def admin(app: Flask) -> Api:
    return Api(app, API_TOKEN)


@pytest.fixture
def roles(app: Flask, installation: Installation) -> dict[str, Api]:
    return a_client_for_each_role(app, installation)


def a_client_for_each_role(app: Flask, installation: Installation) -> dict[str, Api]:
    made = {role: installation.changes.create_token("tests", f"the {role}", role) for role in ("viewer", "technician", "admin")}
    return {"nobody": Api(app, None), **{role: Api(app, token) for role, token in made.items()}}


@pytest.fixture
def phone(admin: Api) -> dict[str, Any]:
    """A phone with an extension, a key and a secret setting."""
    assert admin.post("/extensions", {"number": "1001", "display_name": "Alice"}).status_code == 201
    body = {
        "mac": MAC,
        "model": "acme/a1",
        "lines": [{"line": 1, "extension": "1001"}],
        "keys": [{"key": 3, "type": "blf", "value": "1002", "label": "Bob"}],
        "settings": {"voice_vlan": 20, "admin_password": "phone-secret-9"},
    }
    answer = admin.post("/phones", body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.get_json()


def errors(answer: TestResponse) -> dict[str, str]:
    """Returns field -> sentence of a problem."""
    body = answer.get_json(force=True)
    assert answer.content_type == "application/problem+json", answer.get_data(as_text=True)
    assert body["status"] == answer.status_code
    assert {"type", "title", "status", "detail", "reason"} <= body.keys()
    return {entry["field"]: entry["message"] for entry in body.get("errors", [])}


def reason(answer: TestResponse) -> str:
    errors(answer)
    return str(answer.get_json(force=True)["reason"])

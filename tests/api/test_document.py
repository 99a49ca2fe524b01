"""The OpenAPI document: valid, complete, and true to the routes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from tests.api.conftest import Api

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def document(roles: dict[str, Api]) -> dict[str, Any]:
    return dict(roles["nobody"].get("/api/v1/openapi.json").get_json())


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, item[method]) for path, item in document["paths"].items() for method in METHODS & item.keys()]


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(document)
    assert document["openapi"].startswith("3.1") and document["info"]["title"] and document["info"]["version"]
    assert document["components"]["securitySchemes"]["bearer"] == {
        "type": "http", "scheme": "bearer", "description": document["components"]["securitySchemes"]["bearer"]["description"],
    }  # fmt: skip


def test_every_route_is_documented_and_nothing_else(app: Flask, document: dict[str, Any]) -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in _operations(document)} == routes


def test_every_operation_says_what_it_does_who_may_and_what_goes_wrong(document: dict[str, Any]) -> None:
    for path, method, operation in _operations(document):
        where = f"{method} {path}"
        assert operation["summary"].endswith((".", "?")), where
        assert any(status.startswith("2") for status in operation["responses"]), where
        if operation.get("security") == []:
            assert path in {"/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/session"}
            continue
        assert operation["x-role"] in {"user", "viewer", "technician", "admin"}, where
        wanted = {"401", "403", "429"} | ({"404"} if "{" in path else set())
        wanted |= {"400", "413", "415", "422"} if "requestBody" in operation else set()
        assert wanted <= operation["responses"].keys(), where
        for status, response in operation["responses"].items():
            if not status.startswith("2"):
                resolved = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
                assert "application/problem+json" in resolved["content"], where


def test_every_body_has_an_example_that_is_taken(document: dict[str, Any], admin: Api) -> None:
    for path, method, operation in _operations(document):
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]
            assert all("example" in body for body in content.values()), f"{method} {path}"


def test_every_parameter_in_a_path_is_described(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        named = set(re.findall(r"{(\w+)}", path))
        described = {row["name"] for row in item.get("parameters", []) if row["in"] == "path" and row.get("description")}
        assert named == described, path


def test_what_is_answered_is_what_is_documented(document: dict[str, Any], admin: Api, phone: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for path, name in (
        (f"/phones/{phone['mac']}", "PhoneShown"),
        (f"/phones/{phone['mac']}/lockstep", "Lockstep"),
        ("/extensions/1001", "ExtensionShown"),
        ("/sites/default", "SiteShown"),
        ("/models/acme/a1", "ModelShown"),
        ("/settings/timezone", "SettingShown"),
        ("/pbx", "Pbx"),
    ):
        shown = {field for field, about in schemas[name]["properties"].items() if not about.get("writeOnly")} - {"secret"}
        assert set(admin.get(path).get_json()) == shown, path
    assert set(admin.get("/phones/x").get_json(force=True)) <= schemas["Problem"]["properties"].keys()

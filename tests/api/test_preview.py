"""A preview says what the write does, and does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from provisioner.core.render import Renderer
from provisioner.core.values import PhoneConfig, RenderedFile
from provisioner.wiring import Installation
from tests.api.conftest import MAC, Api, errors, reason


def preview(api: Api, method: str, path: str, body: Any = None, **more: Any) -> Any:
    return api.post("/preview", {"method": method, "path": f"/api/v1{path}", "body": body}, **more)


def rows(installation: Installation) -> list[Any]:
    import sqlalchemy as sa

    from provisioner.models import metadata

    with installation.database.read() as connection:
        names = ("phone", "phone_key", "phone_line", "extension", "site", "phone_group", "change", "index_log", "department")
        return [connection.execute(sa.select(metadata.tables[name])).all() for name in names]


def test_the_lines_that_change_are_shown_and_nothing_is_written(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    before = rows(installation)
    shown = preview(admin, "PUT", f"/phones/{MAC}/keys", [{"key": 3, "type": "blf", "value": "1002", "label": "Robert"}]).get_json()
    assert (shown["touched"], shown["looked_at"]) == (1, 1)
    (change,) = shown["phones"]
    assert (change["mac"], change["change"], change["restart"]) == (MAC, "changed", "no")
    lines = [line for file in change["files"] for line in file["lines"]]
    assert any(line.startswith("-") and "Bob" in line for line in lines)
    assert any(line.startswith("+") and "Robert" in line for line in lines)
    assert all(line.startswith(("-", "+", "@@")) for line in lines)
    assert rows(installation) == before


WRITES = [
    ("PATCH", f"/phones/{MAC}", {"settings": {"voice_vlan": 30}}, 1),
    ("PATCH", f"/phones/{MAC}", {"firmware": "9.9"}, 1),
    ("DELETE", f"/phones/{MAC}", None, 1),
    ("POST", "/phones", {"mac": "02:ac:de:00:00:09", "model": "acme/a1"}, 1),
    ("PATCH", "/extensions/1001", {"display_name": "Alicia"}, 1),
    ("POST", "/extensions", {"number": "1009"}, 0),
    ("PATCH", "/sites/default", {"settings": {"voice_vlan": 40}}, 1),
    ("PUT", "/groups/blue", {"settings": {"voice_vlan": 50}}, 0),
    ("PUT", "/departments/Ops", {"number": "600"}, 0),
]


@pytest.mark.parametrize(("method", "path", "body", "touched"), WRITES, ids=[f"{row[0]} {row[1]}" for row in WRITES])
def test_every_write_can_be_previewed(admin: Api, phone: dict[str, Any], installation: Installation, method: str, path: str, body: Any, touched: int) -> None:  # fmt: skip
    before = rows(installation)
    answer = preview(admin, method, path, body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.get_json()["touched"] == touched
    assert rows(installation) == before


def test_what_is_listed_and_what_is_taken_off_is_told_apart(admin: Api, phone: dict[str, Any]) -> None:
    made = preview(admin, "POST", "/phones", {"mac": "02:ac:de:00:00:09", "model": "acme/a1"}).get_json()["phones"]
    gone = preview(admin, "DELETE", f"/phones/{MAC}").get_json()["phones"]
    assert [row["change"] for row in (*made, *gone)] == ["listed", "taken_off"]
    assert all(line.startswith(("+", "@@")) for file in made[0]["files"] for line in file["lines"])


def test_secrets_do_not_come_out(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    secrets = ["new-secret-77", "phone-secret-9", installation.box.token(installation.store.phones()[0].mac, 1)]
    secrets.append(str(installation.store.extension_secret("1001")))
    writes = [
        (f"/phones/{MAC}", {"settings": {"admin_password": "new-secret-77"}}),
        (f"/phones/{MAC}", {"lines": []}),
        ("/extensions/1001", {"secret": "new-secret-77"}),
    ]
    for path, body in writes:
        text = preview(admin, "PATCH", path, body).get_data(as_text=True)
        for secret in secrets:
            assert secret not in text
    changed = preview(admin, "PATCH", "/extensions/1001", {"secret": "new-secret-77"}).get_json()
    assert [file["only_secrets"] for file in changed["phones"][0]["files"]] == [True]


def test_what_the_write_is_refused_for_the_preview_is_refused_for(admin: Api, roles: dict[str, Api], phone: dict[str, Any]) -> None:
    assert list(errors(preview(admin, "PATCH", f"/phones/{MAC}", {"site": "nowhere"}))) == ["site"]
    assert list(errors(preview(admin, "PATCH", f"/phones/{MAC}", {"nonsense": 1}))) == ["nonsense"]
    assert reason(preview(admin, "POST", "/phones", {"mac": MAC, "model": "acme/a1"})) == "already_exists"
    assert preview(admin, "PATCH", "/phones/02:ac:de:00:00:77", {}).status_code == 404
    assert preview(admin, "PATCH", "/nothing/here", {}).status_code == 404
    assert preview(roles["viewer"], "PATCH", f"/phones/{MAC}", {}).status_code == 403
    assert reason(preview(admin, "PATCH", f"/phones/{MAC}", {}, headers={"If-Match": '"99"'})) == "changed_meanwhile"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/pbx/restart"), ("POST", "/tokens"), ("POST", "/imports"), ("POST", f"/phones/{MAC}/resync"), ("POST", "/preview")],
)
def test_what_does_more_than_change_what_is_kept_has_no_preview(admin: Api, phone: dict[str, Any], method: str, path: str) -> None:
    assert list(errors(preview(admin, method, path, {}))) == ["path"]
    assert list(errors(admin.post("/preview", {"method": "POST", "path": "/metrics"}))) == ["path"]


def test_undoing_can_be_previewed(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    admin.patch(f"/phones/{MAC}", {"settings": {"voice_vlan": 30}})
    change, before = admin.get("/changes").get_json()["items"][0]["id"], rows(installation)
    assert preview(admin, "POST", f"/changes/{change}/undo").get_json()["touched"] == 1
    assert rows(installation) == before


def test_files_are_rendered_when_the_write_is_taken_back(
    admin: Api, phone: dict[str, Any], installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others write meanwhile: besides the proof of one phone of a model, no file is made while the write lock is held."""
    others = [f"02:ac:de:00:01:0{at}" for at in range(3)]
    for mac in others:
        assert admin.post("/phones", {"mac": mac, "model": "acme/a1"}).status_code == 201
    held: list[bool] = []
    writing, render = installation.database.write, Renderer.phone_files
    inside = [False]

    @contextmanager
    def write() -> Iterator[Connection]:
        with writing() as connection:
            inside[0] = True
            try:
                yield connection
            finally:
                inside[0] = False

    def noted(renderer: Renderer, config: PhoneConfig) -> list[RenderedFile]:
        held.append(inside[0])
        return render(renderer, config)

    monkeypatch.setattr(installation.database, "write", write)
    monkeypatch.setattr(Renderer, "phone_files", noted)
    assert preview(admin, "PATCH", "/sites/default", {"settings": {"voice_vlan": 40}}).get_json()["looked_at"] == 4
    assert (held.count(True), held.count(False)) == (1, 8)

"""What the catalogue offers, tokens, changes, and the PBX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provisioner.api import create_admin_app
from provisioner.models import extension
from provisioner.wiring import Installation
from tests.api.conftest import BARE, MAC, Api, errors, reason
from tests.installations import API_TOKEN, fresh_installation


def test_models_are_shown_with_what_they_take(admin: Api) -> None:
    shown = admin.get("/models/acme/a1").get_json()
    assert (shown["id"], shown["lines"], shown["keys"], shown["expansion"]) == (
        "acme/a1",
        2,
        8,
        {"module": "am10", "modules": 2, "keys": 10},
    )
    assert shown["key_types"] == ["blf", "line", "speed_dial", "url"]
    assert [item["id"] for item in admin.get("/models").get_json()["items"]] == ["acme/a1", "acme/a2"]
    assert admin.get("/models?vendor=other").get_json() == {"items": [], "next": None}
    assert admin.get("/models/acme/a9").status_code == 404


def test_settings_are_a_table(admin: Api) -> None:
    names = [item["name"] for item in admin.get("/settings?limit=500").get_json()["items"]]
    assert names == sorted(names) and "timezone" in names
    row = admin.get("/settings/voice_vlan").get_json()
    assert (row["type"], row["minimum"], row["maximum"], row["default"]) == ("integer", 0, 4094, 0)
    assert admin.get("/settings/colour").status_code == 404


def test_a_token_is_shown_once(admin: Api) -> None:
    made = admin.post("/tokens", {"name": "monitoring", "role": "viewer"})
    assert made.status_code == 201 and made.headers["Location"] == "/api/v1/tokens/monitoring"
    token = made.get_json()["token"]
    assert len(token) >= 40
    text = admin.get("/tokens").get_data(as_text=True)
    assert "monitoring" in text and token not in text
    assert admin.post("/tokens", {"name": "monitoring", "role": "viewer"}).status_code == 409
    assert admin.delete("/tokens/monitoring").status_code == 204
    assert admin.delete("/tokens/monitoring").status_code == 404


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"role": "viewer"}, {"name": "this is needed"}),
        ({"name": "a", "role": "root"}, {"role": "one of viewer, technician, admin is needed"}),
        ({"name": "", "role": "viewer"}, {"name": "1 to 64 letters, digits, blanks, dots or dashes are needed"}),
        ({"name": "a", "role": "viewer", "token": "x" * 30}, {"token": "there is no such field"}),
    ],
)
def test_each_mistake_of_a_token_is_named(admin: Api, body: dict, expected: dict) -> None:
    answer = admin.post("/tokens", body)
    assert answer.status_code == 422 and errors(answer) == expected


def test_changes_come_newest_first_and_are_found_by_subject(admin: Api, phone: dict[str, Any]) -> None:
    admin.patch(f"/phones/{MAC}", {"firmware": "2"})
    page = admin.get("/changes?limit=1").get_json()
    (newest,) = page["items"]
    assert (newest["action"], newest["subject"], newest["phones"]) == ("phone.update", MAC, 1)
    assert newest["before"]["firmware"] == "" and newest["after"]["firmware"] == "2"
    older = admin.get(f"/changes?before={page['next']}").get_json()["items"]
    assert [row["action"] for row in older] == ["phone.create", "extension.create"]
    for subject in (MAC, BARE, "02-AC-DE-00-00-01"):
        assert [row["action"] for row in admin.get(f"/changes?subject={subject}").get_json()["items"]] == ["phone.update", "phone.create"]
    assert [row["action"] for row in admin.get("/changes?subject=1001").get_json()["items"]] == ["extension.create"]


def test_the_pbx_tells_how_far_it_is(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    assert admin.get("/pbx").get_json().items() >= {"kind": "fake", "state": "drifting", "extensions": 1, "drift": 1, "errors": 0}.items()
    with installation.database.write() as connection:
        connection.execute(extension.update().values(pbx_wanted="a", pbx_verified="a"))
    assert admin.get("/pbx").get_json()["state"] == "in_lockstep"
    with installation.database.write() as connection:
        connection.execute(extension.update().values(pbx_wanted="b", pbx_error="refused"))
    assert admin.get("/pbx").get_json().items() >= {"kind": "fake", "state": "held", "extensions": 1, "drift": 1, "errors": 1}.items()


def test_without_a_pbx_its_state_is_none(tmp_path: Path) -> None:
    with fresh_installation(tmp_path, pbx="none") as installation:
        api = Api(create_admin_app(installation), API_TOKEN)
        api.post("/extensions", {"number": "1001"})
        assert api.get("/pbx").get_json().items() >= {"kind": "none", "state": "none", "extensions": 1, "drift": 0, "errors": 0}.items()


def test_a_page_that_is_no_number_is_refused(admin: Api) -> None:
    for value in ("0", "-1", "x", "9" * 30):
        assert errors(admin.get(f"/changes?before={value}")) == {"before": "the 'next' of the page before is needed"}
        assert reason(admin.get(f"/changes?before={value}")) == "invalid_input"

"""Departments, rotations, swaps and registrations in the API."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.models import registration
from provisioner.wiring import Installation
from tests.api.conftest import BARE, MAC, Api, errors, reason

NEW_MAC = "02:ac:de:00:00:02"


def test_department_is_numbered_listed_and_removed(admin: Api) -> None:
    admin.post("/extensions", {"number": "1001", "department": "Sales & Co/EU"})
    assert admin.get("/departments").get_json()["items"][0]["members"] == ["1001"]
    path = "/departments/Sales%20%26%20Co/EU"
    made = admin.put(path, {"number": "600"}, headers={"If-Match": '"1"'})
    assert (made.status_code, made.headers["ETag"]) == (200, '"2"')
    state = {"pbx_wanted": None, "pbx_verified": None, "pbx_error": ""}
    assert made.get_json() == {"number": "600", "name": "Sales & Co/EU", "members": ["1001"], **state, "revision": 2}
    assert reason(admin.put(path, {"number": "601"}, headers={"If-Match": '"1"'})) == "changed_meanwhile"
    assert errors(admin.delete(path)) == {"name": "1 extensions are in this department"}
    admin.patch("/extensions/1001", {"department": ""})
    assert admin.delete(path).status_code == 204
    assert admin.get(path).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ({}, 422, {"number": "this is needed"}),
        ({"number": "1001"}, 409, {"number": "1001 is the number of an extension"}),
        ({"number": "6 0"}, 422, {"number": "1 to 32 digits or letters are needed, for example 1001"}),
        ({"number": None, "name": "x"}, 422, {"name": "there is no such field"}),
    ],
)
def test_wrong_number_is_named(admin: Api, body: dict, status: int, expected: dict) -> None:
    admin.post("/extensions", {"number": "1001"})
    answer = admin.put("/departments/Sales", body)
    assert (answer.status_code, errors(answer)) == (status, expected)


def test_extension_may_not_have_a_departments_number(admin: Api) -> None:
    admin.put("/departments/Sales", {"number": "600"})
    assert errors(admin.post("/extensions", {"number": "600"})) == {"number": "600 is the number of the department Sales"}


def test_secret_on_its_way_is_shown_with_who_is_waited_for(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    assert admin.get("/extensions/1001/rotation").get_json() == {"state": "none", "since": None, "waiting": []}
    before = installation.store.extension_secret("1001")
    answer = admin.post("/extensions/1001/rotation").get_json()
    assert (answer["state"], answer["waiting"]) == ("moving", [MAC])
    assert installation.store.extension_secret("1001") != before
    assert admin.get("/extensions/1001").get_json()["rotation"] == "moving"
    assert "rotation" in errors(admin.patch("/extensions/1001", {"rotation": "none"}))
    admin.patch("/extensions/1001", {"secret": "brand-new-secret", "revoke_former": True})
    assert admin.get("/extensions/1001/rotation").get_json()["state"] == "none"
    admin.patch("/extensions/1001", {"secret": "another-new-secret"})
    assert admin.post("/extensions/1001/rotation", {"revoke_former": True}).get_json()["state"] == "none"
    assert "revoke_former" in errors(admin.post("/extensions", {"number": "7", "revoke_former": True}))


def test_broken_phone_is_swapped(admin: Api, phone: dict[str, Any]) -> None:
    answer = admin.post(f"/phones/{MAC}/swap", {"mac": NEW_MAC})
    assert answer.status_code == 201 and answer.headers["Location"].endswith(NEW_MAC)
    shown = answer.get_json()
    assert (shown["mac"], shown["lines"], shown["keys"], shown["settings"]) == (NEW_MAC, phone["lines"], phone["keys"], phone["settings"])
    assert admin.get(f"/phones/{MAC}").status_code == 404
    assert errors(admin.post(f"/phones/{NEW_MAC}/swap", {"mac": MAC, "model": "acme/a2"}))["keys.0.module"].startswith("the Acme A2 has no")
    assert admin.post(f"/phones/{NEW_MAC}/swap", {"mac": NEW_MAC}).status_code == 422


def test_registrations_of_a_phones_lines_are_shown(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    (line,) = admin.get(f"/phones/{MAC}/registrations").get_json()
    assert (line["line"], line["extension"], line["registered"], line["registered_at"], line["in_call"]) == (1, "1001", False, None, False)
    with installation.database.write() as connection:
        about = {"uri": "sip:1001@192.0.2.9:5060", "address": "192.0.2.9", "user_agent": "Acme A1 1.0"}
        connection.execute(registration.insert().values(mac=BARE, extension="1001", registered_at=2_000_000_000.0, **about))
    (line,) = admin.get(f"/phones/{MAC}/registrations").get_json()
    assert (line["registered"], line["contact"], line["address"]) == (True, about["uri"], "192.0.2.9")
    assert line["registered_at"] == "2033-05-18T03:33:20.000Z"
    with installation.database.write() as connection:
        connection.execute(registration.update().values(ended_at=2_000_000_060.0))
    (line,) = admin.get(f"/phones/{MAC}/registrations").get_json()
    assert (line["registered"], line["ended_at"]) == (False, "2033-05-18T03:34:20.000Z")


def test_wake_is_part_of_the_lockstep(admin: Api, phone: dict[str, Any]) -> None:
    assert admin.get(f"/phones/{MAC}/lockstep").get_json()["wake"] == {
        "notified_at": None, "tries": 0, "reached": 0, "due_at": None, "error": "",
    }  # fmt: skip

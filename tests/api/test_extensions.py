"""Extensions."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.wiring import Installation
from tests.api.conftest import MAC, Api, errors, reason


def test_an_extension_is_made_with_a_secret_of_its_own_that_is_never_shown(admin: Api, installation: Installation) -> None:
    answer = admin.post("/extensions", {"number": "1001", "display_name": "Alice", "email": "a@example.org", "department": "Sales"})
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/api/v1/extensions/1001" and answer.headers["ETag"] == '"1"'
    shown = {"number": "1001", "display_name": "Alice", "email": "a@example.org", "department": "Sales"}
    shown |= {"site": "", "record_calls": False, "rotation": "none", "rotation_started_at": None, "revision": 1}
    shown |= {"pbx_wanted": None, "pbx_verified": None, "pbx_error": ""}
    assert answer.get_json() == shown == admin.get("/extensions/1001").get_json()
    assert len(installation.store.extension_secret("1001") or "") == 20


def test_a_number_with_marks_has_an_address(admin: Api) -> None:
    answer = admin.post("/extensions", {"number": "*98#"})
    assert admin.get(answer.headers["Location"]).get_json()["number"] == "*98#"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"number": "this is needed"}),
        ({"number": ""}, {"number": "1 to 32 digits or letters are needed, for example 1001"}),
        ({"number": "1001\n"}, {"number": "line breaks and control characters are not possible here"}),
        ({"number": "1" * 33}, {"number": "at most 32 characters are possible"}),
        ({"number": 1001}, {"number": "a text is needed"}),
        ({"number": "1", "email": "nobody"}, {"email": "this is not an e-mail address"}),
        ({"number": "1", "display_name": "x" * 129}, {"display_name": "at most 128 characters are possible"}),
        (
            {"number": "1", "secret": "short"},
            {"secret": "8 to 64 printable characters without blanks are needed (or leave it out: one is made)"},
        ),
        ({"number": "1", "revision": 7}, {"revision": "there is no such field"}),
    ],
)
def test_each_mistake_is_named(admin: Api, body: dict, expected: dict) -> None:
    answer = admin.post("/extensions", body)
    assert answer.status_code == 422
    assert errors(answer) == expected


def test_an_extension_that_is_there_gets_409_and_one_that_is_not_404(admin: Api) -> None:
    admin.post("/extensions", {"number": "1001"})
    again = admin.post("/extensions", {"number": "1001"})
    assert (again.status_code, reason(again), errors(again)) == (409, "already_exists", {"number": "extension 1001 exists already"})
    for answer in (admin.get("/extensions/9"), admin.patch("/extensions/9", {}), admin.delete("/extensions/9")):
        assert (answer.status_code, errors(answer)) == (404, {"number": "there is no extension 9"})


def test_an_extension_is_changed_and_renders_its_phones_anew(admin: Api, phone: dict[str, Any]) -> None:
    answer = admin.patch("/extensions/1001", {"display_name": "Alice B."}, headers={"If-Match": '"1"'})
    assert answer.get_json()["display_name"] == "Alice B." and answer.headers["ETag"] == '"2"'
    assert admin.get(f"/phones/{MAC}").get_json()["revision"] == phone["revision"], "its own record is as it was: If-Match still holds"
    assert admin.get(f"/phones/{MAC}/lockstep").get_json()["stage"] == "rendering"
    stale = admin.patch("/extensions/1001", {"display_name": "Eve"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, reason(stale)) == (412, "changed_meanwhile")
    assert admin.delete("/extensions/1001", headers={"If-Match": '"1"'}).status_code == 412
    assert admin.get("/extensions/1001", headers={"If-None-Match": '"2"'}).status_code == 304


def test_an_extension_on_a_line_is_not_deleted(admin: Api, phone: dict[str, Any]) -> None:
    assert "is on a line of" in errors(admin.delete("/extensions/1001"))["number"]
    admin.put(f"/phones/{MAC}/lines", [])
    assert admin.delete("/extensions/1001").status_code == 204
    assert admin.get("/extensions/1001").status_code == 404


def test_extensions_are_searched(admin: Api) -> None:
    for number, name in (("1001", "Alice"), ("1002", "Bob"), ("2001", "Alan")):
        admin.post("/extensions", {"number": number, "display_name": name})
    assert [item["number"] for item in admin.get("/extensions?search=al").get_json()["items"]] == ["1001", "2001"]
    assert [item["number"] for item in admin.get("/extensions?search=100").get_json()["items"]] == ["1001", "1002"]


def test_only_an_admin_has_calls_recorded(roles: dict[str, Api]) -> None:
    admin, technician = roles["admin"], roles["technician"]
    assert admin.post("/extensions", {"number": "1001"}).status_code == 201
    assert technician.post("/extensions", {"number": "1002", "record_calls": True}).status_code == 403
    for wanted, status in ((True, 403), (False, 200)):
        assert technician.patch("/extensions/1001", {"record_calls": wanted}).status_code == status
    assert admin.patch("/extensions/1001", {"record_calls": "yes"}).status_code == 422
    assert admin.patch("/extensions/1001", {"record_calls": True}).get_json()["record_calls"] is True
    change = admin.get("/changes?subject=1001&limit=1").get_json()["items"][0]
    assert (change["action"], change["before"], change["after"]) == ("extension.update", {"record_calls": False}, {"record_calls": True})
    assert technician.patch("/extensions/1001", {"record_calls": True, "display_name": "Alice"}).status_code == 200, "it stays as it is"
    assert technician.patch("/extensions/1001", {"record_calls": False}).status_code == 403


def test_only_an_admin_undoes_the_switching_of_recording(roles: dict[str, Api]) -> None:
    admin, technician = roles["admin"], roles["technician"]
    admin.post("/extensions", {"number": "1001", "record_calls": True})
    admin.patch("/extensions/1001", {"record_calls": False})
    change = admin.get("/changes?subject=1001&limit=1").get_json()["items"][0]["id"]
    assert technician.post(f"/changes/{change}/undo").status_code == 403
    assert admin.post(f"/changes/{change}/undo").status_code == 200
    assert admin.get("/extensions/1001").get_json()["record_calls"] is True
    admin.delete("/extensions/1001")
    gone = admin.get("/changes?subject=1001&limit=1").get_json()["items"][0]["id"]
    assert admin.post(f"/changes/{gone}/undo").status_code == 200
    assert admin.get("/extensions/1001").get_json()["record_calls"] is True

"""Users over the API."""

from __future__ import annotations

import pytest

from tests.api.conftest import Api, errors, reason

PASSWORD = "correct horse battery"
BOB = {"name": "bob", "role": "viewer", "password": PASSWORD}


def test_a_user_is_made_shown_changed_and_removed(admin: Api) -> None:
    made = admin.post("/users", {**BOB, "sites": ["default"], "language": "nl"})
    assert made.status_code == 201, made.get_data(as_text=True)
    assert made.headers["Location"].endswith("/api/v1/users/bob")
    shown = admin.get("/users/bob").get_json()
    assert shown == made.get_json()
    assert (shown["sites"], shown["language"], shown["has_password"], shown["has_totp"]) == (["default"], "nl", True, False)
    changed = admin.patch("/users/bob", {"role": "technician", "sites": None}, headers={"If-Match": made.headers["ETag"]})
    assert (changed.get_json()["role"], changed.get_json()["sites"]) == ("technician", None)
    assert reason(admin.patch("/users/bob", {"role": "viewer"}, headers={"If-Match": made.headers["ETag"]})) == "changed_meanwhile"
    assert [row["name"] for row in admin.get("/users").get_json()["items"]] == ["bob"]
    assert admin.delete("/users/bob").status_code == 204
    assert admin.get("/users/bob").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "no blanks"}, "name"),
        ({"role": "emperor"}, "role"),
        ({"sites": ["nowhere"]}, "sites.0"),
        ({"sites": []}, "sites"),
        ({"extensions": ["77"]}, "extensions.0"),
        ({"language": "xx"}, "language"),
        ({"password": "short"}, "password"),
    ],
)
def test_a_wrong_field_is_named(admin: Api, wrong: dict, field: str) -> None:
    assert list(errors(admin.post("/users", {**BOB, **wrong}))) == [field]


def test_a_name_is_taken_once(admin: Api) -> None:
    admin.post("/users", BOB)
    assert reason(admin.post("/users", BOB)) == "already_exists"


def test_the_last_admin_of_all_sites_stays(admin: Api) -> None:
    admin.post("/users", {**BOB, "name": "root", "role": "admin"})
    for change in ({"role": "viewer"}, {"disabled": True}, {"sites": ["default"]}):
        assert "last admin" in errors(admin.patch("/users/root", change))["name"]
    assert "last admin" in errors(admin.delete("/users/root"))["name"]
    admin.post("/users", {**BOB, "name": "second", "role": "admin"})
    assert admin.delete("/users/root").status_code == 204


def test_another_password_is_set_and_never_shown(admin: Api) -> None:
    admin.post("/users", BOB)
    assert admin.put("/users/bob/password", {"password": "another horse, another"}).status_code == 204
    assert list(errors(admin.put("/users/bob/password", {"password": "bob"}))) == ["password"]
    assert admin.delete("/users/bob/sessions").status_code == 204
    assert admin.delete("/users/bob/totp").status_code == 204
    for path in ("/users/bob", "/users", "/changes"):
        text = admin.get(path).get_data(as_text=True)
        assert "horse" not in text
        assert "argon2" not in text


def test_every_write_of_a_user_is_in_the_changes(admin: Api) -> None:
    admin.post("/users", BOB)
    admin.patch("/users/bob", {"role": "technician"})
    admin.put("/users/bob/password", {"password": "another horse, another"})
    admin.delete("/users/bob")
    rows = admin.get("/changes").get_json()["items"]
    assert [row["action"] for row in rows] == ["user.delete", "user.password", "user.update", "user.create"]
    assert {row["actor"] for row in rows} == {"settings:api_token"}
    assert (rows[2]["before"], rows[2]["after"]) == ({"role": "viewer"}, {"role": "technician"})

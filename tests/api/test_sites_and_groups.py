"""Sites and groups."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import MAC, Api, errors, reason


def test_a_site_is_made_with_what_the_installation_says(admin: Api) -> None:
    answer = admin.post("/sites", {"name": "utrecht", "timezone": "Europe/Amsterdam", "trusted_networks": ["192.168.1.7/24"]})
    assert answer.status_code == 201 and answer.headers["Location"] == "/api/v1/sites/utrecht"
    assert answer.get_json() == {
        "name": "utrecht",
        "access": "first-fetch",
        "trusted_networks": ["192.168.1.0/24"],
        "enrolment": "listed",
        "timezone": "Europe/Amsterdam",
        "language": None,
        "pool": "",
        "settings": {"timezone": "Europe/Amsterdam"},
        "revision": 1,
    }
    assert [item["name"] for item in admin.get("/sites").get_json()["items"]] == ["default", "utrecht"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"name": "this is needed"}),
        ({"name": "/"}, {"name": "1 to 64 letters, digits, blanks, dots or dashes are needed"}),
        ({"name": "a", "access": "none"}, {"access": "one of open, first-fetch, token, digest, mtls is needed"}),
        ({"name": "a", "enrolment": 1}, {"enrolment": "a text is needed"}),
        ({"name": "a", "trusted_networks": ["x"]}, {"trusted_networks.0": "'x' is not a network, for example 192.168.1.0/24"}),
        ({"name": "a", "trusted_networks": "10.0.0.0/8"}, {"trusted_networks": "a list is needed"}),
        (
            {"name": "a", "timezone": "Europe/Amsterdm"},
            {"settings.timezone": "'Europe/Amsterdm' is not a time zone; did you mean Europe/Amsterdam?"},
        ),
        (
            {"name": "a", "settings": {"admin_password": "secret-12"}},
            {"settings.admin_password": "a secret is set for each phone, not for many"},
        ),
    ],
)
def test_each_mistake_of_a_site_is_named(admin: Api, body: dict, expected: dict) -> None:
    answer = admin.post("/sites", body)
    assert answer.status_code == 422
    assert errors(answer) == expected


def test_a_site_is_changed_and_its_phones_are_rendered_anew(admin: Api, phone: dict[str, Any]) -> None:
    first = admin.patch("/sites/default", {"access": "token", "settings": {"voice_vlan": 7}, "language": "nl"}).get_json()
    assert first["access"] == "token" and first["settings"] == {"voice_vlan": 7, "language": "nl"}
    second = admin.patch("/sites/default", {"settings": {"pc_vlan": 3}, "language": None}).get_json()
    assert second["settings"] == {"voice_vlan": 7, "pc_vlan": 3} and second["language"] is None
    told = admin.get("/changes?limit=2").get_json()["items"]
    assert [(row["action"], row["phones"]) for row in told] == [("site.update", 1), ("site.update", 1)]
    assert admin.get(f"/phones/{MAC}").get_json()["revision"] == phone["revision"], "the phone itself was not changed"
    broken = admin.patch("/sites/default", {"settings": {"syslog_server": "broken.example"}})
    assert (broken.status_code, reason(broken)) == (422, "render_failed")


def test_sites_and_groups_honour_tags(admin: Api) -> None:
    admin.put("/groups/g", {"settings": {}})
    assert admin.get("/sites/default", headers={"If-None-Match": '"1"'}).status_code == 304
    assert admin.get("/groups/g", headers={"If-None-Match": '"1"'}).status_code == 304
    stale = {"If-Match": '"9"'}
    for answer in (
        admin.patch("/sites/default", {"access": "token"}, headers=stale),
        admin.delete("/sites/default", headers=stale),
        admin.put("/groups/g", {"settings": {}}, headers=stale),
        admin.put("/groups/new", {"settings": {}}, headers=stale),
        admin.delete("/groups/g", headers=stale),
    ):
        assert (answer.status_code, reason(answer)) == (412, "changed_meanwhile")
    assert admin.patch("/sites/default", {"access": "token"}, headers={"If-Match": '"1"'}).headers["ETag"] == '"2"'
    assert admin.put("/groups/g", {"settings": {}}, headers={"If-Match": '"1"'}).headers["ETag"] == '"2"'


def test_a_site_with_phones_and_the_default_one_stay(admin: Api) -> None:
    admin.post("/sites", {"name": "utrecht"})
    assert admin.post("/sites", {"name": "utrecht"}).status_code == 409
    admin.post("/phones", {"mac": MAC, "model": "acme/a1", "site": "utrecht"})
    assert errors(admin.delete("/sites/utrecht")) == {"name": "1 phones are at this site"}
    admin.delete(f"/phones/{MAC}")
    assert admin.delete("/sites/utrecht").status_code == 204
    assert errors(admin.get("/sites/utrecht")) == {"name": "there is no site utrecht"}
    assert errors(admin.delete("/sites/default")) == {"name": "the site default stays"}


def test_a_group_is_made_replaced_and_removed(admin: Api) -> None:
    made = admin.put("/groups/reception", {"settings": {"line_label": "name"}})
    assert made.get_json() == {"settings": {"line_label": "name"}, "name": "reception", "revision": 1}
    assert admin.put("/groups/reception", {"settings": {}}).get_json()["settings"] == {}
    assert [item["name"] for item in admin.get("/groups").get_json()["items"]] == ["reception"]
    admin.post("/phones", {"mac": MAC, "model": "acme/a1", "group": "reception"})
    assert errors(admin.delete("/groups/reception")) == {"name": "1 phones are in this group"}
    admin.patch(f"/phones/{MAC}", {"group": None})
    assert admin.delete("/groups/reception").status_code == 204
    for answer in (admin.get("/groups/reception"), admin.delete("/groups/reception")):
        assert (answer.status_code, errors(answer)) == (404, {"name": "there is no group reception"})
    assert errors(admin.put("/groups/g", {})) == {"settings": "this is needed"}
    assert errors(admin.put("/groups/g", {"settings": {"admin_password": "secret-12"}})) == {
        "settings.admin_password": "a secret is set for each phone, not for many"
    }

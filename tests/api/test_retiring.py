"""Taking phones out of service in the API."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from provisioner.wiring import Installation
from tests.api.conftest import BARE, MAC, Api, errors
from tests.installations import render_all


def test_phone_is_retired_shown_as_such_and_taken_back(admin: Api, roles: dict[str, Api], phone: dict[str, Any]) -> None:
    technician, viewer = roles["technician"], roles["viewer"]
    assert phone["retired_at"] is None
    answer = technician.post(f"/phones/{MAC}/retire")
    body = answer.get_json()
    assert (answer.status_code, body["lines"], body["keys"], body["settings"]) == (200, [], [], {"voice_vlan": 20}), (
        "what brings it here stays"
    )
    assert body["retired_at"] and answer.headers["ETag"] == f'"{body["revision"]}"'
    standing = viewer.get(f"/phones/{MAC}/lockstep").get_json()
    assert (standing["stage"], standing["retired_at"]) == ("retiring", body["retired_at"])
    assert [row["mac"] for row in viewer.get("/phones?stage=retiring").get_json()["items"]] == [MAC]
    assert viewer.get("/phones?stage=retired").get_json()["items"] == []
    back = technician.post(f"/phones/{MAC}/reinstate").get_json()
    assert (back["retired_at"], back["lines"], back["settings"]) == (None, phone["lines"], {"voice_vlan": 20})
    assert [row["action"] for row in viewer.get(f"/changes?subject={MAC}&limit=2").get_json()["items"]] == [
        "phone.reinstate",
        "phone.retire",
    ]


def test_files_of_a_retired_phone_hold_no_secret_for_whoever_may_see_them(
    admin: Api, phone: dict[str, Any], installation: Installation
) -> None:
    secret = installation.store.extension_secret("1001")
    admin.post(f"/phones/{MAC}/retire")
    render_all(installation)
    text = admin.get(f"/phones/{MAC}/files?secrets=true").get_data(as_text=True)
    assert "url = " in text
    assert [word for word in (secret, "phone-secret-9", "1001", "Bob") if word in text] == []
    assert installation.box.phone_password(BARE, "admin") not in text


@pytest.mark.usefixtures("phone")
def test_wrong_moments_are_told(admin: Api) -> None:
    assert "is in service" in errors(admin.post(f"/phones/{MAC}/reinstate"))["mac"]
    assert admin.post(f"/phones/{MAC}/retire", headers={"If-Match": '"99"'}).status_code == 412
    assert admin.post(f"/phones/{MAC}/retire").status_code == 200
    assert "taken out of service already" in errors(admin.post(f"/phones/{MAC}/retire"))["mac"]
    for answer in (
        admin.patch(f"/phones/{MAC}", {"settings": {"voice_vlan": 5}}),
        admin.put(f"/phones/{MAC}/lines", [{"line": 1, "extension": "1001"}]),
        admin.put(f"/phones/{MAC}/keys", []),
        admin.post(f"/phones/{MAC}/swap", {"mac": "02:ac:de:00:00:02"}),
    ):
        assert "take it back into service first" in errors(answer)["mac"]
    assert admin.post("/phones/02:ac:de:00:00:09/retire").status_code == 404
    assert admin.delete(f"/phones/{MAC}").status_code == 204


@pytest.mark.usefixtures("phone")
def test_it_is_undone(admin: Api) -> None:
    admin.post(f"/phones/{MAC}/retire")
    [newest] = admin.get(f"/changes?subject={MAC}&limit=1").get_json()["items"]
    answer = admin.post(f"/changes/{newest['id']}/undo").get_json()
    assert "admin_password" in str(answer), "a secret that no change keeps is named"
    shown = admin.get(f"/phones/{MAC}").get_json()
    assert shown["retired_at"] is None and len(shown["lines"]) == 1


@pytest.mark.usefixtures("phone")
def test_who_sees_one_site_takes_back_to_it_and_with_its_lines_alone(app: Flask, admin: Api, installation: Installation) -> None:
    admin.post("/sites", {"name": "berlin"})
    admin.patch(f"/phones/{MAC}", {"site": "berlin"})
    ours = Api(app, installation.changes.create_token("tests", "berlin", "technician", sites=["berlin"]))
    assert ours.post(f"/phones/{MAC}/retire").status_code == 200
    assert "extension" in str(errors(ours.post(f"/phones/{MAC}/reinstate"))), "1001 is no extension of theirs any more"
    admin.patch("/extensions/1001", {"site": "berlin"})
    assert [line["extension"] for line in ours.post(f"/phones/{MAC}/reinstate").get_json()["lines"]] == ["1001"]
    admin.patch(f"/phones/{MAC}", {"site": "default"})
    assert ours.post(f"/phones/{MAC}/retire").status_code == 404

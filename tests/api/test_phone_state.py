"""What is so of a phone, and what may be asked of it."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.core.lockstep import Stage
from provisioner.models import extension, fetch, phone, registration, served_file
from provisioner.wiring import Installation
from tests.api.conftest import BARE, MAC, Api, errors
from tests.installations import render_all

EXTENSION_SECRET = "sip-secret-marker-1"


@pytest.fixture
def rendered(phone: dict[str, Any], admin: Api, installation: Installation) -> None:
    admin.patch("/extensions/1001", {"secret": EXTENSION_SECRET})
    render_all(installation)


def test_a_new_phone_is_being_rendered(admin: Api, phone: dict[str, Any]) -> None:
    lockstep = admin.get(f"/phones/{MAC}/lockstep").get_json()
    assert lockstep["stage"] == "rendering"
    assert set(lockstep) == {
        "stage", "wanted", "live", "served", "pbx_wanted", "pbx_verified", "live_at", "registered_at", "fetched_at", "notified_at", "error",
        "has_lines", "has_pbx", "retired_at", "wake",
    }  # fmt: skip


def test_a_phone_goes_all_the_way_to_lockstep(admin: Api, rendered: None, installation: Installation) -> None:
    def stage() -> str:
        return str(admin.get(f"/phones/{MAC}/lockstep").get_json()["stage"])

    assert stage() == Stage.PUSHING
    with installation.database.write() as connection:
        connection.execute(extension.update().values(pbx_wanted="a" * 64, pbx_verified="a" * 64))
    assert stage() == Stage.WAITING_FOR_PHONE
    with installation.database.write() as connection:
        for file, _ in installation.store.files(BARE):
            row = {"mac": BARE, "name": file.name, "sha256": file.sha256, "at": 2_000_000_000.5, "since": 2_000_000_000.5}
            connection.execute(served_file.insert().values(**row))
    assert stage() == Stage.WAITING_FOR_REGISTRATION
    with installation.database.write() as connection:
        about = {"uri": "sip:1001@192.0.2.9", "address": "192.0.2.9", "user_agent": "Acme A1 1.0"}
        connection.execute(registration.insert().values(mac=BARE, extension="1001", registered_at=2_000_000_001.0, **about))
    lockstep = admin.get(f"/phones/{MAC}/lockstep").get_json()
    assert lockstep["stage"] == Stage.IN_LOCKSTEP
    assert lockstep["fetched_at"] == "2033-05-18T03:33:20.500Z"
    assert lockstep["wanted"] == lockstep["live"] == lockstep["served"]
    assert [item["mac"] for item in admin.get("/phones?stage=in_lockstep").get_json()["items"]] == [MAC]


def test_files_are_shown_without_secrets(roles: dict[str, Api], rendered: None, installation: Installation) -> None:
    token = installation.box.token(installation.store.phones()[0].mac, 1)
    for role, query in (("viewer", ""), ("technician", "?secrets=true"), ("admin", "")):
        files = roles[role].get(f"/phones/{MAC}/files{query}").get_json()
        assert [(file["name"], file["state"]) for file in files] == [(f"{BARE}-keys.acme", "live"), (f"{BARE}.acme", "live")]
        text = "".join(file["content"] for file in files)
        assert "line.1.secret = ***" in text and "admin.password = ***" in text and "/p/***/" in text
        for secret in (EXTENSION_SECRET, "phone-secret-9", token):
            assert secret not in text
        assert all(file["size"] and len(file["sha256"]) == 64 and file["content_type"] == "text/plain" for file in files)


def test_an_admin_may_see_secrets_and_it_is_kept(roles: dict[str, Api], rendered: None) -> None:
    text = roles["admin"].get(f"/phones/{MAC}/files?secrets=true").get_data(as_text=True)
    assert EXTENSION_SECRET in text and "phone-secret-9" in text
    (change,) = roles["admin"].get("/changes?limit=1").get_json()["items"]
    assert (change["action"], change["actor"], change["subject"]) == ("phone.files_with_secrets", "the admin", MAC)
    roles["technician"].get(f"/phones/{MAC}/files?secrets=true")
    assert roles["admin"].get("/changes?limit=1").get_json()["items"] == [change]


def test_files_of_a_vendor_that_is_gone_show_nothing(admin: Api, rendered: None, installation: Installation) -> None:
    with installation.database.write() as connection:
        connection.execute(phone.update().values(model="gone/x1"))
    assert {file["content"] for file in admin.get(f"/phones/{MAC}/files").get_json()} == {"***"}


def test_fetches_come_newest_first_and_are_filtered(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    row = {"mac": BARE, "name": "x.acme", "transport": "http", "peer": "192.0.2.9", "user_agent": "Acme", "method": "GET", "sha256": ""}
    with installation.database.write() as connection:
        for number in range(5):
            reason = "served" if number % 2 else "unproven"
            connection.execute(fetch.insert().values(**row, at=number, reason=reason, bytes=number, duration_ms=1.5))
    page = admin.get(f"/phones/{MAC}/fetches?limit=2").get_json()
    assert [item["bytes"] for item in page["items"]] == [4, 3]
    assert page["items"][0]["at"] == "1970-01-01T00:00:04.000Z"
    rest = admin.get(f"/phones/{MAC}/fetches?before={page['next']}").get_json()
    assert [item["bytes"] for item in rest["items"]] == [2, 1, 0] and rest["next"] is None
    assert [item["bytes"] for item in admin.get(f"/phones/{MAC}/fetches?reason=served").get_json()["items"]] == [3, 1]
    assert "one of served" in errors(admin.get(f"/phones/{MAC}/fetches?reason=x"))["reason"]


def test_a_setting_is_explained_layer_by_layer(admin: Api, phone: dict[str, Any]) -> None:
    admin.patch("/sites/default", {"settings": {"voice_vlan": 10}})
    assert admin.get(f"/phones/{MAC}/explain/voice_vlan").get_json() == {
        "setting": "voice_vlan",
        "layer": "phone",
        "name": MAC,
        "value": 20,
        "unsupported": "this phone does not exist",
        "overridden": [{"layer": "site", "name": "default", "value": 10}, {"layer": "default", "name": "", "value": 0}],
    }
    assert admin.get(f"/phones/{MAC}/explain/admin_password").get_json()["value"] == "***"
    assert errors(admin.get(f"/phones/{MAC}/explain/colour"))["setting"].startswith("there is no setting colour")


@pytest.mark.parametrize(("body", "reboot"), [(None, False), ({}, False), ({"reboot": True}, True)])
def test_a_phone_is_asked_to_fetch(admin: Api, phone: dict[str, Any], body: object, reboot: bool) -> None:
    answer = admin.post(f"/phones/{MAC}/resync", body)
    assert answer.status_code == 202
    assert answer.get_json() == {"mac": MAC, "reboot": reboot}
    (change,) = admin.get("/changes?limit=1").get_json()["items"]
    assert change["action"] == ("phone.reboot" if reboot else "phone.resync")
    assert errors(admin.post(f"/phones/{MAC}/resync", {"reboot": 1})) == {"reboot": "true or false is needed"}


def test_a_first_fetch_is_opened_again(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    installation.changes.clock = lambda: 2_000_000_000.0
    assert admin.post(f"/phones/{MAC}/reopen").get_json()["opened_at"] == "2033-05-18T03:33:20.000Z"


def test_an_address_is_shown_renewed_and_revoked(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    first = admin.get(f"/phones/{MAC}/token").get_json()
    assert first["url"].startswith("http://prov.example:1/p/") and first["epoch"] == 1 and first["first_success_at"] is None
    assert admin.get("/changes?limit=1").get_json()["items"][0]["action"] == "phone.token_shown"
    assert admin.post(f"/phones/{MAC}/token").status_code == 200
    second = admin.get(f"/phones/{MAC}/token").get_json()
    assert second["epoch"] == 2 and second["url"] != first["url"]
    assert admin.delete(f"/phones/{MAC}/token").status_code == 204
    assert admin.get(f"/phones/{MAC}/token").get_json()["epoch"] == 3
    with installation.database.read() as connection:
        assert connection.execute(phone_floor()).scalar() == 3


def phone_floor() -> Any:
    import sqlalchemy as sa

    return sa.select(phone_table.c.token_floor)


phone_table = phone

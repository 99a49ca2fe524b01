"""Webhooks over the API."""

from __future__ import annotations

import pytest

from tests.api.conftest import Api, errors, reason

DESK = {"name": "desk", "url": "https://desk.example.org/path-with-key", "events": ["phone.*"]}


def test_a_webhook_is_made_with_a_secret_that_is_shown_once(admin: Api) -> None:
    made = admin.post("/webhooks", DESK)
    assert made.status_code == 201
    secret = made.get_json()["secret"]
    shown = admin.get("/webhooks/desk")
    assert shown.get_json() == {**DESK, "enabled": True, "revision": 1}
    assert secret not in admin.get("/webhooks").get_data(as_text=True)
    log = admin.get("/changes").get_data(as_text=True)
    assert secret not in log
    assert "path-with-key" not in log
    assert reason(admin.post("/webhooks", DESK)) == "already_exists"


def test_a_webhook_is_changed_and_removed(admin: Api) -> None:
    tag = admin.post("/webhooks", DESK).headers["ETag"]
    assert admin.patch("/webhooks/desk", {"enabled": False}, headers={"If-Match": tag}).get_json()["enabled"] is False
    assert reason(admin.patch("/webhooks/desk", {"enabled": True}, headers={"If-Match": tag})) == "changed_meanwhile"
    assert admin.delete("/webhooks/desk").status_code == 204
    assert admin.get("/webhooks/desk").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"), [({"url": "ftp://x/"}, "url"), ({"events": []}, "events"), ({"events": ["no good"]}, "events.0")]
)
def test_a_wrong_field_is_named(admin: Api, wrong: dict, field: str) -> None:
    assert list(errors(admin.post("/webhooks", {**DESK, **wrong}))) == [field]


def test_deliveries_are_shown_and_sent_again(admin: Api) -> None:
    admin.post("/webhooks", DESK)
    assert admin.post("/webhooks/desk/test").status_code == 202
    (row,) = admin.get("/webhooks/desk/deliveries").get_json()["items"]
    assert (row["event"], row["state"], row["tries"]) == ("webhook.test", "waiting", 0)
    assert admin.post(f"/webhooks/desk/deliveries/{row['id']}/resend").status_code == 202
    for number in (row["id"] + 1, 10**30):
        assert admin.post(f"/webhooks/desk/deliveries/{number}/resend").status_code == 404
    assert admin.get("/webhooks/none/deliveries").status_code == 404

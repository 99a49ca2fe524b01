"""Recipients of e-mail notices over the API, and the test message."""

from __future__ import annotations

import pytest

from provisioner.changes.mail import DEFAULT_EVENTS
from tests.api.conftest import Api, errors, reason

OFFICE = {"address": "office@example.com"}


def test_a_recipient_is_added_changed_and_removed(admin: Api) -> None:
    made = admin.post("/mail-recipients", OFFICE)
    assert made.status_code == 201
    row = made.get_json()
    assert (row["events"], row["site"], row["language"], row["enabled"]) == (list(DEFAULT_EVENTS), None, "en", True)
    path = f"/mail-recipients/{row['id']}"
    assert made.headers["Location"].endswith(path)
    assert reason(admin.post("/mail-recipients", {"address": "OFFICE@example.com"})) == "already_exists"
    tag = made.headers["ETag"]
    assert admin.patch(path, {"language": "nl"}, headers={"If-Match": tag}).get_json()["language"] == "nl"
    assert reason(admin.patch(path, {"enabled": False}, headers={"If-Match": tag})) == "changed_meanwhile"
    assert [row["address"] for row in admin.get("/mail-recipients").get_json()["items"]] == ["office@example.com"]
    assert admin.delete(path).status_code == 204
    assert admin.get(path).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"address": "office"}, "address"), ({"address": "a@b.c\r\nBcc: x@example.com"}, "address"), ({"address": "Ann <a@example.com>"}, "address"),
        ({"address": "bücher@example.com"}, "address"), ({"site": "nowhere"}, "site"), ({"language": "xx"}, "language"),
        ({"events": []}, "events"), ({"events": ["no action"]}, "events.0"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_field(admin: Api, wrong: dict[str, object], field: str) -> None:
    assert list(errors(admin.post("/mail-recipients", {**OFFICE, **wrong}))) == [field]


def test_a_test_without_a_mail_server_says_which_setting_names_one(admin: Api) -> None:
    number = admin.post("/mail-recipients", OFFICE).get_json()["id"]
    said = admin.post(f"/mail-recipients/{number}/test").get_json()
    assert said == {"is_taken": False, "error": "no mail server is set: PROVISIONER_MAIL_SERVER names one"}
    assert admin.post("/mail-recipients/999/test").status_code == 404

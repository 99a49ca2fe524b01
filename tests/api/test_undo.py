"""Undoing changes of everything that has a state."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.changes import undoing
from provisioner.wiring import Installation
from tests.api.conftest import BARE, MAC, Api, reason


def newest(admin: Api, subject: str) -> int:
    return int(admin.get(f"/changes?subject={subject}&limit=1").get_json()["items"][0]["id"])


def undo(admin: Api, subject: str, **more: Any) -> Any:
    return admin.post(f"/changes/{newest(admin, subject)}/undo", **more)


def without_revision(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.get_json().items() if name not in {"revision", "created_at", "opened_at"}}


def test_a_phone_gets_back_lines_keys_and_settings(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    before = without_revision(admin.get(f"/phones/{MAC}"))
    admin.patch(f"/phones/{MAC}", {"keys": [], "lines": [], "settings": {"voice_vlan": 30, "language": "nl"}, "firmware": "2.0"})
    assert undo(admin, MAC).get_json() == {"action": "phone.update", "subject": MAC, "lost": []}
    assert without_revision(admin.get(f"/phones/{MAC}")) == before
    assert installation.store.phone_secret_settings([installation.store.phones()[0].mac]) != {}
    assert undo(admin, MAC).status_code == 200  # the undoing is a change like others
    assert admin.get(f"/phones/{MAC}").get_json()["settings"]["voice_vlan"] == 30


def test_a_removed_phone_comes_back_without_its_secrets_which_are_named(admin: Api, phone: dict[str, Any]) -> None:
    before = without_revision(admin.get(f"/phones/{MAC}"))
    admin.delete(f"/phones/{MAC}")
    assert undo(admin, MAC).get_json()["lost"] == ["admin_password"]
    before["settings"].pop("admin_password")
    assert without_revision(admin.get(f"/phones/{MAC}")) == before


def test_a_phone_gets_back_its_layout(admin: Api, phone: dict[str, Any]) -> None:
    for name in ("Sales", "Lab"):
        admin.put(f"/layouts/{name}", {"keys": [{"key": 3, "type": "speed_dial", "value": "112"}]})
    admin.patch(f"/phones/{MAC}", {"layout": "Sales"})
    assert undo(admin, MAC).status_code == 200
    assert admin.get(f"/phones/{MAC}").get_json()["layout"] is None
    admin.patch(f"/phones/{MAC}", {"layout": "Sales"})
    for change in ({"layout": "Lab"}, {"layout": None}):
        assert admin.patch(f"/phones/{MAC}", change).status_code == 200
        assert undo(admin, MAC).status_code == 200
        assert admin.get(f"/phones/{MAC}").get_json()["layout"] == "Sales"


def test_a_removed_phone_comes_back_with_its_layout_and_the_keys_that_it_hides(admin: Api, phone: dict[str, Any]) -> None:
    admin.put("/layouts/Sales", {"keys": [{"key": 3, "type": "speed_dial", "value": "112"}]})
    admin.patch(f"/phones/{MAC}", {"layout": "Sales"})
    before = admin.get(f"/phones/{MAC}").get_json()
    admin.delete(f"/phones/{MAC}")
    assert undo(admin, MAC).status_code == 200
    after = admin.get(f"/phones/{MAC}").get_json()
    assert (after["layout"], after["keys"]) == ("Sales", before["keys"])
    assert [key["value"] for key in after["keys"]] == ["1002"]


def test_a_phone_that_was_listed_is_taken_off(admin: Api, phone: dict[str, Any]) -> None:
    assert undo(admin, MAC).status_code == 200
    assert admin.get(f"/phones/{MAC}").status_code == 404


@pytest.mark.parametrize(
    ("subject", "path", "make", "change"),
    [
        (
            "7001",
            "/extensions/7001",
            ("POST", "/extensions", {"number": "7001", "display_name": "Ann"}),
            ("PATCH", {"display_name": "Bea"}),
        ),
        (
            "oslo",
            "/sites/oslo",
            ("POST", "/sites", {"name": "oslo", "pool": "7000-7099"}),
            ("PATCH", {"settings": {"voice_vlan": 7}, "access": "token", "pool": ""}),
        ),
        ("blue", "/groups/blue", ("PUT", "/groups/blue", {"settings": {"voice_vlan": 1}}), ("PUT", {"settings": {}})),
        (
            "Desk",
            "/layouts/Desk",
            ("PUT", "/layouts/Desk", {"keys": [{"key": 4, "type": "speed_dial", "value": "112"}, {"key": 5, "slot": True, "type": "blf"}]}),
            ("PUT", {"keys": []}),
        ),
        ("Ops", "/departments/Ops", ("PUT", "/departments/Ops", {"number": "600"}), ("PUT", {"number": None})),
        ("eve", "/users/eve", ("POST", "/users", {"name": "eve", "role": "viewer"}), ("PATCH", {"role": "technician", "language": "fi"})),
    ],
)
def test_every_noun_goes_back(admin: Api, subject: str, path: str, make: tuple[str, str, Any], change: tuple[str, Any]) -> None:
    admin.post("/users", {"name": "root", "role": "admin"})
    assert admin.send(make[0], make[1], json=make[2]).status_code in {200, 201}
    before = without_revision(admin.get(path))
    assert admin.send(change[0], path, json=change[1]).status_code == 200
    assert without_revision(admin.get(path)) != before
    assert undo(admin, subject).status_code == 200
    assert without_revision(admin.get(path)) == before
    if subject != "eve":  # a user's password cannot come back, so a removed user does not
        assert admin.delete(path).status_code == 204
        assert undo(admin, subject).status_code == 200
        assert without_revision(admin.get(path)) == before
    first = [row["id"] for row in admin.get(f"/changes?subject={subject}").get_json()["items"]][-1]
    assert admin.post(f"/changes/{first}/undo", {"over_later": True}).status_code == 200
    assert admin.get(path).status_code == 404


def test_later_changes_are_not_undone_unasked(admin: Api, phone: dict[str, Any]) -> None:
    admin.patch(f"/phones/{MAC}", {"firmware": "2.0"})
    change = newest(admin, MAC)
    admin.patch(f"/phones/{MAC}", {"firmware": "3.0"})
    refused = admin.post(f"/changes/{change}/undo")
    assert (refused.status_code, reason(refused)) == (409, "needs_confirmation")
    assert admin.post(f"/changes/{change}/undo", {"over_later": True}).status_code == 200
    assert admin.get(f"/phones/{MAC}").get_json()["firmware"] == ""


def test_a_later_change_counts_however_much_else_was_done_with_the_phone(
    admin: Api, phone: dict[str, Any], installation: Installation
) -> None:
    admin.patch(f"/phones/{MAC}", {"firmware": "2.0"})
    change = newest(admin, MAC)
    admin.patch(f"/phones/{MAC}", {"firmware": "3.0"})
    with installation.changes.unit("tests") as unit:
        for _ in range(101):
            unit.log("phone.resync", BARE, None, None)
    assert reason(admin.post(f"/changes/{change}/undo")) == "needs_confirmation"


def test_going_back_over_later_changes_puts_back_what_each_of_them_changed(admin: Api) -> None:
    admin.post("/extensions", {"number": "7001", "display_name": "Ann"})
    admin.patch("/extensions/7001", {"display_name": "Bea"})
    change = newest(admin, "7001")
    admin.patch("/extensions/7001", {"email": "bea@example.org"})
    assert admin.post(f"/changes/{change}/undo", {"over_later": True}).status_code == 200
    shown = admin.get("/extensions/7001").get_json()
    assert (shown["display_name"], shown["email"]) == ("Ann", "")


def test_going_back_over_more_changes_than_are_read_at_once_takes_back_all_of_them(admin: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undoing, "PAGE", 3)
    admin.post("/extensions", {"number": "7001", "display_name": "Ann"})
    admin.patch("/extensions/7001", {"display_name": "Bea"})
    change = newest(admin, "7001")
    admin.patch("/extensions/7001", {"email": "bea@example.org"})
    for number in range(undoing.PAGE * 2):
        admin.patch("/extensions/7001", {"display_name": f"Bea {number}"})
    told = admin.post(f"/changes/{change}/undo").get_json()
    assert "was changed 7 times since" in str(told)
    assert admin.post(f"/changes/{change}/undo", {"over_later": True}).status_code == 200
    shown = admin.get("/extensions/7001").get_json()
    assert (shown["display_name"], shown["email"]) == ("Ann", "")


def test_layout_that_phones_have_by_now_is_not_undone_away(admin: Api, phone: dict[str, Any]) -> None:
    admin.put("/layouts/Desk", {"keys": [{"key": 4, "type": "speed_dial", "value": "112"}]})
    admin.patch(f"/phones/{MAC}", {"layout": "Desk"})
    assert undo(admin, "Desk").status_code == 422
    admin.put("/layouts/Desk", {"keys": []})
    assert undo(admin, "Desk").status_code == 200
    assert [key["value"] for key in admin.get("/layouts/Desk").get_json()["keys"]] == ["112"]


def test_undoing_honours_if_match(admin: Api, phone: dict[str, Any]) -> None:
    seen = admin.get(f"/phones/{MAC}").headers["ETag"]
    admin.patch(f"/phones/{MAC}", {"firmware": "2.0"})
    assert reason(undo(admin, MAC, headers={"If-Match": seen})) == "changed_meanwhile"
    now = admin.get(f"/phones/{MAC}").headers["ETag"]
    assert undo(admin, MAC, headers={"If-Match": now}).status_code == 200


def test_what_has_no_state_is_not_undone(admin: Api, phone: dict[str, Any]) -> None:
    admin.post(f"/phones/{MAC}/resync")
    assert undo(admin, MAC).status_code == 422
    for number in (10**9, 10**30):
        assert admin.post(f"/changes/{number}/undo").status_code == 404


def test_nobody_undoes_what_they_may_not_write(roles: dict[str, Api], admin: Api) -> None:
    admin.post("/sites", {"name": "oslo"})
    technician = roles["technician"]
    assert undo(technician, "oslo").status_code == 403
    admin.post("/extensions", {"number": "7001"})
    assert undo(technician, "7001").status_code == 403
    assert undo(roles["viewer"], "7001").status_code == 403


def test_a_recipient_of_e_mail_goes_back_by_number_and_not_by_address(admin: Api) -> None:
    number = admin.post("/mail-recipients", {"address": "office@example.com", "events": ["disk.low"]}).get_json()["id"]
    other = admin.post("/mail-recipients", {"address": "office@example.com", "site": "default"}).get_json()["id"]
    admin.patch(f"/mail-recipients/{number}", {"address": "desk@example.com", "language": "fi"})
    moved = newest(admin, "office@example.com")
    admin.patch(f"/mail-recipients/{other}", {"enabled": False})
    admin.patch(f"/mail-recipients/{number}", {"events": ["*"]})
    assert reason(admin.post(f"/changes/{moved}/undo")) == "needs_confirmation"
    assert admin.post(f"/changes/{moved}/undo", {"over_later": True}).status_code == 200
    row = admin.get(f"/mail-recipients/{number}").get_json()
    assert (row["address"], row["language"], row["events"], row["enabled"]) == ("office@example.com", "en", ["disk.low"], True)
    assert not admin.get(f"/mail-recipients/{other}").get_json()["enabled"]


def test_a_recipient_who_was_removed_is_put_back_once_and_nobody_else_in_their_place(admin: Api) -> None:
    made = admin.post("/mail-recipients", {"address": "office@example.com", "events": ["disk.low"]}).get_json()
    admin.patch(f"/mail-recipients/{made['id']}", {"enabled": False})
    paused = newest(admin, "office@example.com")
    admin.delete(f"/mail-recipients/{made['id']}")
    removed = newest(admin, "office@example.com")
    admin.post(
        "/mail-recipients", {"address": "somebody@example.com"}
    )  # by the number that has become free, where the database gives it again
    for gone in (paused, paused - 1):
        answer = admin.post(f"/changes/{gone}/undo", {"over_later": True})
        assert answer.status_code == 422 and "was removed from the notices since" in answer.get_data(as_text=True)
    assert admin.post(f"/changes/{removed}/undo").status_code == 200
    rows = {row["address"]: row for row in admin.get("/mail-recipients").get_json()["items"]}
    assert set(rows) == {"somebody@example.com", "office@example.com"}
    assert (rows["office@example.com"]["events"], rows["office@example.com"]["enabled"]) == (["disk.low"], False)
    assert reason(admin.post(f"/changes/{removed}/undo")) == "already_exists"

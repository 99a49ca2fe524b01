"""Redirect services over the API: accounts by admins and never shown, phones by technicians."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import MAC, Api, errors, reason

FIELDS = {"api_key": "redirect-secret-marker", "profile": "office"}


def test_account_is_set_by_admins_and_never_shown(roles: dict[str, Api]) -> None:
    (shown,) = roles["viewer"].get("/redirect-services").get_json()
    assert (shown["vendor"], shown["service"], shown["is_set"], shown["needs"]) == ("acme", "ztp", False, ["api_key", "profile"])
    assert roles["technician"].put("/redirect-services/acme", {"fields": FIELDS}).status_code == 403
    answer = roles["admin"].put("/redirect-services/acme", {"fields": FIELDS})
    assert answer.get_json()["is_set"] and "redirect-secret-marker" not in answer.get_data(as_text=True)
    assert "redirect-secret-marker" not in roles["admin"].get("/changes").get_data(as_text=True)
    assert "profile" in errors(roles["admin"].put("/redirect-services/acme", {"fields": {"api_key": "x"}}))
    assert reason(roles["admin"].put("/redirect-services/nobody", {"fields": FIELDS})) == "not_found"
    assert roles["admin"].delete("/redirect-services/acme").status_code == 204


def test_phone_is_asked_for_shown_and_taken_off(roles: dict[str, Api], phone: dict[str, Any]) -> None:
    technician = roles["technician"]
    assert technician.get(f"/phones/{MAC}/redirect").get_json()["state"] == "none"
    assert "mac" in errors(technician.post(f"/phones/{MAC}/redirect"))
    roles["admin"].put("/redirect-services/acme", {"fields": FIELDS})
    answer = technician.post(f"/phones/{MAC}/redirect", {"serial": "AB12"})
    assert answer.status_code == 202 and answer.get_json()["state"] == "asked" and answer.get_json()["wanted"]
    assert technician.delete(f"/phones/{MAC}/redirect").get_json()["wanted"] is False
    assert roles["viewer"].post(f"/phones/{MAC}/redirect").status_code == 403
    assert "serial" in errors(technician.post(f"/phones/{MAC}/redirect", {"serial": "no blanks"}))

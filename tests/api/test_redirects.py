"""Redirect services over the API: accounts by admins and never shown, phones by technicians."""

from __future__ import annotations

from typing import Any

from provisioner.wiring import Installation
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


def test_phone_off_the_list_is_shown_until_its_service_forgot_it(
    roles: dict[str, Api], phone: dict[str, Any], installation: Installation
) -> None:
    admin, technician = roles["admin"], roles["technician"]
    admin.put("/redirect-services/acme", {"fields": FIELDS})
    technician.post(f"/phones/{MAC}/redirect", {"serial": "AB12"})
    assert technician.delete(f"/phones/{MAC}").status_code == 204
    (row,) = roles["viewer"].get("/redirect-removals").get_json()["items"]
    assert (row["mac"], row["vendor"], row["state"], row["tries"]) == (MAC, "acme", "asked", 0)
    admin.post("/phones", {"mac": MAC, "model": "acme/a1"})
    shown = admin.get(f"/phones/{MAC}/redirect").get_json()
    assert (shown["state"], shown["wanted"]) == ("asked", False), "it is listed again, and nobody asked for it again"
    kept = installation.store.redirect_removals()[0]
    installation.changes.note_redirect_removal(kept, "refused", "this key may not delete", None)
    assert technician.get("/redirect-removals").get_json()["items"][0]["reason"] == "this key may not delete"
    assert roles["viewer"].post(f"/redirect-removals/{MAC}/retry").status_code == 403
    again = technician.post(f"/redirect-removals/{MAC}/retry")
    assert (again.status_code, again.get_json()["state"], again.get_json()["reason"]) == (202, "asked", "")
    assert technician.delete(f"/redirect-removals/{MAC}").status_code == 204
    assert reason(technician.post(f"/redirect-removals/{MAC}/retry")) == "not_found"
    assert technician.get(f"/phones/{MAC}/redirect").get_json()["state"] == "none"

"""Install links over the API: issued by technicians, told once, shown without their code."""

from __future__ import annotations

from typing import Any

from provisioner.wiring import Installation
from tests.api.conftest import MAC, Api, errors, reason


def test_technician_issues_a_link_that_is_told_once(roles: dict[str, Api], phone: dict[str, Any], installation: Installation) -> None:
    technician = roles["technician"]
    assert reason(technician.get(f"/phones/{MAC}/install-link")) == "not_found"
    answer = technician.post(f"/phones/{MAC}/install-link", {"hours": 2})
    told = answer.get_json()
    assert answer.status_code == 201
    assert told["url"] == f"http://prov.example:1/p/{told['code']}/"
    shown = roles["viewer"].get(f"/phones/{MAC}/install-link")
    assert shown.get_json()["state"] == "open" and told["code"] not in shown.get_data(as_text=True)
    assert told["code"] not in roles["admin"].get("/changes").get_data(as_text=True)
    assert technician.delete(f"/phones/{MAC}/install-link").status_code == 204
    assert installation.store.install_link(installation.store.phones()[0].mac) is None


def test_viewer_issues_none_and_hours_are_bounded(roles: dict[str, Api], phone: dict[str, Any]) -> None:
    assert roles["viewer"].post(f"/phones/{MAC}/install-link").status_code == 403
    assert "hours" in errors(roles["technician"].post(f"/phones/{MAC}/install-link", {"hours": 10_000}))
    assert reason(roles["technician"].post("/phones/02acde0000ff/install-link")) == "not_found"

"""Firmware in the API: pinned, shown, resumed, taken off, each by admins alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.wiring import Installation
from tests.api.conftest import Api, errors, reason

BODY = {"file": "a1.bin", "version": "2.0.1", "shares": [50, 100]}


@pytest.fixture
def image(installation: Installation, tmp_path: Path) -> Path:
    installation.changes.firmware_folder = tmp_path
    path = tmp_path / "a1.bin"
    path.write_bytes(b"image")
    return path


@pytest.mark.usefixtures("image")
def test_a_pin_is_made_shown_resumed_and_taken_off(admin: Api) -> None:
    made = admin.put("/firmware/acme/a1", BODY)
    assert made.status_code == 200, made.get_json()
    shown = made.get_json()
    assert {name: shown[name] for name in ("target", "state", "share", "shares", "given", "confirmed", "timeout_s")} == {
        "target": "acme/a1", "state": "rolling", "share": 1, "shares": [50, 100], "given": 0, "confirmed": 0, "timeout_s": 3600,
    }  # fmt: skip
    assert admin.get("/firmware").get_json()["items"] == [shown]
    assert admin.post("/firmware/acme/a1/resume").get_json()["revision"] == 2
    assert reason(admin.put("/firmware/acme/a1", BODY, headers={"If-Match": '"1"'})) == "changed_meanwhile"
    assert admin.delete("/firmware/acme/a1").status_code == 204
    assert admin.get("/firmware/acme/a1").status_code == 404


@pytest.mark.usefixtures("image")
def test_every_wrong_field_is_named(admin: Api) -> None:
    answer = admin.put("/firmware/acme/a1", {"file": "none.bin", "version": "x", "shares": [5]})
    assert answer.status_code == 422
    assert set(errors(answer)) == {"file", "version", "shares"}
    assert errors(admin.put("/firmware/acme/zz", BODY)).keys() == {"target"}


def test_firmware_is_for_admins(roles: dict[str, Api]) -> None:
    technician = roles["technician"]
    assert technician.get("/firmware").status_code == 403
    assert technician.put("/firmware/acme/a1", BODY).status_code == 403

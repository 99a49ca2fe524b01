"""Firmware in the API: pinned, shown, resumed, taken off, each by admins alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.core.mac import Mac
from provisioner.models import phone
from provisioner.models_firmware import firmware_release
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
def test_each_pin_counts_the_phones_that_were_given_its_image(admin: Api, installation: Installation) -> None:
    admin.put("/groups/blue", {"settings": {}})
    for target in ("acme/a1", "acme/a1@blue"):
        assert admin.put(f"/firmware/{target}", BODY).status_code == 200
    with installation.database.write() as connection:
        for number, confirmed_at in ((1, 3.0), (2, None), (3, None)):
            mac = Mac(f"02acde00000{number}")
            row = {"mac": mac, "target": "acme/a1@blue", "released_at": 2.0, "confirmed_at": confirmed_at}
            connection.execute(phone.insert().values(mac=mac, model="acme/a1", site="default", settings={}, created_at=1.0, opened_at=1.0))
            connection.execute(firmware_release.insert().values(**row))
    counts = [(row["target"], row["given"], row["confirmed"]) for row in admin.get("/firmware").get_json()["items"]]
    assert counts == [("acme/a1", 0, 0), ("acme/a1@blue", 3, 1)]
    assert admin.get("/firmware/acme/a1@blue").get_json()["given"] == 3


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

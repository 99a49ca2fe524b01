"""What the API shows of the bootstrap, and that what it offers mends it."""

from __future__ import annotations

import pytest

from provisioner.changes import PhoneInput
from provisioner.core.mac import Mac
from provisioner.models_enrolment import alarm, bootstrap_refusal
from provisioner.wiring import Installation
from tests.api.conftest import BARE, MAC, Api


@pytest.fixture
def refused(installation: Installation) -> None:
    record = installation.changes.create_phone("test", Mac(BARE), PhoneInput("acme/a1"))
    row = {"mac": BARE, "first_at": record.opened_at, "at": record.opened_at + 5, "count": 2, "peer": "192.0.2.5", "user_agent": "Acme A1"}
    with installation.database.write() as connection:
        connection.execute(bootstrap_refusal.insert().values(reason="replayed", **row))


def test_a_refused_phone_is_shown_with_the_request_that_lets_it_in(admin: Api, refused: None, installation: Installation) -> None:
    (shown,) = admin.get("/bootstrap/refusals").get_json()["items"]
    assert (shown["mac"], shown["what"], shown["peer"], shown["count"]) == (MAC, "another_address", "192.0.2.5", 2)
    assert shown["action"] == {"method": "POST", "path": f"/api/v1/phones/{MAC}/reopen"}
    installation.changes.clock = lambda: 4_000_000_000.0
    assert admin.send(shown["action"]["method"], shown["action"]["path"]).status_code == 200
    assert admin.get("/bootstrap/refusals").get_json()["items"] == []


def test_alarms_are_paged_newest_first(admin: Api, installation: Installation) -> None:
    with installation.database.write() as connection:
        for at in (1.0, 2.0, 3.0):
            row = {"at": at, "part": "tftp", "kind": "address", "scope": "192.0.2.66", "macs": 65, "until": at + 600}
            connection.execute(alarm.insert().values(**row))
    first = admin.get("/bootstrap/alarms?limit=2").get_json()
    assert [item["at"] for item in first["items"]] == ["1970-01-01T00:00:03.000Z", "1970-01-01T00:00:02.000Z"]
    rest = admin.get(f"/bootstrap/alarms?before={first['next']}").get_json()
    assert [(item["scope"], item["until"]) for item in rest["items"]] == [("192.0.2.66", "1970-01-01T00:10:01.000Z")]

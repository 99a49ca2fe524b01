"""Phones that were seen, and taking one on."""

from __future__ import annotations

import pytest

from provisioner.models import sighting
from provisioner.models_sightings import evidence
from provisioner.wiring import Installation
from tests.api.conftest import BARE, MAC, Api, errors, reason


@pytest.fixture
def seen(installation: Installation) -> None:
    row = {"vendor": "acme", "model": "A1", "firmware": "1.2", "peer": "192.0.2.5", "count": 3, "conflict": ""}
    with installation.database.write() as connection:
        for number in range(1, 4):
            facts = {
                "mac": f"02acde00000{number}",
                "first_seen": 1.0,
                "last_seen": 2.0,
            }
            connection.execute(sighting.insert().values(**row, **facts))
            said = {"mac": facts["mac"], "source": "fetch", "fact": "user_agent", "value": "Acme A1 1.2", "confidence": 80, "at": 2.0}
            connection.execute(evidence.insert().values(**said))


def test_a_sighting_is_shown_with_its_evidence(admin: Api, seen: None) -> None:
    shown = admin.get(f"/sightings/{BARE}").get_json()
    assert shown["mac"] == MAC and shown["count"] == 3 and shown["first_seen"] == "1970-01-01T00:00:01.000Z"
    assert shown["evidence"] == [
        {"source": "fetch", "fact": "user_agent", "value": "Acme A1 1.2", "confidence": 80, "at": "1970-01-01T00:00:02.000Z"}
    ]
    assert admin.get("/sightings").get_json()["items"][0] == shown


def test_a_phone_is_taken_on_with_what_was_seen_of_it(admin: Api, seen: None) -> None:
    admin.post("/extensions", {"number": "1001"})
    answer = admin.post(f"/sightings/{MAC}/adopt", {"lines": [{"line": 1, "extension": "1001"}]})
    assert answer.status_code == 201 and answer.headers["Location"] == f"/api/v1/phones/{MAC}"
    phone = answer.get_json()
    assert (phone["model"], phone["firmware"], phone["lines"][0]["extension"]) == ("acme/a1", "1.2", "1001")
    assert len(admin.get("/sightings").get_json()["items"]) == 2
    again = admin.post(f"/sightings/{MAC}/adopt")
    assert (again.status_code, reason(again)) == (409, "already_exists")


def test_a_technician_takes_on_without_saying_anything(roles: dict[str, Api], seen: None) -> None:
    assert roles["technician"].post(f"/sightings/{MAC}/adopt").status_code == 201


def test_a_model_that_nobody_knows_has_to_be_said(admin: Api, seen: None, installation: Installation) -> None:
    with installation.database.write() as connection:
        connection.execute(sighting.update().values(model="ZZ", vendor="Nobody"))
    assert "a model is needed" in errors(admin.post(f"/sightings/{MAC}/adopt"))["model"]
    assert admin.post(f"/sightings/{MAC}/adopt", {"model": "acme/a2"}).get_json()["model"] == "acme/a2"


def test_a_phone_whose_evidence_disagrees_is_not_taken_on_unseen(admin: Api, seen: None, installation: Installation) -> None:
    with installation.database.write() as connection:
        connection.execute(sighting.update().values(conflict="vendor: acme by oui, other by fetch"))
    refused = admin.post(f"/sightings/{MAC}/adopt")
    assert refused.status_code == 422 and "acme by oui" in errors(refused)["model"]
    assert admin.post(f"/sightings/{MAC}/adopt", {"model": "acme/a1"}).status_code == 201


def test_a_phone_that_was_not_seen_gets_404(admin: Api) -> None:
    for answer in (admin.get(f"/sightings/{MAC}"), admin.post(f"/sightings/{MAC}/adopt"), admin.get("/sightings/zz")):
        assert (answer.status_code, reason(answer)) == (404, "not_found")

"""Windows, the warehouse, newcomers and claims through the API."""

from __future__ import annotations

import pytest
from flask import Flask

from provisioner.changes import PhoneInput
from provisioner.core.mac import Mac
from provisioner.models import sighting
from provisioner.models_enrolment import alarm, enrolment_window, newcomer
from provisioner.wiring import Installation
from tests.api.conftest import BARE, MAC, Api, errors, reason


@pytest.fixture
def asked(installation: Installation) -> None:
    """Three phones asked from a trusted network; two of them end alike."""
    row = {
        "peer": "192.168.7.7",
        "transport": "http",
        "first_at": 1.0,
        "at": 2.0,
        "count": 1,
        "waits": True,
        "outcome": "it waits to be claimed",
    }
    with installation.database.write() as connection:
        for mac in (BARE, "02acde000002", "02acdf000002"):
            connection.execute(newcomer.insert().values(mac=mac, user_agent=f"Acme A1 1.2 {mac}", **row))


def test_a_window_is_opened_shown_and_closed(roles: dict[str, Api], admin: Api) -> None:
    assert admin.patch("/sites/default", {"enrolment": "window", "pool": "1000-1099"}).get_json()["pool"] == "1000-1099"
    assert reason(roles["technician"].get("/sites/default/window")) == "not_found"
    opened = roles["technician"].put("/sites/default/window", {"minutes": 30, "phones": 5}).get_json()
    assert (opened["site"], opened["most"], opened["taken"]) == ("default", 5, 0)
    assert admin.get("/sites/default/window").get_json() == opened
    assert roles["viewer"].delete("/sites/default/window").status_code == 403
    assert roles["technician"].delete("/sites/default/window").status_code == 204
    assert admin.get("/sites/default/window").status_code == 404


@pytest.mark.parametrize("ended", [{"closes_at": 0.0}, {"taken": 5}])
def test_a_window_that_ended_is_not_shown_as_open(admin: Api, installation: Installation, ended: dict[str, float]) -> None:
    admin.patch("/sites/default", {"enrolment": "window"})
    admin.put("/sites/default/window", {"minutes": 30, "phones": 5})
    with installation.database.write() as connection:
        connection.execute(enrolment_window.update().values(**ended))
    assert reason(admin.get("/sites/default/window")) == "not_found"


def test_a_pool_that_is_none_names_its_field(admin: Api) -> None:
    assert errors(admin.patch("/sites/default", {"pool": "1199-1000"})).keys() == {"pool"}


def test_a_delivery_goes_into_the_warehouse_whole_or_not_at_all(admin: Api) -> None:
    wrong = admin.post("/warehouse", {"phones": [{"mac": MAC, "model": "acme/a1"}, {"mac": "02acde000002", "model": "acme/none"}]})
    assert errors(wrong).keys() == {"1.model"}
    assert admin.get("/warehouse").get_json()["items"] == []
    assert admin.post("/warehouse", {"phones": [{"mac": MAC, "model": "acme/a1", "note": "order 7"}]}).get_json() == {"added": 1}
    (stocked,) = admin.get("/warehouse").get_json()["items"]
    assert (stocked["mac"], stocked["model"], stocked["note"]) == (MAC, "acme/a1", "order 7")
    assert admin.delete(f"/warehouse/{BARE}").status_code == 204
    assert reason(admin.delete(f"/warehouse/{BARE}")) == "not_found"


def test_a_phone_is_claimed_by_its_last_digits(roles: dict[str, Api], admin: Api, asked: None) -> None:
    admin.post("/extensions", {"number": "1001"})
    answer = roles["technician"].post("/claims", {"mac_tail": "00:00:01", "extension": "1001"})
    assert answer.status_code == 201
    phone = answer.get_json()
    assert (phone["mac"], phone["model"], phone["lines"][0]["extension"]) == (MAC, "acme/a1", "1001")
    assert roles["viewer"].post("/claims", {"mac_tail": "000001"}).status_code == 403


def test_a_phone_is_claimed_by_what_its_display_shows(admin: Api, asked: None, installation: Installation) -> None:
    shown = {item["mac"]: item["code"] for item in admin.get("/newcomers").get_json()["items"]}
    assert shown[MAC] == installation.box.waiting_code(Mac(BARE))
    assert admin.post("/claims", {"code": shown[MAC]}).get_json()["mac"] == MAC


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"mac_tail": "000002"}, "are meant by that"),
        ({"mac_tail": "fffffe"}, "no such phone"),
        ({"mac_tail": "12345"}, "last six digits"),
        ({"code": "xxxxxx"}, "no such phone"),
        ({}, "exactly one"),
        ({"mac_tail": "000001", "code": "111111"}, "exactly one"),
        ({"mac": BARE, "extension": "7777"}, "no extension 7777"),
    ],
)
def test_a_claim_that_means_no_phone_says_why(admin: Api, asked: None, body: dict[str, str], said: str) -> None:
    answer = admin.post("/claims", body)
    assert answer.status_code in (404, 422)
    assert said in answer.get_data(as_text=True)


def test_a_listed_phone_that_asks_as_a_fresh_one_is_let_in_again(admin: Api, asked: None, installation: Installation) -> None:
    before = installation.changes.create_phone("test", Mac(BARE), PhoneInput("acme/a1"))
    installation.changes.clock = lambda: before.opened_at + 100
    answer = admin.post("/claims", {"mac": MAC})
    assert answer.status_code == 200
    again = installation.store.phone(Mac(BARE))
    assert again is not None
    assert again.opened_at == before.opened_at + 100


def test_a_claim_code_is_shown_once_and_bound_to_an_extension(admin: Api) -> None:
    assert errors(admin.post("/claim-codes", {"extension": "1001"})).keys() == {"extension"}
    admin.post("/extensions", {"number": "1001"})
    made = admin.post("/claim-codes", {"extension": "1001"}).get_json()
    assert made["dial"].startswith("*55") and len(made["dial"]) == 11
    assert made["dial"][3:] not in admin.get("/changes").get_data(as_text=True)


def test_adopting_chooses_site_and_extension(admin: Api, installation: Installation) -> None:
    admin.post("/sites", {"name": "utrecht", "trusted_networks": ["192.168.50.0/24"], "pool": "3000-3009"})
    facts = {"mac": BARE, "vendor": "acme", "model": "A1", "firmware": "1.2", "peer": "192.168.50.4", "first_seen": 1.0, "last_seen": 2.0}
    with installation.database.write() as connection:
        connection.execute(sighting.insert().values(**facts, count=1, conflict=""))
    phone = admin.post(f"/sightings/{MAC}/adopt").get_json()
    assert (phone["site"], phone["lines"][0]["extension"]) == ("utrecht", "3000")


def test_a_technician_takes_phones_in_at_the_own_site(app: Flask, admin: Api, installation: Installation) -> None:
    theirs, there, here = MAC, "02:ac:de:00:00:0a", "02:ac:de:00:00:0b"
    admin.patch("/sites/default", {"trusted_networks": ["10.1.0.0/16"]})
    admin.post("/sites", {"name": "berlin", "trusted_networks": ["10.2.0.0/16"]})
    admin.post("/extensions", {"number": "2001", "site": "berlin"})
    admin.post("/phones", {"mac": theirs, "model": "acme/a1"})
    now = installation.changes.clock()
    row = {"user_agent": "Acme A1 1.2", "transport": "http", "first_at": now, "at": now, "count": 1, "waits": True, "outcome": "it waits"}
    scan = {"at": now, "part": "phones", "kind": "address", "macs": 70, "until": now + 600}
    with installation.database.write() as connection:
        for mac, peer in ((there, "10.1.0.7"), (here, "10.2.0.7"), (theirs, "10.2.0.8")):
            connection.execute(newcomer.insert().values(mac=mac.replace(":", ""), peer=peer, **row))
        for peer in ("10.1.0.66", "10.2.0.66", "everywhere"):
            connection.execute(alarm.insert().values(scope=peer, **scan))
    technician = Api(app, installation.changes.create_token("tests", "of berlin", "technician", sites=["berlin"]))
    assert [item["mac"] for item in technician.get("/newcomers").get_json()["items"]] == [here]
    assert [item["scope"] for item in technician.get("/bootstrap/alarms").get_json()["items"]] == ["everywhere", "10.2.0.66"]
    assert technician.get("/warehouse").status_code == 403
    for path in ("/sites/default/window", "/sites/berlin/window"):
        admin.patch(path.removesuffix("/window"), {"enrolment": "window"})
        admin.put(path)
        assert technician.get(path).status_code == (200 if "berlin" in path else 404), path
        assert technician.delete(path).status_code == (204 if "berlin" in path else 404), path
        assert technician.put(path).status_code == (200 if "berlin" in path else 404), path
    for name in (
        {"mac": there},
        {"mac_tail": "00000a"},
        {"code": installation.box.waiting_code(Mac("02acde00000a"))},
        {"mac": theirs},
    ):
        assert technician.post("/claims", name).status_code == 404, name
    assert technician.post("/claims", {"mac_tail": "00000b", "site": "default"}).status_code == 422
    assert technician.post("/claims", {"mac_tail": "00000b", "extension": "2001"}).get_json()["site"] == "berlin"

"""The list of lockstep states: pages, filters, sites; and what all phones asked for."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from provisioner.changes import LineInput, PhoneInput
from provisioner.core.lockstep import Stage
from provisioner.core.mac import Mac
from provisioner.models import fetch
from provisioner.models import phone as phones
from provisioner.wiring import Installation
from tests.api.conftest import MAC, Api, errors
from tests.installations import render_all


@pytest.fixture
def five(installation: Installation, admin: Api) -> list[str]:
    """Phones with lines: three at default, two at berlin; the second of each site is held."""
    assert admin.post("/sites", {"name": "berlin"}).status_code == 201
    macs = [Mac(f"02acde00000{number}") for number in range(1, 6)]
    with installation.changes.unit("tests") as unit:
        for number, mac in enumerate(macs):
            installation.changes.add_extension(unit, str(1001 + number), {})
            lines = (LineInput(1, str(1001 + number)),)
            installation.changes.add_phone(unit, mac, PhoneInput("acme/a1", site="berlin" if number > 2 else None, lines=lines))
    render_all(installation)
    with installation.database.write() as connection:
        connection.execute(phones.update().where(phones.c.mac.in_([macs[1], macs[4]])).values(error="a value does not fit"))
    return [mac.colons for mac in macs]


def listed(api: Api, query: str = "") -> list[dict[str, Any]]:
    answer = api.get(f"/lockstep{query}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return list(answer.get_json()["items"])


def test_each_phone_is_listed_with_what_its_own_address_says(admin: Api, five: list[str]) -> None:
    rows = listed(admin)
    assert [row["mac"] for row in rows] == five
    for row in rows:
        about = {name: row.pop(name) for name in ("mac", "model", "site")}
        assert row == admin.get(f"/phones/{about['mac']}/lockstep").get_json()
    assert [row["stage"] for row in rows] == [Stage.PUSHING, Stage.HELD, Stage.PUSHING, Stage.PUSHING, Stage.HELD]


def test_list_is_filtered_by_stage_and_site(admin: Api, five: list[str]) -> None:
    assert [row["mac"] for row in listed(admin, "?stage=held")] == [five[1], five[4]]
    assert [row["mac"] for row in listed(admin, "?stage=held&site=berlin")] == [five[4]]
    assert listed(admin, "?site=nowhere") == [] and listed(admin, "?stage=in_lockstep") == []
    assert "one of rendering" in errors(admin.get("/lockstep?stage=asleep"))["stage"]


def test_pages_follow_each_other_by_mac(admin: Api, five: list[str]) -> None:
    first = admin.get("/lockstep?limit=2").get_json()
    second = admin.get(f"/lockstep?limit=2&after={first['next']}").get_json()
    last = admin.get(f"/lockstep?limit=2&after={second['next']}").get_json()
    assert [row["mac"] for page in (first, second, last) for row in page["items"]] == five
    assert last["next"] is None
    assert "limit" in errors(admin.get("/lockstep?limit=501"))


def test_who_sees_one_site_is_listed_its_phones_alone(app: Flask, installation: Installation, five: list[str]) -> None:
    here = Api(app, installation.changes.create_token("tests", "berlin", "viewer", sites=["berlin"]))
    assert [row["mac"] for row in listed(here)] == five[3:]
    assert listed(here, "?site=default") == []
    assert here.get("/fetches").status_code == 403


def test_fetches_of_all_phones_come_newest_first(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    row = {"name": "x.acme", "transport": "http", "peer": "192.0.2.9", "user_agent": "Acme", "method": "GET", "sha256": "", "bytes": 1}
    with installation.database.write() as connection:
        for number, (mac, reason) in enumerate([("02acde000001", "served"), (None, "unknown_file"), ("02acde000009", "unknown_phone")]):
            connection.execute(fetch.insert().values(**row, mac=mac, at=number, reason=reason, duration_ms=1.5))
    items = admin.get("/fetches").get_json()["items"]
    assert [item["mac"] for item in items] == ["02:ac:de:00:00:09", None, MAC]
    page = admin.get("/fetches?limit=2").get_json()
    assert [item["id"] for item in admin.get(f"/fetches?before={page['next']}").get_json()["items"]] == [items[2]["id"]]
    assert [item["mac"] for item in admin.get("/fetches?reason=served").get_json()["items"]] == [MAC]


def test_windows_of_all_sites_are_listed(admin: Api) -> None:
    for name in ("oslo", "berlin"):
        assert admin.post("/sites", {"name": name, "enrolment": "window"}).status_code == 201
        assert admin.put(f"/sites/{name}/window", {"minutes": 5, "phones": 3}).status_code == 200
    rows = admin.get("/windows").get_json()["items"]
    assert [(row["site"], row["most"], row["taken"]) for row in rows] == [("berlin", 3, 0), ("oslo", 3, 0)]
    assert rows[0] == admin.get("/sites/berlin/window").get_json()

"""Pages, and what they cost: the number of statements does not grow with the number of rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.models import fetch, sighting
from provisioner.models_firmware import firmware_pin, firmware_release
from provisioner.wiring import Installation
from tests.api.conftest import Api, errors

COUNTS = Path(__file__).with_name("query_counts.json")


def _fill(installation: Installation, count: int, first: int = 1) -> None:
    changes = installation.changes
    with changes.unit("tests") as unit:
        for number in range(first, first + count):
            mac = Mac(f"02acde{number:06x}")
            changes.add_extension(unit, str(1000 + number), {})
            settings = {"admin_password": "some-secret"}
            lines, keys = (LineInput(1, str(1000 + number)),), (KeyInput(1, "blf", "1001"),)
            changes.add_phone(unit, mac, PhoneInput("acme/a1", lines=lines, keys=keys, settings=settings))
            row = {
                "name": "x",
                "transport": "http",
                "peer": "",
                "user_agent": "",
                "method": "GET",
                "sha256": "",
                "bytes": 0,
                "duration_ms": 0,
            }
            unit.connection.execute(fetch.insert().values(**row, at=number, mac="02acde000001", reason="served"))
            seen = {"mac": f"02acdf{number:06x}", "first_seen": 1, "last_seen": 1}
            unit.connection.execute(sighting.insert().values(**seen))
            pin = {
                "target": mac,
                "model": "acme/a1",
                "mac": mac,
                "file": "a1.bin",
                "sha256": "",
                "version": "2",
                "shares": [100],
                "timeout_s": 60,
            }
            unit.connection.execute(firmware_pin.insert().values(**pin))
            unit.connection.execute(firmware_release.insert().values(mac=mac, target=mac, released_at=1))


@contextmanager
def _statements(installation: Installation) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    sa.event.listen(installation.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(installation.database.engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("path", "key"),
    [("/phones", "mac"), ("/lockstep", "mac"), ("/extensions", "number"), ("/sightings", "mac"), ("/models", "id"), ("/settings", "name")],
)
def test_pages_follow_each_other_to_the_end(admin: Api, installation: Installation, path: str, key: str) -> None:
    _fill(installation, 7)
    whole = [item[key] for item in admin.get(f"{path}?limit=500").get_json()["items"]]
    found: list[str] = []
    query = ""
    for _ in range(100):
        page = admin.get(f"{path}?limit=3{query}").get_json()
        assert len(page["items"]) <= 3
        found += [item[key] for item in page["items"]]
        if page["next"] is None:
            break
        query = f"&after={page['next']}"
    assert found == whole and len(set(found)) == len(found)


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1.5", ""])
def test_a_limit_out_of_bounds_is_refused(admin: Api, limit: str) -> None:
    for path in ("/phones", "/extensions", "/sites", "/groups", "/sightings", "/models", "/settings", "/changes", "/tokens"):
        assert errors(admin.get(f"{path}?limit={limit}")) == {"limit": "a whole number from 1 to 500 is needed"}


def test_a_page_after_no_mac_is_refused(admin: Api) -> None:
    assert "not a MAC address" in errors(admin.get("/phones?after=x"))["after"]


def test_an_empty_list_is_one_empty_page(admin: Api) -> None:
    assert admin.get("/phones").get_json() == {"items": [], "next": None}


def test_a_list_costs_the_same_statements_with_10_phones_and_with_200(admin: Api, installation: Installation) -> None:
    expected: dict[str, Any] = json.loads(COUNTS.read_text("utf-8"))["statements"]
    measured: dict[int, dict[str, int]] = {}
    for total in (10, 200):
        _fill(installation, total - sum((measured and [10]) or [0]), first=1 if not measured else 11)
        measured[total] = {}
        for path in expected:
            with _statements(installation) as seen:
                assert admin.get(f"{path}{'&' if '?' in path else '?'}limit=500").status_code == 200
            measured[total][path] = sum(not statement.startswith(("BEGIN", "PRAGMA")) for statement in seen)
    assert measured[10] == measured[200] == expected

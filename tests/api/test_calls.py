"""Calls over the API: pages, filters, and who sees which."""

from __future__ import annotations

import pytest
from flask import Flask

from provisioner.wiring import Installation
from tests.api.conftest import Api, errors, reason
from tests.calls import AT, MISSED, add_call


def test_calls_are_listed_newest_first_and_shown(admin: Api, installation: Installation) -> None:
    numbers = [add_call(installation.database, AT + at) for at in range(3)]
    page = admin.get("/calls?limit=2").get_json()
    assert [row["number"] for row in page["items"]] == [numbers[2], numbers[1]]
    assert [row["number"] for row in admin.get(f"/calls?before={page['next']}").get_json()["items"]] == [numbers[0]]
    assert admin.get(f"/calls/{numbers[0]}").get_json() == {
        "number": numbers[0], "uid": f"{AT}.1001.1002", "started_at": "2027-01-15T08:00:00.000Z", "answered_at": "2027-01-15T08:00:05.000Z",
        "ended_at": "2027-01-15T08:01:05.000Z", "caller": "1001", "caller_name": "Alice", "called": "1002", "answered_by": "1002",
        "outcome": "answered", "talk_s": 60.0, "is_recorded": False, "recording_bytes": 0,
    }  # fmt: skip
    assert admin.get("/calls/999").status_code == 404
    assert admin.get(f"/calls/{10**30}").status_code == 404


def test_calls_are_filtered(admin: Api, installation: Installation) -> None:
    answered = add_call(installation.database)
    missed = add_call(installation.database, AT + 60, called="1003", **MISSED)

    def listed(query: str) -> list[int]:
        return [row["number"] for row in admin.get(f"/calls?{query}").get_json()["items"]]

    assert listed("extension=1002") == [answered]
    assert listed("outcome=missed") == [missed]
    assert listed("since=2027-01-15T08:01:00Z") == [missed]
    assert listed("until=2027-01-15T09:01:00%2B01:00") == [answered]


@pytest.mark.parametrize(
    ("query", "field"), [("outcome=lost", "outcome"), ("since=yesterday", "since"), ("until=2027-01-15T08:00:00", "until")]
)
def test_a_filter_that_cannot_be_is_named(admin: Api, query: str, field: str) -> None:
    answer = admin.get(f"/calls?{query}")
    assert (answer.status_code, list(errors(answer))) == (422, [field])


def test_each_role_sees_calls_and_a_user_the_own_ones(app: Flask, roles: dict[str, Api], admin: Api, installation: Installation) -> None:
    for number in ("1001", "1002", "1003"):
        admin.post("/extensions", {"number": number})
    theirs = add_call(installation.database, caller="1001", called="1003")
    own = add_call(installation.database, AT + 1)
    for role in ("viewer", "technician", "admin"):
        assert len(roles[role].get("/calls").get_json()["items"]) == 2
    assert reason(roles["nobody"].get("/calls")) == "unauthorized"
    password = "correct horse battery"
    installation.changes.create_user("tests", "bob", {"role": "user", "password": password, "extensions": ["1002"]})
    bob = Api(app, None)
    assert bob.post("/session", {"name": "bob", "password": password}).status_code == 200
    assert [row["number"] for row in bob.get("/calls").get_json()["items"]] == [own]
    assert (bob.get(f"/calls/{own}").status_code, bob.get(f"/calls/{theirs}").status_code) == (200, 404)

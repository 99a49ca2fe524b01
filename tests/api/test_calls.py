"""Calls over the API: pages, filters, and who sees which."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from pbx_sync.calls import CallNow
from provisioner.bundled import recordings_folder
from provisioner.callsnow import KeptCalls, calls_now
from provisioner.setting_values import Bind
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


@pytest.fixture
def recorded(installation: Installation) -> int:
    """A call with a recording of a hundred bytes."""
    folder = recordings_folder(installation.settings)
    folder.mkdir(parents=True)
    (folder / "7.1.wav").write_bytes(bytes(range(100)))
    return add_call(installation.database, uid="7.1", recording="7.1.wav", recording_bytes=100)


def test_a_recording_is_heard_whole_or_in_part(admin: Api, recorded: int) -> None:
    whole = admin.get(f"/calls/{recorded}/recording")
    assert (whole.status_code, whole.data, whole.content_type) == (200, bytes(range(100)), "audio/wav")
    assert whole.headers["Cache-Control"] == "private, no-store"
    part = admin.get(f"/calls/{recorded}/recording", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data, part.headers["Content-Range"]) == (206, bytes(range(10, 20)), "bytes 10-19/100")
    assert admin.get(f"/calls/{recorded}/recording", headers={"Range": "bytes=200-"}).status_code == 416
    assert admin.get(f"/calls/{recorded}").get_json()["is_recorded"] is True


def test_who_listened_is_kept_once_for_each_listening(admin: Api, recorded: int, installation: Installation) -> None:
    now = [AT]
    installation.changes.clock = lambda: now[0]
    for later in (0, 30, 900):
        now[0] = AT + later
        assert admin.get(f"/calls/{recorded}/recording", headers={"Range": "bytes=50-"}).data == bytes(range(50, 100))
    kept = admin.get(f"/changes?subject=call {recorded}").get_json()["items"]
    assert [(row["action"], row["actor"]) for row in kept] == [("recording.listen", "settings:api_token")] * 2
    assert kept[0]["after"] == {"caller": "1001", "called": "1002", "started_at": AT}


def test_a_recording_is_removed_and_the_call_stays(admin: Api, recorded: int, installation: Installation) -> None:
    assert admin.delete(f"/calls/{recorded}/recording").status_code == 204
    assert list(recordings_folder(installation.settings).iterdir()) == []
    assert admin.get(f"/calls/{recorded}").get_json()["is_recorded"] is False
    assert admin.get(f"/calls/{recorded}/recording").status_code == 404
    assert admin.delete(f"/calls/{recorded}/recording").status_code == 404
    assert admin.get(f"/changes?subject=call {recorded}").get_json()["items"][0]["action"] == "recording.remove"


def test_a_recording_whose_file_is_gone_is_not_found(admin: Api, recorded: int, installation: Installation) -> None:
    (recordings_folder(installation.settings) / "7.1.wav").unlink()
    assert admin.get(f"/calls/{recorded}/recording").status_code == 404


def test_recordings_are_for_admins_of_all_sites_alone(app: Flask, roles: dict[str, Api], recorded: int, installation: Installation) -> None:
    installation.changes.create_extension("tests", "1001", site="default")
    roles["local"] = Api(app, installation.changes.create_token("tests", "of a site", "admin", sites=["default"]))
    assert roles["local"].get(f"/calls/{recorded}").status_code == 200
    for method in ("GET", "DELETE"):
        statuses = {role: api.send(method, f"/calls/{recorded}/recording").status_code for role, api in roles.items() if role != "admin"}
        assert statuses == {"nobody": 401, "viewer": 403, "technician": 403, "local": 403}
    assert roles["admin"].get(f"/calls/{recorded}/recording").data == bytes(range(100))


def test_calls_under_way_are_seen_as_far_as_their_extensions_are(app: Flask, admin: Api, installation: Installation) -> None:
    for number, site in (("1001", "default"), ("2001", "berlin")):
        admin.post("/sites", {"name": site})
        assert admin.post("/extensions", {"number": number, "site": site}).status_code == 201
    calls = [CallNow("1", "1001", "Alice", ("1002",), AT, "talking"), CallNow("2", "0301234", "", ("1001", "2001"), AT + 1, "ringing")]
    app.extensions["provisioner.calls_now"] = KeptCalls(lambda: calls)
    assert admin.get("/calls/now").get_json()[0] == {
        "uid": "1", "caller": "1001", "caller_name": "Alice", "called": ["1002"], "since": "2027-01-15T08:00:00.000Z", "state": "talking",
    }  # fmt: skip
    berlin = Api(app, installation.changes.create_token("tests", "berlin", "viewer", sites=["berlin"]))
    assert [row["uid"] for row in berlin.get("/calls/now").get_json()] == ["2"]
    assert len(admin.get("/calls/now").get_json()) == 2


def test_a_pbx_that_does_not_answer_is_no_pbx_without_calls(app: Flask, admin: Api, installation: Installation) -> None:
    assert admin.get("/calls/now").get_json() == [], "where there is no Asterisk nobody calls"
    nobody = replace(installation.settings, pbx="external", pbx_ami_address=Bind("127.0.0.1", 1))
    app.extensions["provisioner.calls_now"] = KeptCalls(lambda: calls_now(nobody))
    answer = admin.get("/calls/now")
    assert (answer.status_code, reason(answer)) == (503, "not_ready")


def test_the_pbx_is_asked_once_a_moment_however_many_ask() -> None:
    asked, now = list[float](), [0.0]

    def look() -> list[CallNow]:
        asked.append(now[0])
        return []

    kept = KeptCalls(look, lambda: now[0])
    for now[0] in (0.0, 0.5, 0.9, 1.0, 1.5):
        kept.get()
    assert asked == [0.0, 1.0]

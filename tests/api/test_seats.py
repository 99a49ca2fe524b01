"""Hot desks in the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import MAC, Api, errors


@pytest.fixture
def desk(admin: Api, phone: dict[str, Any]) -> None:
    """The phone of extension 1001 is a hot desk; 1002 has no phone."""
    admin.post("/extensions", {"number": "1002", "display_name": "Bob"})
    assert admin.patch(f"/phones/{MAC}", {"settings": {"hot_desk": True}}).status_code == 200


@pytest.mark.usefixtures("desk")
def test_somebody_is_logged_in_shown_and_logged_out(admin: Api, roles: dict[str, Api]) -> None:
    technician, viewer = roles["technician"], roles["viewer"]
    assert (admin.get(f"/phones/{MAC}/seat").status_code, admin.get("/seats").get_json()["items"]) == (404, [])
    taken = technician.post(f"/phones/{MAC}/seat", {"extension": "1002"}).get_json()
    assert {name: taken[name] for name in ("mac", "extension", "display_name", "site", "place")} == {
        "mac": MAC, "extension": "1002", "display_name": "Bob", "site": "default", "place": "1001",
    }  # fmt: skip
    assert viewer.get("/seats").get_json() == {"items": [taken], "next": None}
    assert viewer.get(f"/phones/{MAC}/seat").get_json() == taken
    assert [line["extension"] for line in admin.get(f"/phones/{MAC}").get_json()["lines"]] == ["1002"]
    assert "sits at this phone" in errors(admin.put(f"/phones/{MAC}/keys", [{"key": 2, "type": "blf", "value": "1002"}]))["mac"]
    assert technician.delete(f"/phones/{MAC}/seat").status_code == 204
    assert [line["extension"] for line in admin.get(f"/phones/{MAC}").get_json()["lines"]] == ["1001"]
    assert technician.delete(f"/phones/{MAC}/seat").status_code == 404


@pytest.mark.usefixtures("desk")
def test_such_a_change_is_not_undone(admin: Api) -> None:
    admin.post(f"/phones/{MAC}/seat", {"extension": "1002"})
    newest = admin.get("/changes?limit=1").get_json()["items"][0]
    assert (newest["action"], newest["subject"]) == ("phone.seat_in", MAC)
    assert "cannot be undone" in str(admin.post(f"/changes/{newest['id']}/undo").get_json())


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(("body", "field"), [({}, "extension"), ({"extension": "4711"}, "extension"), ({"extension": "1001"}, "extension")])
def test_who_cannot_sit_there(admin: Api, body: dict[str, str], field: str) -> None:
    assert field in errors(admin.post(f"/phones/{MAC}/seat", body))

"""Key layouts in the API, what a phone's keys come to with one, and copying keys."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import MAC, Api, errors, reason

OTHER = "02:ac:de:00:00:02"
KEYS = [{"key": 3, "type": "speed_dial", "value": "0800", "label": "Desk"}, {"key": 4, "type": "blf", "label": "Colleague", "slot": True}]


def full(**key: Any) -> dict[str, Any]:
    return {"module": 0, "value": "", "label": "", "line": 1, "slot": False, **key}


def test_layout_is_made_changed_given_and_removed(admin: Api, phone: dict[str, Any]) -> None:
    made = admin.put("/layouts/Sales", {"keys": KEYS})
    assert (made.status_code, made.headers["ETag"]) == (200, '"1"')
    assert made.get_json() == {"name": "Sales", "phones": 0, "revision": 1, "keys": [full(**key) for key in KEYS]}
    assert admin.get("/layouts/Sales", headers={"If-None-Match": '"1"'}).status_code == 304
    assert admin.post("/layouts/Sales/phones", {"phones": [MAC]}).get_json() == {"changed": 1}
    assert admin.post("/layouts/Sales/phones", {"phones": [MAC]}).get_json() == {"changed": 0}
    shown = admin.get(f"/phones/{MAC}").get_json()
    assert shown["layout"] == "Sales" and shown["revision"] == phone["revision"] + 1
    assert [(row["name"], row["phones"]) for row in admin.get("/layouts").get_json()["items"]] == [("Sales", 1)]
    assert admin.put("/layouts/Sales", {"keys": KEYS[:1]}, headers={"If-Match": '"1"'}).headers["ETag"] == '"2"'
    assert reason(admin.put("/layouts/Sales", {"keys": []}, headers={"If-Match": '"1"'})) == "changed_meanwhile"
    assert errors(admin.delete("/layouts/Sales")) == {"name": "1 phones have this layout: give them another one first"}
    assert admin.patch(f"/phones/{MAC}", {"layout": None}).get_json()["layout"] is None
    assert admin.delete("/layouts/Sales").status_code == 204
    assert admin.get("/layouts/Sales").status_code == 404


def test_keys_with_a_layout_say_where_they_come_from(admin: Api, phone: dict[str, Any]) -> None:
    admin.put("/layouts/Sales", {"keys": KEYS})
    admin.put(f"/phones/{MAC}/keys", [{"key": 3, "type": "blf", "value": "1001"}, {"key": 6, "type": "blf", "value": "1001"}])
    assert admin.patch(f"/phones/{MAC}", {"layout": "Sales"}).status_code == 200
    laid = admin.get(f"/phones/{MAC}/keys/laid").get_json()
    assert laid["layout"] == "Sales"
    assert [(key["key"], key["source"], key["hides"], key["label"]) for key in laid["keys"]] == [
        (3, "layout", True, "Desk"),
        (4, "slot", False, "Colleague"),
        (6, "own", False, "Alice"),
    ]
    answer = admin.put(f"/phones/{MAC}/keys", [{"key": 3, "type": "blf", "value": "1009"}])
    assert errors(answer) == {"keys.0.key": "key 3 of the phone is laid out by the layout Sales: change it there"}
    assert errors(admin.patch(f"/phones/{MAC}", {"layout": "None such"})) == {"layout": "there is no layout None such"}


def test_every_wrong_key_of_a_layout_is_named(admin: Api) -> None:
    answer = admin.put("/layouts/Sales", {"keys": [{"key": 3, "type": "nothing"}, {"key": 300, "type": "blf"}]})
    assert answer.status_code == 422 and set(errors(answer)) == {"keys.0.type", "keys.1.key"}
    assert errors(admin.put("/layouts/Sales", {"keys": [{"key": 3, "type": "blf", "slot": "yes"}]})) == {
        "keys.0.slot": "true or false is needed"
    }


def test_phone_whose_model_cannot_have_the_layout_is_named(admin: Api, phone: dict[str, Any]) -> None:
    admin.post("/phones", {"mac": OTHER, "model": "acme/a2"})
    admin.put("/layouts/Sales", {"keys": KEYS})
    answer = admin.post("/layouts/Sales/phones", {"phones": [MAC, OTHER]})
    assert answer.status_code == 422 and list(errors(answer)) == ["phones.1"]
    assert admin.get(f"/phones/{MAC}").get_json()["layout"] is None


def test_copying_says_first_what_it_would_change(admin: Api, phone: dict[str, Any]) -> None:
    admin.post("/phones", {"mac": OTHER, "model": "acme/a1"})
    admin.put(f"/phones/{MAC}/keys", [{"key": 3, "type": "blf", "value": "1001"}, {"key": 6, "type": "blf", "value": "1001"}])
    body = {"phones": [OTHER], "places": [{"key": 3}]}
    place = {"key": 3, "module": 0}
    told = [{"mac": OTHER, "model": "acme/a1", "added": [place], "changed": [], "mistakes": []}]
    assert admin.post(f"/phones/{MAC}/keys/copy", body).get_json() == told
    assert admin.get(f"/phones/{OTHER}/keys").get_json() == []
    assert admin.post(f"/phones/{MAC}/keys/copy", {**body, "commit": True}).get_json() == told
    assert [key["key"] for key in admin.get(f"/phones/{OTHER}/keys").get_json()] == [3]


def test_layouts_are_written_by_technicians(roles: dict[str, Api]) -> None:
    assert roles["viewer"].put("/layouts/Sales", {"keys": KEYS}).status_code == 403
    assert roles["technician"].put("/layouts/Sales", {"keys": KEYS}).status_code == 200
    assert roles["viewer"].get("/layouts/Sales").status_code == 200

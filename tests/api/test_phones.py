"""Phones: made, read, changed and taken off, with lines, keys and settings."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.wiring import Installation
from tests.api.conftest import BARE, MAC, Api, errors, reason


def test_a_phone_is_listed_and_shown(admin: Api, phone: dict[str, Any]) -> None:
    assert phone["mac"] == MAC
    assert phone["site"] == "default" and phone["enabled"] is True and phone["group"] is None
    assert phone["lines"] == [{"line": 1, "extension": "1001", "label": ""}]
    assert phone["keys"] == [{"key": 3, "module": 0, "type": "blf", "value": "1002", "label": "Bob", "line": 1}]
    assert phone["settings"] == {"voice_vlan": 20, "admin_password": "***"}
    assert phone["created_at"].endswith("Z")
    answer = admin.get(f"/phones/{MAC}")
    assert answer.get_json() == phone
    assert answer.headers["ETag"] == f'"{phone["revision"]}"'


def test_the_answer_to_a_new_phone_says_where_it_is(admin: Api) -> None:
    answer = admin.post("/phones", {"mac": MAC, "model": "acme/a1"})
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/phones/{MAC}"
    assert admin.get(answer.headers["Location"]).status_code == 200


@pytest.mark.parametrize("spelling", [BARE, MAC, "02-AC-DE-00-00-01", "02ac.de00.0001", " 02:AC:DE:00:00:01 "])
def test_a_mac_is_taken_in_any_usual_form(admin: Api, spelling: str) -> None:
    assert admin.post("/phones", {"mac": spelling, "model": "acme/a1"}).get_json()["mac"] == MAC
    assert admin.get(f"/phones/{spelling}").get_json()["mac"] == MAC


MISTAKES = [
    ({}, {"mac": "this is needed"}),
    ({"mac": None}, {"mac": "null is not possible here"}),
    ({"mac": 5}, {"mac": "a MAC address is needed, for example 80:5e:c0:aa:bb:cc"}),
    ({"mac": "zz"}, {"mac": "'zz' is not a MAC address: twelve hex digits, for example 80:5e:c0:aa:bb:cc"}),
    ({"mac": MAC}, {"model": "a model is needed, for example yealink/t46u"}),
    ({"mac": MAC, "model": "acme/a9"}, {"model": "the catalogue has no model acme/a9; 'provisioner check' lists them"}),
    ({"mac": MAC, "model": "acme/a1", "site": "moon"}, {"site": "there is no site moon"}),
    ({"mac": MAC, "model": "acme/a1", "group": "moon"}, {"group": "there is no group moon"}),
    ({"mac": MAC, "model": "acme/a1", "enabled": "yes"}, {"enabled": "true or false is needed"}),
    ({"mac": MAC, "model": "acme/a1", "modules": 3}, {"modules": "the Acme A1 takes 2 expansion modules"}),
    ({"mac": MAC, "model": "acme/a1", "modules": "1"}, {"modules": "a whole number is needed"}),
    ({"mac": MAC, "model": "acme/a1", "firmware": "x" * 65}, {"firmware": "at most 64 characters are possible"}),
    ({"mac": MAC, "model": "acme/a1", "lines": {}}, {"lines": "a list is needed"}),
    ({"mac": MAC, "model": "acme/a1", "lines": [7]}, {"lines.0": "an object is needed"}),
    ({"mac": MAC, "model": "acme/a1", "lines": [{"line": 1}]}, {"lines.0.extension": "this is needed"}),
    ({"mac": MAC, "model": "acme/a1", "lines": [{"line": 1, "extension": "9"}]}, {"lines.0.extension": "there is no extension 9"}),
    (
        {"mac": MAC, "model": "acme/a1", "lines": [{"line": 3, "extension": "1001"}, {"line": 3, "extension": "9"}]},
        {
            "lines.0.line": "the Acme A1 has lines 1 to 2",
            "lines.1.line": "the Acme A1 has lines 1 to 2",
            "lines.0.extension": "there is no extension 1001",
            "lines.1.extension": "there is no extension 9",
        },
    ),
    (
        {"mac": MAC, "model": "acme/a1", "keys": [{"key": 9, "type": "blf"}]},
        {"keys.0.key": "there are keys 1 to 8 here; free is key 1 of the phone"},
    ),
    ({"mac": MAC, "model": "acme/a1", "keys": [{"key": 1, "type": "blf", "colour": 1}]}, {"keys.0.colour": "there is no such field"}),
    (
        {"mac": MAC, "model": "acme/a1", "keys": [{"key": 1, "type": "park"}]},
        {"keys.0.type": "the Acme A1 lacks the key type 'park', because this phone does not exist; it has blf, line, speed_dial, url"},
    ),
    ({"mac": MAC, "model": "acme/a2", "keys": [{"key": 1, "type": "blf"}]}, {"keys.0.module": "the Acme A2 has no keys of its own"}),
    ({"mac": MAC, "model": "acme/a1", "settings": []}, {"settings": "an object is needed"}),
    (
        {"mac": MAC, "model": "acme/a1", "settings": {"time_zone": "UTC", "voice_vlan": 5000}},
        {
            "settings.time_zone": "there is no such setting; did you mean timezone?",
            "settings.voice_vlan": "5000 is not between 0 and 4094",
        },
    ),
    (
        {"mac": MAC, "model": "acme/a1", "settings": {"admin_password": "***"}},
        {"settings.admin_password": "*** keeps a secret that is there, and none is: send the secret"},
    ),
]


@pytest.mark.parametrize(("body", "expected"), MISTAKES, ids=[", ".join(row[1]) for row in MISTAKES])
def test_each_mistake_is_named_by_its_field_with_its_sentence(admin: Api, body: dict, expected: dict) -> None:
    answer = admin.post("/phones", body)
    assert (answer.status_code, reason(answer)) == (422, "invalid_input")
    assert errors(answer) == expected
    assert admin.get("/phones").get_json()["items"] == []


def test_a_phone_that_is_listed_already_gets_409(admin: Api, phone: dict[str, Any]) -> None:
    answer = admin.post("/phones", {"mac": BARE, "model": "acme/a1"})
    assert (answer.status_code, reason(answer)) == (409, "already_exists")
    assert errors(answer) == {"mac": f"phone {MAC} is listed already"}


def test_a_template_that_fails_is_named_with_its_line_and_nothing_is_written(admin: Api, phone: dict[str, Any]) -> None:
    answer = admin.patch(f"/phones/{MAC}", {"settings": {"syslog_server": "broken.example"}})
    body = answer.get_json(force=True)
    assert (answer.status_code, body["reason"]) == (422, "render_failed")
    assert body["template"] == "acme/templates/device.acme.j2" and body["line"] == 7
    assert "not_there" in body["detail"]
    assert admin.get(f"/phones/{MAC}").get_json() == phone


def test_patch_changes_what_is_given_and_nothing_else(admin: Api, phone: dict[str, Any]) -> None:
    after = admin.patch(f"/phones/{MAC}", {"firmware": "2.0", "enabled": False}).get_json()
    assert after["firmware"] == "2.0" and after["enabled"] is False
    same = ("model", "site", "lines", "keys", "settings")
    assert [after[name] for name in same] == [phone[name] for name in same]
    assert after["revision"] > phone["revision"]


def test_patch_lays_settings_over_those_that_are_there(admin: Api, phone: dict[str, Any]) -> None:
    after = admin.patch(f"/phones/{MAC}", {"settings": {"voice_vlan": None, "language": "nl"}}).get_json()
    assert after["settings"] == {"language": "nl", "admin_password": "***"}
    unknown = admin.patch(f"/phones/{MAC}", {"settings": {"colour": None}})
    assert errors(unknown) == {"settings.colour": "there is no such setting"}


def test_a_secret_sent_back_as_stars_stays(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    def secret() -> object:
        return installation.store.phone_secret_settings([installation.store.phones()[0].mac])

    before = secret()
    assert "phone-secret-9" in str(before)
    admin.patch(f"/phones/{MAC}", {"settings": {"admin_password": "***", "language": "nl"}})
    assert secret() == before
    shown = admin.get(f"/phones/{MAC}/settings").get_json()
    assert admin.put(f"/phones/{MAC}/settings", shown).get_json() == shown
    assert secret() == before
    admin.patch(f"/phones/{MAC}", {"settings": {"language": "de"}})
    assert secret() == before
    assert admin.put(f"/phones/{MAC}/settings", {"admin_password": "another-one"}).get_json() == {"admin_password": "***"}
    assert "another-one" in str(secret())
    assert admin.put(f"/phones/{MAC}/settings", {"language": "nl"}).get_json() == {"language": "nl"}
    assert "another-one" not in str(secret())


def test_a_secret_is_taken_away_with_null(admin: Api, phone: dict[str, Any]) -> None:
    assert admin.patch(f"/phones/{MAC}", {"settings": {"admin_password": None}}).get_json()["settings"] == {"voice_vlan": 20}


def test_a_group_is_set_and_taken_away(admin: Api, phone: dict[str, Any]) -> None:
    admin.put("/groups/reception", {"settings": {}})
    assert admin.patch(f"/phones/{MAC}", {"group": "reception"}).get_json()["group"] == "reception"
    assert admin.patch(f"/phones/{MAC}", {"firmware": "3"}).get_json()["group"] == "reception"
    assert admin.patch(f"/phones/{MAC}", {"group": None}).get_json()["group"] is None


def test_lines_keys_and_settings_are_replaced_whole(admin: Api, phone: dict[str, Any]) -> None:
    admin.post("/extensions", {"number": "1002"})
    lines = [{"line": 2, "extension": "1002", "label": "Two"}]
    keys = [{"key": 1, "module": 2, "type": "speed_dial", "value": "5", "label": "", "line": 2}]
    assert admin.put(f"/phones/{MAC}/lines", lines).get_json() == lines
    assert admin.put(f"/phones/{MAC}/keys", keys).get_json() == keys
    assert admin.put(f"/phones/{MAC}/settings", {"pc_vlan": 7}).get_json() == {"pc_vlan": 7}
    after = admin.get(f"/phones/{MAC}").get_json()
    assert (after["lines"], after["keys"], after["settings"], after["modules"]) == (lines, keys, {"pc_vlan": 7}, 2)
    for name in ("lines", "keys", "settings"):
        answer = admin.get(f"/phones/{MAC}/{name}")
        assert answer.get_json() == after[name] != type(after[name])() and answer.headers["ETag"] == f'"{after["revision"]}"'


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("lines", [{"line": 1, "extension": "9"}], {"lines.0.extension": "there is no extension 9"}),
        ("lines", [{"line": 1}], {"lines.0.extension": "this is needed"}),
        ("lines", {}, {"": "a list of objects is needed"}),
        ("lines", [{"line": 1, "extension": "1001"}] * 1001, {"lines": "at most 1000 entries are possible"}),
        ("keys", [{"key": 99, "type": "blf"}], {"keys.0.key": "there are keys 1 to 8 here; free is key 2 of the phone"}),
        ("keys", [{"key": 1, "type": "blf"}] * 5001, {"keys": "at most 5000 entries are possible"}),
        ("settings", [], {"": "an object is needed"}),
        ("settings", {"dtmf": "x"}, {"settings.dtmf": "'x' is none of rfc2833, info, inband"}),
        ("settings", {"x" * 65: 1}, {"settings": "the name of a setting has at most 64 characters"}),
        ("settings", {"voice_vlan": None}, {"settings.voice_vlan": "a whole number is needed"}),
    ],
)
def test_mistakes_in_a_part_are_named_as_in_the_whole(admin: Api, phone: dict, name: str, body: object, expected: dict) -> None:
    answer = admin.put(f"/phones/{MAC}/{name}", body)
    assert answer.status_code == 422
    assert errors(answer) == expected


def test_a_phone_is_taken_off_the_list(admin: Api, phone: dict[str, Any]) -> None:
    assert admin.delete(f"/phones/{MAC}").status_code == 204
    assert admin.get(f"/phones/{MAC}").status_code == 404
    assert admin.delete(f"/phones/{MAC}").status_code == 404


WRITES = [
    ("PATCH", "", {"firmware": "9"}),
    ("PUT", "/lines", []),
    ("PUT", "/keys", []),
    ("PUT", "/settings", {}),
    ("DELETE", "", None),
]


@pytest.mark.parametrize(("method", "rest", "body"), WRITES, ids=[f"{row[0]} {row[1]}" for row in WRITES])
def test_a_write_with_a_stale_tag_gets_412_and_one_with_the_present_tag_goes(
    admin: Api, phone: dict, method: str, rest: str, body: object
) -> None:
    path, now = f"/phones/{MAC}{rest}", phone["revision"]
    more = {"json": body} if body is not None else {}
    for stale in (f'"{now + 1}"', f'W/"{now + 1}"', f'W/"{now}"', "nonsense", '"x"', ""):
        answer = admin.send(method, path, headers={"If-Match": stale}, **more)
        assert (answer.status_code, reason(answer)) == (412, "changed_meanwhile"), stale
    assert admin.get(f"/phones/{MAC}").get_json() == phone
    assert admin.send(method, path, headers={"If-Match": f'"77", "{now}"'}, **more).status_code in {200, 204}


def test_if_match_with_a_star_takes_any_revision(admin: Api, phone: dict[str, Any]) -> None:
    assert admin.patch(f"/phones/{MAC}", {"firmware": "9"}, headers={"If-Match": "*"}).status_code == 200


def test_a_reader_who_has_it_already_gets_304(admin: Api, phone: dict[str, Any]) -> None:
    tag = f'"{phone["revision"]}"'
    answer = admin.get(f"/phones/{MAC}", headers={"If-None-Match": tag})
    assert answer.status_code == 304 and answer.get_data() == b"" and answer.headers["ETag"] == tag
    assert admin.get(f"/phones/{MAC}", headers={"If-None-Match": f'"{phone["revision"] + 1}"'}).status_code == 200


def test_lists_are_filtered(admin: Api, phone: dict[str, Any]) -> None:
    admin.post("/sites", {"name": "utrecht"})
    admin.post("/phones", {"mac": "02:ac:de:00:00:02", "model": "acme/a2", "site": "utrecht"})

    def found(query: str) -> list[str]:
        return [item["mac"][-2:] for item in admin.get(f"/phones?{query}").get_json()["items"]]

    assert found("") == ["01", "02"]
    assert found("site=utrecht") == ["02"]
    assert found("model=acme/a1") == ["01"]
    assert found("search=1001") == ["01"]
    assert found("search=DE:00:00:02") == ["02"]
    assert found("search=%25") == []
    assert found("stage=rendering") == ["01", "02"]
    assert found("stage=held") == []
    assert "one of rendering" in errors(admin.get("/phones?stage=x"))["stage"]


def test_a_list_says_each_phones_stage(admin: Api, phone: dict[str, Any]) -> None:
    (item,) = admin.get("/phones").get_json()["items"]
    assert item == {**phone, "stage": "rendering"}

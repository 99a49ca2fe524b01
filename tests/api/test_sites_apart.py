"""Whoever sees some sites only neither reads nor writes anything of another one: over every route that there is, with every role."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule

from provisioner.changes import Changes
from provisioner.changes.scoped import ScopedChanges
from provisioner.core.mac import Mac
from provisioner.errors import Forbidden
from provisioner.models import fetch, sighting, upload
from provisioner.models_sightings import evidence
from provisioner.scope import Scope
from provisioner.store import Store
from provisioner.store.scoped import ScopedStore
from provisioner.wiring import Installation, within
from tests.api.conftest import Api, errors
from tests.calls import add_call
from tests.installations import render_all

MARK = "zebra"
"""Stands in every text of the other site, and nowhere else."""
THEIRS, OURS = "02:ac:de:00:00:01", "02:ac:de:00:00:02"
SEEN_THERE, SEEN_HERE = "02:ac:de:00:00:0a", "02:ac:de:00:00:0b"
PASSWORD = "correct horse battery"
# What a route is asked for: things of the other site. What is of no site - models, settings - is asked for as it is.
NAMES = {
    "sites": "default",
    "groups": f"{MARK}-group",
    "departments": f"{MARK}-department",
    "tokens": "the viewer",
    "users": f"{MARK}-user",
}
OF_NO_SITE = {"vendor": "acme", "model": "a1", "setting": "timezone", "server": "dnsmasq"}


@pytest.fixture
def two_sites(app: Flask, admin: Api, installation: Installation) -> None:
    """The site default, full of marks, and berlin, which is ours."""
    networks = {"default": ["10.1.0.0/16"], "berlin": ["10.2.0.0/16"]}
    marked = {"trusted_networks": networks["default"], "settings": {"ntp_server": f"{MARK}.example"}}
    assert admin.patch("/sites/default", marked).status_code == 200
    assert admin.post("/sites", {"name": "berlin", "trusted_networks": networks["berlin"]}).status_code == 201
    admin.put(f"/groups/{MARK}-group", {"settings": {}})
    for number, site, mark in (("1001", "default", MARK), ("1002", "default", MARK), ("2001", "berlin", "bear")):
        body = {
            "number": number,
            "site": site,
            "display_name": f"{mark}-name",
            "email": f"{mark}@example.org",
            "department": f"{mark}-department",
        }
        assert admin.post("/extensions", body).status_code == 201
    phones = {THEIRS: ("default", "1001", f"{MARK}-group", MARK), OURS: ("berlin", "2001", None, "bear")}
    for mac, (site, number, group, mark) in phones.items():
        lines, keys = (
            [{"line": 1, "extension": number, "label": f"{mark}-line"}],
            [{"key": 3, "type": "blf", "value": "3000", "label": f"{mark}-key"}],
        )
        body = {"mac": mac, "model": "acme/a1", "site": site, "group": group, "lines": lines, "keys": keys}
        assert admin.post("/phones", body).status_code == 201, (mac, site)
    installation.changes.create_user("tests", f"{MARK}-user", {"role": "viewer", "password": PASSWORD, "sites": ["default"]})
    _observed(installation)
    render_all(installation)


def _observed(installation: Installation) -> None:
    seen = {
        "vendor": "acme",
        "model": "a1",
        "firmware": "",
        "first_seen": 1.0,
        "last_seen": 2.0,
        "count": 1,
        "conflict": "",
    }
    row = {"at": 1.0, "name": "a.cfg", "transport": "http", "method": "GET", "reason": "ok", "sha256": "", "bytes": 1, "duration_ms": 1.0}
    with installation.database.write() as connection:
        connection.execute(sighting.insert().values(mac="02acde00000a", peer="10.1.0.7", **seen))
        said = {"source": "http", "fact": "user_agent", "value": MARK, "confidence": 50, "at": 2.0}
        connection.execute(evidence.insert().values(mac="02acde00000a", **said))
        connection.execute(sighting.insert().values(mac="02acde00000b", peer="10.2.0.7", **seen))
        connection.execute(fetch.insert().values(mac="02acde000001", peer="10.1.0.8", user_agent=MARK, **row))
        for mac, mark in (("02acde000001", MARK), ("02acde000002", "bear")):
            sent = {"mac": mac, "name": f"{mark}.log", "kind": "log", "content_type": "text/plain", "received_at": 5.0, "size": 9}
            body = installation.box.seal(mark.encode(), f"upload:{mac}:{mark}.log")
            connection.execute(upload.insert().values(**sent, sha256="0" * 64, body=body))
    add_call(installation.database, caller="1001", called="1002", caller_name=MARK, uid="1")
    installation.changes.issue_install_link(f"{MARK}-issuer", Mac("02acde000001"), 72)


@pytest.fixture
def ours(app: Flask, two_sites: None, installation: Installation) -> dict[str, Api]:
    """A client for each role, of the site berlin."""
    changes = installation.changes
    made = {
        role: Api(app, changes.create_token("tests", f"berlin {role}", role, sites=["berlin"]))
        for role in ("viewer", "technician", "admin")
    }
    changes.create_user("tests", "bob", {"role": "user", "password": PASSWORD, "sites": ["berlin"], "extensions": ["2001"]})
    made["user"] = Api(app, None)
    answer = made["user"].post("/session", {"name": "bob", "password": PASSWORD})
    made["user"].headers = {"X-CSRF-Token": answer.get_json()["csrf_token"]}
    return made


def _operations(app: Flask, document: dict[str, Any]) -> list[tuple[str, str, bool, Any]]:
    """Returns (method, path, names a thing of the other site, body) of every route below ``/api``."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/") and rule.rule != "/api/v1/session":
            shown = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            is_theirs = bool({"mac", "number", "name", "change", "call"} & rule.arguments)
            for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
                content = document["paths"][shown][method.lower()].get("requestBody", {}).get("content", {})
                found.append((method, shown.format(**_values(rule)), is_theirs, content.get("application/json", {}).get("example")))
    return found


def _values(rule: Rule) -> dict[str, str]:
    noun = rule.rule.split("/")[3]
    name = f"{MARK}.log" if "/uploads/" in rule.rule else NAMES.get(noun, "default")
    named = {"change": "1", "mac": SEEN_THERE if noun == "sightings" else THEIRS, "number": "1001", "name": name}
    return {**dict.fromkeys(rule.arguments, "1"), **OF_NO_SITE, **named}


def _snapshot(admin: Api) -> list[Any]:
    """Returns everything that the API shows of the other site."""
    phone = [
        f"/phones/{THEIRS}{part}" for part in ("", "/lockstep", "/files", "/fetches", "/registrations", "/lines", "/keys", "/settings")
    ]
    phone += [f"/phones/{THEIRS}{part}" for part in ("/lights", "/install-link", f"/uploads/{MARK}.log", "/keys/laid")]
    other = ["/extensions/1001", "/extensions/1002", "/sites/default", f"/groups/{MARK}-group", f"/departments/{MARK}-department"]
    rest = ["/calls/1", f"/sightings/{SEEN_THERE}", f"/users/{MARK}-user"]
    answers = [(path, admin.get(path)) for path in [*phone, *other, *rest]]
    assert {path for path, answer in answers if answer.status_code != 200} == set()
    return [(path, answer.get_json(force=True)) for path, answer in answers]


def test_no_route_reads_or_writes_what_is_of_another_site(app: Flask, admin: Api, ours: dict[str, Api]) -> None:
    before = _snapshot(admin)
    assert MARK in str(before)
    document = admin.get("/openapi.json").get_json()
    operations = _operations(app, document)
    assert len(operations) > 50
    for role, api in ours.items():
        for method, path, is_theirs, body in operations:
            answer = api.send(method, path, **({"json": body} if body is not None else {}))
            where = f"{role} {method} {path}: {answer.status_code}"
            assert answer.status_code < 500, where
            asked = path.rpartition("/")[2]  # what was asked for is named in the refusal
            assert MARK not in answer.get_data(as_text=True).replace(asked, ""), where
            if is_theirs:
                assert answer.status_code in {403, 404}, where
    assert _snapshot(admin) == before


def test_lists_show_ones_own_site(ours: dict[str, Api]) -> None:
    for role in ("viewer", "technician", "admin"):
        api = ours[role]
        listed = {path: api.get(path).get_json()["items"] for path in ("/phones", "/extensions", "/sites", "/departments", "/sightings")}
        assert [row["mac"] for row in listed["/phones"]] == [OURS]
        assert [row["number"] for row in listed["/extensions"]] == ["2001"]
        assert [row["name"] for row in listed["/sites"]] == ["berlin"]
        assert [(row["name"], row["members"]) for row in listed["/departments"]] == [("bear-department", ["2001"])]
        assert [row["mac"] for row in listed["/sightings"]] == [SEEN_HERE]
        subjects = {row["subject"] for row in api.get("/changes").get_json()["items"]}
        assert subjects == {OURS, "2001", "berlin"}


def test_filters_do_not_reach_beyond(ours: dict[str, Api]) -> None:
    viewer = ours["viewer"]
    for query in ("site=default", "search=1001", "search=000001", "model=acme/a1&site=default"):
        assert viewer.get(f"/phones?{query}").get_json()["items"] == []
    assert viewer.get(f"/extensions?search={MARK}").get_json()["items"] == []
    assert viewer.get(f"/changes?subject={THEIRS}").get_json()["items"] == []


def test_a_technician_works_at_their_own_site(ours: dict[str, Api], admin: Api) -> None:
    technician = ours["technician"]
    assert technician.post("/extensions", {"number": "2002"}).get_json()["site"] == "berlin"
    adopted = technician.post(f"/sightings/{SEEN_HERE}/adopt", {"model": "acme/a1", "lines": [{"line": 1, "extension": "2002"}]})
    assert adopted.status_code == 201, adopted.get_json()
    assert adopted.get_json()["site"] == "berlin"
    assert technician.put(f"/phones/{SEEN_HERE}/keys", [{"key": 3, "type": "blf", "value": "2001"}]).status_code == 200
    assert technician.post(f"/phones/{SEEN_HERE}/resync").status_code == 202
    assert technician.get(f"/phones/{SEEN_HERE}/lockstep").status_code == 200
    assert technician.patch("/extensions/2002", {"display_name": "Ours"}).status_code == 200
    assert technician.delete(f"/phones/{SEEN_HERE}").status_code == 204
    assert ours["admin"].delete("/extensions/2002").status_code == 204
    assert ours["admin"].patch("/sites/berlin", {"settings": {"voice_vlan": 20}}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/phones", {"mac": SEEN_HERE, "model": "acme/a1", "site": "default"}, "site"),
        ("/phones", {"mac": SEEN_HERE, "model": "acme/a1", "group": f"{MARK}-group"}, "group"),
        ("/phones", {"mac": SEEN_HERE, "model": "acme/a1", "lines": [{"line": 1, "extension": "1002"}]}, "lines.0.extension"),
        ("/extensions", {"number": "2009", "site": "default"}, "site"),
    ],
)
def test_what_names_another_site_is_refused_as_if_it_were_not_there(ours: dict[str, Api], path: str, body: dict, field: str) -> None:
    answer = ours["technician"].post(path, body)
    assert (answer.status_code, list(errors(answer))) == (422, [field])
    assert "there is no" in errors(answer)[field]


def test_nothing_is_moved_to_another_site(ours: dict[str, Api]) -> None:
    for change in ({"site": "default"}, {"group": f"{MARK}-group"}, {"lines": [{"line": 1, "extension": "1002"}]}):
        assert ours["admin"].patch(f"/phones/{OURS}", change).status_code == 422
    assert ours["admin"].patch("/extensions/2001", {"site": "default"}).status_code == 422


def test_a_key_that_watches_another_site_shows_the_number_and_not_the_name(ours: dict[str, Api], installation: Installation) -> None:
    answer = ours["technician"].put(f"/phones/{OURS}/keys", [{"key": 3, "type": "blf", "value": "1001"}])
    assert answer.get_json()[0]["label"] == "1001"
    render_all(installation)
    assert MARK not in ours["technician"].get(f"/phones/{OURS}/files").get_data(as_text=True)


def test_an_extension_that_another_site_shares_is_seen_and_not_changed(ours: dict[str, Api], admin: Api) -> None:
    admin.post("/extensions", {"number": "5000"})
    for mac in (THEIRS, OURS):
        admin.patch(f"/phones/{mac}", {"lines": [{"line": 1, "extension": "5000"}]})
    assert ours["technician"].get("/extensions/5000").status_code == 200
    assert ours["technician"].patch("/extensions/5000", {"display_name": "Ours"}).status_code == 403
    assert ours["admin"].delete("/extensions/5000").status_code == 403


def test_a_user_sees_the_own_phone_and_changes_its_keys_alone(ours: dict[str, Api], admin: Api) -> None:
    bob = ours["user"]
    assert [row["mac"] for row in bob.get("/phones").get_json()["items"]] == [OURS]
    assert bob.put(f"/phones/{OURS}/keys", [{"key": 2, "type": "speed_dial", "value": "112"}]).status_code == 200
    assert bob.get(f"/phones/{OURS}/keys").get_json()[0]["value"] == "112"
    admin.post("/extensions", {"number": "2002", "site": "berlin"})
    admin.post("/phones", {"mac": SEEN_HERE, "model": "acme/a1", "site": "berlin", "lines": [{"line": 1, "extension": "2002"}]})
    assert bob.get(f"/phones/{SEEN_HERE}").status_code == 404
    for method, path in (
        ("PATCH", f"/phones/{OURS}"),
        ("PUT", f"/phones/{OURS}/lines"),
        ("POST", f"/phones/{OURS}/resync"),
        ("GET", "/extensions"),
    ):
        assert bob.send(method, path, json={}).status_code == 403, path
    assert bob.put("/session/password", {"present": PASSWORD, "new": "another horse, another"}).status_code == 204


def test_a_site_that_somebody_is_of_stays(ours: dict[str, Api], admin: Api) -> None:
    admin.delete(f"/phones/{OURS}")
    assert (
        errors(admin.delete("/sites/berlin"))["name"] == "1 extensions and 4 users or tokens are of this site: give them another one first"
    )


def test_a_preview_reaches_no_further_than_the_write(ours: dict[str, Api]) -> None:
    for path, status in ((f"/phones/{THEIRS}", 404), ("/extensions/1001", 404), ("/sites/default", 404), (f"/phones/{OURS}", 200)):
        answer = ours["admin"].post("/preview", {"method": "PATCH", "path": f"/api/v1{path}", "body": {}})
        assert (path, answer.status_code) == (path, status), answer.get_data(as_text=True)
    keys = [{"key": 3, "type": "speed_dial", "value": "112"}]
    for role in ("user", "technician"):
        answer = ours[role].post("/preview", {"method": "PUT", "path": f"/api/v1/phones/{OURS}/keys", "body": keys})
        assert (answer.status_code, answer.get_json()["touched"]) == (200, 1)
    assert ours["viewer"].get(f"/phones/{OURS}/keys").get_json()[0]["value"] == "3000"
    assert ours["user"].post("/preview", {"method": "PATCH", "path": f"/api/v1/phones/{OURS}", "body": {}}).status_code == 403


def test_a_preview_leaves_the_phones_of_another_site_out(ours: dict[str, Api], admin: Api) -> None:
    watching = [{"key": 3, "type": "blf", "value": "2001"}]
    for mac in (THEIRS, OURS):
        assert admin.patch(f"/phones/{mac}", {"keys": watching}).status_code == 200
    meant = {"method": "PATCH", "path": "/api/v1/extensions/2001", "body": {"display_name": "Renamed"}}
    assert {row["mac"] for row in admin.post("/preview", meant).get_json()["phones"]} == {THEIRS, OURS}
    shown = ours["technician"].post("/preview", meant).get_json()
    assert (shown["touched"], shown["looked_at"], [row["mac"] for row in shown["phones"]]) == (1, 1, [OURS])
    listed = {"mac": SEEN_HERE, "model": "acme/a1"}
    (made,) = ours["technician"].post("/preview", {"method": "POST", "path": "/api/v1/phones", "body": listed}).get_json()["phones"]
    assert (made["mac"], made["change"]) == (SEEN_HERE, "listed")


def test_an_extension_on_a_line_of_another_site_stays_without_naming_the_phone(ours: dict[str, Api], admin: Api) -> None:
    admin.delete("/users/bob")
    admin.patch(f"/phones/{THEIRS}", {"lines": [{"line": 1, "extension": "2001"}]})
    answer = ours["admin"].delete("/extensions/2001")
    assert errors(answer) == {"number": "extension 2001 is on a line of a phone beyond your sites: it has to be taken off there first"}
    admin.patch(f"/phones/{THEIRS}", {"lines": []})
    assert OURS.replace(":", "") in errors(ours["admin"].delete("/extensions/2001"))["number"]


def test_nobody_widens_the_own_reach_by_the_networks_of_the_own_site(ours: dict[str, Api], admin: Api) -> None:
    for networks in (["10.2.0.0/16", "10.1.0.0/16"], ["10.1.0.7/32"], [], ["10.2.0.0/16", "nothing"]):
        assert ours["admin"].patch("/sites/berlin", {"trusted_networks": networks}).status_code == 403, networks
    same = ours["admin"].patch("/sites/berlin", {"trusted_networks": ["10.2.0.0/16"], "settings": {"voice_vlan": 20}})
    assert (same.status_code, same.get_json()["settings"]["voice_vlan"]) == (200, 20)
    assert admin.patch("/sites/berlin", {"trusted_networks": ["10.0.0.0/8"]}).status_code == 200
    newest = admin.get("/changes?subject=berlin&limit=1").get_json()["items"][0]["id"]
    assert ours["admin"].post(f"/changes/{newest}/undo").status_code == 403
    assert admin.get("/sites/berlin").get_json()["trusted_networks"] == ["10.0.0.0/8"]


def test_nobody_has_the_own_site_show_people_of_another_one(ours: dict[str, Api], admin: Api) -> None:
    for scope in ("all", "department"):
        assert ours["admin"].patch("/sites/berlin", {"settings": {"phonebook": scope}}).status_code == 403, scope
    assert ours["admin"].patch("/sites/berlin", {"settings": {"phonebook": "site"}}).status_code == 200
    assert admin.patch("/sites/berlin", {"settings": {"phonebook": "all"}}).status_code == 200
    assert ours["admin"].patch("/sites/berlin", {"settings": {"phonebook": "all", "voice_vlan": 20}}).status_code == 200, (
        "it stays as it is"
    )
    assert ours["admin"].patch("/sites/berlin", {"settings": {"phonebook": None}}).status_code == 200, "less is theirs to choose"


def test_a_pool_gives_out_no_extension_of_another_site(ours: dict[str, Api], admin: Api) -> None:
    assert ours["admin"].patch("/sites/berlin", {"pool": "1002-1002"}).status_code == 403
    assert admin.patch("/sites/berlin", {"pool": "1002-1003"}).status_code == 200
    assert ours["admin"].patch("/sites/berlin", {"pool": "1002-1003"}).status_code == 200, "it stays as it is"
    answer = ours["technician"].post(f"/sightings/{SEEN_HERE}/adopt", {"model": "acme/a1"})
    assert [line["extension"] for line in answer.get_json()["lines"]] == ["1003"], "1002 is on no phone, and of the other site"


def test_a_technician_installs_a_phone_of_the_own_site(ours: dict[str, Api]) -> None:
    technician = ours["technician"]
    link = technician.post(f"/phones/{OURS}/install-link", {"hours": 1})
    assert link.status_code == 201
    assert technician.get(f"/phones/{OURS}/install-link").get_json()["state"] == "open"
    sheet = technician.get(f"/phones/{OURS}/sheet?code={link.get_json()['code']}")
    assert link.get_json()["url"] in sheet.get_data(as_text=True)
    assert technician.delete(f"/phones/{OURS}/install-link").status_code == 204
    assert technician.get(f"/phones/{OURS}/lights").get_json()["registered"]["detail"] == "not registered: 2001"
    assert technician.post(f"/phones/{OURS}/test-call").get_json()["test_call"]["detail"] == "it is about to ring"
    assert [row["name"] for row in technician.get(f"/phones/{OURS}/uploads").get_json()] == ["bear.log"]
    assert technician.get(f"/phones/{OURS}/uploads/bear.log").get_json()["content"] == "bear"
    assert technician.delete(f"/phones/{OURS}/uploads/bear.log").status_code == 204


def test_layouts_are_read_by_every_site_and_given_to_phones_of_the_own(ours: dict[str, Api], admin: Api) -> None:
    admin.put("/layouts/Sales", {"keys": [{"key": 2, "type": "speed_dial", "value": "112"}]})
    assert admin.post("/layouts/Sales/phones", {"phones": [THEIRS]}).status_code == 200
    technician = ours["technician"]
    assert technician.post("/layouts/Sales/phones", {"phones": [OURS, THEIRS]}).status_code == 404
    assert technician.get("/layouts/Sales").get_json()["phones"] == 0, "how many phones another site has is not told"
    assert technician.post("/layouts/Sales/phones", {"phones": [OURS]}).get_json() == {"changed": 1}
    assert [(row["name"], row["phones"]) for row in technician.get("/layouts").get_json()["items"]] == [("Sales", 1)]
    laid = technician.get(f"/phones/{OURS}/keys/laid").get_json()
    assert [(key["key"], key["source"]) for key in laid["keys"]] == [(2, "layout"), (3, "own")]
    assert technician.put("/layouts/Sales", {"keys": []}).status_code == 403
    assert ours["admin"].delete("/layouts/Sales").status_code == 403
    assert technician.post(f"/phones/{OURS}/keys/copy", {"phones": [THEIRS], "commit": True}).status_code == 404
    assert technician.post(f"/phones/{OURS}/keys/copy", {"phones": [OURS]}).status_code == 200


def test_an_extension_of_no_site_is_not_made_so_and_stays_so(ours: dict[str, Api], admin: Api) -> None:
    technician = ours["technician"]
    answer = technician.patch("/extensions/2001", {"site": ""})
    assert errors(answer) == {"site": "name one of your sites: an extension of none needs the right to all sites"}
    assert errors(technician.patch(f"/phones/{OURS}", {"site": ""})) == {"site": "name one of your sites"}
    admin.post("/extensions", {"number": "5000"})
    admin.patch(f"/phones/{OURS}", {"lines": [{"line": 1, "extension": "5000"}]})
    assert technician.patch("/extensions/5000", {"site": "", "display_name": "Ours"}).status_code == 200


def test_what_nobody_thought_about_is_refused(installation: Installation) -> None:
    seen = within(installation, Scope(("default",)))
    assert isinstance(seen.store, ScopedStore)
    assert isinstance(seen.changes, ScopedChanges)
    calls: tuple[Callable[..., object], ...] = (
        seen.store.users,
        seen.store.counts,
        seen.store.live_files,
        seen.changes.delete_token,
        seen.changes.unit,
        seen.changes.import_rows,
    )
    for call in calls:
        with pytest.raises(Forbidden):
            call()
    with pytest.raises(Forbidden):
        seen.store.fetches()
    for kind, base in ((ScopedStore, Store), (ScopedChanges, Changes)):
        left = {
            name
            for name in dir(base)
            if not name.startswith("_") and callable(getattr(base, name)) and getattr(kind, name) is getattr(base, name)
        }
        assert left <= {"secret_settings", "secrets_of", "stage_column"}


def test_hot_desks_are_those_of_the_own_site(ours: dict[str, Api], admin: Api) -> None:
    assert {admin.patch(f"/phones/{mac}", {"settings": {"hot_desk": True}}).status_code for mac in (OURS, THEIRS)} == {200}
    technician, _ = ours["technician"], admin.post("/extensions", {"number": "2002", "site": "berlin"})
    assert errors(technician.post(f"/phones/{OURS}/seat", {"extension": "1002"})) == {"extension": "there is no extension 1002"}
    assert [technician.post(f"/phones/{mac}/seat", {"extension": "2002"}).status_code for mac in (THEIRS, OURS)] == [404, 200]
    assert admin.post(f"/phones/{THEIRS}/seat", {"extension": "1002"}).status_code == 200
    assert [row["extension"] for row in technician.get("/seats").get_json()["items"]] == ["2002"]
    assert [technician.delete(f"/phones/{mac}/seat").status_code for mac in (THEIRS, OURS)] == [404, 204]

"""Pages of people who see some sites only: all that they need is there, and nothing of another site is on them."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask

from provisioner.changes import KeyInput, LayoutKeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.models import fetch, phone, sighting
from provisioner.models_enrolment import alarm, bootstrap_refusal, newcomer
from provisioner.models_sightings import evidence
from provisioner.records import ROLES
from provisioner.wiring import Installation
from tests.calls import add_call
from tests.installations import render_all
from tests.web.conftest import PASSWORD, Person, words_in
from web.guard import is_of_installation, role_needed

MARK = "zebra"
"""Stands in every text of the other site."""
THEIRS, OURS, SEEN_HERE = Mac("02acde000077"), Mac("02acde000088"), Mac("02acde000099")
SEEN_THERE = Mac("02acde000066")
NESTED = Mac("02acde000055")
"""Asked from a network of the other site that lies within one of ours."""
BEYOND = (MARK, "77001", "77002", "10.1.0.", "10.2.9.", *(text for mac in (THEIRS, SEEN_THERE, NESTED) for text in (mac, mac.colons)))
WORKERS = ("viewer", "technician", "admin")


@pytest.fixture
def two_sites(installation: Installation) -> None:
    changes = installation.changes
    changes.update_site(
        "tests",
        "default",
        {"trusted_networks": ["10.1.0.0/16", "10.2.9.0/24"], "settings": {"ntp_server": f"{MARK}.example"}, "enrolment": "window"},
    )
    changes.create_site("tests", "berlin", {"trusted_networks": ["10.2.0.0/16"], "enrolment": "window"})
    changes.create_site("tests", f"{MARK}-site", {})
    changes.put_group("tests", f"{MARK}-group", {})
    changes.put_group("tests", "our-group", {})
    changes.put_layout("tests", "Sales", [LayoutKeyInput(2, "speed_dial", "112", "Help")])
    for number, site, mark in (("77001", "default", MARK), ("77002", "default", MARK), ("88001", "berlin", "bear")):
        more = {"email": f"{mark}@example.org", "department": f"{mark}-department"}
        changes.create_extension("tests", number, site=site, display_name=f"{mark}-name", **more)
    for mac, site, number, group in ((THEIRS, "default", "77001", f"{MARK}-group"), (OURS, "berlin", "88001", "our-group")):
        lines, keys = [LineInput(1, number)], [KeyInput(3, "blf", "88001", "Key")]
        changes.create_phone("tests", mac, PhoneInput(model="acme/a1", site=site, group=group, lines=lines, keys=keys))
        changes.assign_layout("tests", [mac], "Sales")
    render_all(installation)
    _observed(installation)
    add_call(installation.database, caller="77001", caller_name=MARK, called="77002")
    add_call(installation.database, caller="88001", caller_name="bear-name", called="0800")
    for role in WORKERS:
        changes.create_user("tests", f"berlin-{role}", {"role": role, "password": PASSWORD, "sites": ["berlin"]})


def _observed(installation: Installation) -> None:
    seen = {"vendor": "acme", "model": "a1", "firmware": "", "first_seen": 1.0, "last_seen": 2.0, "count": 1, "conflict": ""}
    now = installation.changes.clock()
    came = {"user_agent": "", "transport": "http", "first_at": now, "count": 1, "waits": True, "outcome": "it waits to be claimed"}
    scan = {"at": now, "part": "phones", "kind": "address", "macs": 40, "until": now + 600}
    asked = {"at": 1.0, "name": "a.cfg", "transport": "http", "method": "GET", "reason": "served", "sha256": "", "bytes": 1}
    with installation.database.write() as connection:
        connection.execute(sighting.insert().values(mac=SEEN_THERE, peer="10.1.0.7", **seen))
        connection.execute(sighting.insert().values(mac=SEEN_HERE, peer="10.2.0.7", **seen))
        for mac, peer in (
            (SEEN_THERE, "10.1.0.7"),
            (SEEN_HERE, "10.2.0.7"),
            (NESTED, "10.2.9.7"),
            (THEIRS, "10.2.0.8"),
            (OURS, "10.1.0.9"),
        ):
            connection.execute(newcomer.insert().values(mac=mac, peer=peer, at=now, **came))
        connection.execute(sighting.insert().values(mac=NESTED, peer="10.2.9.7", **seen))
        connection.execute(
            evidence.insert().values(mac=SEEN_HERE, source="fetch", fact="address", value="10.1.0.44", confidence=50, at=1.0)
        )
        connection.execute(
            bootstrap_refusal.insert().values(
                mac=THEIRS, reason="replayed", peer="10.2.0.9", user_agent="", first_at=now, at=now + 9, count=1
            )
        )
        for peer in ("10.1.0.66", "10.2.0.66"):
            connection.execute(alarm.insert().values(scope=peer, **scan))
        connection.execute(fetch.insert().values(mac=THEIRS, peer="10.1.0.8", user_agent=MARK, duration_ms=1.0, **asked))
        connection.execute(phone.update().values(error="a template failed"))


def _addresses(app: Flask, *, ours: bool) -> list[tuple[str, str, bool, bool]]:
    """Returns (address, role, of the whole installation, names a thing of a site) of every page."""
    found = []
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("web.") or "GET" not in (rule.methods or ()):
            continue
        noun = rule.rule.split("/")[1]
        mac = (SEEN_HERE if ours else SEEN_THERE) if noun == "seen" else (OURS if ours else THEIRS)
        names = {"sites": "berlin" if ours else "default", "groups": "our-group" if ours else f"{MARK}-group", "models": "a1"}
        values = {"mac": mac.colons, "number": "88001" if ours else "77001", "name": names.get(noun, "Sales"), "vendor": "acme"}
        values |= {"change": _change_of(app, OURS if ours else THEIRS), "call": _call_of(app, "88001" if ours else "77001")}
        address = re.sub(r"<(?:\w+:)?(\w+)>", lambda part, values=values: values[part[1]], rule.rule)
        view = app.view_functions[rule.endpoint]
        is_named = bool({"mac", "number", "change", "call"} & rule.arguments) or (noun in {"sites", "groups"} and "name" in rule.arguments)
        found.append((address, role_needed(view, "GET"), is_of_installation(view), is_named))
    return found


def _change_of(app: Flask, mac: Mac) -> str:
    rows = app.extensions["provisioner"].store.changes(subject=mac)
    return str(next(row.id for row in rows if row.action == "phone.create"))


def _call_of(app: Flask, number: str) -> str:
    [record] = app.extensions["provisioner"].store.calls(extension=number)
    return str(record.number)


def _said_of_beyond(text: str) -> list[str]:
    return [word for word in BEYOND if word in text]


@pytest.mark.parametrize("role", WORKERS)
def test_every_page_of_ones_own_site_is_there_and_says_nothing_of_another(app: Flask, two_sites: None, role: str) -> None:
    person, looked = Person(app, f"berlin-{role}"), 0
    for address, needed, is_whole, _is_named in _addresses(app, ours=True):
        if (
            address.startswith(("/sign-in", "/sign-out")) or address == "/you/codes"
        ):  # away to another page: nobody has to sign in, or set up codes
            continue
        answer = person.get(address)
        may = needed == "nobody" or ROLES.index(needed) <= ROLES.index(role)
        assert answer.status_code == (200 if may and not is_whole else 403), (address, words_in(answer))
        assert _said_of_beyond(answer.text) == [], address
        looked += answer.status_code == 200
    assert looked > 15


@pytest.mark.parametrize("role", WORKERS)
def test_every_link_from_the_navigation_on_opens_and_leads_nowhere_else(app: Flask, two_sites: None, role: str) -> None:
    person, todo, seen = Person(app, f"berlin-{role}"), ["/"], {"/"}
    while todo:
        address = todo.pop()
        answer = person.get(address)
        assert answer.status_code == 200, (role, address, words_in(answer))
        assert _said_of_beyond(answer.text) == [], (role, address)
        links = {html.unescape(link).partition("#")[0] for link in re.findall(r'<a [^>]*href="(/[^"]*)"', answer.text)}
        todo += sorted(links - seen)
        seen |= links
    assert role == "viewer" or {"/enrolment", f"/seen/{SEEN_HERE.colons}"} <= seen
    assert {"/phones", "/seen", "/extensions", "/layouts", "/sites", "/models", "/changes", "/calls", "/help", "/you"} <= seen
    assert {f"/phones/{OURS.colons}", "/extensions/88001", "/sites/berlin", "/layouts/Sales"} <= seen


@pytest.mark.parametrize("role", WORKERS)
def test_what_is_of_another_site_is_not_there(app: Flask, two_sites: None, role: str) -> None:
    person = Person(app, f"berlin-{role}")
    for address, _needed, _is_whole, is_named in _addresses(app, ours=False):
        if is_named:
            assert person.get(address).status_code in {403, 404}, address
    for query in (
        "/phones?search=77001",
        "/phones?site=default",
        f"/extensions?search={MARK}",
        f"/changes?subject={THEIRS.colons}",
        "/calls?extension=77001",
    ):
        assert _said_of_beyond(words_in(person.get(query))) == [], query


def test_first_page_has_ones_own_numbers(app: Flask, two_sites: None, admin: Person) -> None:
    assert "2 phones" in words_in(admin.get("/"))
    words = words_in(Person(app, "berlin-viewer").get("/"))
    assert "1 phone " in words and f"{OURS.colons} is held" in words
    assert "Last changed by people" in words and "Last asked for by phones" not in words and "No PBX is kept" not in words


def test_many_phones_are_worked_on_within_ones_sites(app: Flask, two_sites: None, installation: Installation) -> None:
    person, store = Person(app, "berlin-technician"), installation.store
    assert person.post("/phones/many", action="disable", mac=OURS, sure="yes").status_code == 303
    assert person.post("/phones/many", action="resync", all="yes").status_code == 303
    assert person.post("/phones/many", action="group", all="yes", group_to="", sure="yes").status_code == 303
    ours, theirs = store.phone(OURS), store.phone(THEIRS)
    assert ours and not ours.enabled and ours.group is None
    assert theirs and theirs.enabled and theirs.group == f"{MARK}-group"
    assert [row.subject for row in store.changes() if row.action == "phone.resync"] == [OURS]


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "disable", "mac": THEIRS},
        {"action": "resync", "mac": THEIRS},
        {"action": "move", "mac": OURS, "site_to": "default"},
        {"action": "group", "mac": OURS, "group_to": f"{MARK}-group"},
        {"action": "layout", "mac": THEIRS, "layout_to": ""},
    ],
    ids=["switch", "wake", "move away", "foreign group", "layout"],
)
def test_nothing_is_done_to_many_beyond_ones_sites(app: Flask, two_sites: None, installation: Installation, fields: dict[str, str]) -> None:
    person, newest = Person(app, "berlin-technician"), installation.store.changes(limit=1)
    before = [installation.store.phone(mac) for mac in (OURS, THEIRS)]
    assert person.post("/phones/many", sure="yes", **fields).status_code == 422
    assert [installation.store.phone(mac) for mac in (OURS, THEIRS)] == before
    kept = [row.action for row in installation.store.changes(limit=5) if row.id > newest[0].id]
    assert set(kept) <= {"session.open"}


def test_phones_are_taken_in_at_ones_own_site(app: Flask, two_sites: None, installation: Installation) -> None:
    person = Person(app, "berlin-technician")
    words = words_in(person.get("/enrolment"))
    assert SEEN_HERE.colons in words and installation.box.waiting_code(SEEN_HERE) in words and "10.2.0.66" in words
    assert OURS.colons not in words, "who lists a MAC does not learn that it asks at another site"
    assert "first fetches are frozen" in words_in(person.get("/"))
    assert person.post("/enrolment/window", site="berlin", minutes="30", phones="3").status_code == 303
    assert "0 of 3 came in" in words_in(person.get("/enrolment"))
    for path, fields in (("/enrolment/window", {"minutes": "30", "phones": "3"}), ("/enrolment/window/close", {})):
        assert person.post(path, site="default", **fields).status_code in {404, 422}, path
    assert [row.site for row in installation.store.windows()] == ["berlin"]
    assert person.post("/enrolment/window/close", site="berlin").status_code == 303
    assert person.post("/enrolment/open-again", mac=THEIRS).status_code == 404
    for mac in (SEEN_THERE, NESTED):
        assert person.post(f"/seen/{mac.colons}", model="acme/a1", site="berlin").status_code == 404
    assert person.post(f"/seen/{SEEN_HERE.colons}", model="acme/a1", site="default").status_code == 422
    assert person.post(f"/seen/{SEEN_HERE.colons}", model="acme/a1", **{"line.1.extension": "77001"}).status_code == 422
    assert person.post(f"/seen/{SEEN_HERE.colons}", model="acme/a1").status_code == 303
    taken = installation.store.phone(SEEN_HERE)
    assert taken is not None and taken.site == "berlin"


def test_phone_is_taken_in_at_the_one_of_several_own_sites_where_it_was_seen(
    app: Flask, two_sites: None, installation: Installation
) -> None:
    installation.changes.create_user("tests", "of-two", {"role": "technician", "password": PASSWORD, "sites": [f"{MARK}-site", "berlin"]})
    assert Person(app, "of-two").post(f"/seen/{SEEN_HERE.colons}", model="acme/a1").status_code == 303
    taken = installation.store.phone(SEEN_HERE)
    assert taken is not None and taken.site == "berlin"


def test_code_that_was_dialled_at_another_site_does_not_show_the_phone(app: Flask, two_sites: None, installation: Installation) -> None:
    changes = installation.changes
    code, _ends = changes.make_claim_code("tests", "88001", 5)
    assert changes.claim_by_code(SEEN_THERE, code, PhoneInput(model="acme/a1", site="default")) is not None
    person = Person(app, "berlin-technician")
    for path in ("/enrolment", "/changes"):
        answer = person.get(path)
        assert "88001" in words_in(answer) and _said_of_beyond(answer.text) == [], path
    assert SEEN_THERE.colons in words_in(Person(app, "technician").get("/enrolment"))


def test_forms_of_the_whole_installation_are_refused_and_not_offered(app: Flask, two_sites: None, installation: Installation) -> None:
    person = Person(app, "berlin-admin")
    newest = installation.store.changes(limit=1)[0].id
    for path in (
        "/pbx/restart", "/pbx/plan", "/import", "/people/new", "/people/tokens", "/departments", "/sites", "/groups",
        "/groups/our-group/settings", "/sites/berlin/delete", "/layouts", "/layouts/Sales",
    ):  # fmt: skip
        answer = person.post(path, save="yes")
        assert answer.status_code == 403 and "whole installation" in words_in(answer), path
    assert installation.store.changes(limit=1)[0].id == newest
    text = person.get("/").text
    assert 'href="/phones"' in text
    assert not re.search(r'href="/(pbx|people|import)"', text)


def test_extension_of_no_site_is_not_offered_to_those_of_some_sites(app: Flask, two_sites: None) -> None:
    technician = Person(app, "berlin-technician")
    for path in ("/extensions/new", "/extensions/88001"):
        words = words_in(technician.get(path))
        assert "berlin" in words and "No site" not in words, path


def test_refusal_of_a_write_is_a_page_that_says_so(app: Flask, two_sites: None, installation: Installation) -> None:
    installation.changes.create_extension("tests", "5000")
    for mac in (THEIRS, OURS):
        installation.changes.update_phone("tests", mac, PhoneInput(lines=[LineInput(1, "5000")]))
    answer = Person(app, "berlin-technician").post("/extensions/5000", display_name="Ours")
    assert answer.status_code == 403 and "Not allowed" in words_in(answer)

"""Installing a phone: which extension, which phone, what is then so of it; and bringing one up that is far away."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from provisioner.changes import LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.models import sighting
from provisioner.models_enrolment import newcomer
from provisioner.models_testcall import test_call
from provisioner.wiring import Installation
from provisioner.worker import trying
from tests.installations import render_all
from tests.web.conftest import BARE, MAC, PASSWORD, Person, words_in

FRESH, OTHER = Mac("02acde00aa01"), Mac("02acde00bb02")


@pytest.fixture
def tech(app: Flask) -> Person:
    return Person(app, "technician")


def seen(installation: Installation, mac: Mac, at: float = 5.0, conflict: str = "", model: str = "a1", **waiting: object) -> None:
    row = {"vendor": "acme", "model": model, "firmware": "1.2", "peer": "192.168.1.20", "first_seen": 1.0, "last_seen": at, "count": 1}
    asked = {"peer": "192.168.1.20", "user_agent": "", "transport": "http", "first_at": 1.0, "at": at, "count": 1, "waits": False}
    with installation.database.write() as connection:
        connection.execute(sighting.insert().values(mac=mac, conflict=conflict, **row))
        if waiting:
            connection.execute(newcomer.insert().values(mac=mac, **{**asked, **waiting}))


def part(answer: TestResponse, pattern: str) -> str:
    """Returns what the one group of a pattern finds on a page."""
    found = re.search(pattern, answer.text, re.DOTALL)
    assert found, answer.text
    return html.unescape(found[1])


def links_of(text: str, pattern: str) -> list[str]:
    return [html.unescape(link) for link in re.findall(rf'href="({pattern})"', text)]


def test_extensions_without_a_phone_come_first_and_a_search_finds_the_others(tech: Person, phone: Mac, installation: Installation) -> None:
    for number, name in (("1000", "Zed"), ("1002", "Bob")):
        installation.changes.create_extension("tests", number, display_name=name)
    assert links_of(tech.get("/install").text, "/install/[0-9]+") == ["/install/1000", "/install/1002", "/install/1001"]
    answer = tech.get("/install?search=alice")
    assert links_of(answer.text, "/install/[0-9]+") == ["/install/1001"] and phone.colons in words_in(answer)
    assert "No extension fits." in words_in(tech.get("/install?search=nobody"))


def test_phone_that_was_seen_is_installed_by_one_confirmation(tech: Person, installation: Installation) -> None:
    seen(installation, FRESH, waits=True)
    seen(installation, OTHER, at=9.0)
    answer = tech.get("/install/1001")
    assert links_of(answer.text, '/install/1001/02:[^"]*') == [f"/install/1001/{mac.colons}" for mac in (OTHER, FRESH)]
    assert installation.box.waiting_code(FRESH) in words_in(answer)
    sure = tech.get(f"/install/1001/{FRESH.colons}")
    fields = dict(re.findall(r'<input type="hidden" name="(model|site)" value="([^"]*)"', sure.text))
    assert fields == {"model": "acme/a1", "site": "default"}
    answer = tech.post(f"/install/1001/{FRESH.colons}", **fields)
    assert answer.status_code == 303 and answer.headers["Location"] == f"/install/1001/{FRESH.colons}"
    record = installation.store.phone(FRESH)
    assert record and [line.extension for line in record.lines] == ["1001"] and record.firmware == "1.2"
    assert "Four lights" in words_in(tech.get(f"/install/1001/{FRESH.colons}"))


def test_label_says_which_phone(tech: Person, installation: Installation) -> None:
    seen(installation, FRESH)
    for text in (
        "00aa01",
        "00:AA:01",
        FRESH.colons.upper(),
        "SN 3146019031602345 MAC:02ACDE00AA01",
        "314601903160 02acde00aa01",
        "024601903160 02acde00aa01",
    ):
        answer = tech.client.get("/install/1001", query_string={"phone": text})
        assert answer.status_code == 303 and answer.headers["Location"] == f"/install/1001/{FRESH.colons}", text


def test_digits_that_two_phones_end_with_let_one_choose(tech: Person, phone: Mac, installation: Installation) -> None:
    seen(installation, Mac("0004f2000001"))
    answer = tech.get(f"/install/1001?phone={phone[6:]}")
    assert "Several end so" in words_in(answer)
    assert {f"/install/1001/{mac}" for mac in (MAC, "00:04:f2:00:00:01")} <= set(links_of(answer.text, '/install/1001/[^"]*'))


def test_digits_that_mean_no_phone_are_told(tech: Person) -> None:
    for text in ("abc", "zzzzzz", "aabbcc", "12345678", "<b>", "314601903160"):
        answer = tech.client.get("/install/1001", query_string={"phone": text})
        assert answer.status_code == 422 and 'id="e-phone"' in answer.text and "<b>" not in answer.text.partition("<main")[2][:400], text


def test_phone_whose_evidence_disagrees_needs_its_model_said(tech: Person, installation: Installation) -> None:
    seen(installation, FRESH, conflict="its MAC is one of another maker")
    address = f"/install/1001/{FRESH.colons}"
    assert "its MAC is one of another maker" in words_in(tech.get(address))
    assert tech.post(address, site="default").status_code == 422 and installation.store.phone(FRESH) is None
    assert tech.post(address, site="default", model="acme/a1").status_code == 303


def test_next_free_extension_of_the_pool_is_put_on(tech: Person, installation: Installation) -> None:
    assert tech.get("/install/next?site=default").status_code == 404
    installation.changes.update_site("tests", "default", {"pool": "2000-2009"})
    seen(installation, FRESH)
    assert "/install/next?site=default" in links_of(tech.get("/install").text, '/install/next[^"]*')
    address = f"/install/next/{FRESH.colons}?site=default"
    assert address in links_of(tech.get("/install/next?site=default").text, '/install/next/[^"]*')
    assert tech.post(address, model="acme/a1", site="elsewhere").headers["Location"] == f"/install/2000/{FRESH.colons}"


def test_listed_phone_gets_the_extension_and_is_let_in_again_only_once_it_is_looked_at(
    tech: Person, phone: Mac, installation: Installation
) -> None:
    installation.changes.create_extension("tests", "1002")
    given = PhoneInput(lines=[LineInput(1, "1001"), LineInput(2, "1001", "Second")])
    installation.changes.update_phone("tests", phone, given)
    asked = {"peer": "10.0.0.1", "user_agent": "", "transport": "http", "first_at": 1.0, "at": 2.0, "count": 1, "waits": True}
    with installation.database.write() as connection:
        connection.execute(newcomer.insert().values(mac=phone, **asked))
    assert "It asks as a fresh phone does" in words_in(tech.get(f"/phones/{MAC}/install"))
    assert "It is listed already" in words_in(tech.get(f"/install/1002/{MAC}"))
    assert tech.post(f"/install/1002/{MAC}").status_code == 303
    record = installation.store.phone(phone)
    assert record and [(line.extension, line.label) for line in record.lines] == [("1002", ""), ("1001", "Second")]
    assert installation.store.changes(limit=1)[0].action == "phone.update", "somebody else may ask in its name"
    assert "Is it the phone before you?" in words_in(tech.get(f"/install/1002/{MAC}"))


def test_code_is_shown_once_and_the_page_goes_on_when_the_phone_is_there(tech: Person, installation: Installation) -> None:
    assert "Dial a code" not in words_in(tech.get("/install/1001"))
    installation.changes.update_site("tests", "default", {"enrolment": "claim"})
    assert "Dial a code" in words_in(tech.get("/install/1001"))
    answer = tech.post("/install/1001/code")
    dial = re.sub(r"<[^>]*>|\s", "", part(answer, r'class="dial"[^>]*>(.*?)</p>'))
    came = part(answer, r'hx-get="(/install/1001/came[^"]*)"')
    assert "Waiting until the code is dialled" in words_in(tech.get(came))
    taken = installation.changes.claim_by_code(FRESH, dial.removeprefix("*55"), PhoneInput(model="acme/a1", site="default"))
    assert taken is not None
    assert "The phone is here." in words_in(tech.get(came))
    answer = tech.get(came, **{"HX-Request": "true"})
    assert answer.status_code == 204 and answer.headers["HX-Redirect"] == f"/install/1001/{FRESH.colons}"


def test_test_call_is_asked_for_and_told_of(tech: Person, phone: Mac, installation: Installation) -> None:
    back = f"/install/1001/{MAC}"
    assert tech.post(f"/phones/{MAC}/test-call", back=back).headers["Location"] == back
    assert "It is about to ring." in words_in(tech.get(back))
    assert tech.post(f"/phones/{MAC}/test-call", back=back).status_code == 422
    for state, detail, words in (
        ("failed", trying.WORDS["BUSY"], "It is busy"),
        ("heard", "", "It rang, was answered, and said its number."),
    ):
        with installation.database.write() as connection:
            connection.execute(test_call.update().values(state=state, detail=detail))
        assert words in words_in(tech.get(back))


def test_install_link_is_shown_once_and_withdrawn(tech: Person, phone: Mac, installation: Installation) -> None:
    render_all(installation)
    answer = tech.post(f"/phones/{MAC}/link", hours="5")
    url = part(answer, r'class="once">([^<]*)<')
    code = url.rstrip("/").rpartition("/")[2]
    assert answer.status_code == 200 and len(code) == 10
    shown = tech.get(f"/phones/{MAC}/install")
    assert code not in shown.text and "Not used yet" in words_in(shown)
    assert tech.post(f"/phones/{MAC}/sheet", language="fi", code=code).data.startswith(b"%PDF")
    assert tech.post(f"/phones/{MAC}/sheet", language="xx").status_code == 422
    assert tech.post(f"/phones/{MAC}/link", hours="9999").status_code == 422
    assert tech.post(f"/phones/{MAC}/link/withdraw").status_code == 303
    assert tech.post(f"/phones/{MAC}/sheet", language="fi", code=code).status_code == 422


def test_what_is_of_another_site_is_out_of_reach(app: Flask, phone: Mac, installation: Installation) -> None:
    changes = installation.changes
    changes.create_site("tests", "berlin", {"trusted_networks": ["10.2.0.0/16"]})
    changes.create_extension("tests", "88001", site="berlin")
    changes.create_user("tests", "theirs", {"role": "technician", "password": PASSWORD, "sites": ["berlin"]})
    seen(installation, FRESH, waits=True)
    person = Person(app, "theirs")
    assert links_of(person.get("/install").text, "/install/[0-9]+") == ["/install/88001"]
    assert FRESH.colons not in person.get("/install/88001").text
    assert person.get(f"/install/88001?phone={FRESH[6:]}").status_code == 422
    assert "Last seen" not in words_in(person.get(f"/install/88001/{FRESH.colons}"))
    for form in (
        f"/install/88001/{MAC}",
        f"/install/1001/{FRESH.colons}",
        "/install/1001/code",
        f"/phones/{MAC}/link",
        f"/phones/{MAC}/test-call",
    ):
        assert person.post(form, model="acme/a1", site="berlin").status_code in {404, 409, 422}, form
    assert person.post(f"/install/88001/{OTHER.colons}", model="acme/a1", site="default").status_code == 422
    record = installation.store.phone(BARE)
    assert record and [line.extension for line in record.lines] == ["1001"] and installation.store.phone(FRESH) is None

"""Taking phones in, watched: windows, codes, newcomers, refused first fetches, scans for MACs."""

from __future__ import annotations

from flask import Flask

from provisioner.changes import PhoneInput
from provisioner.core.mac import Mac
from provisioner.core.values import Reason
from provisioner.models_enrolment import alarm, bootstrap_refusal, newcomer
from provisioner.wiring import Installation
from tests.web.conftest import MAC, PASSWORD, Person, words_in

FRESH = Mac("02acde00aa01")


def test_window_is_opened_within_bounds_and_closed(app: Flask, installation: Installation) -> None:
    tech = Person(app, "technician")
    assert "No site takes phones in by a window." in words_in(tech.get("/enrolment"))
    installation.changes.update_site("tests", "default", {"enrolment": "window"})
    answer = tech.post("/enrolment/window", site="default", minutes="9999", phones="x")
    assert answer.status_code == 422 and "A whole number is needed." in words_in(answer) and 'value="9999"' in answer.text
    assert tech.post("/enrolment/window", site="default", minutes="9999", phones="3").status_code == 422
    assert tech.post("/enrolment/window", site="default", minutes="30", phones="3").status_code == 303
    words = words_in(tech.get("/enrolment"))
    assert "0 of 3 came in" in words and "in 30 minutes" in words
    assert tech.post("/enrolment/window/close", site="default").status_code == 303
    assert installation.store.windows() == [] and "Close it now" not in words_in(tech.get("/enrolment"))


def test_codes_are_shown_with_what_became_of_them(app: Flask, installation: Installation) -> None:
    changes = installation.changes
    for number in ("1002", "1003"):
        changes.create_extension("tests", number)
    changes.make_claim_code("user:old", "1001", 5)
    changes.make_claim_code("user:new", "1001", 5)
    used, _ = changes.make_claim_code("user:bob", "1002", 5)
    assert changes.claim_by_code(FRESH, used, PhoneInput(model="acme/a1", site="default")) is not None
    tech = Person(app, "technician")
    words = words_in(tech.get("/enrolment"))
    assert "1002 Used" in words and FRESH.colons in words and used not in words
    assert words.index("1001 To be dialled") < words.index("1001 Replaced")
    changes.make_claim_code("user:bob", "1003", 1)
    with installation.database.write() as connection:
        connection.exec_driver_sql("UPDATE change SET at = at - 120 WHERE action = 'claim_code.make' AND subject = '1003'")
    assert "1003 Expired" in words_in(tech.get("/enrolment"))


def test_who_was_not_let_in_is_shown_and_a_first_fetch_opened_again(app: Flask, phone: Mac, installation: Installation) -> None:
    now = installation.changes.clock()
    asked = {"peer": "10.0.0.9", "user_agent": "", "first_at": now, "at": now + 1, "count": 3}
    scan = {"at": now, "part": "phones", "kind": "address", "scope": "10.0.0.66", "macs": 40, "until": now + 600}
    with installation.database.write() as connection:
        connection.execute(newcomer.insert().values(mac=FRESH, transport="http", waits=True, outcome="it waits to be claimed", **asked))
        connection.execute(bootstrap_refusal.insert().values(mac=phone, reason=Reason.REPLAYED, **asked))
        connection.execute(alarm.insert().values(**scan))
    tech = Person(app, "technician")
    words = words_in(tech.get("/enrolment"))
    for text in (
        installation.box.waiting_code(FRESH),
        "It waits to be claimed.",
        "Another address has taken its file",
        "10.0.0.66",
        "40 unlisted MACs from one address",
    ):
        assert text in words, text
    first = words_in(tech.get("/"))
    assert "first fetches are frozen" in first and f"{MAC} was refused its first fetch" in first
    assert tech.post("/enrolment/open-again", mac=phone).status_code == 303
    assert installation.store.changes(limit=1)[0].action == "phone.reopen"
    installation.changes.create_user("tests", "theirs", {"role": "technician", "password": PASSWORD, "sites": ["default"]})
    person = Person(app, "theirs")
    assert FRESH.colons in words_in(person.get("/enrolment")) and "/enrolment" in person.get("/").text

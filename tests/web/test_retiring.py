"""Taking a phone out of service on its page, and back."""

from __future__ import annotations

from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.models import served_file
from provisioner.wiring import Installation
from tests.installations import render_all
from tests.web.conftest import BARE, HTML, MAC, Person, words_in


def test_phone_is_retired_from_its_page_after_a_word_on_what_happens(admin: Person, phone: Mac, installation: Installation) -> None:
    words = words_in(admin.get(f"/phones/{MAC}/more"))
    assert "new SIP passwords" in words and "logins as from the factory" in words and "Yes, empty it" in words
    answer = admin.post(f"/phones/{MAC}/retire")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/phones/{MAC}")
    record = installation.store.phone(BARE)
    assert record and record.retired_at and record.lines == ()
    answer = admin.get(f"/phones/{MAC}")
    words = words_in(answer)
    assert "Being emptied" in words and "It is taken out of service, and has not fetched the files that empty it yet." in words
    assert "None: they were taken from it." in words and f"/phones/{MAC}/edit" not in answer.text
    assert "Being emptied" in words_in(admin.get("/phones?stage=retiring"))


def test_page_says_when_it_was_emptied_and_warns_before(admin: Person, phone: Mac, installation: Installation) -> None:
    installation.changes.retire_phone("tests", BARE)
    render_all(installation)
    assert "Once it is off the list it cannot any more." in words_in(admin.get(f"/phones/{MAC}/more"))
    with installation.database.write() as connection:
        for file in installation.store.live_files([BARE]):
            row = {"mac": BARE, "name": file.name, "sha256": file.sha256, "at": 1.0, "since": 1.0}
            connection.execute(served_file.insert().values(**row))
    words = words_in(admin.get(f"/phones/{MAC}"))
    assert "Out of service" in words and "It can go." in words
    words = words_in(admin.get(f"/phones/{MAC}/more"))
    assert "it cannot any more" not in words and "Swap for another phone" not in words
    assert admin.post(f"/phones/{MAC}/delete").status_code == 303 and installation.store.phone(BARE) is None


def test_phone_is_taken_back(admin: Person, phone: Mac, installation: Installation) -> None:
    admin.post(f"/phones/{MAC}/retire")
    assert "Take it back" in words_in(admin.get(f"/phones/{MAC}"))
    assert admin.post(f"/phones/{MAC}/reinstate").status_code == 303
    record = installation.store.phone(BARE)
    assert record and record.retired_at is None and [line.extension for line in record.lines] == ["1001"]
    words = words_in(admin.get("/changes"))
    assert "Took out of service" in words and "Took back into service" in words


def test_what_cannot_be_is_told_on_the_page(admin: Person, phone: Mac, installation: Installation) -> None:
    answer = admin.post(f"/phones/{MAC}/reinstate")
    assert answer.status_code == 422 and "is in service" in words_in(answer)
    installation.changes.create_extension("tests", "1009")
    installation.changes.update_phone("tests", BARE, PhoneInput(lines=[LineInput(1, "1009")]))
    admin.post(f"/phones/{MAC}/retire")
    answer = admin.post(f"/phones/{MAC}/retire")
    assert answer.status_code == 422 and "is taken out of service already" in words_in(answer)
    installation.changes.delete_extension("tests", "1009")
    answer = admin.post(f"/phones/{MAC}/reinstate")
    assert answer.status_code == 422 and "there is no extension 1009" in words_in(answer)
    answer = admin.post(f"/phones/{MAC}/settings", setting="voice_vlan", value="9")
    assert answer.status_code == 422 and "take it back into service first" in words_in(answer)


def test_viewer_sees_it_and_is_offered_nothing(app, admin: Person, phone: Mac, installation: Installation) -> None:
    admin.post(f"/phones/{MAC}/retire")
    viewer = Person(app, "viewer")
    words = words_in(viewer.get(f"/phones/{MAC}"))
    assert "Being emptied" in words and "Take it back" not in words
    assert viewer.post(f"/phones/{MAC}/reinstate").status_code == 403
    assert viewer.post(f"/phones/{MAC}/retire").status_code == 403


def test_copies_of_keys_pass_it_over_and_say_why_in_the_readers_language(admin: Person, phone: Mac, installation: Installation) -> None:
    other = Mac("02acde000002")
    installation.changes.update_phone("tests", phone, PhoneInput(keys=[KeyInput(3, "blf", "1001")]))
    installation.changes.create_phone("tests", other, PhoneInput(model="acme/a1"))
    installation.changes.retire_phone("tests", other)
    chosen = {"csrf_token": admin.token, "place": "0.3", "mac": other}
    shown = admin.client.post(f"/phones/{MAC}/keys/copy", data=chosen, headers={**HTML, "Accept-Language": "nl"})
    assert shown.status_code == 200 and "deze telefoon is buiten gebruik genomen: neem hem eerst weer in gebruik" in words_in(shown)

"""The pages of notices: who is told by e-mail and which programs by webhooks, what came of it, and a test of each."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from flask import Flask

from provisioner.admin import create_app
from provisioner.changes.mail import DEFAULT_EVENTS
from provisioner.setting_values import Bind
from provisioner.webhooks import Webhooks
from provisioner.webhooks.rounds import BACKOFF_S
from provisioner.webhooks.sending import Result
from provisioner.wiring import Installation
from tests.engines import Clock
from tests.mailing.servers import mail_box
from tests.web.conftest import PASSWORD, TEMPLATES, Person, words_in
from web.told import KINDS, TROUBLES, not_offered, told_of
from web.words import ACTIONS

OFFICE = "office@example.com"
URL = "https://helpdesk.example.org/provisioner?key=of-theirs"
TAKEN = Result(204, "")


def recipient(installation: Installation, **more: object) -> int:
    return installation.changes.create_mail_recipient("tests", {"address": OFFICE, **more}).id


def with_server(installation: Installation, port: int) -> Person:
    """Returns an admin at pages whose mail server is on this machine."""
    settings = replace(installation.settings, mail_server=Bind("127.0.0.1", port), mail_security="none", mail_from="phones@example.com")
    app = create_app(replace(installation, settings=settings))[0]
    app.jinja_env.bytecode_cache = TEMPLATES
    return Person(app, "admin")


def deliver(installation: Installation, *results: Result) -> None:
    """Sends what is due, a round for each result."""
    for result in results:
        Webhooks(installation.store, installation.changes, (), lambda *_args, result=result: result).round()


def ticked_on(text: str) -> list[str]:
    """Returns the events that are ticked on a form."""
    return re.findall(r'name="events" value="([^"]+)" checked', html.unescape(text))


def test_every_action_can_be_ticked_by_itself_or_with_its_kind() -> None:
    assert set(TROUBLES) == set(DEFAULT_EVENTS)
    assert {action for action in ACTIONS if action not in TROUBLES and f"{action.partition('.')[0]}.*" not in KINDS} == set()
    assert {kind for kind in KINDS if not any(action.startswith(kind[:-1]) for action in ACTIONS)} == set()


def test_what_somebody_is_told_of_is_summed_up(app: Flask) -> None:
    with app.app_context():
        assert told_of(["phone.*", "*"]) == "Everything"
        assert told_of(sorted(DEFAULT_EVENTS)) == "Trouble, and its end"
        assert told_of(["disk.low", "phone.reboot"]) == "The disk is nearly full · Restarted phone"
        assert told_of(["call.*"]) == "An emergency number is dialled: told at once" and told_of(["none.*"]) == "none.*"
        assert told_of(["disk.low", "site.*", "a.b", "c.d"]) == "The disk is nearly full · Sites, and 2 more"
    assert not_offered(["*", "disk.low", "site.*", "phone.swap", "no.such"]) == ["phone.swap", "no.such"]


def test_page_says_what_to_set_before_anybody_can_be_told(admin: Person, installation: Installation) -> None:
    words = words_in(admin.get("/notices"))
    assert "No mail server is set" in words and "PROVISIONER_MAIL_SERVER=mail.example.com:587" in words
    assert "Nobody is told by e-mail." in words and "No program is told." in words
    number = recipient(installation)
    assert "Send a test" not in words_in(admin.get("/notices"))
    refused = admin.post(f"/notices/recipients/{number}/test")
    assert refused.status_code == 409 and "No mail server is set: PROVISIONER_MAIL_SERVER names one." in words_in(refused)


def test_recipient_is_added_changed_paused_and_removed(admin: Person, installation: Installation) -> None:
    installation.changes.create_site("tests", "Hanoi", {})
    assert ticked_on(admin.get("/notices/new-recipient").text) == list(TROUBLES)
    answer = admin.post("/notices/new-recipient", address=f" {OFFICE} ", site="", language="nl", events=["disk.low", "phone.*"])
    assert answer.status_code == 303
    [row] = installation.store.mail_recipients()
    assert (row.address, row.site, row.language, row.events, row.enabled) == (OFFICE, None, "nl", ("disk.low", "phone.*"), True)
    words = words_in(admin.get("/notices"))
    assert f"{OFFICE} is told from now on." in words and "Nederlands" in words and "There was nothing to tell yet." in words
    path = f"/notices/recipients/{row.id}"
    assert ticked_on(admin.get(path).text) == ["disk.low", "phone.*"]
    given = {"address": OFFICE, "site": "Hanoi", "language": "vi", "events": ["*"], "paused": "yes"}
    assert admin.post(path, **given, revision=row.revision).status_code == 303
    stale = admin.post(path, **given, revision=row.revision)
    assert stale.status_code == 422 and "somebody else changed this" in words_in(stale)
    [row] = installation.store.mail_recipients()
    assert (row.site, row.language, row.events, row.enabled) == ("Hanoi", "vi", ("*",), False)
    words = words_in(admin.get("/notices"))
    assert "Everything Only at Hanoi Tiếng Việt Paused" in words and "Go on" in words
    assert admin.post(f"{path}/pause", paused="").status_code == 303 and installation.store.mail_recipients()[0].enabled
    assert admin.post(f"{path}/pause", paused="yes").status_code == 303 and not installation.store.mail_recipients()[0].enabled
    assert admin.post(f"{path}/delete").status_code == 303 and not installation.store.mail_recipients()
    assert admin.get(path).status_code == 404


def test_changes_tell_in_words_what_somebody_was_told_of(admin: Person, installation: Installation) -> None:
    number = recipient(installation, events=["disk.low"])
    installation.changes.update_mail_recipient("tests", number, {"events": ["*"], "enabled": False})
    row = words_in(admin.get("/changes"))
    assert "Told of Before: The disk is nearly full After: Everything" in row and "Switched on Before: yes After: no" in row
    installation.changes.create_webhook("tests", "desk", {"url": URL})
    installation.changes.update_webhook("tests", "desk", {"url": "https://other.example.org/x?key=of-theirs"})
    answer = admin.get("/changes")
    assert "Before: https://helpdesk.example.org/... After: https://other.example.org/..." in words_in(answer)
    assert "of-theirs" not in answer.text


def test_pause_and_removal_are_undone_on_the_page_of_changes(admin: Person, installation: Installation) -> None:
    store, number = installation.store, recipient(installation, language="nl")

    def undo() -> str:
        newest = store.changes(actions=["mail_recipient.update", "mail_recipient.delete"], limit=1)[0]
        asked = admin.get(f"/changes/{newest.id}/undo")
        revision = re.search(r'name="revision" value="(\d*)"', asked.text)
        assert revision and "Undo it" in words_in(asked)
        assert admin.post(f"/changes/{newest.id}/undo", revision=revision[1]).status_code == 303
        return words_in(admin.get("/changes"))

    admin.post(f"/notices/recipients/{number}/pause", paused="yes")
    assert "Undone." in undo() and store.mail_recipients()[0].enabled
    kept = store.mail_recipients()[0]
    admin.post(f"/notices/recipients/{number}/delete")
    assert not store.mail_recipients() and "Undone." in undo()
    [back] = store.mail_recipients()
    assert (back.address, back.language, back.events, back.enabled) == (kept.address, kept.language, kept.events, True)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"address": "office"}, "an e-mail address is needed, for example office@example.com"), ({"site": "Oslo"}, "there is no site Oslo"),
        ({"language": "xx"}, "one of en, vi, km, nl, fi is needed"), ({"events": []}, "Tick at least one."),
        ({"events": ["no action"]}, "an action is needed, for example phone.update, phone.* or *"),
        ({"events": ["a" * 60 + ".bcdef"]}, "an action is needed, for example phone.update, phone.* or *"),
        ({"events": ["phone.swap"] * 51}, "at most 50 are possible, or * for all"),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_recipient_is_told_beside_its_field(
    admin: Person, installation: Installation, wrong: dict[str, object], sentence: str
) -> None:
    answer = admin.post("/notices/new-recipient", **{"address": OFFICE, "site": "", "language": "en", "events": ["phone.swap"], **wrong})
    assert answer.status_code == 422 and sentence in words_in(answer) and not installation.store.mail_recipients()
    assert not wrong.get("events") or "1 thing is not right yet" in words_in(answer)


def test_what_was_typed_and_ticked_stays_where_something_is_wrong(admin: Person, installation: Installation) -> None:
    recipient(installation)
    answer = admin.post("/notices/new-recipient", address=OFFICE, site="", language="fi", events=["phone.swap", "disk.low"])
    assert answer.status_code == 422 and f"{OFFICE} is a recipient already" in words_in(answer)
    assert ticked_on(answer.text) == ["disk.low", "phone.swap"] and f'value="{OFFICE}"' in answer.text
    assert '<option value="fi" selected>' in answer.text and "Swapped phone" in words_in(answer)


def test_nothing_ticked_is_told_on_the_form_of_somebody_who_is_told_already(admin: Person, installation: Installation) -> None:
    path = f"/notices/recipients/{recipient(installation)}"
    answer = admin.post(path, address="other@example.com", site="", language="fi", revision="1")
    assert answer.status_code == 422 and "Tick at least one." in words_in(answer)
    assert 'value="other@example.com"' in answer.text and '<option value="fi" selected>' in answer.text
    assert installation.store.mail_recipients()[0].address == OFFICE


def test_test_message_goes_out_at_once_or_says_why_not(installation: Installation) -> None:
    number = recipient(installation, language="nl")
    with mail_box() as (box, port):
        admin = with_server(installation, port)
        words = words_in(admin.get("/notices"))
        assert f"Mail server 127.0.0.1:{port} In clear, on this machine From phones@example.com" in words
        assert "a message every 15 minutes at the most" in words and "PROVISIONER_ADMIN_URL is not set" in words
        assert admin.post(f"/notices/recipients/{number}/test").status_code == 303
        assert f"The mail server took the test for {OFFICE}" in words_in(admin.get("/notices"))
        assert [(message["To"], message["Content-Language"]) for message in box.got] == [(OFFICE, "nl")]
        box.refuses.add(OFFICE)
        refused = admin.post(f"/notices/recipients/{number}/test")
        sentence = f"The mail server 127.0.0.1:{port} does not take mail to {OFFICE}: 550 5.1.1 no such user here."
        assert refused.status_code == 409 and sentence in words_in(refused)
        admin.post("/look", language="fi", theme="auto", back="/")
        refused = admin.post(f"/notices/recipients/{number}/test")
        assert f"ei ota vastaan postia osoitteeseen {OFFICE}: 550 5.1.1 no such user here." in words_in(refused)


def test_last_notice_and_last_failure_are_told_in_a_sentence(admin: Person, installation: Installation) -> None:
    number = recipient(installation)
    installation.changes.note_mail(number, 0)
    assert "Last one taken by the mail server:" in words_in(admin.get("/notices"))
    for _ in range(2):
        installation.changes.note_mail_failed(
            number, "nothing answers at the mail server m:25: is it the right port, and does it run?", 60.0
        )
    for path in ("/notices", f"/notices/recipients/{number}"):
        words = words_in(admin.get(path))
        assert (
            "Not delivered Nothing answers at the mail server m:25: is it the right port, and does it run? Tried 2 times. Next try:"
            in words
        )
    assert "Er antwoordt niets op de mailserver m:25" in words_in(admin.get("/notices", **{"Accept-Language": "nl"}))
    marks = installation.store.marks()
    installation.changes.note_mail(number, 1)
    assert {topic for topic, mark in installation.store.marks().items() if mark != marks[topic]} == {"notices"}
    assert "Not delivered" not in words_in(admin.get("/notices"))


def test_first_page_says_that_somebody_is_not_told(admin: Person, installation: Installation) -> None:
    number = recipient(installation)
    assert "E-mail notices do not go out." in words_in(admin.get("/"))
    with mail_box() as (_box, port):
        admin = with_server(installation, port)
        assert "E-mail notices do not go out." not in words_in(admin.get("/"))
        installation.changes.note_mail_failed(
            number, "the mail server m:25 refuses user and password (535): see PROVISIONER_MAIL_USER", 60.0
        )
        assert "the mail server m:25 refuses user and password (535)" in words_in(admin.get("/"))
        installation.changes.update_mail_recipient("tests", number, {"enabled": False})
        assert "E-mail notices do not go out." not in words_in(admin.get("/"))


def test_webhook_is_made_changed_paused_and_removed_and_its_secret_shown_once(admin: Person, installation: Installation) -> None:
    assert ticked_on(admin.get("/notices/new-webhook").text) == ["*"]
    answer = admin.post("/notices/new-webhook", name=" Help desk ", url=URL, events=["phone.*", "extension.update"])
    secret = re.search(r'class="once">([\w-]{40,})<', answer.text)
    assert answer.status_code == 200 and secret
    assert installation.store.webhook_secret("Help desk") == secret[1].encode()
    path = "/notices/webhooks/Help desk"
    again = admin.get(path)
    assert secret[1] not in again.text and "Nothing was sent yet." in words_in(again)
    assert ticked_on(again.text) == ["phone.*", "extension.update"] and "Changed extension" in words_in(again)
    index = admin.get("/notices")
    assert "helpdesk.example.org" in words_in(index) and "of-theirs" not in index.text
    assert admin.post(path, url="https://other.example.org/", events=["*"], revision=1).status_code == 303
    stale = admin.post(path, url=URL, events=["*"], revision=1)
    assert stale.status_code == 422 and "somebody else changed this" in words_in(stale)
    record = installation.store.webhook("Help desk")
    assert record and (record.url, record.events, record.enabled) == ("https://other.example.org/", ("*",), True)
    assert admin.post(f"{path}/pause", paused="yes").status_code == 303
    words = words_in(admin.get(path))
    assert "Paused" in words and "Nothing is sent." in words and "Send a test" not in words
    assert admin.post(f"{path}/pause", paused="").status_code == 303
    assert "Nothing is sent." not in words_in(admin.get(path))
    assert admin.post(f"{path}/delete").status_code == 303 and not installation.store.webhooks()
    assert admin.get(path).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": ""}, "1 to 64 letters, digits, blanks, dots or dashes are needed"), ({"name": "desk"}, "a webhook desk exists already"),
        ({"url": f"https://x/{'y' * 1000}"}, "an address like https://example.org/hook is needed"),
        ({"url": "ftp://x"}, "an address like https://example.org/hook is needed, without user and password"), ({"events": []}, "Tick at least one."),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_webhook_is_told_beside_its_field(admin: Person, installation: Installation, wrong: dict[str, object], sentence: str) -> None:
    installation.changes.create_webhook("tests", "desk", {"url": URL})
    answer = admin.post("/notices/new-webhook", **{"name": "new", "url": URL, "events": ["*"], **wrong})
    assert answer.status_code == 422 and sentence in words_in(answer) and len(installation.store.webhooks()) == 1
    if "name" not in wrong:
        answer = admin.post("/notices/webhooks/desk", **{"url": URL, "events": ["*"], **wrong})
        assert answer.status_code == 422 and sentence in words_in(answer)


def test_deliveries_are_followed_until_they_are_given_up_and_sent_again(app: Flask, admin: Person, installation: Installation) -> None:
    installation.changes.clock = clock = Clock(installation.changes.clock())
    installation.changes.create_webhook("tests", "desk", {"url": URL, "events": ["extension.*"]})
    path, marks = "/notices/webhooks/desk", installation.store.marks()
    assert admin.post(f"{path}/test").status_code == 303
    words = words_in(admin.get(path))
    assert "1 delivery waits." in words and "A test webhook.test" in words and "On its way" in words and words.count("Send again") == 1
    assert {topic for topic, mark in installation.store.marks().items() if mark != marks[topic]} == {"notices"}
    deliver(installation, TAKEN)
    words = words_in(admin.get(path))
    assert "delivery waits" not in words and "Taken" in words and words.count("Send again") == 2
    installation.changes.create_extension("tests", "1002")
    deliver(installation, Result(503, "it answered 503"))
    for place in (path, "/notices"):
        assert "Not taken It answered 503. Tried 1 time. Next try:" in words_in(admin.get(place))
    assert "Het antwoordde 503." in words_in(admin.get("/notices", **{"Accept-Language": "nl"}))
    for pause in BACKOFF_S:
        clock.now += pause + 1
        deliver(installation, Result(None, "it did not answer within 5 s"))
    admin = Person(app, "admin")  # whose session has ended in all that time
    assert f"Given up It did not answer within 5 s. Tried {len(BACKOFF_S) + 1} times." in words_in(admin.get(path))
    [last, *_] = installation.store.deliveries("desk")
    assert admin.post(f"{path}/deliveries/{last.id}/resend").status_code == 303
    deliver(installation, TAKEN)
    assert "Given up" not in words_in(admin.get(path))
    for unknown in (last.id + 1, 2**70):
        assert admin.post(f"{path}/deliveries/{unknown}/resend").status_code == 404


def test_deliveries_come_page_by_page(admin: Person, installation: Installation) -> None:
    installation.changes.create_webhook("tests", "desk", {"url": URL, "events": ["none.such"]})
    for _ in range(30):
        installation.changes.test_webhook("tests", "desk")
    first = admin.get("/notices/webhooks/desk")
    assert words_in(first).count("webhook.test") == 25
    older = re.search(r'href="(/notices/webhooks/desk\?before=\d+)" rel="next"', first.text)
    assert older and words_in(admin.get(older[1])).count("webhook.test") == 5
    assert f'hx-get="{older[1]}"' in admin.get(older[1]).text


def test_only_admins_of_everything(app: Flask, installation: Installation) -> None:
    installation.changes.create_user("tests", "theirs", {"role": "admin", "password": PASSWORD, "sites": ["default"]})
    installation.changes.create_webhook("tests", "desk", {"url": URL})
    number = recipient(installation)
    of_mail, of_hook = f"/notices/recipients/{number}", "/notices/webhooks/desk"
    pages = ["/notices", "/notices/new-recipient", "/notices/new-webhook", of_mail, of_hook]
    forms = ["/notices/new-recipient", "/notices/new-webhook", of_mail, of_hook, f"{of_hook}/deliveries/1/resend"]
    forms += [f"{each}/{what}" for each in (of_mail, of_hook) for what in ("pause", "test", "delete")]
    for name in ("technician", "viewer", "user", "theirs"):
        person = Person(app, name)
        answers = [person.get(path) for path in pages] + [person.post(path, events=["*"], address="x@example.com") for path in forms]
        assert [answer.status_code for answer in answers] == [403] * len(answers)
        assert "/notices" not in person.get("/help").text
    admin = Person(app, "admin")
    admin.token = "0" * 64
    assert {admin.post(path, events=["*"]).status_code for path in forms} == {403}
    assert installation.store.mail_recipients() and installation.store.webhooks()

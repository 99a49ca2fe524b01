"""When notices are sent: emergency calls at once, the rest gathered, tried again over a server that is away, bounded in a storm."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from provisioner.mailing import Mailing, MailServer, NotTaken
from provisioner.mailing.composing import SHOWN
from provisioner.mailing.rounds import BACKOFF_S, GATHER_S, OLDEST_S, URGENT_GAP_S, URGENT_PAUSE_S
from provisioner.wiring import Installation
from tests.engines import Clock
from tests.installations import timed_installation
from tests.mailing.servers import mail_box

EVERY_S = 900.0
CALL = {"number": "112", "extension": "1001", "site": "branch"}


class Post:
    """A mail server that is a list; ``trouble`` is what it raises instead."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []
        self.trouble: dict[str, NotTaken] = {}
        self.tries = 0

    def __call__(self, _server: MailServer, message: EmailMessage) -> None:
        self.tries += 1
        if error := self.trouble.get(message["To"]) or self.trouble.get("*"):
            raise error
        self.sent.append(message)

    @property
    def subjects(self) -> list[tuple[str, str]]:
        return [(message["To"], message["Subject"]) for message in self.sent]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(tmp_path: Path, clock: Clock) -> Iterator[Installation]:
    with timed_installation(tmp_path, clock) as made:
        made.changes.create_site("test", "branch", {})
        yield made


@pytest.fixture
def post() -> Post:
    return Post()


def mailing_of(place: Installation, post: Post) -> Mailing:
    return Mailing(place.store, place.changes, MailServer("localhost", 25, "none", "phones@example.com"), every_s=EVERY_S, sender=post)


@pytest.fixture
def mailing(place: Installation, post: Post) -> Mailing:
    return mailing_of(place, post)


def add(place: Installation, address: str = "office@example.com", **more: object) -> int:
    return place.changes.create_mail_recipient("test", {"address": address, **more}).id


def test_an_emergency_call_is_told_at_once_to_everybody_of_the_site(place: Installation, mailing: Mailing, post: Post) -> None:
    for address, site in (("all@example.com", None), ("branch@example.com", "branch"), ("other@example.com", "default")):
        add(place, address, site=site)
    add(place, "off@example.com", enabled=False)
    place.changes.tell("call.emergency", "call 1", CALL)
    mailing.round()
    mailing.round()
    wanted = "Emergency call to 112 from extension 1001"
    assert post.subjects == [("all@example.com", wanted), ("branch@example.com", wanted)]


def test_what_is_not_urgent_is_gathered(place: Installation, mailing: Mailing, post: Post, clock: Clock) -> None:
    add(place)
    place.changes.tell("backup.failed", "a", {"error": "no room"})
    mailing.round()
    assert not post.sent
    clock.now += GATHER_S
    place.changes.tell("pbx.lost", "pbx", {"minutes": 15})
    place.changes.create_site("test", "quiet", {})
    mailing.round()
    assert [subject for _, subject in post.subjects] == ["The backup failed, and 1 more"]
    place.changes.tell("pbx.back", "pbx", {})
    clock.now += EVERY_S - 1
    mailing.round()
    assert len(post.sent) == 1, "not sooner than that"
    place.changes.tell("call.emergency", "call 2", CALL)
    mailing.round()
    assert [subject for _, subject in post.subjects][1:] == ["Emergency call to 112 from extension 1001, and 1 more"]


@pytest.mark.parametrize(
    ("action", "subject", "before", "after", "is_told"),
    [
        ("phone.create", "805ec0aabbcc", None, {"site": "branch"}, True),
        ("phone.update", "805ec0aabbcc", {"site": "branch"}, {"site": "default"}, True),
        ("phone.delete", "805ec0aabbcc", {"site": "branch"}, None, True),
        ("phone.update", "805ec0aabbcc", {"site": "default"}, {"site": "default"}, False),
        ("site.update", "branch", {}, {"language": "nl"}, True),
        ("window.close", "default", None, None, False),
        ("group.put", "branch", {"site": 7}, ["site"], False),
    ],
)
def test_one_of_a_site_is_told_of_what_names_it_before_or_after(
    place: Installation, mailing: Mailing, post: Post, clock: Clock, action: str, subject: str, before: object, after: object, is_told: bool
) -> None:
    add(place, site="branch", events=[action])
    with place.changes.unit("test") as unit:
        unit.log(action, subject, before, after)
    mailing.round()
    clock.now += GATHER_S
    mailing.round()
    assert len(post.sent) == is_told


def test_a_storm_is_one_message(place: Installation, mailing: Mailing, post: Post, clock: Clock) -> None:
    add(place)
    with place.changes.unit("worker") as unit:
        for number in range(1200):
            unit.log("bootstrap.alarm", f"{number}", None, {"scope": "x"})
    while mailing.round():
        pass
    clock.now += GATHER_S
    mailing.round()
    (message,) = post.sent
    assert message["Subject"].endswith(", and 1199 more")
    assert message.get_content().count("Somebody goes through") == SHOWN


def test_a_server_that_is_away_is_tried_again_and_nothing_is_lost(place: Installation, mailing: Mailing, post: Post, clock: Clock) -> None:
    first, second = add(place), add(place, "second@example.com")
    post.trouble["*"] = NotTaken("nothing answers")
    place.changes.tell("backup.failed", "a", {})
    mailing.round()
    clock.now += GATHER_S
    mailing.round()
    assert post.tries == 1, "the second would fare alike"
    row = place.store.mail_recipient(first)
    assert row is not None and (row.tries, row.error, row.due_at) == (1, "nothing answers", clock.now + BACKOFF_S[0])
    for _ in range(20):
        clock.now += 3 * BACKOFF_S[-1]
        mailing.round()
    post.trouble.clear()
    clock.now += BACKOFF_S[-1]
    mailing = mailing_of(place, post)
    mailing.round()
    clock.now += BACKOFF_S[-1]
    mailing.round()
    assert {to for to, _ in post.subjects} == {"office@example.com", "second@example.com"}, "by a worker that began anew"
    assert all(row.tries == 0 and not row.error for row in place.store.mail_recipients())
    assert place.store.mail_recipient(second) is not None


def test_an_emergency_call_waits_a_minute_at_the_most(place: Installation, mailing: Mailing, post: Post, clock: Clock) -> None:
    add(place)
    post.trouble["*"] = NotTaken("nothing answers")
    place.changes.tell("call.emergency", "call 1", CALL)
    for _ in range(8):
        mailing.round()
        clock.now += URGENT_PAUSE_S
    assert post.tries == 8


def test_an_emergency_call_does_not_wait_for_what_is_not_one(place: Installation, mailing: Mailing, post: Post, clock: Clock) -> None:
    add(place)
    post.trouble["*"] = NotTaken("nothing answers")
    place.changes.tell("backup.failed", "a", {})
    for pause in (0, GATHER_S, *BACKOFF_S):
        clock.now += pause
        mailing.round()
    assert post.tries == 1 + len(BACKOFF_S), "the next try is an hour away"
    post.trouble.clear()
    place.changes.tell("call.emergency", "call 1", CALL)
    clock.now += URGENT_PAUSE_S
    mailing.round()
    assert len(post.sent) == 1


def test_a_clock_that_was_years_ahead_holds_nothing_up(place: Installation, mailing: Mailing, post: Post, clock: Clock) -> None:
    add(place)
    clock.now += 10 * 365 * 86_400
    place.changes.tell("call.emergency", "call 1", CALL)
    mailing.round()
    clock.now -= 10 * 365 * 86_400
    place.changes.tell("call.emergency", "call 2", CALL)
    mailing.round()
    place.changes.tell("backup.failed", "a", {})
    mailing.round()
    clock.now += EVERY_S
    mailing.round()
    assert len(post.sent) == 3


def test_a_phone_that_dials_again_and_again_fills_no_mailbox(place: Installation, mailing: Mailing, post: Post, clock: Clock) -> None:
    add(place)
    for number in range(20):
        place.changes.tell("call.emergency", f"call {number}", CALL)
        mailing.round()
    assert len(post.sent) == 1
    clock.now += URGENT_GAP_S
    mailing.round()
    assert [message.get_content().count("Emergency call to") for message in post.sent] == [1, 19]


def test_one_address_that_is_refused_holds_nobody_up(place: Installation, mailing: Mailing, post: Post) -> None:
    add(place, "gone@example.com")
    add(place)
    post.trouble["gone@example.com"] = NotTaken("no such user", is_servers=False)
    place.changes.tell("call.emergency", "call 1", CALL)
    mailing.round()
    assert [to for to, _ in post.subjects] == ["office@example.com"]


def test_what_is_long_ago_is_told_nobody(place: Installation, mailing: Mailing, post: Post, clock: Clock) -> None:
    add(place)
    place.changes.tell("call.emergency", "call 1", CALL)
    clock.now += OLDEST_S + 1
    mailing.round()
    assert not post.sent


def test_only_what_somebody_wants_is_told_and_a_change_of_that_counts_at_once(place: Installation, mailing: Mailing, post: Post) -> None:
    number = add(place, events=["pbx.*"])
    place.changes.tell("call.emergency", "call 1", CALL)
    mailing.round()
    assert not post.sent
    place.changes.update_mail_recipient("test", number, {"events": ["*"]})
    mailing.round()
    assert len(post.sent) == 1


def test_a_round_with_a_real_server(place: Installation) -> None:
    add(place, language="fi")
    place.changes.tell("call.emergency", "call 1", CALL)
    with mail_box() as (box, port):
        Mailing(place.store, place.changes, MailServer("localhost", port, "none", "phones@example.com")).round()
    assert [message["Subject"] for message in box.got] == ["Hätäpuhelu numeroon 112 alanumerosta 1001"]

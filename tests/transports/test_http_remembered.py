"""Answers that are remembered: given again as they are, never when they are no longer right, and recorded each time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.changes import PhoneInput
from tests.transports.own_listener import ANYWHERE, Listening, answer_on, listening_with_files, request, statuses


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Listening]:
    with listening_with_files(tmp_path) as made:
        yield made


def test_what_is_remembered_of_answers_is_never_stale(here: Listening) -> None:
    own, other = here.own, here.phone()
    site = own.site("open", ANYWHERE)
    phone = own.phone(site=site)
    asked = request(phone.name, phone.agent)
    changes = own.installation.changes

    def change(given: PhoneInput) -> None:
        changes.update_phone("test", phone.mac, given)
        own.follow()

    with here.connect() as connection:

        def ask() -> tuple[int, bytes]:
            connection.sendall(asked)
            return answer_on(connection)

        first = [ask() for _ in range(4)]
        assert [status for status, _ in first] == [200] * 4
        change(PhoneInput(enabled=False))
        assert ask()[0] == 404
        change(PhoneInput(enabled=True))
        assert ask() == first[0]
        change(PhoneInput(settings={"timezone": "Asia/Tokyo"}))
        assert ask()[0] == 200
        assert ask()[1] not in (first[0][1], b"")
        changes.update_site("test", site, {"access": "token"})
        own.follow()
        assert ask()[0] == 404
        changes.update_site("test", site, {"access": "open", "trusted_networks": ["10.0.0.0/8"]})
        own.follow()
        assert ask()[0] == 404
        changes.update_site("test", site, {"trusted_networks": ["127.0.0.0/8"]})
        own.follow()
        assert ask()[0] == 200
        changes.delete_phone("test", phone.mac)
        own.follow()
        assert ask()[0] == 404
        connection.sendall(request(other.name, other.agent))
        assert answer_on(connection)[0] == 200


def test_a_first_fetch_ends_with_time_and_with_a_success_between_two_equal_requests(here: Listening) -> None:
    phone, late = here.phone(access="first-fetch"), here.phone(access="first-fetch")
    with here.connect() as connection:

        def ask(path: str, agent: str) -> int:
            connection.sendall(request(path, agent))
            return answer_on(connection)[0]

        assert [ask(phone.name, phone.agent) for _ in range(3)] == [200] * 3
        assert [ask(f"p/{here.own.token(phone)}/{phone.name}", phone.agent) for _ in range(3)] == [200] * 3
        assert ask(phone.name, phone.agent) == 404
        assert ask(late.name, late.agent) == 200
        here.own.clock.now += 25 * 3600
        assert ask(late.name, late.agent) == 404


def test_a_revoked_address_is_refused_at_once(here: Listening) -> None:
    phone = here.phone(access="token")
    path = f"p/{here.own.token(phone)}/{phone.name}"
    with here.connect() as connection:
        for _ in range(3):
            connection.sendall(request(path, phone.agent))
            assert answer_on(connection)[0] == 200
        here.own.installation.changes.revoke_token("test", phone.mac)
        here.own.follow()
        connection.sendall(request(path, phone.agent))
        assert answer_on(connection)[0] == 404


def test_an_answer_is_remembered_for_its_own_address_alone(here: Listening) -> None:
    phone = here.own.phone(site=here.own.site("open", ("127.0.0.1/32",)))
    asked = request(phone.name, phone.agent, close=True)
    for _ in range(3):
        assert statuses(here.exchange(asked)) == [b"200"]
        assert statuses(here.exchange(asked, source="127.0.0.2")) == [b"404"]


def test_what_all_phones_of_a_model_ask_for_is_remembered_as_it_is_and_recorded_for_each(here: Listening) -> None:
    names = ("y000000000108.cfg", "000000000000-directory.xml", "wall.jpg", "nothing")
    first, again = ([here.exchange(request(name, f"Phone/{at}", close=True)) for name in names] for at in (1, 2))
    assert [statuses(answer) for answer in first] == [[b"200"], [b"404"], [b"200"], [b"404"]]
    assert [answer.partition(b"Date:")[0] for answer in again] == [answer.partition(b"Date:")[0] for answer in first]
    assert set(here.service._common) == {"y000000000108.cfg", "000000000000-directory.xml"}, (
        "what a folder is searched for may be there later"
    )
    etag = re.search(rb'ETag: ("[^"]+")', first[0])
    assert etag is not None
    unchanged = request("y000000000108.cfg", "Phone/3", f"If-None-Match: {etag[1].decode()}", close=True)
    assert statuses(here.exchange(unchanged)) == [b"304"]
    assert rest_after_head(here.exchange(request("y000000000108.cfg", "Phone/4", method="HEAD", close=True))) == b""
    assert sorted((row.name, row.user_agent) for row in here.fetches() if row.name == "y000000000108.cfg") == [
        ("y000000000108.cfg", f"Phone/{at}") for at in (1, 2, 3, 4)
    ]


def rest_after_head(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]

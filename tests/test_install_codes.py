"""Install links: the phone's files from anywhere, once, then its own address; every other answer the same 404, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.core.access import RUN_S, link_state
from provisioner.core.guessing import ADDRESSES, GuessLimit
from provisioner.core.identify import PathReader, masked_path, parse_path
from provisioner.core.peers import group_of
from provisioner.core.values import FileAnswer, FileRequest, Reason
from provisioner.errors import InputError, NotFound
from provisioner.install_codes import WINDOW_S, WRONG_CODES
from provisioner.models_install import install_link
from provisioner.transports.http import PhonesHTTP
from provisioner.transports.http_reply import Conditions
from tests.contract.inside import ELSEWHERE, LOCAL, Inside, inside
from tests.contract.world import Phone, user_agent

OTHER = "203.0.113.9"
VENDORS = ("yealink/t46u", "grandstream/gxp2170", "polycom/vvx411")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        yield made


def issued(own: Inside, phone: Phone, hours: int = 24) -> str:
    code = own.installation.changes.issue_install_link("tests", phone.mac, hours).code
    own.follow()
    return code


def by_code(own: Inside, code: str, phone: Phone, peer: str = ELSEWHERE, **more: str) -> FileAnswer:
    return own.fetch(f"p/{code}/{phone.name}", more.get("agent", phone.agent), peer=peer)


def wire(own: Inside, answer: FileAnswer) -> bytes:
    """Returns all that a stranger can see of an answer."""
    reply = PhonesHTTP(own.server, own.credentials, own.uploads).encoded(answer, "GET", Conditions())
    return f"{reply.status} {reply.fields}".encode() + (reply.body or b"")


@pytest.mark.parametrize("model", VENDORS)
def test_phone_far_away_gets_its_files_once_and_moves_to_its_own_address(own: Inside, model: str) -> None:
    phone = own.phone(model, own.site("token"))
    stranger = own.ask(f"p/aaaaaaaaaa/{phone.name}", phone.agent, peer=OTHER)
    code = issued(own, phone)
    answer = by_code(own, code, phone)
    assert answer.reason is Reason.SERVED and phone.secret.encode() in answer.body
    live = own.installation.store.live_file(phone.mac, phone.name)
    assert live is not None and answer.body == live.body
    assert own.token(phone).encode() in answer.body and code.encode() not in answer.body
    assert by_code(own, code, phone).body == live.body, "the same run: phones fetch again after a restart into their telephone software"
    assert own.fetch(f"p/{own.token(phone)}/{phone.name}", phone.agent, peer=ELSEWHERE).body == live.body
    for peer in (ELSEWHERE, OTHER, LOCAL):
        replay = by_code(own, code, phone, peer)
        assert replay.reason is Reason.CODE_SPENT
        assert wire(own, replay) == wire(own, stranger)


def test_link_is_bound_to_the_first_address_and_to_minutes(own: Inside) -> None:
    phone = own.phone(site=own.site("token"))
    code = issued(own, phone)
    assert by_code(own, code, phone).reason is Reason.SERVED
    assert by_code(own, code, phone, OTHER).reason is Reason.CODE_SPENT
    own.clock.now += RUN_S
    assert by_code(own, code, phone).reason is Reason.SERVED
    own.clock.now += 1
    assert by_code(own, code, phone).reason is Reason.CODE_SPENT


def test_link_ends_with_its_time_and_with_a_newer_one(own: Inside) -> None:
    phone = own.phone(site=own.site("token"))
    code = issued(own, phone, hours=2)
    own.clock.now += 2 * 3600 + 1
    assert by_code(own, code, phone).reason is Reason.CODE_SPENT
    newer = issued(own, phone)
    assert by_code(own, code, phone).reason is Reason.BAD_TOKEN
    assert by_code(own, newer, phone).reason is Reason.SERVED
    own.installation.changes.withdraw_install_link("tests", phone.mac)
    own.follow()
    assert by_code(own, newer, phone).reason is Reason.BAD_TOKEN
    with pytest.raises(NotFound):
        own.installation.changes.withdraw_install_link("tests", phone.mac)


def test_use_is_known_after_a_restart_and_to_people(own: Inside) -> None:
    phone = own.phone(site=own.site("token"))
    code = issued(own, phone)
    by_code(own, code, phone)
    own.recorder.flush()
    link = own.installation.store.install_link(phone.mac)
    assert link is not None and (link.peer, link.started_at) == (ELSEWHERE, own.clock.now)
    assert link_state(link, own.clock.now) == "running" and link_state(link, own.clock.now + RUN_S + 1) == "used"
    own.restart()
    assert by_code(own, code, phone, OTHER).reason is Reason.CODE_SPENT
    own.fetch(f"p/{own.token(phone)}/{phone.name}", phone.agent, peer=ELSEWHERE)
    own.recorder.flush()
    assert own.restart().ask(f"p/{code}/{phone.name}", phone.agent, peer=ELSEWHERE).reason is Reason.CODE_SPENT
    closed = own.installation.store.install_link(phone.mac)
    assert closed is not None and closed.closed_at == own.clock.now


def test_reload_of_the_index_forgets_no_use(own: Inside) -> None:
    phone = own.phone(site=own.site("token"))
    code = issued(own, phone)
    by_code(own, code, phone)  # not yet written by the recorder
    own.index.load()
    assert by_code(own, code, phone, OTHER).reason is Reason.CODE_SPENT


@pytest.mark.parametrize(
    "agent", ["", "curl/8.5.0", "Mozilla/5.0 (Windows NT 10.0)", "facebookexternalhit/1.1", user_agent("polycom/vvx411", "64167f000001")]
)
def test_whoever_merely_opens_the_link_does_not_use_it_up(own: Inside, agent: str) -> None:
    phone = own.phone(site=own.site("token"))
    code = issued(own, phone)
    refused = by_code(own, code, phone, OTHER, agent=agent)
    assert refused.reason in {Reason.NOT_A_PHONE, Reason.CONFLICT} and not refused.body
    assert by_code(own, code, phone).reason is Reason.SERVED


def test_code_opens_one_phone_and_takes_nothing(own: Inside) -> None:
    phone, other = own.phone(site=own.site("token")), own.phone(site=own.site("token"))
    code = issued(own, phone)
    assert by_code(own, code, other).reason is Reason.BAD_TOKEN
    upload = FileRequest(f"p/{code}/{phone.mac}-local.cfg", "http", ELSEWHERE, phone.agent, "PUT")
    assert own.server.upload_rule(upload)[0].reason is Reason.UNPROVEN
    over_tftp = FileRequest(f"p/{code}/{phone.name}", "tftp", ELSEWHERE)
    assert own.server.answer(over_tftp).reason is Reason.NOT_A_PHONE
    assert by_code(own, code, phone).reason is Reason.SERVED


def test_phone_that_is_switched_off_gets_no_link_and_no_file(own: Inside) -> None:
    phone = own.phone(site=own.site("token"))
    code = issued(own, phone)
    from provisioner.changes import PhoneInput

    own.installation.changes.update_phone("tests", phone.mac, PhoneInput(enabled=False))
    own.follow()
    assert by_code(own, code, phone).reason is Reason.DISABLED
    with pytest.raises(InputError, match="switched off"):
        own.installation.changes.issue_install_link("tests", phone.mac, 1)
    for hours in (0, 721):
        with pytest.raises(InputError, match="from 1 to 720"):
            own.installation.changes.issue_install_link("tests", phone.mac, hours)


def test_guessing_is_bounded_by_address_and_answered_alike(own: Inside) -> None:
    phone = own.phone(site=own.site("token"))
    code = issued(own, phone)
    unlisted = wire(own, own.ask("p/aaaaaaaaaa/805ec0ffffff.cfg", phone.agent, peer=OTHER))
    for _ in range(WRONG_CODES - 1):  # the one at a phone that is not listed counts as well
        guess = by_code(own, "aaaaaaaaab", phone, OTHER)
        assert guess.reason is Reason.BAD_TOKEN and wire(own, guess) == unlisted
    right = by_code(own, code, phone, OTHER)
    assert right.reason is Reason.TOO_MANY_GUESSES and wire(own, right) == unlisted
    assert by_code(own, code, phone).reason is Reason.SERVED, "another address is not kept out"
    own.clock.now += WINDOW_S + 1
    assert by_code(own, code, phone, OTHER).reason is Reason.CODE_SPENT


def test_only_a_digest_under_the_key_is_stored(own: Inside) -> None:
    phone = own.phone()
    code = issued(own, phone)
    assert re.fullmatch("[a-z2-7]{10}", code)
    with own.installation.database.read() as connection:
        row = connection.execute(install_link.select()).one()
    assert code not in str(row) and row.digest == own.installation.box.code_digest(phone.mac, code)
    by_code(own, code, phone)
    own.recorder.flush()
    assert code not in own.access_log.getvalue()
    assert masked_path(f"p/{code}/{phone.name}") == f"p/***/{phone.name}"


def test_reader_of_paths_tells_codes_of_different_phones(own: Inside) -> None:
    catalogue = own.installation.catalogue
    reader = PathReader(catalogue)
    for token in ("abcdefghij", "abcdefghik", "abcdefghijklmnopqrstuvwx"):
        for mac in ("805ec0aabbcc", "805ec0aabbcd"):
            path = f"p/{token}/{mac}.cfg"
            assert reader.parse(path) == parse_path(catalogue, path)
            assert reader.parse(path).token == token


def test_guess_limit_takes_a_network_of_ipv6_as_one_and_forgets() -> None:
    limit = GuessLimit(2, 60.0)
    assert group_of("2001:db8::1") == group_of("2001:db8::ffff") != group_of("2001:db8:0:1::1")
    assert group_of("::ffff:192.0.2.1") == "192.0.2.1" and group_of("nonsense") == "nonsense"
    for peer in ("2001:db8::1", "2001:db8::2"):
        limit.note(peer, 100.0)
    assert limit.wait_s("2001:db8::3", 130.0) == 30.0 and limit.wait_s("2001:db8::3", 160.0) == 0.0
    limit.note("2001:db8::4", 161.0)
    assert limit.wait_s("2001:db8::4", 161.0) == 0.0
    for number in range(70_000):
        limit.note(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 200.0)
    assert len(limit._counts) <= ADDRESSES

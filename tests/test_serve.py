"""``Server.answer``: what it lets out, to whom, and that whoever proves nothing learns nothing - not by words, headers, bytes or time."""

from __future__ import annotations

import base64
import re
import statistics
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import sqlalchemy as sa

from provisioner.changes import PhoneInput
from provisioner.core.flood import MOST_OF_ADDRESS
from provisioner.core.identify import masked_path
from provisioner.core.mac import Mac
from provisioner.core.values import FileAnswer, FileRequest, Reason
from provisioner.transports.http import PhonesHTTP
from provisioner.transports.http_reply import Conditions
from tests.conftest import load_cases
from tests.contract.inside import ELSEWHERE, LOCAL, Inside, inside
from tests.contract.world import MODELS, OUIS, Phone, user_agent
from tests.core.test_digest import digest

CASES = {case["id"]: case for case in load_cases("auth_cases")}
VENDORS = ("yealink/t46u", "grandstream/gxp2170", "polycom/vvx411")
DIFFERENT = {
    "auth-002": "both ways are offered, Digest first; and the site's network does not stand in for credentials",
    "auth-015": "no file for names without token instead of a blanked one: unknown, disabled and forbidden must look alike (contract.md)",
    "auth-017": "a new address opens nothing by itself and shuts nothing: after the first success the bootstrap name is closed to all "
    "addresses until somebody re-opens it, and the phone's own address works wherever the phone is moved to",
    "auth-021": "404 as for every refusal instead of 403, and where the site is open the network alone is the proof",
}
"""Where ours deliberately differs from the recorded expectation, and why. The rule of each case (no secret) is tested all the same."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("serve")) as made:
        yield made


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Inside]:
    """An installation of the test's own: a digest site changes what every refusal looks like."""
    with inside(tmp_path) as made:
        yield made


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def has_no_secret(answer: FileAnswer, phone: Phone, here: Inside) -> bool:
    return phone.secret.encode() not in answer.body and here.token(phone).encode() not in answer.body


# ---- the recorded cases of other servers --------------------------------------------------------------------------------


def on_the_wire(http: PhonesHTTP, answer: FileAnswer, method: str = "GET") -> tuple[int, str, bytes]:
    """Returns status, fields and body as they are sent, but for the nonce, which is another each time and always as long."""
    reply = http.encoded(answer, method, Conditions())
    return reply.status, re.sub(r'nonce="[0-9a-f]{80}"', "nonce", reply.fields), reply.body


def auth_002(own: Inside) -> None:
    phone = own.phone(site=own.site("digest", ("192.168.1.20/32",)))
    answer = own.ask(phone.name, phone.agent)
    assert answer.reason is Reason.UNPROVEN
    http = PhonesHTTP(own.server, own.credentials, own.uploads)
    reply = http.encoded(answer, "GET", Conditions())
    assert reply.status == CASES["auth-002"]["expect"]["status"]
    assert "\r\nWWW-Authenticate: Basic " in reply.fields
    assert (
        own.ask(phone.name, phone.agent, authorization=basic(phone.mac, own.installation.box.phone_password(phone.mac, "digest"))).reason
        is Reason.SERVED
    )


def auth_004(own: Inside) -> None:
    phone = own.phone(site=own.site("open"))
    assert own.ask(phone.name).reason is Reason.SERVED


def auth_008(own: Inside) -> None:
    phone = own.phone(site=own.site("digest"))
    password = own.installation.box.phone_password(phone.mac, "digest")
    answer = own.ask(phone.name, phone.agent, authorization=basic("whatever", password))
    assert answer.reason is Reason.BAD_CREDENTIALS
    assert answer.challenge


def auth_013(own: Inside) -> None:
    phone = own.phone(site=own.site("token"))
    first = own.token(phone)
    own.installation.changes.renew_token("test", phone.mac)
    own.follow()
    second = own.token(phone)
    answer = own.fetch(f"p/{first}/{phone.name}", phone.agent)
    assert answer.reason is Reason.SERVED
    assert second.encode() in answer.body
    assert first.encode() not in answer.body


def auth_014(own: Inside) -> None:
    phone = own.phone(site=own.site("token"))
    first = own.token(phone)
    own.installation.changes.renew_token("test", phone.mac)
    own.follow()
    assert own.fetch(f"p/{first}/{phone.name}").reason is Reason.SERVED, "until the new one was used"
    assert own.fetch(f"p/{own.token(phone)}/{phone.name}").reason is Reason.SERVED
    assert own.ask(f"p/{first}/{phone.name}").reason is Reason.BAD_TOKEN
    own.recorder.flush()
    assert own.restart().ask(f"p/{first}/{phone.name}").reason is Reason.BAD_TOKEN


def auth_015(own: Inside) -> None:
    phone = own.phone(site=own.site("token"))
    answer = own.ask(phone.name, phone.agent)
    assert answer.reason is Reason.UNPROVEN
    assert has_no_secret(answer, phone, own)


def auth_017(own: Inside) -> None:
    phone = own.phone(site=own.site(networks=(f"{LOCAL}/32", f"{ELSEWHERE}/32")))
    assert own.fetch(phone.name, phone.agent).reason is Reason.SERVED
    assert own.fetch(f"p/{own.token(phone)}/{phone.name}", phone.agent).reason is Reason.SERVED
    for peer in (LOCAL, ELSEWHERE):
        assert own.ask(phone.name, phone.agent, peer=peer).reason is Reason.BOOTSTRAP_CLOSED
    own.recorder.flush()
    own.clock.now += 1
    own.installation.changes.reopen_first_fetch("test", phone.mac)
    own.follow()
    assert own.ask(phone.name, phone.agent, peer=ELSEWHERE).reason is Reason.SERVED


def auth_019(own: Inside) -> None:
    phone = own.phone()
    own.clock.now += 24 * 3600
    assert own.ask(phone.name, phone.agent).reason is Reason.SERVED
    own.clock.now += 1
    answer = own.ask(phone.name, phone.agent)
    assert answer.reason is Reason.BOOTSTRAP_CLOSED
    assert has_no_secret(answer, phone, own)


def auth_021(own: Inside) -> None:
    phone = own.phone()
    for agent in ("", "curl/8.5.0", "Mozilla/5.0", "Yealink", user_agent("polycom/vvx411", phone.mac), "x" * 5000):
        answer = own.ask(phone.name, agent)
        assert answer.reason is not Reason.SERVED
        assert has_no_secret(answer, phone, own)


def auth_023(own: Inside) -> None:
    phone = own.phone(site=own.site("digest"))
    unknown = phone.mac[:-1] + ("0" if phone.mac[-1] != "0" else "1")
    wrong = basic(phone.mac, "wrong-password")
    answers = [own.ask(f"{mac}.cfg", phone.agent, authorization=wrong) for mac in (phone.mac, unknown)]
    http = PhonesHTTP(own.server, own.credentials, own.uploads)
    assert on_the_wire(http, answers[0]) == on_the_wire(http, answers[1])


def auth_026(own: Inside) -> None:
    phone = own.phone("polycom/vvx411", own.site("digest"))
    for password in ("PlcmSpIp", "", "456"):
        answer = own.ask(phone.name, phone.agent, authorization=basic("PlcmSpIp", password))
        assert answer.reason is Reason.BAD_CREDENTIALS
    for path in ("", "/", "p/", "ftp/", f"p/{own.token(phone)}/"):
        assert own.ask(path, phone.agent).reason in (Reason.UNKNOWN_NAME, Reason.NO_SUCH_FILE)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case["id"])
def test_recorded_auth_case(own: Inside, case: dict) -> None:
    globals()[case["id"].replace("-", "_")](own)


def test_each_difference_names_a_case() -> None:
    assert DIFFERENT.keys() <= CASES.keys()


# ---- nothing secret without a proof -------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_no_secret_leaves_on_an_unproven_request(here: Inside, model: str) -> None:
    for access in ("open", "first-fetch", "token", "digest"):
        phone = here.phone(model, here.site(access))
        token = here.token(phone)
        names = [file.name for file, _ in here.installation.store.files(phone.mac)]
        agents = ("", "curl/8", phone.agent, user_agent("yealink/t31p", phone.mac), user_agent(model, OUIS["yealink"] + "eeeeee"))
        ways = product(names, ("", "p/" + "a" * 24 + "/"), agents, (LOCAL, ELSEWHERE, "", "junk"), ("http", "tftp"), ("", basic("a", "b")))
        for name, prefix, agent, peer, transport, authorization in ways:
            answer = here.ask(prefix + name, agent, peer, transport, authorization)
            trusted = peer == LOCAL and not prefix
            allowed = trusted and (access == "open" or (access == "first-fetch" and (transport == "tftp" or agent == phone.agent)))
            conflict = agent.startswith(("Yealink", "Grandstream", "FileTransport")) and agent != phone.agent
            if allowed and not conflict:
                assert answer.reason is Reason.SERVED, (access, name, agent, peer, transport)
            else:
                assert answer.reason is not Reason.SERVED, (access, name, agent, peer, transport)
                assert (answer.body, answer.sha256, answer.static_path, answer.secret) == (b"", "", None, False)
        assert all(here.ask(f"p/{token}/{name}", phone.agent, ELSEWHERE).reason is Reason.SERVED for name in names)


def refusals(here: Inside) -> dict[str, tuple[str, str, str]]:
    """Returns kind of refusal -> (path, User-Agent, peer)."""
    disabled = here.phone(site=here.site("open"), enabled=False)
    unproven = here.phone(site=here.site("token"))
    conflict = here.phone(site=here.site("open"))
    closed = here.phone()
    here.clock.now += 1
    here.fetch(f"p/{here.token(closed)}/{closed.name}", closed.agent)
    unknown = OUIS["yealink"] + "ffffff"
    taken = here.phone()
    here.fetch(taken.name, taken.agent, peer="192.168.7.7")
    scanned = here.phone()
    for number in range(MOST_OF_ADDRESS + 1):
        here.ask(f"{OUIS['yealink']}{0xE00000 + number:06x}.cfg", scanned.agent, "192.168.66.6")
    return {
        "unknown": (f"{unknown}.cfg", user_agent("yealink/t46u", unknown), LOCAL),
        "disabled": (disabled.name, disabled.agent, LOCAL),
        "unproven": (unproven.name, unproven.agent, LOCAL),
        "elsewhere": (conflict.name, conflict.agent, ELSEWHERE),
        "bad token": (f"p/{'a' * 24}/{conflict.name}", conflict.agent, LOCAL),
        "bad token, unknown": (f"p/{'a' * 24}/{unknown}.cfg", conflict.agent, LOCAL),
        "conflict": (conflict.name, user_agent("yealink/t31p", conflict.mac), LOCAL),
        "closed": (closed.name, closed.agent, LOCAL),
        "no phone": (closed.name, "curl/8.5.0", LOCAL),
        "replayed": (taken.name, taken.agent, LOCAL),
        "frozen": (scanned.name, scanned.agent, "192.168.66.6"),
        "frozen, unknown": (f"{unknown}.cfg", user_agent("yealink/t46u", unknown), "192.168.66.6"),
    }


@pytest.mark.parametrize("with_digest", [False, True], ids=["no digest site", "a digest site"])
@pytest.mark.parametrize("authorization", ["", basic("805ec0000001", "x")], ids=["no credentials", "credentials"])
def test_every_refusal_looks_the_same(own: Inside, with_digest: bool, authorization: str) -> None:
    if with_digest:
        own.phone(site=own.site("digest"))
    http = PhonesHTTP(own.server, own.credentials, own.uploads)
    seen = set()
    for path, agent, peer in refusals(own).values():
        for method in ("GET", "PUT"):
            asked = FileRequest(path, "http", peer, agent, method, authorization)  # type: ignore[arg-type]
            answer = own.server.answer(asked) if method == "GET" else own.server.upload_rule(asked)[0]
            seen.add(on_the_wire(http, answer, method))
    assert len(seen) == 1
    assert seen.pop()[0] == (401 if with_digest else 404)


def test_a_nonce_that_is_over_tells_nothing_of_who_is_listed(own: Inside) -> None:
    """Whoever sends a right answer with a nonce that is over is told so, also for phones that are off or that nobody listed."""
    listed, off = own.phone(site=own.site("digest")), own.phone(site=own.site("digest"), enabled=False)
    http = PhonesHTTP(own.server, own.credentials, own.uploads)
    seen = set()
    for mac in (listed.mac, off.mac, Mac("805ec0ffff99")):
        text = digest("0" * 80, user=mac, password=own.installation.box.phone_password(mac, "digest"), uri=f"/{mac}.cfg")
        seen.add(on_the_wire(http, own.ask(f"{mac}.cfg", listed.agent, authorization=text)))
    assert len(seen) == 1
    assert "stale=true" in seen.pop()[1]


def test_each_kind_of_refusal_is_what_its_name_says(own: Inside) -> None:
    said = {name: own.ask(path, agent, peer).reason for name, (path, agent, peer) in refusals(own).items()}
    assert said == {
        "unknown": Reason.UNKNOWN_PHONE, "disabled": Reason.DISABLED, "unproven": Reason.UNPROVEN, "elsewhere": Reason.UNPROVEN,
        "bad token": Reason.BAD_TOKEN, "bad token, unknown": Reason.UNKNOWN_PHONE, "conflict": Reason.CONFLICT,
        "closed": Reason.BOOTSTRAP_CLOSED, "no phone": Reason.NOT_A_PHONE, "replayed": Reason.REPLAYED, "frozen": Reason.FROZEN,
        "frozen, unknown": Reason.UNKNOWN_PHONE,
    }  # fmt: skip


def test_a_refusal_asks_the_database_nothing(own: Inside) -> None:
    ways = refusals(own)
    statements: list[str] = []
    sa.event.listen(own.installation.database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    for path, agent, peer in ways.values():
        own.ask(path, agent, peer)
    served = own.phone(site=own.site("open"))
    statements.clear()
    assert own.ask(served.name, served.agent).reason is Reason.SERVED
    assert own.ask("nothing.at.all").reason is Reason.UNKNOWN_NAME
    assert statements == []


def medians(here: Inside, ways: dict[str, tuple[str, str, str]], authorization: str = "", rounds: int = 2000) -> dict[str, float]:
    requests = {name: FileRequest(path, "http", peer, agent, "GET", authorization) for name, (path, agent, peer) in ways.items()}
    times: dict[str, list[int]] = {name: [] for name in ways}
    for _ in range(rounds):  # taking turns: a busy moment of the machine falls on all alike
        for name, request in requests.items():
            started = time.perf_counter_ns()
            here.server.answer(request)
            times[name].append(time.perf_counter_ns() - started)
    return {name: statistics.median(values) for name, values in times.items()}


@pytest.mark.parametrize("authorization", ["", basic("805ec0000001", "wrong")], ids=["no credentials", "credentials"])
def test_the_time_of_a_refusal_tells_nothing(own: Inside, authorization: str) -> None:
    ways = refusals(own)
    digest = own.phone(site=own.site("digest"))
    ways["digest"] = (digest.name, digest.agent, LOCAL)
    found = medians(own, ways, authorization)
    assert max(found.values()) <= 3 * min(found.values()), found


# ---- answers ------------------------------------------------------------------------------------------------------------


def test_who_proved_himself_learns_what_is_not_there(here: Inside) -> None:
    phone = here.phone("polycom/vvx411", here.site("open"))
    assert here.ask(f"{phone.mac}-web.cfg", phone.agent).reason is Reason.NO_SUCH_FILE
    assert here.ask(f"{phone.mac}.boot", phone.agent).reason is Reason.NO_SUCH_FILE, "another vendor's name"


def test_a_phone_that_is_not_rendered_yet_is_asked_to_come_back(here: Inside) -> None:
    phone = here.phone(site=here.site("open"))
    new = Phone(type(phone.mac)(OUIS["yealink"] + "00aaaa"), "yealink/t46u", "", "")
    here.installation.changes.create_phone("test", new.mac, PhoneInput("yealink/t46u", here.site("open")))
    here.index.refresh()
    assert here.ask(new.name, new.agent).reason is Reason.NOT_RENDERED
    assert here.ask(new.name, new.agent, ELSEWHERE).reason is Reason.UNPROVEN, "that it is there is told to nobody else"


def test_a_conflict_keeps_the_file_back_even_with_the_token(here: Inside) -> None:
    phone = here.phone()
    path = f"p/{here.token(phone)}/{phone.name}"
    for agent in (
        user_agent("yealink/t31p", phone.mac),
        user_agent("yealink/t46u", "805ec0eeeeee"),
        user_agent("polycom/vvx411", phone.mac),
    ):
        assert here.ask(path, agent).reason is Reason.CONFLICT
    assert here.ask(path, "some browser").reason is Reason.SERVED


def test_a_revoked_token_opens_nothing_from_that_moment(here: Inside) -> None:
    phone = here.phone(site=here.site("token"))
    old = here.token(phone)
    here.installation.changes.revoke_token("test", phone.mac)
    here.index.refresh()
    assert here.ask(f"p/{old}/{phone.name}").reason is Reason.BAD_TOKEN
    here.follow()
    assert here.ask(f"p/{here.token(phone)}/{phone.name}").reason is Reason.SERVED


def test_a_look_at_the_headers_is_no_success_and_no_delivery(here: Inside) -> None:
    phone = here.phone()
    path = f"p/{here.token(phone)}/{phone.name}"
    here.fetch(path, phone.agent, method="HEAD")
    assert here.ask(phone.name, phone.agent).reason is Reason.SERVED, "the first fetch is still open"
    here.recorder.flush()
    facts = here.installation.store.lockstep(phone.mac, has_pbx=False)
    assert facts is not None
    assert facts.served is None


def test_a_request_of_any_length_costs_bounded_memory(here: Inside) -> None:
    phone = here.phone(site=here.site("open"))
    for at in range(50):
        here.ask(f"{'x' * 60_000}{at}")
        here.ask(phone.name, f"{'y' * 60_000}{at}")
    kept = [*here.server._plans, *(key[0] for key in here.server._evidence)]
    assert max(map(len, kept)) <= 600


TOKEN = "abcdefghijklmnopqrstuvwx"


@pytest.mark.parametrize(
    "path",
    [
        f"p/{TOKEN}/805ec0aabbcc.cfg", f"/p/{TOKEN}/x", f"//p/{TOKEN}/x", f"p/{TOKEN}", f"P/{TOKEN.upper()}/x", f"a/b/p/{TOKEN}/x",
        f"x?next=/p/{TOKEN}/y", f"x?p/{TOKEN}/", f"p//{TOKEN}/x", f"p/{TOKEN[:20]}/x", f"p/{TOKEN}?x",
    ],
)  # fmt: skip
def test_no_spelling_of_a_token_reaches_the_record(path: str) -> None:
    assert TOKEN[:20] not in masked_path(path).lower()


@pytest.mark.parametrize("path", ["805ec0aabbcc.cfg", "firmware/a.rom", "app/x.cfg", "y000000000108.cfg?mac=1", ""])
def test_what_is_no_token_stays_readable(path: str) -> None:
    assert masked_path(path) == path

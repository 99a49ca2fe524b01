"""The dialplan that no extension changes: whom a number reaches, what stands in the way, and what nobody can do to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.backend import AsteriskBackend
from pbx_sync.asterisk.instance import Instance
from pbx_sync.asterisk.mailboxes import SQLiteMailboxes
from pbx_sync.plan import Plan
from pbx_sync.state import Endpoint, RingGroup
from tests.contract.world import wait_until
from tests.phones.calls import Call, State
from tests.phones.dialog import Dialog
from tests.phones.message import token
from tests.phones.network import Network
from tests.phones.sip import Account, UserAgent

pytestmark = pytest.mark.asterisk

PEOPLE = ("1001", "1002", "1003", "7", "bob", "8123", "h", "2000.a_b-c")
GROUPS = (
    RingGroup("600", "Sales", ("1002", "1003", "1999")),
    RingGroup("601", "Nobody", ()),
    RingGroup("8500", "On a room's number", ("1002",)),
)
SECRET = "a-secret-of-the-tests"


class Floor:
    """Phones on one Asterisk, without a provisioner: what is tested is what Asterisk does with a call."""

    def __init__(self, asterisk: Instance, network: Network) -> None:
        self.asterisk = asterisk
        self.network = network
        self.phones: dict[str, list[UserAgent]] = {}

    def phone(self, number: str) -> UserAgent:
        """Returns a registered phone of the extension; a second one where it has one already."""
        host, port = self.asterisk.facts.sip
        agent = UserAgent(Account(number, SECRET, host, port), frequency_hz=400 + 50 * sum(map(len, self.phones.values())))
        self.network.run(agent.open())
        self.network.run(agent.register())
        self.phones.setdefault(number, []).append(agent)
        return agent

    def dial(self, agent: UserAgent, number: str) -> Call:
        return self.network.run(agent.call(number))

    def ringing(self, agent: UserAgent) -> Call:
        wait_until(agent.ringing, what=f"ringing at {agent.account.number}")
        call = agent.ringing()
        assert call is not None
        return call

    def answer(self, call: Call) -> None:
        self.network.run(call.answer())

    def refuse(self, call: Call, status: int = 486, phrase: str = "Busy Here") -> None:
        async def now() -> None:
            call.refuse(status, phrase)

        self.network.run(now())

    def quiet(self) -> None:
        """Ends every call and waits until Asterisk has forgotten it."""
        for agent in (agent for agents in self.phones.values() for agent in agents):
            for call in agent.calls:
                if call.state != State.ENDED:
                    self.network.run(call.hang_up())
        wait_until(lambda: self.asterisk.cli("core show channels count").startswith("0 active channels"), what="the end of all channels")


@pytest.fixture(scope="module")
def floor(shared_asterisk: Instance) -> Iterator[Floor]:
    address = AsteriskAddress(*shared_asterisk.facts.ami, shared_asterisk.user, shared_asterisk.passwords.ami)
    backend = AsteriskBackend(address, SQLiteMailboxes(shared_asterisk.mailboxes))
    people = tuple(Endpoint(number, f"Person {number}", SECRET, department="sales") for number in PEOPLE)
    assert backend.apply(Plan(create=(*people, *GROUPS))) == {}
    backend.close()
    with Network() as network:
        made = Floor(shared_asterisk, network)
        for number in ("1001", "1002", "1003", "8123"):
            made.phone(number)
        yield made
        network.all([agent.close() for agents in made.phones.values() for agent in agents])


@pytest.fixture
def caller(floor: Floor) -> Iterator[UserAgent]:
    yield floor.phones["1001"][0]
    floor.quiet()


def ends_with(floor: Floor, caller: UserAgent, number: str, seconds: float = 20.0) -> int:
    """Returns the status that a call to the number ends with."""
    call = floor.dial(caller, number)
    wait_until(lambda: call.state == State.ENDED, seconds, f"the end of the call to {number}")
    return call.cause


def wait_state(call: Call, state: State, seconds: float = 20.0) -> None:
    wait_until(lambda: call.state == state, seconds, f"{state} (it is {call.state}, {call.cause})")


@pytest.mark.parametrize("number", ["7", "bob", "2000.a_b-c"])
def test_a_number_may_be_short_or_a_name(floor: Floor, caller: UserAgent, number: str) -> None:
    called = floor.phone(number)
    out = floor.dial(caller, number)
    floor.answer(floor.ringing(called))
    wait_state(out, State.CONFIRMED)


def test_all_phones_of_an_extension_ring_and_one_gets_the_call(floor: Floor, caller: UserAgent) -> None:
    first, second = floor.phones["1002"][0], floor.phone("1002")
    out = floor.dial(caller, "1002")
    lost, won = floor.ringing(first), floor.ringing(second)
    floor.answer(won)
    wait_state(out, State.CONFIRMED)
    wait_state(lost, State.ENDED)


def test_a_group_rings_all_its_members_at_once(floor: Floor, caller: UserAgent) -> None:
    out = floor.dial(caller, "600")
    rings = [floor.ringing(floor.phones[number][0]) for number in ("1002", "1003")]
    floor.answer(rings[1])
    wait_state(out, State.CONFIRMED)
    wait_state(rings[0], State.ENDED)


def test_a_group_without_anybody_is_unavailable(floor: Floor, caller: UserAgent) -> None:
    assert ends_with(floor, caller, "601") == 480


def test_a_group_where_all_refuse_is_busy(floor: Floor, caller: UserAgent) -> None:
    out = floor.dial(caller, "8500")
    for agent in floor.phones["1002"]:
        floor.refuse(floor.ringing(agent))
    wait_state(out, State.ENDED)
    assert out.cause == 486


def test_an_extension_comes_before_a_conference_room_of_its_number(floor: Floor, caller: UserAgent) -> None:
    out = floor.dial(caller, "8123")
    floor.answer(floor.ringing(floor.phones["8123"][0]))
    wait_state(out, State.CONFIRMED)


def test_nobody_there_leads_to_the_mailbox(floor: Floor, caller: UserAgent) -> None:
    """Extension h has no phone; its name is one that means "hung up" to a dialplan."""
    out = floor.dial(caller, "h")
    wait_state(out, State.CONFIRMED)
    wait_until(out.speech.hears_anything, what="the mailbox's announcement")


def test_busy_leads_to_the_mailbox(floor: Floor, caller: UserAgent) -> None:
    out = floor.dial(caller, "1003")
    floor.refuse(floor.ringing(floor.phones["1003"][0]))
    wait_state(out, State.CONFIRMED)
    wait_until(out.speech.hears_anything, what="the mailbox's announcement")


@pytest.mark.parametrize("number", ["5555", "s", "t", "i", "0", "99999999999999999999999999999999"])
def test_an_unknown_number_is_refused_in_words(floor: Floor, caller: UserAgent, number: str) -> None:
    call = floor.dial(caller, number)
    wait_state(call, State.ENDED)
    assert call.cause == 404


@pytest.mark.parametrize(
    "number",
    [
        "1002&Local/1003@internal", "1002,30,S(1)", "${SHELL(id)}", "x)&&(1", "*8../../x", "*80${EXTEN}", "*801003,20,g", "a\"|\"1",
        "600&700", "8${EPOCH}",
    ],
)  # fmt: skip
def test_what_a_caller_dials_is_never_part_of_the_dialplan(floor: Floor, caller: UserAgent, number: str) -> None:
    before = {agent: len(agent.calls) for agents in floor.phones.values() for agent in agents if agent is not caller}
    call = floor.dial(caller, number)
    wait_state(call, State.ENDED)
    assert call.cause in (404, 480, 484, 488, 603, 501, 500, 503, 403)
    assert {agent: len(agent.calls) for agent in before} == before, "nobody rang"


def test_a_stranger_can_call_nobody(floor: Floor) -> None:
    host, port = floor.asterisk.facts.sip
    for number, secret in (("1001", "wrong"), ("4711", "x"), ("default_outbound_endpoint", ""), ("anonymous", ""), ("transport-udp", "")):
        stranger = UserAgent(Account(number, secret, host, port))
        floor.network.run(stranger.open())
        call = floor.dial(stranger, "1002")
        wait_state(call, State.ENDED)
        assert call.cause == 401, number
        floor.network.run(stranger.close())


def test_phones_that_forward_to_each_other_end_in_a_mailbox(floor: Floor, caller: UserAgent) -> None:
    """Both answer 302 with the other's number, for ever."""
    stop = asyncio.Event()

    async def forward(agent: UserAgent, to: str) -> None:
        while not stop.is_set():
            call = agent.ringing()
            if call is not None and call.invited is not None:
                contact = (("Contact", f"<{agent.uri_of(to)}>"),)
                agent.link.answer(call.invited, 302, "Moved Temporarily", token(), contact)
                call.state = State.ENDED
            await asyncio.sleep(0.005)

    async def both() -> list[asyncio.Task[None]]:
        pairs = [(agent, "1003") for agent in floor.phones["1002"]] + [(agent, "1002") for agent in floor.phones["1003"]]
        return [asyncio.create_task(forward(agent, to)) for agent, to in pairs]

    tasks = floor.network.run(both())
    try:
        call = floor.dial(caller, "1002")
        wait_state(call, State.CONFIRMED)
        assert any("in a circle" in line for line in floor.asterisk.log_lines())
    finally:

        async def end() -> None:
            stop.set()
            await asyncio.gather(*tasks)

        floor.network.run(end())


def test_intercom_does_not_break_into_a_call(floor: Floor, caller: UserAgent) -> None:
    called = floor.phones["1003"][0]
    talk = floor.dial(called, "*43")
    wait_state(talk, State.CONFIRMED)
    before = len(called.calls)
    out = floor.dial(caller, "*801003")
    wait_state(out, State.CONFIRMED)
    wait_until(out.speech.hears_anything, what="the mailbox's announcement")
    assert len(called.calls) == before


def test_intercom_says_in_every_vendors_way_that_it_wants_an_answer(floor: Floor, caller: UserAgent) -> None:
    floor.dial(caller, "*801003")
    invite = floor.ringing(floor.phones["1003"][0]).invited
    assert invite is not None
    assert invite.get("Call-Info").endswith(";answer-after=0")
    assert [text.strip() for text in invite.all("Alert-Info")] == ["Auto Answer", "<http://127.0.0.1>;info=alert-autoanswer;delay=0"]


def test_a_slots_key_parks_and_takes_back(floor: Floor, caller: UserAgent) -> None:
    """A blind transfer to 705 parks there; whoever then dials 705 has the call."""
    floor.dial(caller, "1003")
    there = floor.ringing(floor.phones["1003"][0])
    floor.answer(there)
    wait_until(
        lambda: there.hears(caller),
        what="their talk: Asterisk answers the caller before it connects the two, and transfers only afterwards",
    )
    assert floor.network.run(there.transfer("705")) == 202
    wait_until(lambda: there.reports[-1:] == ["SIP/2.0 200 OK"], what="the transfer")
    wait_until(lambda: "705" in floor.asterisk.cli("parking show default").partition("Parked Calls")[2], what="the parked call")
    back = floor.dial(floor.phones["1002"][0], "705")
    wait_state(back, State.CONFIRMED)
    wait_until(lambda: back.hears(caller), what="the voice of who was parked")


@pytest.mark.parametrize("event", ["call-info", "line-seize"])
def test_no_line_is_shared(floor: Floor, caller: UserAgent, event: str) -> None:
    """What a phone with shared call appearance asks for before a call: so ``shared_lines`` is off unless somebody says otherwise."""
    uri = caller.uri_of(caller.account.number)
    dialog = Dialog(token(), f"{caller.identity};tag={token()}", f"<{uri}>", uri)
    answer = floor.network.run(caller.ask_in(dialog, "SUBSCRIBE", [("Event", event), ("Expires", "60")]))
    assert answer.status == 489


def test_nothing_was_left_unexplained_in_the_log(floor: Floor) -> None:
    """Runs last: whatever the tests above did is no error of Asterisk's."""
    errors = [line for line in floor.asterisk.log_lines(2000) if "ERROR" in line]
    assert errors == []

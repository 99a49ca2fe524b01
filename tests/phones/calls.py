"""Calls: both directions, speech, hold, blind transfer (RFC 3261 sections 13 to 15, RFC 3515)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from tests.phones.dialog import Dialog, dialog_of
from tests.phones.link import NoAnswer
from tests.phones.media import Speech
from tests.phones.message import Message, address, request, token

if TYPE_CHECKING:
    from tests.phones.sip import UserAgent

SDP = ("Content-Type", "application/sdp")


class State(StrEnum):
    """Where a call stands."""

    DIALLING = "dialling"
    RINGING = "ringing"
    CONFIRMED = "confirmed"
    ENDED = "ended"


def audio_address(body: str) -> tuple[str, int]:
    """Returns host and port that a session description wants its speech at."""
    host = re.search(r"^c=IN IP4 (\S+)", body, re.MULTILINE)
    port = re.search(r"^m=audio (\d+)", body, re.MULTILINE)
    return (host.group(1), int(port.group(1))) if host and port else ("", 0)


@dataclass
class Call:
    """One call of a phone. Read ``state`` from any thread; everything else happens in the phones' own."""

    agent: UserAgent
    dialog: Dialog
    speech: Speech
    tag: str
    is_incoming: bool = False
    state: State = State.DIALLING
    cause: int = 0
    """The status that refused it, where one did."""
    peer: str = ""
    """The number that the other side showed."""
    invited: Message | None = None
    reports: list[str] = field(default_factory=list)
    """What the PBX told of a transfer: the first lines of its message fragments."""
    _version: int = 0

    # ---- outgoing ------------------------------------------------------------------------------------------------------

    async def dial(self, number: str) -> None:
        """Invites, and returns when the call is answered or refused."""
        await self.speech.open(self.agent.host)
        self.dialog.target = self.agent.uri_of(number)
        try:
            answer = await self.agent.ask_in(self.dialog, "INVITE", [SDP], self._offer("sendrecv"), self._progress, self._sent)
        except NoAnswer:
            self._end(408)
            return
        if answer.status >= 300:
            self._end(answer.status)
            return
        self.dialog.learn(answer)
        self._confirm(answer.sequence)
        self._speak(answer.body)

    def _sent(self, message: Message) -> None:
        self.invited = message

    def _progress(self, answer: Message) -> None:
        if answer.status >= 180 and self.state == State.DIALLING:
            self.state = State.RINGING

    def _confirm(self, sequence: int) -> None:
        headers = [self.agent.link.via(), *self.dialog.headers("ACK", sequence)]
        self.agent.link.confirm(request("ACK", self.dialog.target, headers))

    # ---- incoming ------------------------------------------------------------------------------------------------------

    def ring(self) -> None:
        assert self.invited is not None
        self.agent.link.answer(self.invited, 180, "Ringing", self.tag, (self.agent.contact,))
        self.state = State.RINGING

    async def answer(self) -> None:
        assert self.invited is not None
        await self.speech.open(self.agent.host)
        self.agent.link.answer(self.invited, 200, "OK", self.tag, (self.agent.contact, SDP), self._offer("sendrecv"))
        self._speak(self.invited.body)

    def refuse(self, status: int = 486, phrase: str = "Busy Here") -> None:
        assert self.invited is not None
        self.agent.link.answer(self.invited, status, phrase, self.tag)
        self._end(status)

    # ---- both ----------------------------------------------------------------------------------------------------------

    async def hang_up(self) -> None:
        """Ends the call, whatever its state."""
        if self.state == State.CONFIRMED:
            self._end()
            await self.agent.ask_in(self.dialog, "BYE")
        elif self.state != State.ENDED and self.is_incoming:
            self.refuse()
        elif self.state != State.ENDED and self.invited is not None:
            await self.agent.link.ask(_cancel(self.invited))

    async def hold(self, *, on: bool = True) -> None:
        """Puts the other side on hold, or takes it back."""
        answer = await self.agent.ask_in(
            self.dialog, "INVITE", [SDP, self.agent.contact], self._offer("sendonly" if on else "sendrecv"), None, None
        )
        if answer.status >= 300:
            raise NoAnswer(f"hold was refused with {answer.status}")
        self._confirm(answer.sequence)
        self.speech.talk_to(*(("", 0) if on else audio_address(answer.body)))

    async def transfer(self, number: str) -> int:
        """Has the PBX connect the other side to the number (blind transfer); returns the status. Once it says that it did, this side hangs up."""
        more = [("Refer-To", f"<{self.agent.uri_of(number)}>"), ("Referred-By", f"<{address(self.dialog.local)}>"), self.agent.contact]
        return (await self.agent.ask_in(self.dialog, "REFER", more)).status

    def received(self, message: Message) -> None:
        """Deals with a request of the other side within this call."""
        if message.method == "INVITE":
            self.agent.link.answer(message, 200, "OK", self.tag, (self.agent.contact, SDP), self._offer("sendrecv"))
            self._speak(message.body)
        elif message.method == "CANCEL":
            self.agent.link.answer(message, 200, "OK", self.tag)
            if self.state == State.RINGING and self.is_incoming:
                self.refuse(487, "Request Terminated")
        elif message.method != "ACK":
            self.agent.link.answer(message, 200, "OK")
            if message.method == "NOTIFY":
                self._reported(message.body.partition("\r\n")[0])
            elif message.method == "BYE":
                self._end()

    def _reported(self, line: str) -> None:
        """Notes how a transfer goes, and leaves the call once the other side has arrived (RFC 3515, 2.4.4)."""
        self.reports.append(line)
        if line.startswith("SIP/2.0 2"):
            self.agent.begin(self.hang_up())

    def hears(self, other: UserAgent) -> bool:
        """Returns whether the other phone's tone is what comes out of this one."""
        return self.speech.hears(other.frequency_hz)

    def _speak(self, body: str) -> None:
        self.state = State.CONFIRMED
        if body:
            self.speech.talk_to(*audio_address(body))

    def _offer(self, direction: str) -> str:
        self._version += 1
        host = self.agent.host
        lines = [
            "v=0",
            f"o=- 1 {self._version} IN IP4 {host}",
            "s=-",
            f"c=IN IP4 {host}",
            "t=0 0",
            f"m=audio {self.speech.port} RTP/AVP 0 101",
        ]
        return "\r\n".join(
            [*lines, "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20", f"a={direction}", ""]
        )

    def _end(self, cause: int = 0) -> None:
        self.state, self.cause = State.ENDED, cause or self.cause
        self.speech.close()


def _cancel(invite: Message) -> Message:
    """Returns the CANCEL of an INVITE: same transaction, same sequence number (RFC 3261, 9.1)."""
    kept = [(name, invite.get(name)) for name in ("Via", "Max-Forwards", "From", "To", "Call-ID")]
    return request("CANCEL", invite.uri, [*kept, ("CSeq", f"{invite.sequence} CANCEL")])


def incoming(agent: UserAgent, message: Message, frequency_hz: int) -> Call:
    """Returns the call that an INVITE of the PBX begins."""
    tag = token()
    return Call(
        agent, dialog_of(message, tag), Speech(frequency_hz), tag, is_incoming=True, peer=_user(message.get("From")), invited=message
    )


def outgoing(agent: UserAgent, number: str, frequency_hz: int) -> Call:
    tag = token()
    dialog = Dialog(token(), f"{agent.identity};tag={tag}", f"<{agent.uri_of(number)}>", agent.uri_of(number))
    return Call(agent, dialog, Speech(frequency_hz), tag, peer=number)


def _user(header: str) -> str:
    return address(header).partition(":")[2].partition("@")[0]


def is_of(call: Call, message: Message) -> bool:
    """Returns whether a message belongs to the call."""
    return message.get("Call-ID") == call.dialog.call_id

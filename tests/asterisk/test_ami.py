"""The wire to AMI against a peer that misbehaves in every way, and against the real Asterisk."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.ami import AMI, LONGEST_VALUE, Action, Session, Unspeakable
from pbx_sync.asterisk.instance import Instance
from pbx_sync.backend import PBXUnavailable
from tests.asterisk.by_hand import address_of
from tests.contract.world import wait_until

PASSWORD = "a-password-that-must-not-be-told"
BANNER = b"Asterisk Call Manager/11.0.0\r\n"
BOOTED = b"Event: FullyBooted\r\nUptime: 7\r\n\r\n"
TIMEOUT_S = 0.5

Script = Callable[[socket.socket], None]


@contextmanager
def peer(script: Script) -> Iterator[AsteriskAddress]:
    """Yields the address of a peer that does to each of its connections what ``script`` says, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        script(connection)
                    except OSError:
                        continue  # the other side has gone: that is what some of these scripts are for

        thread = threading.Thread(target=serve)
        thread.start()
        yield AsteriskAddress(*server.getsockname(), "prov", PASSWORD)
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def answers(connection: socket.socket, *each: bytes) -> None:
    """Reads actions and answers each with the next text, ``%`` standing for its number."""
    heard = b""
    for text in each:
        while b"\r\n\r\n" not in heard:
            piece = connection.recv(65536)
            if not piece:
                return
            heard += piece
        action, _, heard = heard.partition(b"\r\n\r\n")
        number = action.partition(b"ActionID: ")[2].partition(b"\r\n")[0]
        connection.sendall(text.replace(b"%", number))


OK = b"Response: Success\r\nActionID: %\r\nMessage: done\r\n\r\n"


def logged_in(*then: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(BANNER)
        answers(connection, OK + BOOTED, OK, *then)

    return script


def stays(connection: socket.socket) -> None:
    """Keeps quiet until the other side goes."""
    while connection.recv(65536):
        pass


def silent_after(text: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(text)
        stays(connection)

    return script


def ends_after(text: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        stays(connection)  # with what it is sent unread, the end would be a reset

    return script


def failing(script: Script, asked: int = 1) -> str:
    """Returns what is said when the peer is asked."""
    with peer(script) as address:
        ami = AMI(address, TIMEOUT_S)
        begun = time.monotonic()
        with pytest.raises(PBXUnavailable) as raised:
            ami.ask_all([Action("Ping")] * asked)
        ami.close()
        assert time.monotonic() - begun < 10 * TIMEOUT_S
        assert PASSWORD not in f"{raised.value!r} {raised.value.__context__!r} {address!r} {address}"
        return str(raised.value)


BROKEN: dict[str, tuple[Script, str]] = {
    "no banner": (silent_after(b""), "does not answer within"),
    "no answer to the login": (silent_after(BANNER), "does not answer within"),
    "another protocol": (silent_after(b"HTTP/1.1 400 Bad Request\r\n" + b"x" * 500_000), "does not speak as Asterisk does"),
    "a line without end": (logged_in(b"Response: " + b"x" * 500_000), "does not speak as Asterisk does"),
    "an end in the login": (ends_after(BANNER), "closed the connection"),
    "an end in an answer": (logged_in(b"Response: Success\r\nActio"), "closed the connection"),
    "an end in a list": (
        logged_in(b"Response: Success\r\nActionID: %\r\nEventList: start\r\n\r\nEvent: X\r\nActionID: %\r\n\r\n"),
        "closed the connection",
    ),
    "an action that is not allowed": (
        logged_in(b"Response: Error\r\nActionID: %\r\nMessage: Permission denied\r\n\r\n"),
        "does not do what is asked of it: Permission denied",
    ),
    "an action that is not loaded": (
        logged_in(b"Response: Error\r\nActionID: %\r\nMessage: Invalid/unknown command: Ping.\r\n\r\n"),
        "Invalid/unknown command: Ping",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_peer_that_breaks_off_or_talks_nonsense_is_away(name: str) -> None:
    script, said = BROKEN[name]
    assert said in failing(script)


def test_hanging_peer_is_noticed_in_the_middle_of_a_batch() -> None:
    def script(connection: socket.socket) -> None:
        logged_in(OK, OK)(connection)
        stays(connection)

    assert "does not answer within" in failing(script, asked=5)


def test_asterisk_that_is_still_starting_says_so() -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(BANNER)
        answers(connection, OK)
        stays(connection)

    assert "is still starting" in failing(script)


def test_refused_login_names_the_settings_to_mend() -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(BANNER)
        answers(connection, b"Response: Error\r\nActionID: %\r\nMessage: Authentication failed\r\n\r\n")

    said = failing(script)
    assert "refuses the AMI user 'prov' (Authentication failed)" in said
    assert "PROVISIONER_PBX_AMI_USER and PROVISIONER_PBX_AMI_PASSWORD" in said


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = AsteriskAddress(*server.getsockname(), "prov", PASSWORD)
    with pytest.raises(PBXUnavailable, match=f"does not answer at {address.ami_host}:{address.ami_port}: Connection refused"):
        AMI(address, TIMEOUT_S).ask("Ping")


def test_next_question_connects_anew_after_the_peer_has_gone() -> None:
    with peer(logged_in(OK)) as address:
        ami = AMI(address, TIMEOUT_S)
        for _ in range(3):
            assert ami.ask("Ping").text == "done"
            wait_until(lambda: ami._session is not None and not ami._session.is_open, what="the end of this connection, after one answer")
        ami.close()


def test_events_between_answers_are_handed_over_and_are_no_answers() -> None:
    event = b"Event: Hangup\r\nUniqueid: 7\r\n\r\n"
    listed = b"Response: Success\r\nActionID: %\r\nEventList: start\r\n\r\n" + event
    listed += (
        b"Event: Row\r\nActionID: %\r\nVal: a: b\r\nEmpty: \r\n\r\n" + event + b"Event: End\r\nActionID: %\r\nEventList: Complete\r\n\r\n"
    )
    seen: list[str] = []
    with peer(logged_in(event + OK, listed)) as address:
        session = Session(address, TIMEOUT_S)
        session.on_event = lambda message: seen.append(message["Uniqueid"])
        first, second = session.ask_all([Action("Ping"), Action("List")])
        session.close()
    assert seen == ["7"] * 3
    assert (first.is_success, first.text, first.items) == (True, "done", ())
    assert [(item["Val"], item["Empty"]) for item in second.items] == [("a: b", "")]


@pytest.mark.parametrize(
    "value", ["a\r\nAction: Originate", "a\nb", "a\rb", "a\0b", "x" * (LONGEST_VALUE + 1), "ខ" * LONGEST_VALUE, "\ud800"]
)
def test_value_that_would_break_the_protocol_is_refused_unsent(value: str) -> None:
    with pytest.raises(Unspeakable) as raised:
        Action("DBPut", {"Family": "a", "Key": "b", "Val": value})
    assert value not in str(raised.value)
    assert str(raised.value).startswith("DBPut: Val ")


@pytest.mark.asterisk
def test_longest_value_and_every_letter_go_through(shared_asterisk: Instance) -> None:
    with closing(AMI(address_of(shared_asterisk))) as ami:
        for value in ("x" * LONGEST_VALUE, "Zoë: ឡ 🙂 ; , % \\ \" '", "", "a: b"):
            assert ami.ask("DBPut", Family="test", Key="*1#", Val=value).is_success
            assert ami.ask("DBGet", Family="test", Key="*1#").items[0]["Val"] == value


@pytest.mark.asterisk
def test_threads_share_one_connection(shared_asterisk: Instance) -> None:
    with closing(AMI(address_of(shared_asterisk))) as ami:
        wrong: list[str] = []

        def work(name: str) -> None:
            for turn in range(50):
                ami.ask_all([Action("DBPut", {"Family": "threads", "Key": name, "Val": f"{name}-{turn}"})])
                got = ami.ask("DBGet", Family="threads", Key=name).items[0]["Val"]
                if got != f"{name}-{turn}":
                    wrong.append(got)

        threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


@pytest.mark.asterisk
def test_ten_thousand_actions_in_one_breath(shared_asterisk: Instance) -> None:
    with closing(AMI(address_of(shared_asterisk))) as ami:
        replies = ami.ask_all([Action("DBPut", {"Family": "many", "Key": str(number), "Val": "x" * 500}) for number in range(10_000)])
        assert len(replies) == 10_000 and all(reply.is_success for reply in replies)
        assert len(ami.ask("DBGetTree", Family="many").items) == 10_000


@pytest.mark.asterisk
def test_wrong_password_at_the_real_one(shared_asterisk: Instance) -> None:
    with pytest.raises(PBXUnavailable, match=r"refuses the AMI user 'provisioner' \(Authentication failed\).*PROVISIONER_PBX_AMI_PASSWORD"):
        AMI(address_of(shared_asterisk, password=PASSWORD)).ask("Ping")

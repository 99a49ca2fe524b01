"""The wire to an Asterisk's manager interface (AMI): sessions, actions and their replies. Nothing here knows what the actions mean.

Written here because what PyPI has is asynchronous, unmaintained or untyped, and none of it pipelines: a thousand actions in one breath
is what makes 10,000 extensions a matter of seconds.
Source: docs.asterisk.org, "AMI v2 Specification" and "AMI Actions"; limits observed on Asterisk 22.10.
"""

from __future__ import annotations

import itertools
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.backend import PBXUnavailable

LONGEST_VALUE = 1000
"""Bytes of UTF-8 that a field may hold: Asterisk refuses a line of more than 1,023 bytes, the field's name included."""
_LARGEST_MESSAGE = 256 * 1024
_LARGEST_SEND = 32 * 1024
"""Bytes of actions that are sent before replies are read. It fits the peer's receive buffer, so that sending never waits for reading."""
_END = b"\r\n\r\n"
_FORBIDDEN = frozenset("\r\n\0")

Message = Mapping[str, str]
"""The fields of one reply or event. Of fields of one name the last is kept."""


class Unspeakable(ValueError):
    """A field that the line protocol cannot carry. The message never holds the value: it may be a secret."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing asked of Asterisk. Raises ``Unspeakable`` where a field would break the protocol."""

    name: str
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name, value in self.fields.items():
            if reason := unspeakable(value):
                raise Unspeakable(f"{self.name}: {name} {reason}")

    def encoded(self, number: str) -> bytes:
        lines = {"Action": self.name, "ActionID": number, **self.fields}
        return ("".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n").encode()


@dataclass(frozen=True, slots=True)
class Reply:
    """What Asterisk answered. ``items`` are the entries of an answer that is a list."""

    is_success: bool
    text: str
    fields: Message
    items: tuple[Message, ...] = ()


def unspeakable(value: str) -> str:
    """Returns why a field cannot hold the value, or an empty string."""
    if not _FORBIDDEN.isdisjoint(value):
        return "holds a line break"
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        return "holds half a character"
    return f"is {length} bytes long; {LONGEST_VALUE} are possible" if length > LONGEST_VALUE else ""


class Session:
    """One connection, logged in and fully booted. Not thread-safe. After any ``PBXUnavailable`` it is of no more use but to be closed."""

    def __init__(self, address: AsteriskAddress, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._buffer = bytearray()
        self._numbers = itertools.count(1)
        self._deadline = time.monotonic() + timeout_s
        self.on_event: Callable[[Message], None] | None = None
        """Takes the events that arrive among replies."""
        try:
            self._socket = socket.create_connection((address.ami_host, address.ami_port), timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise PBXUnavailable(f"Asterisk does not answer at {address}: {_words(error)}") from None
        try:
            self.booted = self._log_in()
        except PBXUnavailable:
            self.close()
            raise

    def ask_all(self, actions: Sequence[Action]) -> list[Reply]:
        """Returns the replies, in order. Actions are sent many at a time. Raises ``PBXUnavailable``."""
        replies: list[Reply] = []
        for batch in _batches((number, action.encoded(number)) for number, action in zip(map(str, self._numbers), actions, strict=False)):
            self._deadline = time.monotonic() + self._timeout_s
            self._send(b"".join(text for _, text in batch))
            replies += [self._reply(number) for number, _ in batch]
        return replies

    def poll(self, wait_s: float) -> None:
        """Hands over the events that arrive within the time; returns after the first lot. Raises ``PBXUnavailable``."""
        if self._has_message() or self._receive(wait_s):
            while self._has_message():
                self._event(self._take())

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, as far as this side can tell without asking."""
        try:
            return not select.select([self._socket], [], [], 0)[0] or bool(self._socket.recv(1, socket.MSG_PEEK))
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        self._socket.close()

    def _log_in(self) -> Message:
        """Returns the event by which Asterisk says that it has booted; before that it knows none of the actions that we need."""
        while b"\r\n" not in self._buffer:
            self._receive_before_deadline()
        banner, _, self._buffer = self._buffer.partition(b"\r\n")
        if not banner.startswith(b"Asterisk Call Manager/"):  # a web server, or a proxy that answers in its place
            raise PBXUnavailable(f"what answers at {self._address} does not speak as Asterisk does")
        booted: list[Message] = []
        self.on_event = lambda event: booted.append(event) if event.get("Event") == "FullyBooted" else None
        login = {"Username": self._address.ami_user, "Secret": self._address.ami_password, "Events": "system"}
        (reply,) = self.ask_all([Action("Login", login)])
        if not reply.is_success:
            raise PBXUnavailable(
                f"Asterisk at {self._address} refuses the AMI user {self._address.ami_user!r} ({reply.text}): "
                "PROVISIONER_PBX_AMI_USER and PROVISIONER_PBX_AMI_PASSWORD must be what its manager.conf says"
            )
        try:
            while not booted:
                self._event(self._next())
        except PBXUnavailable:
            raise PBXUnavailable(
                f"Asterisk at {self._address} is still starting (or the AMI user {self._address.ami_user!r} lacks 'read = system')"
            ) from None
        self.on_event = None
        self.ask_all([Action("Events", {"EventMask": "off"})])
        return booted[0]

    def _reply(self, number: str) -> Reply:
        head = self._next()
        while head.get("ActionID") != number or "Response" not in head:
            self._event(head)
            head = self._next()
        is_success, text = head["Response"] != "Error", head.get("Message", "").strip()
        if text.startswith(("Permission denied", "Invalid/unknown command", "Asterisk is shutting down")):
            raise PBXUnavailable(f"Asterisk at {self._address} does not do what is asked of it: {text[:200]}")
        items: list[Message] = []
        while is_success and head.get("EventList") == "start":
            item = self._next()
            if item.get("ActionID") != number:
                self._event(item)
            elif item.get("EventList") == "Complete":
                break
            else:
                items.append(item)
        return Reply(is_success, text, head, tuple(items))

    def _event(self, message: Message) -> None:
        if self.on_event is not None and "Event" in message:
            self.on_event(message)

    def _next(self) -> Message:
        while not self._has_message():
            self._receive_before_deadline()
        return self._take()

    def _has_message(self) -> bool:
        return _END in self._buffer

    def _take(self) -> Message:
        end = self._buffer.index(_END)
        lines = self._buffer[:end].decode(errors="replace").split("\r\n")
        del self._buffer[: end + len(_END)]
        return dict([line.split(": ", 1) for line in lines if ": " in line])

    def _receive_before_deadline(self) -> None:
        """Reads once. Every read moves the deadline: a long list may take its time, silence may not."""
        if not self._receive(self._deadline - time.monotonic()):
            raise PBXUnavailable(f"Asterisk at {self._address} does not answer within {self._timeout_s:.0f} s")
        self._deadline = time.monotonic() + self._timeout_s

    def _receive(self, wait_s: float) -> bool:
        """Reads once and returns whether there was anything to read within the time."""
        try:
            if not select.select([self._socket], [], [], max(wait_s, 0.0))[0]:
                return False
            data = self._socket.recv(256 * 1024)
        except (OSError, ValueError) as error:
            raise PBXUnavailable(f"the connection to Asterisk at {self._address} broke: {_words(error)}") from None
        if not data:
            raise PBXUnavailable(f"Asterisk at {self._address} closed the connection")
        self._buffer += data
        if len(self._buffer) > _LARGEST_MESSAGE and not self._has_message():
            raise PBXUnavailable(f"what answers at {self._address} does not speak as Asterisk does")
        return True

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise PBXUnavailable(f"the connection to Asterisk at {self._address} broke: {_words(error)}") from None


class AMI:
    """Asks an Asterisk, connecting when it has to. Safe for several threads; each question has the connection for itself."""

    def __init__(self, address: AsteriskAddress, timeout_s: float = 5.0) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self._lock = threading.Lock()
        self._session: Session | None = None

    def ask(self, name: str, **fields: str) -> Reply:
        """Returns the reply to one action. Raises ``PBXUnavailable``, ``Unspeakable``."""
        return self.ask_all([Action(name, fields)])[0]

    def ask_all(self, actions: Sequence[Action]) -> list[Reply]:
        """Returns the replies, in order. Raises ``PBXUnavailable``; then any of the actions may have been done."""
        if not actions:
            return []
        with self._lock:
            try:
                return self._open().ask_all(actions)
            except PBXUnavailable:
                self._drop()
                raise

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _open(self) -> Session:
        if self._session is not None and not self._session.is_open:
            self._drop()
        if self._session is None:
            self._session = Session(self.address, self.timeout_s)
        return self._session

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None


def _batches(encoded: Iterator[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    batch: list[tuple[str, bytes]] = []
    size = 0
    for item in encoded:
        if batch and size + len(item[1]) > _LARGEST_SEND:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item[1])
    if batch:
        yield batch


def _words(error: Exception) -> str:
    """Returns an operating system's error in words, without its number."""
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__

"""What a phone subscribes to: the state of other extensions (RFC 4235) and its own mailbox (RFC 3842)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from tests.phones.dialog import Dialog
from tests.phones.message import Message

_DIALOG_INFO = "{urn:ietf:params:xml:ns:dialog-info}"


@dataclass
class Subscription:
    """What the PBX tells about without being asked each time."""

    event: str
    accepts: str
    number: str = ""
    """The extension; empty for the own mailbox."""
    dialog: Dialog | None = None
    told: int = 0
    refusal: int = 0
    """The status that the PBX refused it with, 0 where it did not."""

    def notified(self, message: Message) -> None:
        """Takes what the PBX tells; one that it has ended is subscribed anew by the next renewal."""
        self.told += 1
        if message.body:
            self.read(message.body)
        if message.get("Subscription-State").startswith("terminated"):
            self.dialog = None

    def read(self, body: str) -> None:
        raise NotImplementedError


class WatchedLamp(Subscription):
    """The lamp of a watched extension: dark (terminated), flashing (early), lit (confirmed)."""

    def __init__(self, number: str) -> None:
        super().__init__("dialog", "application/dialog-info+xml", number)
        self.state = ""
        self.seen: list[str] = []
        """Every state in its order; one that follows itself is there once."""

    def read(self, body: str) -> None:
        """Takes the state of the newest dialog; none at all is an extension at rest."""
        states = [state.text or "" for state in ElementTree.fromstring(body).iter(f"{_DIALOG_INFO}state")]
        self.state = states[-1] if states else "terminated"
        if self.seen[-1:] != [self.state]:
            self.seen.append(self.state)


class MessageLamp(Subscription):
    """The message-waiting lamp."""

    def __init__(self) -> None:
        super().__init__("message-summary", "application/simple-message-summary")
        self.is_wanted = False
        self.is_lit = False
        self.new = 0

    def read(self, body: str) -> None:
        self.is_lit = re.search(r"^Messages-Waiting:\s*yes", body, re.MULTILINE | re.IGNORECASE) is not None
        counted = re.search(r"^Voice-Message:\s*(\d+)/", body, re.MULTILINE | re.IGNORECASE)
        self.new = int(counted.group(1)) if counted else 0

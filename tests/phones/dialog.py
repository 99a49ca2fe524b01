"""Dialogs: what two sides remember of each other between a first request and the last (RFC 3261, section 12)."""

from __future__ import annotations

from dataclasses import dataclass

from tests.phones.message import Message, address


@dataclass
class Dialog:
    """What two sides have to remember of each other. ``local`` and ``remote`` are From and To with their tags."""

    call_id: str
    local: str
    remote: str
    target: str
    route: tuple[str, ...] = ()
    sequence: int = 0

    def learn(self, answer: Message) -> None:
        """Takes over what the first answer says of the other side."""
        self.remote = answer.get("To")
        self.target = address(answer.get("Contact")) or self.target
        self.route = tuple(reversed(answer.all("Record-Route")))

    def headers(self, method: str, sequence: int = 0) -> list[tuple[str, str]]:
        """Returns the headers of the next request, or of one with that sequence number."""
        if not sequence:
            self.sequence += 1
        return [
            ("Max-Forwards", "70"),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{sequence or self.sequence} {method}"),
            *(("Route", route) for route in self.route),
        ]


def dialog_of(received: Message, tag: str) -> Dialog:
    """Returns the dialog that an INVITE from the other side opens."""
    return Dialog(
        call_id=received.get("Call-ID"),
        local=f"{received.get('To')};tag={tag}",
        remote=received.get("From"),
        target=address(received.get("Contact")),
        route=tuple(received.all("Record-Route")),
    )

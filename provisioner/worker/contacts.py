"""The PBX's registrations as this moment has them, by number."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pbx_sync.backend import Backend
from pbx_sync.state import Contact
from provisioner.core.catalogue import Catalogue, parse_user_agent
from provisioner.core.contacts import LineContact, LinePhone
from provisioner.core.values import UserAgent
from provisioner.store import LinePhone as PhoneRow

AGENTS = 10_000


class Contacts:
    """A copy of what the backend holds, sorted only when it changed: asked for several times a second, it must cost nothing."""

    def __init__(self, backend: Backend, catalogue: Catalogue) -> None:
        self._backend = backend
        self._catalogue = catalogue
        self._seen: Sequence[Contact] = ()
        self._of: dict[str, tuple[Contact, ...]] = {}
        self._agents: dict[str, UserAgent | None] = {}

    def refresh(self) -> Mapping[str, tuple[Contact, ...]]:
        """Returns number -> its contacts; the same object as long as nothing changed. Raises ``PBXUnavailable``."""
        now = self._backend.contacts()
        if now is not self._seen and now != self._seen:  # comparing finds most entries to be the same object: microseconds
            found: dict[str, list[Contact]] = {}
            for contact in now:
                found.setdefault(contact.number, []).append(contact)
            self._of = {number: tuple(contacts) for number, contacts in found.items()}
        self._seen = now
        return self._of

    def of(self, number: str) -> list[LineContact]:
        """Returns the contacts of a number as they were at the last refresh, each with what its User-Agent says."""
        return [
            LineContact(item.uri, item.registered_at, item.address, item.user_agent, self._agent(item.user_agent))
            for item in self._of.get(number, ())
        ]

    def phones(self, rows: Collection[PhoneRow]) -> list[LinePhone]:
        """Returns phones with what the catalogue says of their models."""
        return [self._phone(row) for row in rows]

    def _phone(self, row: PhoneRow) -> LinePhone:
        model = self._catalogue.model(row.model)
        names = frozenset(model.ua_models) if model else frozenset()
        return LinePhone(row.mac, row.model.partition("/")[0], names, row.address)

    def _agent(self, text: str) -> UserAgent | None:
        if text not in self._agents:
            if len(self._agents) >= AGENTS:
                self._agents.clear()
            self._agents[text] = parse_user_agent(self._catalogue, text)
        return self._agents[text]

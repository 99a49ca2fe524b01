"""An in-memory PBX: shipped and selectable (``PROVISIONER_PBX=fake``), for demonstrations and tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pbx_sync.backend import PBXUnavailable
from pbx_sync.plan import Plan
from pbx_sync.state import Contact, Endpoint, State


class FakePBX:
    """Keeps endpoints in a dictionary, forgets them when its process ends, and can be told to fail."""

    def __init__(self) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.registrations: list[Contact] = []
        self.notified: list[tuple[str, str]] = []
        self.is_down = False
        self.refuses: dict[str, str] = {}

    def read(self, numbers: Collection[str] | None = None) -> State:
        self._answering()
        return {number: endpoint for number, endpoint in self.endpoints.items() if numbers is None or number in numbers}

    def apply(self, plan: Plan) -> dict[str, str]:
        self._answering()
        refused = {}
        for endpoint in (*plan.create, *plan.update):
            if endpoint.number in self.refuses:
                refused[endpoint.number] = self.refuses[endpoint.number]
            else:
                self.endpoints[endpoint.number] = endpoint
        for number in plan.delete:
            self.endpoints.pop(number, None)
        return refused

    def notify(self, number: str, event: str) -> int:
        self._answering()
        reached = [contact for contact in self.registrations if contact.number == number]
        self.notified += [(number, event) for _ in reached]
        return len(reached)

    def contacts(self) -> Sequence[Contact]:
        self._answering()
        return tuple(self.registrations)

    def _answering(self) -> None:
        if self.is_down:
            raise PBXUnavailable("the PBX does not answer")

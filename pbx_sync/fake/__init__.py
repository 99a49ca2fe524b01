"""An in-memory PBX: shipped and selectable (``PROVISIONER_PBX=fake``), for demonstrations and tests."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from pbx_sync.backend import PBXUnavailable
from pbx_sync.plan import Plan
from pbx_sync.state import About, Contact, PBXObject, State
from pbx_sync.waiting import Dialled, WaitingPhone


class FakePBX:
    """Keeps its objects in a dictionary, forgets them when its process ends, and can be told to fail."""

    def __init__(self) -> None:
        self.objects: dict[str, PBXObject] = {}
        self.foreign: set[str] = set()
        """Numbers of objects that somebody else made."""
        self.registrations: list[Contact] = []
        self.in_call: set[str] = set()
        self.notified: list[tuple[str, str]] = []
        self.notified_uris: list[str] = []
        """Whom each of ``notified`` went to."""
        self.is_down = False
        self.refuses: dict[str, str] = {}
        self.seated: frozenset[WaitingPhone] = frozenset()
        self.codes: list[Dialled] = []
        """Claim codes that were dialled and not asked for yet."""
        self.rung: list[tuple[str, str, str]] = []
        self.ended: dict[str, str] = {}
        """Test calls that ended and were not asked for yet: name -> outcome."""
        self._started_at = time.time()

    def read(self, numbers: Collection[str] | None = None) -> State:
        self._answering()
        return {number: item for number, item in self.objects.items() if numbers is None or number in numbers}

    def apply(self, plan: Plan) -> dict[str, str]:
        self._answering()
        refused = {}
        for item in (*plan.create, *plan.update):
            reason = "an object of this number is there that is not ours" if item.number in self.foreign else self.refuses.get(item.number)
            if reason is None:
                self.objects[item.number] = item
            else:
                refused[item.number] = reason
        for number in plan.delete:
            self.objects.pop(number, None)
        return refused

    def notify(self, number: str, event: str, uris: Collection[str] | None = None) -> int:
        self._answering()
        reached = [item for item in self.registrations if item.number == number and (uris is None or item.uri in uris)]
        self.notified += [(number, event) for _ in reached]
        self.notified_uris += [contact.uri for contact in reached]
        return len(reached)

    def seat(self, phones: Collection[WaitingPhone]) -> None:
        self._answering()
        self.seated = frozenset(phones)

    def dialled(self) -> Sequence[Dialled]:
        self._answering()
        found, self.codes = self.codes, []
        return found

    def ring(self, name: str, number: str, uri: str) -> str:
        self._answering()
        self.rung.append((name, number, uri))
        return self.refuses.get(number, "")

    def outcomes(self) -> Mapping[str, str]:
        self._answering()
        found, self.ended = self.ended, {}
        return found

    def contacts(self) -> Sequence[Contact]:
        self._answering()
        return tuple(self.registrations)

    def busy(self) -> frozenset[str]:
        self._answering()
        return frozenset(self.in_call)

    def about(self) -> About:
        self._answering()
        return About("fake", self._started_at, 2 * len(self.in_call))

    def close(self) -> None:
        """There is nothing to let go of."""

    def _answering(self) -> None:
        if self.is_down:
            raise PBXUnavailable("the PBX does not answer")

"""Answers what other processes ask of the PBX: the worker alone changes it, so that no old wish overtakes a newer one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pbx_sync.backend import PBXUnavailable
from pbx_sync.plan import Plan
from provisioner.models import pbx_request
from provisioner.records import PBXRequest
from provisioner.store import Store
from provisioner.worker.pushing import Pushing

BATCH = 10
TOO_OLD_S = 60.0
"""Whoever asked longer ago has gone: a confirmed sync out of the blue serves nobody."""


class Answering:
    """Answers requests in their order."""

    def __init__(self, store: Store, pushing: Pushing, clock: Callable[[], float]) -> None:
        self._store = store
        self._pushing = pushing
        self._clock = clock

    def step(self) -> int:
        """Answers a few; returns how many."""
        asked = self._store.pbx_requests_open(BATCH)
        for request in asked:
            answer = self._answer(request)
            with self._store.database.write() as connection:
                connection.execute(pbx_request.update().where(pbx_request.c.id == request.id).values(answer=answer))
        return len(asked)

    def _answer(self, request: PBXRequest) -> dict[str, Any]:
        if request.at < self._clock() - TOO_OLD_S:
            return {"error": "it was asked too long ago"}
        try:
            if request.what == "sync":
                checked = self._pushing.sync(confirmed=request.confirmed)
                return {**shown_plan(checked.plan), "guard": checked.guard, "refused": dict(checked.refused), "applied": not checked.guard}
            checked = self._pushing.planned()
            return {**shown_plan(checked.plan), "guard": checked.guard, "refused": {}, "applied": False}
        except PBXUnavailable as error:
            self._pushing.away(error)
            return {"error": f"the PBX does not answer: {error}"}


def shown_plan(plan: Plan) -> dict[str, Any]:
    """Returns a plan as other processes take it: lines for people, and how many of what."""
    return {"lines": plan.lines(), "create": len(plan.create), "update": len(plan.update), "delete": len(plan.delete)}

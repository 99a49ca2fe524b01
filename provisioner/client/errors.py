"""What can go wrong between a script and the server. No error holds the token, nor the body that was sent: it may hold passwords.

::

    ClientError
    ├── Unreachable      no answer came; whether the request was worked on is told
    ├── NotOurAnswer     something answered that is not this server's API
    └── Problem          the server's own refusal, a problem detail (RFC 9457)
        ├── NotAllowed   401, 403
        ├── NotFound     404
        ├── Conflict     409, 412: what was read, and what is there now
        ├── Invalid      422: a sentence for each field
        └── Busy         429, 503: after how many seconds to ask again
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Every error of the client."""


class Unreachable(ClientError):
    """No answer came. ``may_be_done`` says whether the server may have worked on the request all the same."""

    def __init__(self, text: str, *, may_be_done: bool) -> None:
        super().__init__(text)
        self.may_be_done = may_be_done


class NotOurAnswer(ClientError):
    """What answered is not the API of this server."""


class Problem(ClientError):
    """What the server refused, and why. ``reason`` is for programs and does not change."""

    def __init__(self, operation: str, status: int, members: Mapping[str, Any]) -> None:
        self.operation = operation
        self.status = status
        self.reason = str(members.get("reason", ""))
        self.detail = str(members.get("detail", ""))
        self.fields = _fields(members.get("errors"))
        """field -> what is wrong with it and how it is mended"""
        self.members = dict(members)
        super().__init__(f"{operation}: {self.sentence} ({status} {self.reason})")

    @property
    def sentence(self) -> str:
        """Returns what a person is told: each wrong field, or the detail."""
        return "; ".join(f"{name}: {text}" if name else text for name, text in self.fields.items()) or self.detail


class NotAllowed(Problem):
    """The token is not valid, or its role or sites do not reach so far."""


class NotFound(Problem):
    """There is nothing of that name."""


class Invalid(Problem):
    """A field is wrong; ``fields`` says which, and what mends it."""


class Conflict(Problem):
    """It exists already, needs a confirmation, or somebody changed it since it was read."""

    read: Any = None
    """What the change was made from, where it was given."""
    now: Any = None
    """What is there now, where somebody changed it meanwhile."""


class Busy(Problem):
    """The server asks for patience; ``retry_after_s`` says for how much."""

    retry_after_s: float = 0.0


_KINDS: Mapping[int, type[Problem]] = {
    401: NotAllowed, 403: NotAllowed, 404: NotFound, 409: Conflict, 412: Conflict, 422: Invalid, 429: Busy, 503: Busy,
}  # fmt: skip


def problem_of(operation: str, status: int, members: Mapping[str, Any], retry_after_s: float) -> Problem:
    """Returns the error of a problem detail."""
    made = _KINDS.get(status, Problem)(operation, status, members)
    if isinstance(made, Busy):
        made.retry_after_s = retry_after_s
    return made


def _fields(entries: object) -> dict[str, str]:
    rows = [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
    return {str(row.get("field", "")): str(row.get("message", "")) for row in rows}

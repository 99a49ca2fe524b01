"""What is kept of a change of many things, thing by thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kept = Mapping[str, Any]
"""Fields as a change row keeps them: without secrets, in the types that JSON has."""


@dataclass(frozen=True, slots=True)
class ChangePart:
    """What one change made of one thing: the fields that it touched. ``before`` None: it was not there; ``after`` None: it was not there any more."""

    noun: Literal["phone", "extension"]
    subject: str
    before: Kept | None
    after: Kept | None

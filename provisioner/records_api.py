"""What the API keeps of requests, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a request with an ``Idempotency-Key`` was answered; ``status`` None: nothing yet."""

    request: str
    at: float
    status: int | None
    answer: bytes = field(repr=False)

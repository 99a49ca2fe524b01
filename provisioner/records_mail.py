"""People who are told by e-mail, as the parts hand them on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MailRecipient:
    """Somebody who is told. ``site`` None: of everything; else of what happens at that site alone."""

    id: int
    address: str
    site: str | None
    language: str
    events: tuple[str, ...]
    enabled: bool
    revision: int
    position: int
    """Number of the last change that was told, or is not to be."""
    sent_at: float | None
    tries: int
    """In vain since ``sent_at``."""
    due_at: float | None
    error: str

"""Why nobody signed in by a provider: a word that pages turn into a sentence, and a detail for the log that holds nothing of a token."""

from __future__ import annotations

from typing import Literal

Why = Literal["away", "stale", "refused", "untrue", "unknown", "wait"]
"""``away``: the provider does not answer, or not sensibly. ``stale``: begun too long ago, elsewhere, or used before. ``refused``: the provider
said no. ``untrue``: what came is not the provider's word for us. ``unknown``: it is, and the person has no place here. ``wait``: too many
attempts came from the address."""


class NotVouched(Exception):
    """Nobody signed in. ``detail`` is for the log."""

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(f"{why}: {detail}")
        self.why: Why = why
        self.detail = detail

"""What rendering is given of each phone, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.core.values import PhoneConfig


@dataclass(frozen=True, slots=True)
class RenderJob:
    """A phone whose files are to be made, and the revision of the facts they are made of.

    ``created_at`` tells it from another phone with the same MAC: one that was deleted and listed again begins at the same revision.
    """

    config: PhoneConfig
    revision: int
    created_at: float
    token_epoch: int
    """Of the address in its files: one more than the row has, where the phone gets a key now and its present address came without one."""
    enciphered_since: int | None
    """As the row has it."""

"""Who asks: a value that both ways in - bearer token and session - come to."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.records import ROLES, Role
from provisioner.scope import Scope


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``name`` is the actor in the changes."""

    name: str
    role: Role
    sites: tuple[str, ...] | None = None
    """The sites that they see; None: all."""
    user: str = ""
    """Name of the user who signed in; empty for a token."""
    extensions: tuple[str, ...] = ()
    """Their own extensions; phones with one of them on a line are theirs."""
    language: str = ""
    session: str = ""
    """Digest of the session; empty for a token."""
    owes_codes: bool = False
    """Has to set up one-time codes before anything else."""

    @property
    def scope(self) -> Scope | None:
        """How far they see; None: everything."""
        if self.role == "user":
            return Scope(self.sites, self.extensions)
        return None if self.sites is None else Scope(self.sites)

    def may(self, role: str) -> bool:
        """Returns whether they may do what needs ``role``."""
        return role in ROLES[: ROLES.index(self.role) + 1]

"""What somebody shows besides their password: a one-time code of their app, or a recovery code. Judged here, used up where the rest is written."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.accounts.totp import DIGITS, matching_step
from provisioner.secrets import new_install_code
from provisioner.store import Store

RECOVERY_CODES = 10
_RECOVERY_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Proof:
    """A code that fits: one of a time step, or a recovery code by its digest. Neither: no code was needed."""

    step: int | None = None
    recovery: str | None = None

    @property
    def by(self) -> str:
        """With what somebody signed in, as the changes keep it."""
        if self.recovery is not None:
            return "password and recovery code"
        return "password" if self.step is None else "password and one-time code"


def judged(store: Store, name: str, code: str, now: float) -> Proof | None:
    """Returns what a code of a user proves; None where it fits nothing, or was used before."""
    plain = _plain(code)
    if len(plain) == _RECOVERY_LENGTH:
        digest = store.box.recovery_digest(name, plain)
        return Proof(recovery=digest) if store.has_recovery_code(name, digest) else None
    found = store.user_totp(name) if len(plain) == DIGITS else None
    step = matching_step(found[0], plain, now, found[1]) if found else None
    return None if step is None else Proof(step=step)


def new_recovery_codes(store: Store, name: str) -> tuple[list[str], list[str]]:
    """Returns fresh recovery codes as people read them, in two groups of five, and the digests that are kept of them."""
    codes = [new_install_code() for _ in range(RECOVERY_CODES)]
    return [f"{code[:5]}-{code[5:]}" for code in codes], [store.box.recovery_digest(name, code) for code in codes]


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()

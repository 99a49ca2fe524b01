"""The first user of an installation."""

from __future__ import annotations

from provisioner.changes import Changes
from provisioner.passwords import new_password
from provisioner.store import Store

ADMIN = "admin"


def ensure_admin(store: Store, changes: Changes, given: str, actor: str) -> str | None:
    """Makes the user ``admin`` where there is no user yet; returns the password that was made for it, None where none was.

    ``given`` is the password fixed from outside, taken as it is.
    """
    if store.users():
        return None
    made = new_password()
    changes.create_user(actor, ADMIN, {"role": "admin", "password": given or made}, weak_password=bool(given))
    return None if given else made

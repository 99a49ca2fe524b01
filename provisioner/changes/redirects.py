"""What is wanted of redirect services: accounts there, and phones to be registered or taken off. The worker does it."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from provisioner.changes.leaving import stay_at_service
from provisioner.changes.phones import PhoneWrites
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NotFound
from provisioner.models_redirect import redirect, redirect_account, redirect_removal
from provisioner.records_install import RedirectRecord, RedirectRemoval

_SERIAL = re.compile(r"[0-9A-Za-z]{1,64}\Z")
_FIELD_CHARACTERS = 512
_NO_PART_OF_IT = re.compile(r"[\s@?#]")
"""Blanks, a password before the host, and what would swallow the path that is put behind the address."""


class RedirectWrites(PhoneWrites):
    """Writes what is wanted, and what came of it."""

    def set_redirect_account(self, actor: str, vendor: str, address: str, fields: Mapping[str, str], wanted: Sequence[str]) -> None:
        """Keeps the account at a vendor's service. Raises ``InputError`` unless exactly the fields ``wanted`` are given."""
        mistakes = {name: "this is needed" for name in wanted if not fields.get(name)}
        mistakes |= {name: f"the service has no such field; it has {', '.join(wanted)}" for name in fields if name not in wanted}
        mistakes |= {
            name: f"at most {_FIELD_CHARACTERS} printable characters"
            for name, value in fields.items()
            if value and (len(value) > _FIELD_CHARACTERS or not value.isprintable())
        }
        if not _is_safe(address):
            mistakes["address"] = "an address that begins with https:// is needed, without blanks, @, ? and #"
        if mistakes:
            raise InputError(mistakes)
        sealed = self.store.box.seal(json.dumps(dict(fields), sort_keys=True).encode(), f"redirect_account:{vendor}")
        with self.unit(actor) as unit:
            unit.connection.execute(redirect_account.delete().where(redirect_account.c.vendor == vendor))
            row = {"vendor": vendor, "address": address, "fields": sealed, "changed_at": unit.at}
            unit.connection.execute(redirect_account.insert().values(**row))
            again = redirect_removal.update().where(redirect_removal.c.vendor == vendor)  # nobody can ask again for a phone that is gone
            unit.connection.execute(again.values(state="asked", tries=0, asked_at=unit.at, changed_at=unit.at, due_at=unit.at))
            unit.log("redirect_account.set", vendor, None, {"address": address, "fields": sorted(fields)})

    def remove_redirect_account(self, actor: str, vendor: str) -> None:
        """Forgets the account at a vendor's service. Raises ``NotFound``."""
        with self.unit(actor) as unit:
            if not unit.connection.execute(redirect_account.delete().where(redirect_account.c.vendor == vendor)).rowcount:
                raise NotFound({"vendor": f"there is no account for the redirect service of {vendor[:32]}"})
            unit.log("redirect_account.removed", vendor, None, None)

    def ask_redirect(self, actor: str, mac: Mac, url: str, serial: str) -> None:
        """Asks that the phone be registered with ``url``; a removal that is still open from before it was listed again is ended.

        Raises ``NotFound``, and ``InputError`` for a serial number that is none.
        """
        if serial and not _SERIAL.match(serial):
            raise InputError({"serial": "letters and digits as on the label are needed"})
        with self.unit(actor) as unit:
            self._phone(unit, mac)
            stay_at_service(unit, mac)
            unit.connection.execute(redirect.delete().where(redirect.c.mac == mac))
            sealed = self.store.box.seal(url.encode(), f"redirect:{mac}")
            times = {"asked_at": unit.at, "changed_at": unit.at, "due_at": unit.at}
            unit.connection.execute(redirect.insert().values(mac=mac, wanted=True, state="asked", serial=serial, url=sealed, **times))
            unit.log("phone.redirect_asked", mac, None, {"wanted": True})

    def end_redirect(self, actor: str, mac: Mac) -> None:
        """Asks that the phone be taken off the service. Raises ``NotFound`` where it was never put there."""
        with self.unit(actor) as unit:
            here = redirect.update().where(redirect.c.mac == mac)
            times = {"asked_at": unit.at, "changed_at": unit.at, "due_at": unit.at}
            if not unit.connection.execute(here.values(wanted=False, state="asked", reason="", tries=0, **times)).rowcount:
                raise NotFound({"mac": f"phone {mac.colons} is not registered with a redirect service"})
            unit.log("phone.redirect_asked", mac, None, {"wanted": False})

    def note_redirect(self, record: RedirectRecord, state: str, reason: str, due_at: float | None) -> None:
        """Keeps what a try came to, unless something else was asked meanwhile; a phone that was taken off has no row any more."""
        with self.unit("redirect") as unit:
            here = (redirect.c.mac == record.mac) & (redirect.c.asked_at == record.asked_at) & (redirect.c.wanted == record.wanted)
            if state == "none":
                unit.connection.execute(redirect.delete().where(here))
            else:
                values = {"state": state, "reason": reason, "due_at": due_at, "tries": redirect.c.tries + 1, "changed_at": unit.at}
                unit.connection.execute(redirect.update().where(here).values(**values))
            if state != record.state:
                unit.log("phone.redirect", record.mac, {"state": record.state}, {"state": state, "reason": reason})

    def note_redirect_removal(self, record: RedirectRemoval, state: str, reason: str, due_at: float | None) -> None:
        """Keeps what a try to have a phone forgotten came to; ``none`` is done. Nothing where something else was asked meanwhile."""
        with self.unit("redirect") as unit:
            here = (redirect_removal.c.mac == record.mac) & (redirect_removal.c.asked_at == record.asked_at)
            if state == "none":
                kept = unit.connection.execute(redirect_removal.delete().where(here)).rowcount
            else:
                values = {"state": state, "reason": reason, "due_at": due_at, "tries": redirect_removal.c.tries + 1, "changed_at": unit.at}
                kept = unit.connection.execute(redirect_removal.update().where(here).values(**values)).rowcount
            if kept and state != record.state:
                unit.log("phone.redirect", record.mac, {"state": record.state}, {"state": state, "reason": reason})

    def retry_redirect_removal(self, actor: str, mac: Mac) -> None:
        """Has a removal tried again now, for another ``worker.redirecting.GIVEN_UP_S``. Raises ``NotFound`` where none is open."""
        with self.unit(actor) as unit:
            here = redirect_removal.update().where(redirect_removal.c.mac == mac)
            times = {"asked_at": unit.at, "changed_at": unit.at, "due_at": unit.at}
            if not unit.connection.execute(here.values(state="asked", reason="", tries=0, **times)).rowcount:
                raise NotFound({"mac": f"no redirect service is to forget {mac.colons}"})
            unit.log("phone.redirect_asked", mac, None, {"wanted": False})

    def forget_redirect_removal(self, actor: str, mac: Mac) -> None:
        """Gives a removal up: the service keeps the phone, unless somebody takes it off there by hand. Raises ``NotFound``."""
        with self.unit(actor) as unit:
            if not stay_at_service(unit, mac):
                raise NotFound({"mac": f"no redirect service is to forget {mac.colons}"})
            unit.log("redirect_removal.forgotten", mac, None, None)


def _is_safe(address: str) -> bool:
    """Returns whether secrets may be sent there: over TLS, or to this very machine."""
    if len(address) > 255 or not address.isprintable() or _NO_PART_OF_IT.search(address):
        return False
    try:
        parts = urlsplit(address)
        has_place = bool(parts.hostname) and parts.port != 0  # reading the port raises for one that is no number
    except ValueError:
        return False
    return has_place and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""Install links: a code that brings one phone its first files, from any network, once."""

from __future__ import annotations

from provisioner.changes.phones import PhoneWrites
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NotFound
from provisioner.models_install import install_link
from provisioner.records_install import IssuedLink
from provisioner.secrets import new_install_code

MOST_HOURS = 30 * 24


class InstallWrites(PhoneWrites):
    """Issues and withdraws install links."""

    def issue_install_link(self, actor: str, mac: Mac, hours: int) -> IssuedLink:
        """Returns a new link of the phone with its code in clear, which is told this once; an earlier one is dead.

        Raises ``NotFound``, and ``InputError`` for a time out of bounds or a phone that is switched off.
        """
        if not 1 <= hours <= MOST_HOURS:
            raise InputError({"hours": f"a whole number from 1 to {MOST_HOURS} is needed"})
        code = new_install_code()
        with self.unit(actor) as unit:
            record = self._phone(unit, mac)
            if not record.enabled:
                raise InputError({"mac": f"phone {mac.colons} is switched off: switch it on first, or its link opens nothing"})
            expires_at = unit.at + hours * 3600.0
            values = {"digest": self.store.box.code_digest(mac, code), "created_at": unit.at, "expires_at": expires_at}
            unit.connection.execute(install_link.delete().where(install_link.c.mac == mac))
            unit.connection.execute(install_link.insert().values(mac=mac, **values))
            unit.reindex(mac)
            unit.log("phone.install_link", mac, None, {"expires_at": expires_at})
        return IssuedLink(code, f"{self.store.base_url}p/{code}/", expires_at)

    def withdraw_install_link(self, actor: str, mac: Mac) -> None:
        """Makes the phone's install link worthless at once. Raises ``NotFound`` where it has none."""
        with self.unit(actor) as unit:
            self._phone(unit, mac)
            gone = unit.connection.execute(install_link.delete().where(install_link.c.mac == mac)).rowcount
            if not gone:
                raise NotFound({"mac": f"phone {mac.colons} has no install link"})
            unit.reindex(mac)
            unit.log("phone.install_link_withdrawn", mac, None, None)

"""Asks that a phone be registered with its maker's redirect service: what API and command line share."""

from __future__ import annotations

from provisioner.changes import Changes
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NotFound
from provisioner.redirect import SERVICES
from provisioner.store import Store

LINK_HOURS = 30 * 24
"""How long the install code that a service tells the phone holds: phones lie in stock."""


def ask_redirect(store: Store, changes: Changes, actor: str, mac: Mac, serial: str) -> None:
    """Asks for it, with an install link where the service takes an address of the phone's own.

    Raises ``NotFound``, and ``InputError`` where the vendor has no service, there is no account, or the serial number is missing.
    """
    phone = store.phone(mac)
    if phone is None:
        raise NotFound({"mac": f"phone {mac.colons} is not listed"})
    vendor = store.catalogue.vendors.get(phone.model.partition("/")[0])
    facts = vendor.redirect if vendor else None
    if vendor is None or facts is None:
        raise InputError({"mac": "the maker of this phone has no redirect service that is known"})
    kind = SERVICES[facts.service]
    if store.redirect_account(vendor.id) is None:
        raise InputError({"mac": f"there is no account for {kind.title}: an admin sets it first (redirect-services/{vendor.id})"})
    if kind.needs_serial and not serial:
        raise InputError({"serial": f"{kind.title} needs the serial number on the phone's label"})
    url = changes.issue_install_link(actor, mac, LINK_HOURS).url if kind.has_own_address else store.base_url
    changes.ask_redirect(actor, mac, url, serial)

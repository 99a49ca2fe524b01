"""What a sheet says of one phone, gathered from its record."""

from __future__ import annotations

import re

from provisioner.core.access import link_state
from provisioner.core.languages import LANGUAGES
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NotFound
from provisioner.sheets import Sheet
from provisioner.store import Store

_CODE = re.compile(r"[a-z2-7]{10}\Z")


def sheet_of(store: Store, mac: Mac, *, code: str = "", now: float) -> Sheet:
    """Returns the sheet of a listed phone: with the one-time address of ``code``, else with the server's common one.

    Raises ``NotFound``, and ``InputError`` for a code that does not open this phone's files any more, or a vendor without steps.
    """
    jobs = store.render_jobs([mac])
    model = store.catalogue.model(jobs[0].config.model) if jobs else None
    if not jobs or model is None:
        raise NotFound({"mac": f"phone {mac.colons} is not listed"})
    vendor, config = store.catalogue.vendors[model.vendor], jobs[0].config
    ways = vendor.ways_of(model)
    if not ways:
        raise InputError({"mac": f"the catalogue does not say how an address is typed into a {vendor.name} phone (sheet.toml)"})
    return Sheet(
        title=model.title if model.title.startswith(vendor.name) else f"{vendor.name} {model.title}",
        mac=mac,
        numbers=tuple(f"{line.extension} ({line.display_name})" if line.display_name else line.extension for line in config.lines),
        address=f"{store.base_url}p/{code}/" if code else store.base_url,
        until=_end_of(store, mac, code, now) if code else None,
        timezone=str(config.settings.get("timezone") or ""),
        ways=tuple(ways),
    )


def language_of(store: Store, mac: Mac) -> str:
    """Returns the language of the phone's menus where there is a sheet in it, else English."""
    jobs = store.render_jobs([mac])
    language = str(jobs[0].config.settings.get("language", "")) if jobs else ""
    return language if language in LANGUAGES else "en"


def _end_of(store: Store, mac: Mac, code: str, now: float) -> float:
    link = store.install_link(mac)
    is_right = _CODE.match(code) and link is not None and link.digest == store.box.code_digest(mac, code)
    if link is None or not is_right or link_state(link, now) != "open":
        raise InputError({"code": "this code does not open the phone's files, or no more: issue a new install link"})
    return link.expires_at

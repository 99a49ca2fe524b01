"""Which address a phone may be told by PnP or DHCP: its own, with the token, only where serving would give it its files at once.

The rules are those of a first fetch (``core.access``), with the sighting's conflict besides. A phone that may not have its own address is
told the plain one, where it has to prove itself as anybody; one outside the trusted networks, or where no phone is taken in, is told nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import NamedTuple

from provisioner.core.access import Proof, Standing, decide
from provisioner.core.catalogue import parse_user_agent
from provisioner.core.identify import conflict_of
from provisioner.core.mac import Mac
from provisioner.core.values import Reason
from provisioner.discovery.wire import local_address_to
from provisioner.records import ServingRecord, SiteRecord
from provisioner.settings import Settings
from provisioner.store import Store

CLOSED = "never"
"""Policy of a site that takes no unknown phone in, and so does not call one."""
SITES_EVERY_S = 2.0


class Asking(NamedTuple):
    """Who asks. ``vendor`` is that which the phone names, as the catalogue knows it."""

    mac: Mac
    peer: str
    vendor: str
    user_agent: str = ""


class Addresses:
    """Gives addresses. Reads the record anew each time: those who ask are few, and limited."""

    def __init__(self, settings: Settings, store: Store, clock: Callable[[], float], timer: Callable[[], float]) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._timer = timer
        self._sites: dict[str, SiteRecord] = {}
        self._sites_at = float("-inf")

    def trusts(self, peer: str) -> bool:
        """Returns whether ``peer`` is in a trusted network of any site."""
        return any(_is_in(peer, site) for site in self._all_sites().values())

    def of(self, asking: Asking) -> str:
        """Returns the address, ending in ``/``; empty for one who is told nothing."""
        here = [site for site in self._all_sites().values() if _is_in(asking.peer, site)]
        records = self._store.serving_records([asking.mac]) if here else []
        if not here or (not records and all(site.enrolment == CLOSED for site in here)):
            return ""
        base = self._base(asking.peer)
        record = records[0] if records else None
        # Who is told an address of its own did not read the key beside it in a file, and could not open what is there.
        if record is None or record.enciphered_since is not None or not self._may_have_own(asking, record):
            return base
        return f"{base}p/{self._store.box.token(record.mac, record.token_epoch)}/"

    def _may_have_own(self, asking: Asking, record: ServingRecord) -> bool:
        site = self._all_sites().get(record.site)
        if site is None or asking.vendor != record.vendor:
            return False
        agent = parse_user_agent(self._store.catalogue, asking.user_agent)
        # What serving would look at, and what was seen elsewhere: of two who say different things of themselves, one lies.
        conflict = conflict_of(self._store.catalogue, asking.mac, record.model, agent) or self._store.conflict_of(asking.mac)
        proof = Proof("none", _is_in(asking.peer, site), "none", agent is not None and agent.vendor == record.vendor, conflict)
        standing = Standing(record.enabled, site.access, record.opened_at, record.first_success_at)
        first_fetch_s = self._settings.first_fetch_hours * 3600
        return decide(standing, proof, now=self._clock(), first_fetch_s=first_fetch_s) is Reason.SERVED

    def _base(self, peer: str) -> str:
        """Returns the plain address: by the host that is set, or by the address of ours that this phone reaches."""
        base = self._settings.provisioning_base
        if self._settings.public_host:
            return base
        own = local_address_to(peer)
        scheme, _, rest = base.partition("://")
        return f"{scheme}://{own}:{rest.rpartition(':')[2]}" if own else base

    def _all_sites(self) -> dict[str, SiteRecord]:
        now = self._timer()
        if now - self._sites_at >= SITES_EVERY_S:
            self._sites = {site.name: site for site in self._store.sites()}
            self._sites_at = now
        return self._sites


def _is_in(peer: str, site: SiteRecord) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in site.trusted_networks)

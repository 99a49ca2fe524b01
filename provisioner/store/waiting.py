"""Reads of the waiting room: what a phone there is given, made of nothing that is worth anything."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from provisioner.core.layers import Layer, merged
from provisioner.core.mac import Mac
from provisioner.core.numbers import WAITING_PREFIX
from provisioner.core.values import Line, PhoneConfig
from provisioner.models import phone
from provisioner.records import SiteRecord
from provisioner.store.base import StoreBase

SHARED = frozenset(
    {"timezone", "language", "sip_server", "sip_port", "sip_transport", "outbound_proxy", "outbound_proxy_port", "voice_vlan"}
)
"""What a phone that waits is told of its site: enough to register, and to be read."""


class WaitingReads(StoreBase):
    """What the waiting room needs."""

    def waiting_secret(self, mac: Mac) -> str:
        """Returns the SIP password of a phone's account in the waiting room; it opens nothing else."""
        return self.box.phone_password(mac, "waiting")

    def waiting_config(self, mac: Mac, model_id: str, site: SiteRecord) -> PhoneConfig:
        """Returns what the files of a phone in the waiting room are made of: one account, and its code on the display."""
        model, vendor = self.catalogue.model(model_id), self.catalogue.vendors[model_id.partition("/")[0]]
        layers = [
            self._defaults,
            Layer("installation", "", self.installation),
            Layer("vendor", vendor.id, vendor.settings),
            Layer("site", site.name, {name: value for name, value in site.settings.items() if name in SHARED}),
            Layer("model", model_id, model.settings if model else {}),
        ]
        passwords = {name: self.box.phone_password(mac, f"waiting-{name}") for name in ("admin_password", "user_password")}
        label = f"Claim {self.box.waiting_code(mac)}"
        line = Line(1, f"{WAITING_PREFIX}{mac}", label, self.waiting_secret(mac), label)
        return PhoneConfig(mac, model_id, (line,), (), merged(layers) | passwords, self.base_url)

    def live_since(self, macs: Sequence[Mac]) -> dict[Mac, float]:
        """Returns MAC -> when its live files became so, of those that have some (at most ``CHUNK`` are asked for)."""
        query = sa.select(phone.c.mac, phone.c.live_at).where(phone.c.mac.in_(macs), phone.c.live_at.is_not(None))
        with self.database.read() as connection:
            return {Mac(row.mac): row.live_at for row in connection.execute(query)}

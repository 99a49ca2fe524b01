"""What is asked of the discovery process, which alone scans: a row, so that it is done whichever process asks."""

from __future__ import annotations

from provisioner.changes.unit import UnitMaker
from provisioner.errors import NotFound
from provisioner.models_sightings import scan

OPEN = ("waiting", "running")


class ScanWrites(UnitMaker):
    """Asks for scans, and for their end."""

    def ask_scan(self, actor: str, network: str, total: int) -> int:
        """Asks for a scan of a network with ``total`` hosts, which the caller has checked; returns the scan's number."""
        with self.unit(actor) as unit:
            row = {"at": unit.at, "actor": actor, "network": network, "state": "waiting", "total": total}
            number = unit.connection.execute(scan.insert().values(**row).returning(scan.c.id)).scalar_one()
            unit.log("scan.start", network, None, {"scan": number})
            return int(number)

    def cancel_scan(self, actor: str, number: int) -> None:
        """Asks for the end of a scan; one that waits ends at once, one that has ended stays as it is. Raises ``NotFound``."""
        with self.unit(actor) as unit:
            row = unit.connection.execute(scan.select().where(scan.c.id == number)).first()
            if row is None:
                raise NotFound({"id": f"there is no scan {number}"})
            if row.state not in OPEN:
                return
            ended = {"state": "cancelled", "ended_at": unit.at} if row.state == "waiting" else {}
            unit.connection.execute(scan.update().where(scan.c.id == number).values(cancel=True, **ended))
            unit.log("scan.cancel", row.network, None, {"scan": number})

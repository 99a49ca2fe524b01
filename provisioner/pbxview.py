"""What the PBX should say, from the rows: pure, and the one bridge to ``pbx_sync``'s values."""

from __future__ import annotations

from pbx_sync.state import Endpoint
from provisioner.records import ExtensionRecord


def endpoint_of(record: ExtensionRecord, secret: str) -> Endpoint:
    """Returns the PBX's endpoint of an extension."""
    return Endpoint(
        number=record.number,
        display_name=record.display_name,
        secret=secret,
        email=record.email,
        department=record.department,
    )

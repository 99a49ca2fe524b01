"""What the PBX should say, from the rows: pure, and the one bridge to ``pbx_sync``'s values."""

from __future__ import annotations

from pbx_sync.state import Endpoint, RingGroup
from provisioner.records import DepartmentRecord, ExtensionRecord, Secrets


def endpoint_of(record: ExtensionRecord, secrets: Secrets) -> Endpoint:
    """Returns the PBX's endpoint of an extension."""
    return Endpoint(
        number=record.number,
        display_name=record.display_name,
        secret=secrets[0],
        email=record.email,
        department=record.department,
        former_secrets=secrets[1:],
        record_calls=record.record_calls,
    )


def ring_group_of(record: DepartmentRecord) -> RingGroup:
    """Returns the PBX's ring group of a department that has a number."""
    return RingGroup(number=record.number or "", name=record.name, members=record.members)

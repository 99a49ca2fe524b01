"""Departments, firmware, instruction sheets and DHCP configuration of a server elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provisioner.client import Client
from provisioner.commands.asking import asked, listed
from provisioner.core.mac import Mac
from provisioner.core.rollout import Pin
from provisioner.records import DepartmentRecord

if TYPE_CHECKING:
    from provisioner.changes.firmware import PinInput
    from provisioner.store import ReleaseCounts


class FleetReads:
    """Reads of departments and firmware."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def departments(self, *, after: str = "", limit: int) -> list[DepartmentRecord]:
        return [department_of(row) for row in listed(self._client.departments.list(after=after or None), limit)]

    def firmware_pins(self) -> list[Pin]:
        return [pin_of(row) for row in listed(self._client.firmware.list())]

    def release_counts(self) -> dict[str, ReleaseCounts]:
        from provisioner.store import ReleaseCounts

        return {row["target"]: ReleaseCounts(row["given"], row["confirmed"]) for row in listed(self._client.firmware.list())}


class FleetWrites:
    """Writes of departments and firmware."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def put_department(self, actor: str, name: str, number: str | None) -> DepartmentRecord:
        return department_of(asked(self._client.departments.put, name, {"number": number}))

    def delete_department(self, actor: str, name: str) -> None:
        asked(self._client.departments.delete, name)

    def put_pin(self, actor: str, target: str, given: PinInput) -> Pin:
        body = {"file": given.file, "version": given.version, "hardware": given.hardware, "shares": list(given.shares)}
        return pin_of(asked(self._client.firmware.put, target, {**body, "timeout_s": given.timeout_s}))

    def resume_pin(self, actor: str, target: str) -> Pin:
        return pin_of(asked(self._client.firmware.resume, target))

    def delete_pin(self, actor: str, target: str) -> None:
        asked(self._client.firmware.delete, target)


def department_of(row: Mapping[str, Any]) -> DepartmentRecord:
    return DepartmentRecord(**{**row, "members": tuple(row["members"])})


def pin_of(row: Mapping[str, Any]) -> Pin:
    names = ("target", "model", "group", "file", "sha256", "version", "hardware", "state", "timeout_s", "reason", "revision")
    mac = Mac.parse(row["mac"]) if row["mac"] else None
    return Pin(mac=mac, shares=tuple(row["shares"]), share=row["share"] - 1, **{name: row[name] for name in names})

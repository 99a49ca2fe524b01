"""Where may be looked for phones, and how far a look is: what the discovery process writes of the scans that it was asked for."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import sqlalchemy as sa

from provisioner.db import Database
from provisioner.errors import InputError
from provisioner.models_sightings import scan

MOST = 4096
"""Addresses of a network: 20 s and more go into each thousand."""
CUT_OFF = "cut off: the discovery process ended, or its database was away"


def scannable(text: str, allowed: Sequence[str]) -> ipaddress.IPv4Network:
    """Returns the network that a person named. Raises ``InputError`` where it is none, too large, or not within the allowed ones."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise InputError(
            {"network": f"'{text[:40]}' is no network: an address and a length are needed, for example 192.168.1.0/24"}
        ) from error
    if not isinstance(network, ipaddress.IPv4Network):
        raise InputError({"network": "only IPv4 networks can be scanned: an IPv6 network has too many addresses"})
    if network.num_addresses > MOST:
        raise InputError({"network": f"{network} has {network.num_addresses} addresses; at most {MOST} are scanned at once, a /20"})
    within = (ipaddress.ip_network(each) for each in allowed)
    if not any(isinstance(each, ipaddress.IPv4Network) and network.subnet_of(each) for each in within):
        raise InputError({"network": f"{network} is not within the trusted networks: see the setting TRUSTED_NETWORKS"})
    return network


def hosts_of(network: ipaddress.IPv4Network) -> int:
    """Returns how many addresses of a network are looked at: all but its own and its broadcast address, where it has those."""
    return network.num_addresses - 2 if network.prefixlen < 31 else network.num_addresses


class ScanWriter:
    """Writes progress. Desired state (who asked, and that it is to be stopped) is written by ``changes``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def progress(self, number: int, done: int, found: int, state: str = "running") -> None:
        """Writes how far a scan is."""
        self._write(number, state=state, done=done, found=found)

    def ended(self, number: int, state: str, at: float, error: str = "") -> None:
        """Writes how a scan ended: done, cancelled or failed."""
        self._write(number, state=state, ended_at=at, error=error)

    def abandon(self, at: float) -> None:
        """Ends the scans that say they run and do not: left by a process before this one, or by a database that was away."""
        left = scan.update().where(scan.c.state == "running")
        with self._database.write() as connection:
            connection.execute(left.values(state="failed", ended_at=at, error=CUT_OFF))

    def _write(self, number: int, **values: object) -> None:
        with self._database.write() as connection:
            connection.execute(sa.update(scan).where(scan.c.id == number).values(**values))

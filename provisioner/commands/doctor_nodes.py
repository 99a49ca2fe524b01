"""The doctor's checks of servers that share one PostgreSQL: clocks, versions, catalogues, addresses. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from provisioner.commands.findings import Finding, failure, fine, warning
from provisioner.settings import Settings

if TYPE_CHECKING:
    from provisioner.core.catalogue import Catalogue
    from provisioner.db import Database
    from provisioner.nodes import Node

APART_S = 1.0
"""What is judged by its order, a registration after a fetch, is known to the second."""
SET_CLOCK = "set the clocks of all servers by NTP: timedatectl set-ntp true"
SAME_VERSION = "bring all servers to one version of the program and of phone_templates, then start them anew"


def nodes_findings(settings: Settings, database: Database, catalogue: Catalogue) -> Iterator[Finding]:
    """Yields what there is to say of this server beside the others; nothing where the database is of one machine."""
    from provisioner.nodes import clock_ahead_s, nodes_there, own_node

    if database.is_sqlite:
        return
    ours = own_node(settings, catalogue)._replace(clock_ahead_s=clock_ahead_s(database))
    yield database_clock(ours.clock_ahead_s)
    others = [other for other in nodes_there(database) if other.name != ours.name]
    yield fine("servers", f"{len(others)} more share this database" if others else "no other shares this database just now")
    for other in others:
        yield compared(ours, other)


def database_clock(ahead_s: float) -> Finding:
    """Returns whether this machine and the database agree about the time."""
    if abs(ahead_s) > APART_S:
        return failure("database clock", f"this machine's clock is {_apart(ahead_s)} the database's", SET_CLOCK)
    return fine("database clock", f"agrees with this machine's to {abs(ahead_s) * 1000:.0f} ms")


def compared(ours: Node, other: Node) -> Finding:
    """Returns whether another server can share the work with this one."""
    name, ahead_s = f"server {other.name}", other.clock_ahead_s - ours.clock_ahead_s
    wrong: list[str] = []
    mends: Sequence[str] = ()
    if other.version != ours.version:
        wrong.append(f"it runs version {other.version}, this one {ours.version}")
        mends = (SAME_VERSION,)
    if other.catalogue != ours.catalogue:
        wrong.append("its catalogue (phone_templates) is another: whichever becomes the worker makes all phones' files anew")
        mends = (SAME_VERSION,)
    if other.address != ours.address:
        wrong.append(f"it tells phones {other.address}, this one {ours.address}")
        mends = (*mends, "give all servers the same PROVISIONER_PUBLIC_HOST, ports and SIP address")
    if abs(ahead_s) > APART_S:
        wrong.append(f"its clock is {_apart(ahead_s)} this machine's")
        mends = (*mends, SET_CLOCK)
    if not wrong:
        return fine(name, f"same version, catalogue and address; clocks agree to {abs(ahead_s) * 1000:.0f} ms")
    is_bad = other.catalogue != ours.catalogue or abs(ahead_s) > APART_S
    return (failure if is_bad else warning)(name, "; ".join(wrong), "; ".join(mends))


def _apart(ahead_s: float) -> str:
    return f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'}"

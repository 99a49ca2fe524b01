"""The doctor's checks of finding phones: what the running process says of itself, or what it could do if it ran. Sends nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

from provisioner.commands.findings import Finding, fine, warning
from provisioner.discovery.wire import interfaces, may_capture
from provisioner.heartbeat import read_heartbeats
from provisioner.settings import Settings

NEEDS_NONE = {"mdns"}
"""Sources that hear all there is without any right."""
MEND = "run 'provisioner serve' as root, or give it AmbientCapabilities=CAP_NET_RAW in systemd; or set PROVISIONER_DISCOVERY=off"


def discovery_findings(settings: Settings) -> Iterator[Finding]:
    """Yields what there is to say of finding phones."""
    if not settings.has_discovery:
        yield fine("discovery", "off")
        return
    yield _sources(settings)
    yield _interfaces(settings)


def _sources(settings: Settings) -> Finding:
    beat = read_heartbeats(settings.data_dir).get("discovery")
    if beat is not None and not beat.complaint(time.time()):
        return warning("discovery", beat.detail, MEND) if " is off: " in beat.detail else fine("discovery", beat.detail)
    lacking = [name for name in settings.discovery if name not in NEEDS_NONE]
    if may_capture() or not lacking:
        return fine("discovery", f"can hear {', '.join(settings.discovery) or 'dhcp'}")
    return warning("discovery", f"no CAP_NET_RAW here: {', '.join(lacking)} will hear nothing, or less", MEND)


def _interfaces(settings: Settings) -> Finding:
    found = interfaces(settings.discovery_interfaces)
    missing = set(settings.discovery_interfaces) - {each.name for each in found}
    if missing or not found:
        which = ", ".join(sorted(missing)) or "none"
        return warning(
            "interfaces", f"without an IPv4 address, or not there: {which}", "see 'ip address' and the setting DISCOVERY_INTERFACES"
        )
    return fine("interfaces", ", ".join(f"{each.name} ({each.address}/{each.network.prefixlen})" for each in found))

"""The doctor's checks of the machine: Python, limits, ports, clock, name. Reads, and binds a port for a moment; sends nothing."""

from __future__ import annotations

import errno
import ipaddress
import platform
import resource
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from provisioner.commands.findings import Finding, failure, fine, warning
from provisioner.commands.port_owner import port_owner
from provisioner.setting_values import Bind
from provisioner.settings import Settings
from provisioner.sheets.printing import PACKAGES, lacking

OLDEST_PYTHON = (3, 11)
SOMAXCONN = 4096
"""A boot storm of ten thousand phones fills a shorter queue of connections, and the kernel then drops them without a word."""
RMEM_MAX = 4 * 1024 * 1024
"""TFTP has one socket for all first packets; a shorter buffer loses them in a storm."""
DESCRIPTORS = 4096
EARLIEST = 1_735_689_600
"""2025-01-01: an older time comes from a machine without a clock battery."""
LEAST_DISK, LITTLE_DISK = 200 * 1024**2, 1024**3


def machine_findings(settings: Settings) -> Iterator[Finding]:
    """Yields what there is to say of the machine."""
    yield _python()
    yield _clock()
    yield _descriptors()
    yield _kernel("net.core.somaxconn", SOMAXCONN, "queue of new connections")
    if settings.tftp_bind is not None:
        yield _kernel("net.core.rmem_max", RMEM_MAX, "receive buffer for TFTP")
    yield _disk(settings)
    yield _public_host(settings)
    yield _sheets()
    yield port_finding("port phones", settings.phones_bind, "PHONES_BIND")
    if settings.phones_tls_bind is not None:
        yield port_finding("port phones TLS", settings.phones_tls_bind, "PHONES_TLS_BIND")
    yield port_finding("port admin", settings.admin_bind, "ADMIN_BIND")
    if settings.tftp_bind is not None:
        yield port_finding("port TFTP", settings.tftp_bind, "TFTP_BIND", is_udp=True)


def _python() -> Finding:
    if sys.version_info[:2] < OLDEST_PYTHON:
        return failure("python", f"this is Python {platform.python_version()}", "install 3.11 or later and make the environment anew")
    return fine("python", f"Python {platform.python_version()}")


def _sheets() -> Finding:
    missing = lacking()
    if missing:
        mend = f"apt-get install {PACKAGES} (sheets as HTML need nothing)"
        return warning("instruction sheets", f"no PDF in every language: {', '.join(missing)} is missing", mend)
    return fine("instruction sheets", "PDF in every language")


def _clock(now: float | None = None) -> Finding:
    now = time.time() if now is None else now
    shown = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(now))
    if now < EARLIEST:
        return failure("clock", f"the machine says it is {shown}", "set the clock: timedatectl set-ntp true")
    return fine("clock", shown)


def _descriptors() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        mend = f"ulimit -n {DESCRIPTORS} before the start, or LimitNOFILE={DESCRIPTORS * 16} in the systemd unit"
        return warning("file descriptors", f"{soft} may be open (at most {hard}); a storm of phones needs {DESCRIPTORS}", mend)
    return fine("file descriptors", "no limit" if soft == resource.RLIM_INFINITY else f"{soft} may be open")


def _kernel(name: str, least: int, what: str) -> Finding:
    try:
        value = int(Path("/proc/sys", *name.split(".")).read_text("ascii"))
    except (OSError, ValueError):
        return fine(name, "not told by this system")
    if value < least:
        mend = f"sysctl -w {name}={least}, and the same line in /etc/sysctl.d/90-provisioner.conf"
        return warning(name, f"{value} for the {what}; {least} carry a storm of phones", mend)
    return fine(name, str(value))


def _disk(settings: Settings) -> Finding:
    place = settings.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    shown = f"{free / 1024**3:.1f} GB free at {place}"
    mend = "make room: old logs, old backups, folders named replaced-*"
    if free < LEAST_DISK:
        return failure("disk", shown, mend)
    return warning("disk", shown, mend) if free < LITTLE_DISK else fine("disk", shown)


def _public_host(settings: Settings) -> Finding:
    host = settings.host
    mend = "set PROVISIONER_PUBLIC_HOST to the name or address by which phones reach this server"
    try:
        found = sorted({str(row[4][0]) for row in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)})
    except OSError as error:
        return failure("public host", f"'{host}' cannot be resolved ({error.strerror or error})", mend)
    if any(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found):
        return warning("public host", f"phones are told {host} ({', '.join(found)}), which is themselves", mend)
    return fine("public host", f"phones are told {host}" + ("" if found == [host] else f" ({', '.join(found)})"))


def port_finding(name: str, bind: Bind, setting: str, *, is_udp: bool = False) -> Finding:
    """Returns whether the port is free, held by us, held by another program, or not ours to take."""
    kind = socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    try:
        with socket.socket(family, kind) as probe:
            if not is_udp:  # connections that only wait to be forgotten do not count
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((bind.host, bind.port))
            return fine(name, f"{bind} is free")
    except OSError as error:
        return _refused(name, bind, setting, error, is_udp=is_udp)


def _refused(name: str, bind: Bind, setting: str, error: OSError, *, is_udp: bool) -> Finding:
    if error.errno == errno.EADDRINUSE:
        owner = None
        with suppress(OSError):
            owner = port_owner(bind.port, is_udp=is_udp)
        if owner is not None and owner.is_ours:
            return fine(name, f"{bind} is held by this server (process {owner.pid})")
        who = f"{owner.name} (process {owner.pid})" if owner else "another program (run as root to see which)"
        return failure(name, f"{bind} is held by {who}", f"stop it, or set PROVISIONER_{setting} to another port")
    if error.errno in (errno.EACCES, errno.EPERM):
        mend = f"setcap cap_net_bind_service=+ep {Path(sys.executable).resolve()}, or AmbientCapabilities=CAP_NET_BIND_SERVICE in systemd"
        if is_udp and bind.port == 69:
            return warning(name, f"{bind} is not allowed here: 6969 is used instead, which phones do not try by themselves", mend)
        return failure(name, f"{bind} is not allowed here", mend)
    if error.errno == errno.EADDRNOTAVAIL:
        return failure(name, f"this machine has no address {bind.host}", f"set PROVISIONER_{setting} to an address that 'ip address' lists")
    return failure(name, f"{bind} cannot be taken ({error.strerror})", f"set PROVISIONER_{setting} to another address")

"""The doctor's checks of the PBX: is Asterisk there, are its ports free, does an external one let us in. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from pbx_sync.asterisk.errors import AsteriskError
from provisioner.bundled import bundled_instance, bundled_program
from provisioner.commands.doctor_machine import port_finding
from provisioner.commands.findings import Finding, failure, fine, warning
from provisioner.settings import Settings

PORTS_A_CALL = 4
"""Speech and its control channel, both ways through Asterisk."""
FEW_CALLS = 25


def pbx_findings(settings: Settings) -> Iterator[Finding]:
    """Yields what there is to say of the PBX that the settings choose; nothing where there is none."""
    if settings.pbx == "bundled":
        yield _program(settings)
        yield from _ports(settings)
        yield _rtp(settings)
    elif settings.pbx == "external":
        yield _external(settings)


def _program(settings: Settings) -> Finding:
    program = bundled_program(settings)
    if program is None:
        return failure("asterisk", "it is not installed", "run 'provisioner pbx install', or choose PROVISIONER_PBX=none")
    try:
        bundled_instance(settings, program)
    except AsteriskError as error:
        return failure("asterisk", str(error), "mend the setting that it names")
    return fine("asterisk", f"Asterisk {program.version}, {'the private one' if program.is_private else program.command[0]}")


def _ports(settings: Settings) -> Iterator[Finding]:
    yield port_finding("port SIP", settings.sip_bind, "SIP_BIND", is_udp=True)
    yield port_finding("port SIP TCP", settings.sip_bind, "SIP_BIND")
    if settings.sip_tls_bind is not None:
        yield port_finding("port SIP TLS", settings.sip_tls_bind, "SIP_TLS_BIND")
    yield port_finding("port AMI", settings.ami_bind, "AMI_BIND")
    yield port_finding("port ARI", settings.ari_bind, "ARI_BIND")


def _rtp(settings: Settings) -> Finding:
    ports = settings.rtp_ports
    calls = (ports.last - ports.first + 1) // PORTS_A_CALL
    if ports.first <= settings.sip_bind.port <= ports.last:
        return warning("RTP ports", f"{ports} hold the port of SIP too", "set PROVISIONER_RTP_PORTS to ports that nothing else uses")
    if calls < FEW_CALLS:
        return warning("RTP ports", f"{ports} are enough for {calls} calls", "widen PROVISIONER_RTP_PORTS: each call takes four ports")
    return fine("RTP ports", f"{ports} (UDP), enough for {calls} calls")


def _external(settings: Settings) -> Finding:
    from pbx_sync.backend import PBXUnavailable
    from provisioner.worker import pbx_backend

    backend = pbx_backend(settings)
    if backend is None:
        return failure("external PBX", "its address is missing", "set PROVISIONER_PBX_AMI_ADDRESS")
    try:
        about = backend.about()
    except PBXUnavailable as error:
        return failure(
            "external PBX", str(error), "is it running, do PROVISIONER_PBX_AMI_* fit its manager.conf, and does its firewall let us in?"
        )
    return fine("external PBX", f"Asterisk {about.version} at {settings.pbx_ami_address} answers")

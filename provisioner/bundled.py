"""The bundled Asterisk of an installation, from its settings: where it is, what it is made of, how it is reached.

The program is installed in the data folder (``asterisk/``); what one run of it needs and leaves is in ``pbx/`` beside it.
"""

from __future__ import annotations

from pathlib import Path

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.calldetails import CALL_FILE
from pbx_sync.asterisk.configuration import RECORDINGS, USER, Facts, Listen
from pbx_sync.asterisk.instance import Instance, passwords_of, reachable
from pbx_sync.asterisk.program import Program, find_program
from provisioner.setting_values import Bind
from provisioner.settings import Settings

FOLDER = "pbx"
NOT_INSTALLED = "Asterisk is not installed: run 'provisioner pbx install'"


def pbx_folder(settings: Settings) -> Path:
    """Returns the folder of everything that the running Asterisk has."""
    return settings.data_dir / FOLDER


def bundled_program(settings: Settings) -> Program | None:
    """Returns the Asterisk that would be run; None where none is installed."""
    return find_program(settings.data_dir)


def bundled_instance(settings: Settings, program: Program, certificate: tuple[Path, Path] | None = None) -> Instance:
    """Returns the installation's Asterisk. ``certificate`` and key are needed for SIP over TLS only, by whoever starts it.

    Raises ``AsteriskError`` for settings that it cannot be run with.
    """
    return Instance(pbx_folder(settings), program, _facts(settings, certificate))


def bundled_address(settings: Settings) -> AsteriskAddress:
    """Returns where its manager interface is, and the login there."""
    host, port = reachable(_listen(settings.ami_bind))
    return AsteriskAddress(host, port, USER, passwords_of(pbx_folder(settings)).ami)


def mailboxes_file(settings: Settings) -> Path:
    """Returns the SQLite file of its voicemail boxes."""
    return pbx_folder(settings) / "voicemail.sqlite3"


def call_details_file(settings: Settings) -> Path:
    """Returns the SQLite file that it writes the details of calls to."""
    return pbx_folder(settings) / "log" / CALL_FILE


def recordings_folder(settings: Settings) -> Path:
    """Returns where it records calls."""
    return pbx_folder(settings) / RECORDINGS


def _facts(settings: Settings, certificate: tuple[Path, Path] | None) -> Facts:
    chain, key = certificate or (None, None)
    return Facts(
        sip=_listen(settings.sip_bind),
        sip_tls=_listen(settings.sip_tls_bind) if settings.sip_tls_bind and certificate else None,
        certificate=chain,
        key=key,
        ami=_listen(settings.ami_bind),
        ari=_listen(settings.ari_bind),
        rtp=(settings.rtp_ports.first, settings.rtp_ports.last),
        external_address=settings.sip_external_address,
        local_networks=settings.sip_local_networks,
    )


def _listen(bind: Bind) -> Listen:
    return Listen(bind.host, bind.port)

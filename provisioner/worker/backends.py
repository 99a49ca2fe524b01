"""Which PBX the worker keeps, by the settings."""

from __future__ import annotations

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.backend import AsteriskBackend
from pbx_sync.asterisk.mailboxes import SQLiteMailboxes
from pbx_sync.backend import Backend
from pbx_sync.fake import FakePBX
from provisioner.bundled import bundled_address, mailboxes_file
from provisioner.settings import Settings


def pbx_backend(settings: Settings) -> Backend | None:
    """Returns the PBX that the settings choose; None for ``none``. Connects to nothing yet."""
    match settings.pbx:
        case "bundled":
            return AsteriskBackend(bundled_address(settings), SQLiteMailboxes(mailboxes_file(settings)))
        case "external" if settings.pbx_ami_address is not None:
            host, port = settings.pbx_ami_address
            return AsteriskBackend(AsteriskAddress(host, port, settings.pbx_ami_user, settings.pbx_ami_password))
        case "fake":
            return FakePBX()
        case _:
            return None

"""Which PBX the worker keeps, by the settings."""

from __future__ import annotations

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.backend import AsteriskBackend
from pbx_sync.asterisk.calllog import AsteriskCalls
from pbx_sync.asterisk.mailboxes import SQLiteMailboxes
from pbx_sync.backend import Backend
from pbx_sync.calls import CallLog
from pbx_sync.emergencies import Emergencies
from pbx_sync.fake import FakePBX
from pbx_sync.hotdesks import HotDesks
from pbx_sync.testcalls import TestCalls
from pbx_sync.waiting import WaitingRoom
from provisioner.bundled import bundled_address, call_details_file, mailboxes_file
from provisioner.settings import Settings


def waiting_room(backend: Backend | None) -> WaitingRoom | None:
    """Returns where phones wait that nobody has let in; None at a PBX that is not ours to put accounts into."""
    match backend:
        case AsteriskBackend(is_ours=True):
            return backend.waiting_room
        case FakePBX():
            return backend
        case _:
            return None


def test_calls(backend: Backend | None) -> TestCalls | None:
    """Returns what rings phones to try them; None at a PBX whose dialplan is not ours."""
    match backend:
        case AsteriskBackend(is_ours=True):
            return backend.test_calls
        case FakePBX():
            return backend
        case _:
            return None


def call_log(settings: Settings) -> CallLog | None:
    """Returns where the PBX's calls are taken over from; None at a PBX that keeps none for us."""
    return AsteriskCalls(bundled_address(settings), call_details_file(settings)) if settings.pbx == "bundled" else None


def hot_desks(backend: Backend | None) -> HotDesks | None:
    """Returns where log-ins at hot desks are dialled; None at a PBX whose dialplan and mailboxes are not ours."""
    return backend.hot_desks if isinstance(backend, AsteriskBackend) and backend.is_ours else None


def emergencies(backend: Backend | None) -> Emergencies | None:
    """Returns who tells of emergency calls while they are dialled; an Asterisk of somebody else does too."""
    return backend if isinstance(backend, AsteriskBackend) else None


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

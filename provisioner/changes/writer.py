"""``Changes``: the one object through which API, pages, command line and imports write desired state."""

from __future__ import annotations

import time
from collections.abc import Callable

from provisioner.changes.asking import AskingWrites
from provisioner.changes.backups import BackupWrites
from provisioner.changes.calls import CallWrites
from provisioner.changes.catalogue import CatalogueWrites
from provisioner.changes.copying import CopyWrites
from provisioner.changes.enrolment import EnrolmentWrites
from provisioner.changes.firmware import FirmwareWrites
from provisioner.changes.idempotency import IdempotencyWrites
from provisioner.changes.installs import InstallWrites
from provisioner.changes.mail import MailWrites
from provisioner.changes.many import ManyWrites
from provisioner.changes.previews import PreviewReads
from provisioner.changes.redirects import RedirectWrites
from provisioner.changes.restoring import RestoreWrites
from provisioner.changes.retiring import RetireWrites
from provisioner.changes.scans import ScanWrites
from provisioner.changes.seats import SeatWrites
from provisioner.changes.second_factor import SecondFactorWrites
from provisioner.changes.sessions import SessionWrites
from provisioner.changes.sites import SiteWrites
from provisioner.changes.telling import Telling
from provisioner.changes.testing import TestingWrites
from provisioner.changes.tokens import TokenWrites
from provisioner.changes.unit import ensure_default_site
from provisioner.changes.webhooks import WebhookWrites
from provisioner.core.render import Renderer
from provisioner.settings import Settings
from provisioner.store import Store


class Changes(
    ManyWrites,
    EnrolmentWrites,
    RetireWrites,
    TestingWrites,
    CopyWrites,
    PreviewReads,
    InstallWrites,
    RedirectWrites,
    SiteWrites,
    RestoreWrites,
    SeatWrites,
    AskingWrites,
    CallWrites,
    SecondFactorWrites,
    TokenWrites,
    SessionWrites,
    ScanWrites,
    IdempotencyWrites,
    WebhookWrites,
    MailWrites,
    Telling,
    FirmwareWrites,
    BackupWrites,
    CatalogueWrites,
):
    """All writes of desired state; each method is one transaction, or rolls back and raises."""


def open_changes(store: Store, renderer: Renderer, settings: Settings, clock: Callable[[], float] = time.time) -> Changes:
    """Returns the writer of an installation, with its default site made."""
    changes = Changes(store, renderer, clock)
    changes.firmware_folder = settings.tftp_root / "firmware"
    changes.keeps_former = settings.has_pbx
    changes.makes_calls = settings.has_waiting_room
    networks = list(settings.trusted_networks)
    changes.site_defaults = {"access": settings.access, "trusted_networks": networks, "enrolment": settings.enrolment}
    if store.site("default") is None:
        with store.database.write() as connection:
            ensure_default_site(connection, access=settings.access, networks=networks, enrolment=settings.enrolment)
    return changes

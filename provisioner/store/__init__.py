"""Every SELECT. Returns core values and records; rows and connections never leave.

Reading for the hot path (serving) takes all phones in a handful of statements; reading for the API is paged by key.
"""

from __future__ import annotations

from provisioner.store.accounts import AccountReads
from provisioner.store.backups import BackupReads
from provisioner.store.base import CHUNK, has_secrets
from provisioner.store.bootstrap import BootstrapReads
from provisioner.store.calls import CallReads
from provisioner.store.departments import DepartmentReads
from provisioner.store.enrolment import EnrolmentReads
from provisioner.store.firmware import FirmwareReads, ReleaseCounts
from provisioner.store.history import HistoryReads
from provisioner.store.idempotency import IdempotencyReads
from provisioner.store.installs import InstallReads
from provisioner.store.layouts import LayoutReads
from provisioner.store.listing import EVERY_PHONE, ListingReads
from provisioner.store.lockstep import LockstepReads
from provisioner.store.mail import MailReads
from provisioner.store.marks import MarkReads
from provisioner.store.phonebooks import PhonebookReads
from provisioner.store.pushing import PushingReads
from provisioner.store.redirects import RedirectReads
from provisioner.store.registrations import LinePhone, RegistrationReads
from provisioner.store.rendering import RenderingReads
from provisioner.store.requests import RequestReads
from provisioner.store.seats import SeatReads
from provisioner.store.second_factor import SecondFactorReads
from provisioner.store.serving import IndexPart, ServingReads
from provisioner.store.sightings import SightingReads
from provisioner.store.testing import TestingReads
from provisioner.store.troubles import TroubleReads
from provisioner.store.waiting import WaitingReads
from provisioner.store.waking import WakingReads
from provisioner.store.webhooks import WebhookReads

__all__ = [
    "CHUNK",
    "EVERY_PHONE",
    "IndexPart",
    "LinePhone",
    "ReleaseCounts",
    "Store",
    "has_secrets",
]


class Store(
    ServingReads,
    RenderingReads,
    PushingReads,
    WakingReads,
    RedirectReads,
    RegistrationReads,
    LockstepReads,
    InstallReads,
    ListingReads,
    LayoutReads,
    DepartmentReads,
    HistoryReads,
    SightingReads,
    RequestReads,
    BackupReads,
    BootstrapReads,
    MarkReads,
    AccountReads,
    SecondFactorReads,
    PhonebookReads,
    IdempotencyReads,
    WebhookReads,
    MailReads,
    TroubleReads,
    FirmwareReads,
    EnrolmentReads,
    WaitingReads,
    SeatReads,
    TestingReads,
    CallReads,
):
    """All reads of an installation."""

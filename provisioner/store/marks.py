"""Reads that say whether anything of a topic changed: for whoever shows it, and reads it again when it did."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from provisioner.models import change, department, extension, fetch, index_log, meta, phone, registration, sighting
from provisioner.models_api import webhook_delivery
from provisioner.models_calls import call
from provisioner.models_enrolment import newcomer
from provisioner.models_mail import mail_recipient
from provisioner.models_testcall import test_call
from provisioner.store.base import StoreBase
from provisioner.store.requests import PBX_BUSY, PBX_FACTS

_newest, _many, _all = sa.func.max, sa.func.count, sa.func.sum


def _agreeing(table: sa.Table) -> sa.ColumnElement[Any]:
    return _many(sa.case((table.c.pbx_wanted == table.c.pbx_verified, 1)))


_CHANGES = sa.select(_newest(change.c.id))
_SERVED = sa.select(*(sa.select(_newest(column)).scalar_subquery() for column in (index_log.c.id, fetch.c.id, test_call.c.at)))
_RESULTS = sa.select(
    _many(phone.c.wanted_hash), _newest(phone.c.live_at), _newest(phone.c.notified_at), _newest(phone.c.error_at), _many(phone.c.notify_due_at)
)  # fmt: skip
_REGISTERED = sa.select(_many(registration.c.mac), _newest(registration.c.registered_at), _newest(registration.c.ended_at))
_EXTENSIONS = sa.select(_agreeing(extension), _many(sa.case((extension.c.pbx_error != "", 1))))
_DEPARTMENTS = sa.select(_agreeing(department), _many(sa.case((department.c.pbx_error != "", 1))))
_SIGHTED = sa.select(_many(sighting.c.mac), _newest(sighting.c.last_seen), _all(sighting.c.count)).subquery()
_ASKED = sa.select(_many(newcomer.c.mac), _newest(newcomer.c.at), _many(newcomer.c.judged_at)).subquery()
_SEEN = sa.select(_SIGHTED, _ASKED).select_from(_SIGHTED.join(_ASKED, sa.true()))
_TOLD = (sa.select(meta.c.value).where(meta.c.key == key) for key in (PBX_FACTS, PBX_BUSY))
_PBX = sa.select(*(told.scalar_subquery() for told in _TOLD), sa.select(_newest(call.c.number)).scalar_subquery())
_MAILED = sa.select(_all(mail_recipient.c.sent_at), _all(mail_recipient.c.tries), _all(mail_recipient.c.due_at)).subquery()
# Only what waits is counted, by its index: of what was delivered there is much.
_WAITING = sa.select(_many(webhook_delivery.c.due_at), _all(webhook_delivery.c.due_at)).where(webhook_delivery.c.due_at > 0).subquery()
_DELIVERED = sa.select(_newest(webhook_delivery.c.id)).scalar_subquery()
_NOTICES = sa.select(_MAILED, _WAITING, _DELIVERED).select_from(_MAILED.join(_WAITING, sa.true()))

TOPICS: Mapping[str, tuple[Any, ...]] = {
    "changes": (_CHANGES,),
    "phones": (_CHANGES, _SERVED, _RESULTS, _REGISTERED, _EXTENSIONS),
    "sightings": (_SEEN,),
    "calls": (_PBX,),
    "notices": (_NOTICES,),
    "pbx": (_PBX, _EXTENSIONS, _DEPARTMENTS, _REGISTERED),
}
"""Topic -> what reads otherwise after anything of it changed."""


class MarkReads(StoreBase):
    """Marks of topics."""

    def marks(self) -> dict[str, str]:
        """Returns topic -> a short text that is another one whenever something of the topic changed."""
        queries = {query: None for topic in TOPICS.values() for query in topic}
        with self.database.read() as connection:
            found = {query: [tuple(row) for row in connection.execute(query)] for query in queries}
        texts = {topic: repr([found[query] for query in of_topic]) for topic, of_topic in TOPICS.items()}
        return {topic: hashlib.sha256(text.encode()).hexdigest()[:16] for topic, text in texts.items()}

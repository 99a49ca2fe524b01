"""Calls as far as somebody sees: those that an extension within the scope took part in."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from provisioner.models import extension as extensions
from provisioner.records_calls import CallRecord
from provisioner.scope import Scope
from provisioner.store import Store
from provisioner.store.reach import calls_within, extensions_within


class ScopedCalls(Store):
    """The part of a store's calls that a scope reaches."""

    _whole: Store
    _reach: Scope

    def calls(self, *, extension: str = "", **wanted: Any) -> list[CallRecord]:
        """As of a whole store; of an extension beyond the scope none, or one could ask whom it talks to here."""
        within = calls_within(self._reach)
        if extension:
            within &= sa.select(extensions.c.number).where(extensions.c.number == extension, extensions_within(self._reach)).exists()
        return self._whole.calls(extension=extension, **wanted | {"within": within})

    def call(self, number: int, *, within: Any = None) -> CallRecord | None:
        return self._whole.call(number, within=calls_within(self._reach))

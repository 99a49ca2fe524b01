"""Lists in pages: by key (``after``) where they have an order, by number (``before``) where the newest comes first.

A page asks for one row more than it shows; that row says whether there is a next page. No counts, no offsets: the hundredth page costs
what the first one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from marshmallow import Schema, fields, validate

from provisioner.api.schemas import MacField, Strict, Text, refusals

DEFAULT_LIMIT = 100
MOST = 500
BIGGEST_ID = 2**63 - 1

Row = TypeVar("Row")


class _Limited(Strict):
    error_messages = refusals("there is no such parameter")

    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(1, MOST, error=f"a whole number from 1 to {MOST} is needed"),
        error_messages={"invalid": f"a whole number from 1 to {MOST} is needed"},
        metadata={"description": "Entries in a page"},
    )


class PageQuery(_Limited):
    """A page of an ordered list."""

    after = Text(load_default="", metadata={"description": "The 'next' of the page before"})


class MacPageQuery(_Limited):
    """A page of a list in the order of the MAC."""

    after = MacField(metadata={"description": "The 'next' of the page before"})


class NewestQuery(_Limited):
    """A page of a list whose newest entry comes first."""

    before = fields.Integer(
        load_default=None,
        validate=validate.Range(1, BIGGEST_ID, error="the 'next' of the page before is needed"),
        error_messages={"invalid": "the 'next' of the page before is needed"},
        metadata={"description": "The 'next' of the page before"},
    )


def page_of(schema: type[Schema], name: str) -> Schema:
    """Returns the schema of a page of ``schema``, named ``name`` in the document."""
    items = fields.List(fields.Nested(schema), required=True)
    following = fields.String(required=True, allow_none=True, metadata={"description": "Give it as after (or before) for the next page"})
    return Schema.from_dict({"items": items, "next": following}, name=name)()


def page(rows: Sequence[Row], limit: int, key: Callable[[Row], object], shown: Callable[[Row], Any] | None = None) -> dict[str, Any]:
    """Returns the page of ``rows``, of which one more than ``limit`` was asked for."""
    kept = rows[:limit]
    following = str(key(kept[-1])) if len(rows) > limit and kept else None
    return {"items": [shown(row) if shown else row for row in kept], "next": following}


def sliced(
    rows: Iterable[Row], after: str, limit: int, key: Callable[[Row], str], shown: Callable[[Row], Any] | None = None
) -> dict[str, Any]:
    """Returns a page of a short list that was read whole (sites, groups, models)."""
    ordered = sorted((row for row in rows if key(row) > after), key=key)
    return page(ordered[: limit + 1], limit, key, shown)

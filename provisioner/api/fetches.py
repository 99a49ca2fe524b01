"""What all phones, and those that nobody listed, asked for and what they got. Reading only."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from provisioner.api.context import installation
from provisioner.api.noun import Noun
from provisioner.api.paging import page, page_of
from provisioner.api.phone_state import Fetch, FetchQuery
from provisioner.api.schemas import MacField

noun = Noun(
    "fetches", "What all phones asked for and what they got; it needs the right to all sites. Those of one phone are below its address."
)


class FetchListed(Fetch):
    """What some phone asked for and what it got."""

    mac = MacField(allow_none=True, metadata={"description": "null: the request named none", "example": "80:5e:c0:aa:bb:cc"})


@noun.route("/fetches")
class Fetches(MethodView):
    """What was asked for."""

    @noun.takes(FetchQuery, location="query")
    @noun.gives(200, page_of(FetchListed, "FetchListedPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List what all phones asked for, the newest first."""
        rows = installation().store.fetches(before=query["before"], limit=query["limit"] + 1, reason=query.get("reason", ""))
        return page(rows, query["limit"], lambda row: row.id)

"""Sites: how their phones prove themselves, and what all of them are set to."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from flask.views import MethodView

from provisioner.api.context import actor, installation
from provisioner.api.etags import expected_revision, tagged
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.paging import PageQuery, page_of, sliced
from provisioner.api.schemas import Rows, SettingsField, Strict, Text, Whole
from provisioner.api.shown import shown_site
from provisioner.errors import NotFound
from provisioner.records import SiteRecord

noun = Noun(
    "sites", "Sites: access, networks, and settings for all phones there. Writing needs the role admin.", of_sites=True, previewable=True
)

Answer = tuple[dict[str, Any], int, dict[str, str]]


class SitePatch(Strict):
    """What may be changed of a site; what is absent stays."""

    access = Text(longest=16, metadata={"example": "first-fetch", "description": "How a phone proves itself before it gets secrets"})
    trusted_networks = Rows(Text(longest=64), metadata={"example": ["192.168.1.0/24"]})
    enrolment = Text(longest=16, metadata={"example": "listed", "description": "What happens with a phone that nobody listed"})
    pool = Text(longest=64, metadata={"example": "1000-1199", "description": "Extensions for phones that are taken in; empty for none"})
    timezone = Text(longest=64, allow_none=True, metadata={"example": "Europe/Amsterdam", "description": "Short for settings.timezone"})
    language = Text(longest=16, allow_none=True, metadata={"example": "nl", "description": "Short for settings.language"})
    settings = SettingsField(metadata={"description": "Laid over those that are there; null takes one away"})


class _Named(Strict):
    name = Text(required=True, longest=64, metadata={"example": "utrecht"})


class SiteNew(SitePatch, _Named):
    """A site to be made; what is absent is as the settings of the installation say."""


class SiteShown(SiteNew):
    """A site."""

    revision = Whole(dump_only=True)


@noun.route("/sites")
class Sites(MethodView):
    """All sites."""

    @noun.takes(PageQuery, location="query")
    @noun.gives(200, page_of(SiteShown, "SitePage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List sites in the order of their name."""
        return sliced(installation().store.sites(), query["after"], query["limit"], lambda row: row.name, shown_site)

    @noun.takes(SiteNew, example={"name": "utrecht", "trusted_networks": ["192.168.1.0/24"], "timezone": "Europe/Amsterdam"})
    @noun.gives(201, SiteShown, headers={**ETAG, "Location": {"schema": {"type": "string"}}})
    def post(self, given: dict[str, Any]) -> Answer:
        """Make a site."""
        record = installation().changes.create_site(actor(), given.pop("name"), given)
        return shown_site(record), 201, {**tagged(record.revision), "Location": url_for("sites.Site", name=record.name)}


@noun.route("/sites/<string:name>")
class Site(MethodView):
    """One site."""

    @conditional
    @noun.gives(200, SiteShown, headers=ETAG)
    def get(self, name: str) -> Answer:
        """Show a site."""
        record = _found(name)
        return shown_site(record), 200, tagged(record.revision)

    @conditional
    @noun.takes(SitePatch, example={"access": "token", "settings": {"voice_vlan": 20}})
    @noun.gives(200, SiteShown, headers=ETAG)
    def patch(self, given: dict[str, Any], name: str) -> Answer:
        """Change what is given of a site; a changed setting renders all of its phones anew."""
        expected = expected_revision(_found(name).revision)
        record = installation().changes.update_site(actor(), name, _with_removals(given), expected, merge_settings=True)
        return shown_site(record), 200, tagged(record.revision)

    @conditional
    @noun.gives(204)
    def delete(self, name: str) -> Response:
        """Remove a site that has no phones; default stays."""
        installation().changes.delete_site(actor(), name, expected_revision(_found(name).revision))
        return Response(status=204)


def _with_removals(given: dict[str, Any]) -> dict[str, Any]:
    """Returns what is given with ``timezone: null`` and ``language: null`` said as settings, which know of taking away."""
    removed = {name: None for name in ("timezone", "language") if name in given and given[name] is None}
    if not removed:
        return given
    kept = {name: value for name, value in given.items() if name not in removed}
    return {**kept, "settings": {**kept.get("settings", {}), **removed}}


def _found(name: str) -> SiteRecord:
    record = installation().store.site(name)
    if record is None:
        raise NotFound({"name": f"there is no site {name[:64]}"})
    return record

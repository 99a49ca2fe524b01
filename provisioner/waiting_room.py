"""What a phone is given that was not let in by its MAC, at a site that takes phones in: a configuration with which it waits to be claimed.

It depends on the address, the name and the User-Agent, never on whether the MAC is listed: so it tells nobody which ones are. It holds a
throw-away account that can dial a claim code and nothing else. Templates run here, and nowhere else while a phone waits for its answer:
a few a second at the most, kept for as many phones as can wait.
"""

from __future__ import annotations

from collections import OrderedDict

from provisioner.core.identify import ParsedPath, model_of
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.core.values import FileRequest, RenderedFile
from provisioner.errors import RenderError
from provisioner.serving_index import ServingIndex, SiteRule
from provisioner.store import Store

KEPT = 256
A_SECOND = 10
"""Phones whose files are made in one second: each costs some milliseconds of all others' time."""


class WaitingFiles:
    """Makes and keeps the files. Used by the one serving thread."""

    def __init__(self, store: Store, index: ServingIndex, renderer: Renderer, *, is_open: bool) -> None:
        self._store = store
        self._index = index
        self._renderer = renderer
        self._is_open = is_open
        self._kept: OrderedDict[tuple[Mac, str], tuple[SiteRule, dict[str, RenderedFile]]] = OrderedDict()
        self._given: dict[Mac, set[str]] = {}
        self._second = 0
        self._made = 0

    def file(self, request: FileRequest, plan: ParsedPath, mac: Mac, now: float) -> RenderedFile | None:
        """Returns the file that the request is for, or None where there is no waiting room for it."""
        site = self._index.places.site_of(request.peer) if self._is_open and plan.token is None else None
        rule = self._index.sites.get(site) if site is not None else None
        if rule is None or not rule.takes_in(mac in self._index.warehouse, now):
            return None
        model, contradiction = model_of(self._store.catalogue, mac, request.user_agent)
        candidate = plan.candidates.get(model.partition("/")[0])
        if not model or contradiction or candidate is None:
            return None
        return self._files(mac, model, rule, now).get(candidate.name)

    def gave(self, mac: Mac | None, sha256: str) -> bool:
        """Returns whether these bytes, for this phone, were of the waiting room."""
        return mac is not None and sha256 in self._given.get(mac, ())

    def _files(self, mac: Mac, model: str, rule: SiteRule, now: float) -> dict[str, RenderedFile]:
        kept = self._kept.get((mac, model))
        if kept is not None and kept[0] is rule:
            return kept[1]
        if not self._may_make(now):
            return {}
        files = self._rendered(mac, model, rule.name)
        self._kept[mac, model] = rule, files
        self._given[mac] = {file.sha256 for file in files.values()}
        if len(self._kept) > KEPT:
            (gone, _), _ = self._kept.popitem(last=False)
            self._given.pop(gone, None)
        return files

    def _rendered(self, mac: Mac, model: str, site: str) -> dict[str, RenderedFile]:
        record = self._store.site(site)
        if record is None:
            return {}
        try:
            return {file.name: file for file in self._renderer.phone_files(self._store.waiting_config(mac, model, record))}
        except RenderError:
            return {}  # the same template fails for phones that are listed, and is told there

    def _may_make(self, now: float) -> bool:
        if int(now) != self._second:
            self._second, self._made = int(now), 0
        self._made += 1
        return self._made <= A_SECOND

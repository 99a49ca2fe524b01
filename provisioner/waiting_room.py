"""What a phone is given that was not let in by its MAC, at a site that takes phones in: a configuration with which it waits to be claimed.

It depends on the address, the name and the User-Agent, never on whether the MAC is listed: so it tells nobody which ones are. It holds a
throw-away account that can dial a claim code and nothing else. Templates run here, and nowhere else while a phone waits for its answer:
a few a second at the most, kept for as many phones as can wait.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from provisioner.core.identify import ParsedPath, model_of
from provisioner.core.mac import Mac
from provisioner.core.peers import group_of
from provisioner.core.render import Renderer
from provisioner.core.values import FileRequest, RenderedFile
from provisioner.errors import RenderError
from provisioner.serving_index import ServingIndex, SiteRule
from provisioner.store import Store

KEPT = 256
A_SECOND = 10
"""Phones whose files are made in one second, one of each address: each costs some milliseconds of all others' time."""


class Kept(NamedTuple):
    """The files of one phone, and what they were made of."""

    model: str
    rule: SiteRule
    files: dict[str, RenderedFile]
    given: frozenset[str]
    """Hashes of these files and of those before them, of which one may be on its way."""


class WaitingFiles:
    """Makes and keeps the files. Used by the one serving thread."""

    def __init__(self, store: Store, index: ServingIndex, renderer: Renderer, *, is_open: bool) -> None:
        self._store = store
        self._index = index
        self._renderer = renderer
        self._is_open = is_open
        self._kept: OrderedDict[Mac, Kept] = OrderedDict()
        self._second = 0
        self._makers: set[str] = set()

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
        return self._files(mac, model, rule, request.peer, now).get(candidate.name)

    def gave(self, mac: Mac | None, sha256: str) -> bool:
        """Returns whether these bytes, for this phone, were of the waiting room."""
        kept = self._kept.get(mac) if mac is not None else None
        return kept is not None and sha256 in kept.given

    def _files(self, mac: Mac, model: str, rule: SiteRule, peer: str, now: float) -> dict[str, RenderedFile]:
        kept = self._kept.get(mac)
        if kept is not None and kept.model == model and kept.rule is rule:
            self._kept.move_to_end(mac)
            return kept.files
        if not self._may_make(peer, now):
            return {}
        files = self._rendered(mac, model, rule.name)
        hashes = {file.sha256 for file in (*files.values(), *(kept.files.values() if kept is not None else ()))}
        self._kept[mac] = Kept(model, rule, files, frozenset(hashes))
        self._kept.move_to_end(mac)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return files

    def _rendered(self, mac: Mac, model: str, site: str) -> dict[str, RenderedFile]:
        record = self._store.site(site)
        if record is None:
            return {}
        try:
            return {file.name: file for file in self._renderer.phone_files(self._store.waiting_config(mac, model, record))}
        except RenderError:
            return {}  # the same template fails for phones that are listed, and is told there

    def _may_make(self, peer: str, now: float) -> bool:
        """Counts one making. Whoever names ever new MACs or models takes one place of a second, and the others stay for phones."""
        if int(now) != self._second:
            self._second = int(now)
            self._makers.clear()
        maker = group_of(peer)
        if maker in self._makers or len(self._makers) >= A_SECOND:
            return False
        self._makers.add(maker)
        return True

"""The step that applies the sites' policies to phones that asked and are not let in. Their answers never wait for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from provisioner.changes.enrolment import EnrolmentWrites
from provisioner.changes.phones import PhoneInput
from provisioner.core.catalogue import parse_user_agent
from provisioner.core.enrolment import WAITS_S, Newcomer, Verdict, judged
from provisioner.core.flood import EVERYWHERE
from provisioner.core.identify import model_of
from provisioner.core.mac import Mac
from provisioner.core.peers import group_of
from provisioner.errors import ProvisionerError
from provisioner.models_enrolment import newcomer
from provisioner.places import SiteFinder
from provisioner.records import SiteRecord
from provisioner.records_enrolment import NewcomerRecord, WindowRecord
from provisioner.store import Store

log = logging.getLogger("provisioner.worker")

BATCH = 50
EVERY_S = 0.25
WORKER = "enrolment"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a batch is judged against."""

    places: SiteFinder
    sites: Mapping[str, SiteRecord]
    windows: Mapping[str, WindowRecord]
    stocked: Mapping[Mac, str]
    listed: frozenset[Mac]
    frozen: frozenset[str]


class Enrolling:
    """Takes in, has wait, or only notes; one batch at a time."""

    def __init__(self, store: Store, writes: EnrolmentWrites, clock: Callable[[], float], timer: Callable[[], float]) -> None:
        self._store = store
        self._writes = writes
        self._clock = clock
        self._timer = timer
        self._next = -1.0

    def step(self) -> int:
        """Judges one batch; closes windows whose time is over. Returns how many phones it was. Looks a few times a second at the most."""
        if self._timer() < self._next:
            return 0
        self._next = self._timer() + EVERY_S
        asked = self._store.newcomers_to_judge(BATCH)
        windows = {window.site: window for window in self._store.windows()}
        for window in [window for window in windows.values() if not window.is_open(self._clock())]:
            why = "as many phones as it was opened for are in" if window.taken >= window.most else "its time is over"
            self._writes.close_window(WORKER, window.site, why)
            del windows[window.site]
        if asked:
            self._judge(asked, windows)
        return len(asked)

    def _judge(self, asked: Sequence[NewcomerRecord], windows: Mapping[str, WindowRecord]) -> None:
        macs = [record.mac for record in asked]
        sites = self._store.sites()
        scene = Scene(
            SiteFinder(sites), {site.name: site for site in sites}, windows, self._store.warehouse_models(macs), self._store.listed(macs),
            self._store.frozen_scopes(self._clock()),
        )  # fmt: skip
        self._note([self._done(record, scene) for record in asked])

    def _done(self, record: NewcomerRecord, scene: Scene) -> dict[str, object]:
        """Does what the policy says of one phone; returns what is to be noted."""
        name = scene.places.site_of(record.peer) or ""
        if record.mac in scene.listed:
            verdict = Verdict("wait", "it is listed and asks as a fresh one: it waits to be let in again")
        else:
            verdict = judged(self._seen(record, name, scene))
        why = self._adopt(record, name, scene, verdict.why) if verdict.action == "adopt" else verdict.why
        waits = self._clock() + WAITS_S if record.waits and verdict.action != "show" else None
        return {"which": record.mac, "asked_at": record.at, "why": why[:200], "until": waits}

    def _seen(self, record: NewcomerRecord, site: str, scene: Scene) -> Newcomer:
        model, contradiction = model_of(self._store.catalogue, record.mac, record.user_agent)
        stocked = scene.stocked.get(record.mac)
        if stocked is not None and model and model != stocked:
            contradiction = f"it was put into the warehouse as {stocked} and says that it is {model}"
        return Newcomer(
            policy=scene.sites[site].enrolment if site else "",
            in_warehouse=stocked is not None,
            window_open=site in scene.windows,
            model=stocked or model,
            contradiction=contradiction,
            frozen=not scene.frozen.isdisjoint({group_of(record.peer), EVERYWHERE}),
        )

    def _adopt(self, record: NewcomerRecord, site: str, scene: Scene, why: str) -> str:
        stocked = scene.stocked.get(record.mac)
        agent = parse_user_agent(self._store.catalogue, record.user_agent)
        model = stocked or model_of(self._store.catalogue, record.mac, record.user_agent)[0]
        given = PhoneInput(model=model, site=site, firmware=agent.version if agent else None)
        try:
            self._writes.adopt_phone(WORKER, record.mac, given, record.peer, window="" if stocked else site)
        except ProvisionerError as error:
            log.warning("event=not_taken_in mac=%s reason=%s detail=%s", record.mac, error.reason, error)
            return f"it could not be taken in: {error}"
        log.info('event=taken_in mac=%s site=%s model=%s why="%s"', record.mac, site, model, why)
        return f"it was taken in: {why}"

    def _note(self, rows: Sequence[dict[str, object]]) -> None:
        with self._store.database.write() as connection:
            connection.execute(_JUDGED, rows)


_JUDGED = (
    newcomer.update()
    .where(newcomer.c.mac == sa.bindparam("which"))
    .values(judged_at=sa.bindparam("asked_at"), outcome=sa.bindparam("why"), waits_until=sa.bindparam("until"))
)

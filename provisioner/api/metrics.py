"""Prometheus metrics of the whole installation, gathered when asked: rows from the database, the rest from heartbeats."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric, UnknownMetricFamily
from prometheus_client.registry import Collector

from provisioner.api.numbers import Numbers
from provisioner.backup_folder import folder_of, kept_in, newest
from provisioner.heartbeat import Heartbeat, read_heartbeats
from provisioner.wiring import Installation

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HELP = {
    "phones": "Phones listed",
    "extensions": "Extensions",
    "phones_to_render": "Phones whose files are to be made",
    "phones_held": "Phones whose files could not be made",
    "sightings": "Phones seen and not listed",
    "changes": "Number of the newest change",
}

_PBX_HELP = {
    "up": "1 where the PBX answers",
    "drift": "Extensions and departments that the PBX does not yet say as wanted",
    "guarded": "Of them, those that changed behind our back and that the guard holds back",
    "errors": "Extensions and departments that the PBX refused",
    "registrations": "Lines of phones that are registered",
    "rotating": "Extensions whose secret is on its way to the phones",
}


class Metrics:
    """The registry of one application; none of it is global."""

    def __init__(self, installation: Installation, numbers: Numbers, clock: Callable[[], float] = time.time) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Gathered(installation, numbers, clock))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _Gathered(Collector):
    def __init__(self, installation: Installation, numbers: Numbers, clock: Callable[[], float]) -> None:
        self._installation = installation
        self._numbers = numbers
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        yield from self._rows()
        yield from self._backups()
        yield from _heartbeats(read_heartbeats(self._installation.settings.data_dir), self._clock())

    def _backups(self) -> Iterator[Metric]:
        last = newest(kept_in(folder_of(self._installation.settings)), self._clock())
        if last is not None:
            about = "When the last backup in the data folder was made, in seconds since the epoch"
            yield GaugeMetricFamily("provisioner_last_backup_timestamp_seconds", about, value=last)

    def _rows(self) -> Iterator[Metric]:
        seen = self._numbers()
        yield GaugeMetricFamily("provisioner_database_up", "1 where the database can be read", value=float(seen.is_known))
        for name, value in seen.counts.items():
            yield GaugeMetricFamily(f"provisioner_{name}", _HELP.get(name, name), value=value)
        stages = GaugeMetricFamily("provisioner_phones_in_stage", "Phones in each stage of the lockstep", labels=["stage"])
        for name, value in seen.stages.items():
            stages.add_metric([name], value)
        yield stages
        for name, about in _PBX_HELP.items():
            if name in seen.pbx:
                yield GaugeMetricFamily(f"provisioner_pbx_{name}", about, value=seen.pbx[name])


def _heartbeats(beats: dict[str, Heartbeat], now: float) -> Iterator[Metric]:
    age = GaugeMetricFamily("provisioner_heartbeat_age_seconds", "Seconds since the part last said that it is alive", labels=["part"])
    serves = GaugeMetricFamily("provisioner_part_up", "1 where the part says that it serves", labels=["part"])
    for part, beat in beats.items():
        age.add_metric([part], beat.age_s(now))
        serves.add_metric([part], float(not beat.complaint(now)))
    yield age
    yield serves
    for part, beat in beats.items():
        for name, value in sorted({_metric_name(part, name): value for name, value in beat.counters.items()}.items()):
            # Untyped, since only the part knows which of its numbers may fall.
            yield UnknownMetricFamily(name, f"As the part {part} counts it", value=value)


def _metric_name(part: str, counter: str) -> str:
    return f"provisioner_{re.sub(r'[^a-zA-Z0-9_]', '_', f'{part}_{counter}')}"

"""How long it takes to make the files of phones of every model, without database and network: mean and worst of each model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from bench.context import Context
from bench.measure import cores, percentile
from provisioner.catalog import load_catalogue
from provisioner.core.catalogue import Catalogue, Model
from provisioner.core.layers import Layer, merged
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.core.values import Key, Line, PhoneConfig

ZONES = ("Europe/Amsterdam", "America/New_York", "Asia/Ho_Chi_Minh", "Australia/Adelaide")
INSTALLATION = {"sip_server": "pbx.example", "sip_port": 5060, "admin_password": "adm1n-Xq7", "user_password": "us3r-Zp4"}
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Made:
    """One phone that was rendered: its model, the CPU time in ms, the bytes of its files."""

    model: str
    ms: float
    size: int


def phone(catalogue: Catalogue, model: Model, number: int) -> PhoneConfig:
    """Returns a phone of an office: two lines, up to twelve lamps, a module on every fourth that takes one."""
    vendor = catalogue.vendors[model.vendor]
    layers = [
        Layer("default", "", {name: row.default for name, row in catalogue.settings.items()}),
        Layer("installation", "", INSTALLATION),
        Layer("vendor", vendor.id, vendor.settings),
        Layer("site", "", {"timezone": ZONES[number % len(ZONES)], "voice_vlan": number % 3 * 20}),
        Layer("model", model.id, model.settings),
    ]
    lines = tuple(Line(at, f"{number % 9000 + at}", f"Person {number}", f"s1p-{number}") for at in range(1, min(model.lines, 2) + 1))
    types = [kind for kind in ("blf", "speed_dial", "park") if kind in model.key_types]
    keys = tuple(Key(0, at, types[at % len(types)], f"{2000 + at}", f"Key {at}") for at in range(3, min(model.keys, 14) + 1) if types)
    modules = 1 if model.expansion and number % 4 == 0 else 0
    url = f"http://prov.example:8080/p/{number:024d}/"
    return PhoneConfig(Mac(f"{0x020000000000 + number:012x}"), model.id, lines, keys, merged(layers), url, modules)


def render_share(first: int, phones: int, step: int) -> list[Made]:
    """Returns what each ``step``-th of ``phones`` cost, beginning with ``first``; the catalogue and the templates are loaded before."""
    catalogue = load_catalogue()
    renderer = Renderer(catalogue)
    models = [model for vendor in catalogue.vendors.values() for model in vendor.models.values()]
    for model in models:
        renderer.phone_files(phone(catalogue, model, 0))
    configs = [phone(catalogue, models[number % len(models)], number) for number in range(first, phones, step)]
    return [_rendered(renderer, config) for config in configs]


def _rendered(renderer: Renderer, config: PhoneConfig) -> Made:
    began = time.process_time_ns()
    files = renderer.phone_files(config)
    return Made(config.model, (time.process_time_ns() - began) / 1e6, sum(len(file.body) for file in files))


def render(ctx: Context) -> None:
    """All files of phones of every model, one after the other in each of two processes."""
    workers = min(WORKERS, len(cores()))
    ctx.report.heading(f"Rendering {ctx.many_phones:,} phones of mixed models ({workers} processes)")
    with ProcessPoolExecutor(workers) as pool:
        shares = [pool.submit(render_share, first, ctx.many_phones, workers) for first in range(workers)]
        made = [share.result() for share in shares]
    every = [one for share in made for one in share]
    _show_models(ctx, every)
    busiest_s = max(sum(one.ms for one in share) for share in made) / 1e3
    total_s = sum(one.ms for one in every) / 1e3
    ctx.report.say(f"CPU of one process alone, as the worker has it: {total_s:.1f} s; {total_s / len(every) * 1e3:.2f} ms a phone")
    ctx.report.judge("render", busiest_s * 10_000 / ctx.many_phones)


def _show_models(ctx: Context, made: Sequence[Made]) -> None:
    by_model: dict[str, list[Made]] = {}
    for one in made:
        by_model.setdefault(one.model, []).append(one)
    rows = sorted(
        ((model, len(some), sum(one.ms for one in some) / len(some), max(one.ms for one in some), max(one.size for one in some)) for model, some in by_model.items()),
        key=lambda row: -row[2],
    )  # fmt: skip
    ctx.report.table(("model, the slowest first", "phones", "mean ms", "worst ms", "bytes at most"), rows)
    times = [one.ms for one in made]
    ctx.report.say(f"{len(by_model)} models; median {percentile(times, 50):.2f} ms, p99 {percentile(times, 99):.2f} ms")


SCENARIOS = {"render": render}

"""How soon a change reaches the phones: one phone's key, and a setting of a whole site while phones go on asking."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from bench import generators
from bench import own as ours
from bench.context import Context, Seeded
from bench.generators import HTTPStorm
from bench.measure import MB, MemorySampler, median, percentile
from bench.plans import Phone, Plan

RATE_PHONES_PER_S = 50.0
SAMPLE = 200
LIMIT_S = 300.0


def until_live(reader: ours.Reader, phone: Phone, marker: str, limit_s: float, pause_s: float) -> None:
    """Returns when the phone's file shows the marker; raises TimeoutError after `limit_s` seconds."""
    end = time.monotonic() + limit_s
    while not ours.has_marker(reader, phone, marker):
        if time.monotonic() > end:
            raise TimeoutError(f"the change of {phone.mac} was not live after {limit_s:.0f} s")
        time.sleep(pause_s)


def one_change(ctx: Context) -> None:
    """The time from the API call until the phone's own file shows the change, one phone at a time."""
    seeded = ctx.copy_of(ctx.seeded(ctx.phones))
    changes = 5 if ctx.quick else 30
    ctx.report.heading(f"One phone's change until live ({ctx.phones:,} phones in the database, {changes} changes)")
    with ctx.own(seeded) as own:
        reader = ours.Reader(own.phones_port)
        try:
            times = [
                timed_change(own, reader, seeded.plan.phones[number * 7 % len(seeded.plan.phones)], number) for number in range(changes)
            ]
        finally:
            reader.close()
    call_ms, live_ms = [pair[0] for pair in times], [pair[1] for pair in times]
    rows = [(name, median(ms), percentile(ms, 99), max(ms)) for name, ms in (("API answers", call_ms), ("file is live", live_ms))]
    ctx.report.table(("from the call until", "median ms", "p99 ms", "max ms"), rows)


def timed_change(own: ours.Own, reader: ours.Reader, phone: Phone, number: int) -> tuple[float, float]:
    """Returns the ms until the API answered and until the file was live."""
    began = time.monotonic()
    marker = ours.change_one(own, phone, number)
    answered = time.monotonic()
    until_live(reader, phone, marker, limit_s=60.0, pause_s=0.002)
    return (answered - began) * 1e3, (time.monotonic() - began) * 1e3


def unsized(plan: Plan) -> Plan:
    """Returns the plan without sizes and CRCs, for files that change under the storm."""
    return Plan(tuple(replace(phone, fetches=tuple(replace(f, size_bytes=-1, crc32=None) for f in phone.fetches)) for phone in plan.phones))


def gentle_stream(ctx: Context, plan: Path, port: int, seconds: float, phones: int) -> HTTPStorm:
    """Runs a steady stream of boots, RATE_PHONES_PER_S a second, for that many seconds."""
    rounds = max(1, round(RATE_PHONES_PER_S * seconds / phones))
    return generators.http_storm(
        plan,
        port,
        core=ctx.generator_core,
        concurrency=2000,
        rounds=rounds,
        rate_phones_per_s=RATE_PHONES_PER_S,
        max_wall_s=seconds * 2 + 30,
    )


def all_live_s(own: ours.Own, plan: Plan, marker: str, began: float) -> float:
    """Returns the seconds from `began` until every phone is live: a sample is watched, then all are checked without hurry."""
    reader = ours.Reader(own.phones_port)
    step = max(1, len(plan.phones) // SAMPLE)
    try:
        for phone in plan.phones[::step]:
            until_live(reader, phone, marker, LIMIT_S, 0.02)
        live = time.monotonic() - began
        for phone in plan.phones:
            if not ours.has_marker(reader, phone, marker):
                until_live(reader, phone, marker, LIMIT_S, 0.02)
                live = time.monotonic() - began
    finally:
        reader.close()
    return live


def site_change(ctx: Context) -> None:
    """The p99 of a gentle stream of boots when idle, and while a change of the whole site renders every phone anew."""
    seeded = ctx.copy_of(ctx.seeded(ctx.many_phones))
    seconds = 5.0 if ctx.quick else 20.0
    few = min(ctx.many_phones, round(RATE_PHONES_PER_S * seconds))
    ctx.report.heading(
        f"Site-wide change, {ctx.many_phones:,} phones, beside a stream of {RATE_PHONES_PER_S:.0f} boots a second for {seconds:.0f} s"
    )
    plan = unsized(seeded.plan.first(few)).write_http(ctx.scratch("change") / "gentle.tsv")
    with ctx.nginx(seeded.folder) as peer, ctx.own(seeded) as own:
        streams = [
            ("nginx, idle", gentle_stream(ctx, plan, peer.port, seconds, few)),
            ("ours, idle", gentle_stream(ctx, plan, own.phones_port, seconds, few)),
        ]
        with MemorySampler(own.server.pids) as peak:
            during, live_s = stream_during_change(ctx, own, seeded, plan, seconds, few)
    streams.append(("ours, during the change", during))
    rows = [(name, s.requests_per_s, s.request_p50_ms, s.request_p99_ms, s.request_max_ms, s.errors, s.sheds) for name, s in streams]
    ctx.report.table(("stream", "req/s", "p50 ms", "p99 ms", "max ms", "errors", "sheds"), rows)
    ctx.report.say(
        f"all {ctx.many_phones:,} phones live {live_s:.1f} s after the call; "
        f"peak RSS {peak.peak_rss_bytes / MB:.0f} MB, PSS {peak.peak_pss_bytes / MB:.0f} MB"
    )
    ctx.report.judge("site errors", during.errors + during.sheds + during.bad_phones())
    ctx.report.judge("site p99", during.request_p99_ms, own=during.request_p99_ms, peer=streams[1][1].request_p99_ms)


def stream_during_change(ctx: Context, own: ours.Own, seeded: Seeded, plan: Path, seconds: float, few: int) -> tuple[HTTPStorm, float]:
    """Starts the stream, changes the site half a second later; returns the stream and the seconds until all phones are live."""
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(gentle_stream, ctx, plan, own.phones_port, seconds, few)
        time.sleep(0.5)
        began = time.monotonic()
        marker = ours.change_site(own, int(time.time()) % 100_000)
        live_s = all_live_s(own, seeded.plan, marker, began)
        return stream.result(timeout=LIMIT_S), live_s


SCENARIOS: dict[str, Callable[[Context], None]] = {"change": one_change, "site": site_change}

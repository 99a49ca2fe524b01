"""The HTTP scenarios: H1, H4 with H8, H5, H7, the flood of unknown names, and the size of the database. Both sides in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import generators, plans
from bench import own as ours
from bench.context import Context, Seeded
from bench.generators import HTTPStorm
from bench.measure import MB, MemorySampler, forget_peaks, median, memory, ratio, recorded_peak_bytes
from bench.servers import Server

HEADS = (
    "server", "req/s", "phones/s", "p50 ms", "p99 ms", "phone p50 ms", "phone p99 ms", "last phone s",
    "CPU µs/req", "errors", "sheds", "bad phones", "generator CPU %", "n",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """One storm on one server, with the CPU seconds that the server used for it."""

    storm: HTTPStorm
    server_cpu_s: float

    def cpu_us(self) -> float:
        """Returns the server's CPU microseconds per good answer."""
        return ratio(self.server_cpu_s * 1e6, self.storm.requests)

    def trouble(self) -> int:
        """Returns errors, sheds and phones that did not get everything."""
        return self.storm.errors + self.storm.sheds + self.storm.bad_phones()


Storm = Callable[[Server], Run]


def storm_on(
    ctx: Context, plan: Path, *, concurrency: int, keepalive: bool, rounds: int = 1, honour: bool = False, max_wall_s: float = 120.0
) -> Storm:
    """Returns a function that runs one storm on a server and measures the CPU time it took there."""

    def run(server: Server) -> Run:
        before = server.settled_cpu_seconds()
        storm = generators.http_storm(
            plan,
            server.port,
            core=ctx.generator_core,
            concurrency=concurrency,
            keepalive=keepalive,
            rounds=rounds,
            honour_retry_after=honour,
            max_wall_s=max_wall_s,
        )
        return Run(storm, server.settled_cpu_seconds() - before)

    return run


def row(name: str, runs: list[Run]) -> tuple[object, ...]:
    """Returns the medians of the runs of one server as a table row; errors, sheds and bad phones are sums."""

    def mid(value: Callable[[Run], float]) -> float:
        return median(value(run) for run in runs)

    return (
        name,
        mid(lambda run: run.storm.requests_per_s),
        mid(lambda run: run.storm.phones_per_s),
        mid(lambda run: run.storm.request_p50_ms),
        mid(lambda run: run.storm.request_p99_ms),
        mid(lambda run: run.storm.phone_p50_ms),
        mid(lambda run: run.storm.phone_p99_ms),
        mid(lambda run: run.storm.wall_s),
        mid(Run.cpu_us),
        sum(run.storm.errors for run in runs),
        sum(run.storm.sheds for run in runs),
        sum(run.storm.bad_phones() for run in runs),
        mid(lambda run: 100 * ratio(run.storm.cpu_s, run.storm.wall_s)),
        len(runs),
    )


def rate(runs: list[Run]) -> float:
    """Returns the median of good answers per second."""
    return median(run.storm.requests_per_s for run in runs)


def last_s(runs: list[Run]) -> float:
    """Returns the median time until the last phone had everything, in seconds."""
    return median(run.storm.wall_s for run in runs)


def trouble(runs: list[Run]) -> int:
    """Returns all errors, sheds and bad phones."""
    return sum(run.trouble() for run in runs)


def explain_errors(ctx: Context, name: str, runs: list[Run]) -> None:
    """Says which errors there were, when there were any."""
    kinds: dict[str, int] = {}
    for run in runs:
        for kind, count in run.storm.errors_by_kind.items():
            kinds[kind] = kinds.get(kind, 0) + count
    if any(kinds.values()):
        ctx.report.say(f"errors of {name}: " + ", ".join(f"{kind} {count:,}" for kind, count in kinds.items() if count))


def alternate(ctx: Context, storm: Storm, peer: Server, own: Server) -> tuple[list[Run], list[Run]]:
    """Runs the storm on peer and own in turn, once each unmeasured and then `rounds` times; returns both sides' runs."""
    storm(peer), storm(own)
    pairs = [(storm(peer), storm(own)) for _ in range(ctx.rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def show(ctx: Context, peer_name: str, peer_runs: list[Run], own_runs: list[Run]) -> None:
    """Prints both sides, and their errors."""
    ctx.report.table(HEADS, [row(peer_name, peer_runs), row("provisioner", own_runs)])
    explain_errors(ctx, peer_name, peer_runs)
    explain_errors(ctx, "provisioner", own_runs)


# ---- scenarios -------------------------------------------------------------------


def h1(ctx: Context) -> None:
    """H1: 200 phones active at a time, keep-alive, everything warm."""
    seeded = ctx.seeded(ctx.phones)
    ctx.report.heading(f"H1: {ctx.phones:,} phones, 200 active, keep-alive, warm")
    storm = storm_on(ctx, seeded.http_plan, concurrency=200, keepalive=True, rounds=1 if ctx.quick else 5)
    with ctx.nginx(seeded.folder) as peer, ctx.own(seeded) as own:
        check_bytes(ctx, seeded, own.server)
        peer_runs, own_runs = alternate(ctx, storm, peer, own.server)
        idle = own.server.idle_percent()
    show(ctx, "nginx", peer_runs, own_runs)
    ctx.report.say(f"our server at rest, beside nginx on the same core: {idle:.1f} % of it\n")
    ctx.report.judge("H1 errors", trouble(own_runs))
    ctx.report.judge("H1 rate", ratio(rate(peer_runs), rate(own_runs)), own=rate(own_runs), peer=rate(peer_runs))
    own_us, peer_us = median(run.cpu_us() for run in own_runs), median(run.cpu_us() for run in peer_runs)
    ctx.report.judge("H1 CPU", ratio(own_us, peer_us), own=own_us, peer=peer_us)


def check_bytes(ctx: Context, seeded: Seeded, server: Server) -> None:
    """One untimed storm in which every body's CRC is compared with what the calm server answered."""
    storm = generators.http_storm(seeded.http_plan, server.port, core=ctx.generator_core, concurrency=200, check_crc=True)
    verdict = "every byte as in calm" if not storm.errors else f"{storm.errors:,} wrong answers {storm.errors_by_kind}"
    ctx.report.say(f"{server.name} under load: {verdict} ({storm.requests:,} answers compared)\n")


def h4(ctx: Context) -> None:
    """H4 and H8: all phones at once, with kept and with new connections; memory of all processes meanwhile."""
    seeded = ctx.seeded(ctx.phones)
    with ctx.nginx(seeded.folder) as peer, ctx.own(seeded) as own:
        storm_on(ctx, seeded.http_plan, concurrency=200, keepalive=True)(own.server)
        rest = memory(own.server.pids())
        forget_peaks(own.server.pids())
        with MemorySampler(own.server.pids) as peak:
            for word, keepalive in (("keep", True), ("new", False)):
                h4_storm(ctx, seeded, peer, own.server, word, keepalive)
        recorded = recorded_peak_bytes(own.server.pids())
    ctx.report.heading("H8: memory of all our processes, MB (RSS counts shared pages once per process, PSS once)")
    rows = [
        ("at rest, bodies read once", rest.rss_bytes / MB, rest.pss_bytes / MB),
        ("peak of the samples during H4", peak.peak_rss_bytes / MB, peak.peak_pss_bytes / MB),
        ("peak as the kernel recorded it", recorded / MB, "-"),
    ]
    ctx.report.table(("when", "RSS MB", "PSS MB"), rows)
    ctx.report.judge("H8 memory", rest.pss_bytes / MB)
    ctx.report.judge("H8 memory storm", peak.peak_pss_bytes / MB)


def h4_storm(ctx: Context, seeded: Seeded, peer: Server, own: Server, word: str, keepalive: bool) -> None:
    """One of H4's two storms."""
    ctx.report.heading(f"H4: {ctx.phones:,} phones at once, {'keep-alive' if keepalive else 'a new connection a request'}")
    peer_runs, own_runs = alternate(ctx, storm_on(ctx, seeded.http_plan, concurrency=0, keepalive=keepalive), peer, own)
    show(ctx, "nginx", peer_runs, own_runs)
    ctx.report.judge(f"H4 {word} last", ratio(last_s(own_runs), last_s(peer_runs)), own=last_s(own_runs), peer=last_s(peer_runs))
    ctx.report.judge(f"H4 {word} last s", last_s(own_runs))
    ctx.report.judge(f"H4 {word} errors", trouble(own_runs))


def first_storm(ctx: Context, seeded: Seeded, own: ours.Own) -> Run:
    """Runs the storm at once, without waiting for the server to rest, as a building that got its power back does."""
    before = own.server.cpu_seconds()
    storm = generators.http_storm(seeded.http_plan, own.phones_port, core=ctx.generator_core, concurrency=200)
    return Run(storm, own.server.settled_cpu_seconds() - before)


def h5(ctx: Context) -> None:
    """H5: the power cut restarts the server too; its first storm, right after it says that it is ready."""
    seeded = ctx.seeded(ctx.phones)
    ctx.report.heading(f"H5: first storm after a restart of our server, {ctx.phones:,} phones, 200 active, keep-alive (nginx: warm)")
    storm = storm_on(ctx, seeded.http_plan, concurrency=200, keepalive=True)
    peer_runs, own_runs, ready_s = [], [], []
    with ctx.nginx(seeded.folder) as peer:
        storm(peer)
        for _ in range(ctx.rounds):
            peer_runs.append(storm(peer))
            with ctx.own(seeded) as own:
                ready_s.append(own.ready_s)
                own_runs.append(first_storm(ctx, seeded, own))
    show(ctx, "nginx", peer_runs, own_runs)
    ctx.report.say(f"our server was ready {median(ready_s):.2f} s after its start\n")
    ctx.report.judge("H5 rate", ratio(rate(peer_runs), rate(own_runs)), own=rate(own_runs), peer=rate(peer_runs))
    ctx.report.judge("H5 errors", trouble(own_runs))


def cold_run(ctx: Context, seeded: Seeded, storm: Storm) -> Run:
    """Forgets every rendered body, starts the server and runs one storm on it."""
    ours.forget_rendered(seeded.data_dir)
    with ctx.own(seeded) as own:
        return storm(own.server)


def h7(ctx: Context) -> None:
    """H7: nothing rendered and everybody at once: the server must refuse quickly what it cannot do, and lose no rate."""
    seeded = ctx.copy_of(ctx.seeded(ctx.phones))
    ctx.report.heading(f"H7: {ctx.phones:,} phones at once, nothing rendered; beside it the calm cold rate (H6), 50 active")
    calm = storm_on(ctx, seeded.http_plan, concurrency=50, keepalive=True, honour=True)
    crowd = storm_on(ctx, seeded.http_plan, concurrency=0, keepalive=True, honour=True)
    try:
        pairs = [(cold_run(ctx, seeded, calm), cold_run(ctx, seeded, crowd)) for _ in range(ctx.rounds)]
    except ours.NotPossibleError as why:
        ctx.report.skip("H7", str(why))
        return
    calm_runs, crowd_runs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ctx.report.table(HEADS, [row("cold, 50 active", calm_runs), row("cold, all at once", crowd_runs)])
    ctx.report.judge("H7 goodput", ratio(rate(crowd_runs), rate(calm_runs)), own=rate(crowd_runs), peer=rate(calm_runs))
    ctx.report.judge("H7 shed ms", median(run.storm.shed_p99_ms for run in crowd_runs))
    ctx.report.judge("H7 phones", sum(run.storm.bad_phones() for run in crowd_runs))
    ctx.report.judge("H7 time-outs", sum(run.storm.errors_by_kind["timeout"] for run in crowd_runs))


def flood(ctx: Context) -> None:
    """A flood of names that nobody has: each one is new, so a cache of refusals must be bounded."""
    seeded = ctx.seeded(ctx.phones)
    names = 100_000 if ctx.quick else 1_000_000
    ctx.report.heading(f"404 flood: {names:,} distinct unknown names, 200 active, keep-alive")
    plan = plans.unknown_names(200, 100).write_http(ctx.scratch("flood") / "flood.tsv")
    storm = storm_on(ctx, plan, concurrency=200, keepalive=True, rounds=names // 20_000, max_wall_s=300.0)
    with ctx.nginx(seeded.folder) as peer, ctx.own(seeded) as own:
        storm_on(ctx, seeded.http_plan, concurrency=200, keepalive=True)(own.server)
        peer_run, before = storm(peer), memory(own.server.pids())
        with MemorySampler(own.server.pids) as peak:
            own_run = storm(own.server)
        after = memory(own.server.pids())
    show(ctx, "nginx", [peer_run], [own_run])
    ctx.report.table(
        ("our memory", "RSS MB", "PSS MB"),
        [
            ("before", before.rss_bytes / MB, before.pss_bytes / MB),
            ("peak", peak.peak_rss_bytes / MB, peak.peak_pss_bytes / MB),
            ("after", after.rss_bytes / MB, after.pss_bytes / MB),
        ],
    )
    ctx.report.judge("404 errors", own_run.trouble())
    ctx.report.judge("404 memory", (after.rss_bytes - before.rss_bytes) / MB)


def database_size(ctx: Context) -> None:
    """The hot path must not care how many phones there are: the same number of requests with few and with many."""
    few, many = ctx.seeded(100), ctx.seeded(ctx.many_phones)
    times = ctx.many_phones // 100
    ctx.report.heading(f"Hot path with {ctx.many_phones:,} and with 100 phones in the database, 200 active, keep-alive")
    few_storm = storm_on(ctx, few.http_plan, concurrency=200, keepalive=True, rounds=times)
    many_storm = storm_on(ctx, many.http_plan, concurrency=200, keepalive=True)
    few_runs, many_runs = [], []
    with ctx.nginx(many.folder) as peer, ctx.own(few) as small, ctx.own(many) as large:
        few_storm(small.server), many_storm(large.server), many_storm(peer)
        peer_runs = []
        for _ in range(ctx.rounds):
            peer_runs.append(many_storm(peer))
            few_runs.append(few_storm(small.server))
            many_runs.append(many_storm(large.server))
    ctx.report.table(HEADS, [row("nginx, many", peer_runs), row("ours, 100", few_runs), row(f"ours, {ctx.many_phones:,}", many_runs)])
    ctx.report.judge("DB errors", trouble(few_runs + many_runs))
    few_us, many_us = median(run.cpu_us() for run in few_runs), median(run.cpu_us() for run in many_runs)
    ctx.report.judge("DB size", ratio(many_us, few_us), own=many_us, peer=few_us)


SCENARIOS: dict[str, Callable[[Context], None]] = {"h1": h1, "h4": h4, "h5": h5, "h7": h7, "flood": flood, "dbsize": database_size}

"""The TFTP scenarios T1 to T5, T7 and T8: every peer and the server under test in turn, over the same files. T6 is in hostile.py."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench import generators, peers, plans
from bench.context import Context
from bench.generators import TFTPStorm
from bench.measure import MB, MemorySampler, median, ratio, udp_drops
from bench.servers import Server

FILE_BYTES = 20_480
FIRMWARE_BYTES = 40_000_000
FIRMWARE = "bench-firmware.rom"
BLOCK_SIZES = (512, 1428)
MOST_PHONES = 2000
OWN = "provisioner"
HEADS = (
    "server", "blksize", "transfers/s", "p50 ms", "p99 ms", "max ms", "first byte p99 ms", "last phone s", "failed", "retransmits",
    "RRQs dropped", "CPU µs/transfer", "idle CPU %", "peak RSS MB", "generator CPU %", "n",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Files:
    """The folder that every server serves, and plans over it: 20 KB a phone, and one firmware image."""

    folder: Path
    phones: dict[int, Path]
    firmware: Path


@dataclass(frozen=True, slots=True)
class Run:
    """One storm on one server: what the phones saw, CPU seconds, datagrams dropped at its socket, peak RSS."""

    storm: TFTPStorm
    server_cpu_s: float
    idle_percent: float
    """Of one core, before the storm: what the server uses while nobody asks. It is in the CPU seconds as well."""
    drops: int
    peak_rss_bytes: int

    def cpu_us(self) -> float:
        """Returns the server's CPU microseconds per transfer."""
        return ratio(self.server_cpu_s * 1e6, self.storm.transfers)

    def failed(self) -> int:
        """Returns the transfers that did not end well."""
        return self.storm.failed + self.storm.unfinished


@dataclass(frozen=True, slots=True)
class Load:
    """What a storm is like; probabilities 0..1."""

    phones: int
    rounds: int = 1
    windowsize: int = 1
    loss: float = 0.0
    dup_rrq: float = 0.0
    seed: int = 1
    max_wall_s: float = 90.0


Runs = dict[tuple[str, int], list[Run]]  # (server, blksize) -> one run a round.


def _phone_file(number: int) -> str:
    return f"bench-{number:05d}.cfg"


def files(ctx: Context) -> Files:
    """Returns the files that all servers serve, made on first use."""
    folder = ctx.scratch("tftp-files")
    plan_of = {count: ctx.scratch("tftp") / f"plan-{count}.tsv" for count in (100, 150, 1000, MOST_PHONES)}
    found = Files(folder, plan_of, ctx.scratch("tftp") / "firmware.tsv")
    if found.firmware.exists():
        return found
    bodies = {_phone_file(number): plans.invented_body(_phone_file(number), FILE_BYTES) for number in range(MOST_PHONES)}
    bodies[FIRMWARE] = plans.invented_body(FIRMWARE, FIRMWARE_BYTES)
    plans.write_bodies(folder, bodies)
    for count, path in plan_of.items():
        _plan([_phone_file(number) for number in range(count)], bodies).write_tftp(path)
    _plan([FIRMWARE], bodies).write_tftp(found.firmware)
    return found


def _plan(names: list[str], bodies: dict[str, bytes]) -> plans.Plan:
    """Returns one phone a name; the name stands for its MAC, so that it counts as the phone's own file."""
    return plans.with_bodies(plans.Plan(tuple(plans.Phone(name, "", "", (plans.Fetch(name, 200),)) for name in names)), bodies)


@contextlib.contextmanager
def server(ctx: Context, name: str, folder: Path) -> Iterator[Server]:
    """A peer, or the server under test with the folder as its static files, on the server's core; host and port are those of TFTP."""
    if name != OWN:
        with peers.TFTP_PEERS[name](folder, ctx.scratch(name), core=ctx.server_core) as running:
            yield running
        return
    with ctx.own(ctx.seeded(100), tftp=True, tftp_root=folder) as own:
        assert own.tftp_port is not None
        yield Server(OWN, "127.0.0.1", own.tftp_port, own.server.process, own.server.cpu)


def run(ctx: Context, target: Server, plan: Path, load: Load, blksize: int, *, at_once: bool = False) -> Run:
    """Returns one storm on a running server; `at_once` does not wait until the server rests, whose idle load is then not known."""
    idle_percent = math.nan if at_once else target.idle_percent()
    cpu, drops = target.cpu_seconds(), udp_drops(target.port)
    with MemorySampler(target.pids, with_pss=False) as peak:
        storm = generators.tftp_storm(
            plan,
            target.port,
            host=target.host,
            core=ctx.generator_core,
            concurrency=load.phones,
            blksize=blksize,
            windowsize=load.windowsize,
            rounds=load.rounds,
            loss=load.loss,
            dup_rrq=load.dup_rrq,
            seed=load.seed,
            max_wall_s=load.max_wall_s,
        )
    return Run(storm, target.settled_cpu_seconds() - cpu, idle_percent, udp_drops(target.port) - drops, peak.peak_rss_bytes)


def row(name: str, blksize: int, runs: list[Run]) -> tuple[object, ...]:
    """Returns the medians of the runs of one server as a table row; failed, retransmits and drops are sums."""

    def mid(value: Callable[[Run], float]) -> float:
        return median(value(each) for each in runs)

    return (
        name,
        blksize,
        mid(lambda each: each.storm.transfers_per_s),
        mid(lambda each: each.storm.p50_ms),
        mid(lambda each: each.storm.p99_ms),
        mid(lambda each: each.storm.max_ms),
        mid(lambda each: each.storm.first_byte_p99_ms),
        mid(lambda each: each.storm.wall_s),
        sum(each.failed() for each in runs),
        sum(each.storm.retransmits for each in runs),
        sum(each.drops for each in runs),
        mid(Run.cpu_us),
        mid(lambda each: each.idle_percent),
        max(each.peak_rss_bytes for each in runs) / MB,
        mid(lambda each: 100 * ratio(each.storm.cpu_s, each.storm.wall_s)),
        len(runs),
    )


def warm_up(ctx: Context, target: Server, plan: Path, blksize: int) -> None:
    """Has every file of the plan fetched once, 50 at a time, unmeasured: page cache and our own caches are warm for all."""
    generators.tftp_storm(plan, target.port, host=target.host, core=ctx.generator_core, concurrency=50, blksize=blksize, max_wall_s=30.0)


def compare(ctx: Context, names: tuple[str, ...], plan: Path, load: Load, block_sizes: tuple[int, ...] = BLOCK_SIZES) -> Runs:
    """Runs the load on every server in turn, `rounds` times, each time on a fresh process; prints the table; returns all runs."""
    runs: Runs = {}
    for number in range(ctx.rounds):
        for name in names:
            with server(ctx, name, files(ctx).folder) as target:
                for blksize in block_sizes:
                    warm_up(ctx, target, plan, blksize)
                    one = run(ctx, target, plan, replace(load, seed=load.seed + number), blksize)
                    runs.setdefault((name, blksize), []).append(one)
    ctx.report.table(HEADS, [row(name, blksize, runs[name, blksize]) for blksize in block_sizes for name in names])
    explain_failures(ctx, runs)
    return runs


def explain_failures(ctx: Context, runs: Runs) -> None:
    """Says how transfers failed, when some did."""
    for (name, blksize), some in runs.items():
        kinds = [f"{kind} {count:,}" for each in some for kind, count in each.storm.failed_by_kind.items() if count]
        if kinds:
            ctx.report.say(f"failures of {name} at blksize {blksize}, run by run: {', '.join(kinds)}")


def rate(runs: list[Run]) -> float:
    """Returns the median transfers per second."""
    return median(each.storm.transfers_per_s for each in runs)


def p99(runs: list[Run]) -> float:
    """Returns the median p99 in ms."""
    return median(each.storm.p99_ms for each in runs)


def own_p99(runs: Runs, blksize: int) -> float:
    """Returns our median p99 in ms, infinite when a transfer failed: only the survivors have a time."""
    ours = runs[OWN, blksize]
    return math.inf if any(each.failed() for each in ours) else p99(ours)


def own_failed(runs: Runs) -> int:
    """Returns how many of our transfers failed or did not end."""
    return sum(each.failed() for (name, _), some in runs.items() if name == OWN for each in some)


def cpu(runs: list[Run]) -> float:
    """Returns the median CPU microseconds per transfer."""
    return median(each.cpu_us() for each in runs)


def judge_rate(ctx: Context, key: str, runs: Runs, peer: str, blksize: int) -> None:
    """Judges our rate ÷ the peer's at one block size."""
    own, other = rate(runs[OWN, blksize]), rate(runs[peer, blksize])
    ctx.report.judge(key, ratio(own, other), own=own, peer=other)


def judge_worst_rate(ctx: Context, key: str, runs: Runs, peer: str) -> None:
    """Judges the smaller of our rates ÷ the peer's over the block sizes."""
    worst = min(BLOCK_SIZES, key=lambda blksize: ratio(rate(runs[OWN, blksize]), rate(runs[peer, blksize])))
    judge_rate(ctx, key, runs, peer, worst)


# ---- scenarios -------------------------------------------------------------------


def hundred(ctx: Context) -> None:
    """T1, T4 and the first half of T8: 100 phones."""
    ctx.report.heading("T1, T4, T8: 100 TFTP phones, 20 KB each")
    runs = compare(ctx, ("tftpd-hpa", "dnsmasq", "tftpy", OWN), files(ctx).phones[100], Load(100, rounds=3 if ctx.quick else 30))
    ctx.report.judge("T1 failed", own_failed(runs))
    for blksize in BLOCK_SIZES:
        judge_rate(ctx, f"T1 {blksize}", runs, "tftpd-hpa", blksize)
    for blksize in BLOCK_SIZES:
        own, peer = cpu(runs[OWN, blksize]), cpu(runs["dnsmasq", blksize])
        ctx.report.judge(f"T4 {blksize}", ratio(own, peer), own=own, peer=peer)
    judge_worst_rate(ctx, "T8 100", runs, "tftpy")


def thousand(ctx: Context) -> None:
    """T2 and the second half of T8: 1000 phones at once."""
    ctx.report.heading("T2, T8: 1000 TFTP phones at once, 20 KB each")
    runs = compare(ctx, ("tftpd-hpa", "dnsmasq", "tftpy", OWN), files(ctx).phones[1000], Load(1000, rounds=1 if ctx.quick else 2))
    for peer, short in (("tftpd-hpa", "hpa"), ("dnsmasq", "dnsmasq")):
        for blksize in BLOCK_SIZES:
            judge_rate(ctx, f"T2 {short} {blksize}", runs, peer, blksize)
    ctx.report.judge("T2 p99", max(own_p99(runs, blksize) for blksize in BLOCK_SIZES))
    ctx.report.judge("T2 failed", own_failed(runs))
    ctx.report.judge("T2 drops", sum(each.drops for blksize in BLOCK_SIZES for each in runs[OWN, blksize]))
    judge_worst_rate(ctx, "T8 1000", runs, "tftpy")


def two_thousand(ctx: Context) -> None:
    """T3: 2000 phones at once."""
    ctx.report.heading("T3: 2000 TFTP phones at once, 20 KB each")
    sizes = BLOCK_SIZES[1:] if ctx.quick else BLOCK_SIZES
    runs = compare(ctx, ("dnsmasq", OWN), files(ctx).phones[2000], Load(2000), sizes)

    def last(name: str) -> float:
        return max(median(each.storm.wall_s for each in runs[name, blksize]) for blksize in sizes)

    ctx.report.judge("T3 all", last(OWN), own=last(OWN), peer=last("dnsmasq"))
    ctx.report.judge("T3 failed", own_failed(runs))


def loss(ctx: Context) -> None:
    """T5: every datagram lost with the same probability both ways; then (not judged) a fifth of the RRQs sent twice."""
    failed = 0
    for percent in (1, 5):
        ctx.report.heading(f"T5: {percent} % loss both ways, 150 TFTP phones at once, 20 KB each (the same seed for all in a round)")
        runs = compare(ctx, ("tftpd-hpa", "dnsmasq", OWN), files(ctx).phones[150], Load(150, loss=percent / 100, max_wall_s=60.0))
        failed += own_failed(runs)
        judge_loss(ctx, percent, runs)
    ctx.report.judge("T5 failed", failed)
    ctx.report.heading("A fifth of the RRQs sent twice, 100 TFTP phones, 20 KB each")
    compare(ctx, ("tftpd-hpa", "dnsmasq", OWN), files(ctx).phones[100], Load(100, rounds=3, dup_rrq=0.2), (512,))


def judge_loss(ctx: Context, percent: int, runs: Runs) -> None:
    """Judges p99 and rate under loss: medians over both block sizes of the ratios ours ÷ tftpd-hpa's."""
    late = median(ratio(own_p99(runs, size), p99(runs["tftpd-hpa", size])) for size in BLOCK_SIZES)
    fast = median(ratio(rate(runs[OWN, size]), rate(runs["tftpd-hpa", size])) for size in BLOCK_SIZES)
    ctx.report.judge(f"T5 {percent}% p99", late)
    ctx.report.judge(f"T5 {percent}% rate", fast)


def firmware(ctx: Context) -> None:
    """T7: one phone loads 40 MB, block by block and with a window of 8."""
    ctx.report.heading("T7: 40 MB firmware, blksize 1428, one phone, without and with windowsize 8")
    plan = files(ctx).firmware
    plain = compare(ctx, ("tftpd-hpa", OWN), plan, Load(1), (1428,))
    window = compare(ctx, (OWN,), plan, Load(1, windowsize=8), (1428,))
    ctx.report.judge("T7 failed", own_failed(plain) + own_failed(window))
    peer = rate(plain["tftpd-hpa", 1428])
    for key, runs in (("T7 plain", plain), ("T7 window", window)):
        own = rate(runs[OWN, 1428])
        ctx.report.judge(key, ratio(own, peer), own=own, peer=peer)


def rendered(ctx: Context) -> None:
    """Not judged: the phones' own rendered files over TFTP, whatever their size, beside tftpd-hpa serving the same bytes."""
    seeded = ctx.seeded(100)
    sizes = [fetch.size_bytes for phone in seeded.plan.phones for fetch in phone.own_files()[:1]]
    ctx.report.heading(f"100 TFTP phones, their own rendered files ({median(sizes):,.0f} bytes in the middle)")
    plan = seeded.plan.write_tftp(ctx.scratch("tftp") / "rendered.tsv")
    rows = []
    for name, folder in (("tftpd-hpa", seeded.folder), ("dnsmasq", seeded.folder), (OWN, files(ctx).folder)):
        with server(ctx, name, folder) as target:
            rows += [
                row(name, blksize, [run(ctx, target, plan, Load(100, rounds=10), blksize) for _ in range(ctx.rounds)])
                for blksize in BLOCK_SIZES
            ]
    ctx.report.table(HEADS, rows)


SCENARIOS: dict[str, Callable[[Context], None]] = {
    "t100": hundred,
    "t1000": thousand,
    "t2000": two_thousand,
    "loss": loss,
    "firmware": firmware,
    "rendered": rendered,
}

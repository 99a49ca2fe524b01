"""H2, H3 and H6: the Yealinks of the storm on our server, beside wazo-provd and FusionPBX."""

from __future__ import annotations

from collections.abc import Callable

from bench import fusionpbx, rivals
from bench.context import Context, Seeded
from bench.http_bench import HEADS, Run, cold_run, explain_errors, rate, row, show, storm_on, trouble
from bench.measure import median, ratio
from bench.plans import Plan


def yealinks(seeded: Seeded) -> Plan:
    """Returns the storm's Yealinks: the one vendor that is set up on both sides."""
    return Plan(tuple(phone for phone in seeded.plan.phones if phone.model.startswith("yealink")))


def phones_rate(runs: list[Run]) -> float:
    """Returns the median of phones that got everything per second."""
    return median(run.storm.phones_per_s for run in runs)


def wazo(ctx: Context) -> None:
    """H2, warm, and H6: what wazo-provd does when it hears of each phone for the first time, beside our rendering in the storm."""
    seeded = ctx.copy_of(ctx.seeded(ctx.phones))
    plan = yealinks(seeded)
    rivals.wazo_home()
    ctx.report.heading(f"H2, H6: {len(plan.phones):,} Yealinks, 200 active, keep-alive, beside wazo-provd")
    scratch = ctx.scratch("wazo")
    own_plan, its_plan = plan.write_http(scratch / "own.tsv"), rivals.as_rivals_answer(plan).write_http(scratch / "wazo.tsv")
    storm, its_storm = (storm_on(ctx, one, concurrency=200, keepalive=True, max_wall_s=300.0) for one in (own_plan, its_plan))
    own_runs, warm_runs = [], []
    with rivals.wazo_provd(plan, scratch, core=ctx.server_core) as peer, ctx.own(seeded) as own:
        first_runs = [its_storm(peer)]
        storm(own.server)
        for _ in range(ctx.rounds):
            warm_runs.append(its_storm(peer))
            own_runs.append(storm(own.server))
    cold = storm_on(ctx, own_plan, concurrency=50, keepalive=True, honour=True)
    cold_runs = [cold_run(ctx, seeded, cold) for _ in range(ctx.rounds)]
    rows = [
        ("wazo-provd, first contact", first_runs),
        ("wazo-provd", warm_runs),
        ("ours, nothing rendered", cold_runs),
        ("provisioner", own_runs),
    ]
    ctx.report.table(HEADS, [row(name, runs) for name, runs in rows])
    for name, runs in rows:
        explain_errors(ctx, name, runs)
    ctx.report.judge(
        "H2 rate", ratio(phones_rate(own_runs), phones_rate(warm_runs)), own=phones_rate(own_runs), peer=phones_rate(warm_runs)
    )
    ctx.report.judge("H2 errors", trouble(own_runs))
    ctx.report.judge(
        "H6 rate", ratio(phones_rate(cold_runs), phones_rate(first_runs)), own=phones_rate(cold_runs), peer=phones_rate(first_runs)
    )


def fusion(ctx: Context) -> None:
    """H3: FusionPBX renders each file when it is asked for. It gets a tenth of the phones, or a round would take minutes."""
    seeded = ctx.seeded(ctx.phones)
    plan = yealinks(seeded)
    fusionpbx.home()
    few = plan.first(max(50, len(plan.phones) // 10))
    ctx.report.heading(f"H3: {len(plan.phones):,} Yealinks on our server, {len(few.phones):,} of them on FusionPBX; 200 active, keep-alive")
    scratch = ctx.scratch("fusionpbx")
    own_plan, its_plan = plan.write_http(scratch / "own.tsv"), rivals.as_rivals_answer(few).write_http(scratch / "its.tsv")
    storm, its_storm = (storm_on(ctx, one, concurrency=200, keepalive=True, max_wall_s=300.0) for one in (own_plan, its_plan))
    with fusionpbx.fusionpbx(few, scratch / "peer", core=ctx.server_core) as peer, ctx.own(seeded) as own:
        its_storm(peer), storm(own.server)
        pairs = [(its_storm(peer), storm(own.server)) for _ in range(ctx.rounds)]
    its_runs, own_runs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    show(ctx, "fusionpbx", its_runs, own_runs)
    ctx.report.judge("H3 rate", ratio(rate(own_runs), rate(its_runs)), own=rate(own_runs), peer=rate(its_runs))


SCENARIOS: dict[str, Callable[[Context], None]] = {"wazo": wazo, "fusionpbx": fusion}

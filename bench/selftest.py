"""Shows that the generators are not the bottleneck, on the fastest peers there are; needs no server of ours."""

from __future__ import annotations

from collections.abc import Callable

from bench import http_bench, plans, tftp_bench
from bench.context import Context
from bench.servers import ServerError

BODY_BYTES = 8900  # The middle of the files in the first measurements.


def http_selftest(ctx: Context) -> None:
    """nginx on one core, the generator on another: its CPU % says whether it waits for nginx or nginx for it."""
    ctx.report.heading(f"httpstorm against nginx: {ctx.phones:,} phones, files of {BODY_BYTES:,} bytes")
    home = ctx.scratch("selftest")
    home.chmod(0o755)
    plan = plans.storm_plan(ctx.phones)
    bodies = plans.invented_bodies(plan, BODY_BYTES)
    plans.write_bodies(home / "files", bodies)
    path = plans.with_bodies(plan, bodies).write_http(home / "http.tsv")
    rows = []
    with ctx.nginx(home / "files") as server:
        for name, concurrency, keepalive in (
            ("200 active, keep-alive", 200, True),
            ("200 active, new connections", 200, False),
            ("all at once, keep-alive", 0, True),
            ("all at once, new connections", 0, False),
        ):
            storm = http_bench.storm_on(ctx, path, concurrency=concurrency, keepalive=keepalive)
            storm(server)
            rows.append(http_bench.row(name, [storm(server) for _ in range(ctx.rounds)]))
    ctx.report.table(("nginx", *http_bench.HEADS[1:]), rows)


def tftp_selftest(ctx: Context) -> None:
    """Every TFTP peer that is installed, with 100 and 1000 phones."""
    names = tuple(name for name in ("tftpd-hpa", "dnsmasq", "tftpy") if tftp_peer_runs(ctx, name))
    for phones in (100, 1000):
        ctx.report.heading(f"tftpstorm: {phones} phones at once, 20 KB each")
        tftp_bench.compare(ctx, names, tftp_bench.files(ctx).phones[phones], tftp_bench.Load(phones, rounds=2000 // phones))


def tftp_peer_runs(ctx: Context, name: str) -> bool:
    """Returns whether the peer can be started here, and says why not."""
    try:
        with tftp_bench.server(ctx, name, tftp_bench.files(ctx).folder):
            return True
    except ServerError as error:
        ctx.report.skip(name, str(error))
        return False


SCENARIOS: dict[str, Callable[[Context], None]] = {"http-selftest": http_selftest, "tftp-selftest": tftp_selftest}

"""The command: `python -m bench [SCENARIO ...] [--quick] [--selftest]`."""

from __future__ import annotations

import argparse
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from bench import change_bench, hostile, http_bench, own, pbx_bench, peers, render_bench, rivals_bench, selftest, tftp_bench
from bench.build import BuildError, build_all
from bench.context import Context
from bench.generators import GeneratorError
from bench.measure import cores, cpu_meter
from bench.report import Report
from bench.servers import ServerError

Scenario = Callable[[Context], None]
SCENARIOS: dict[str, Scenario] = {
    **http_bench.SCENARIOS,
    **rivals_bench.SCENARIOS,
    **change_bench.SCENARIOS,
    **render_bench.SCENARIOS,
    **pbx_bench.SCENARIOS,
    **tftp_bench.SCENARIOS,
    **hostile.SCENARIOS,
}
PACKAGES = ("granian", "flask", "sqlalchemy", "jinja2", "tftpy")


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Boot storms, side by side with what a user would pick instead.")
    parser.add_argument(
        "scenario", nargs="*", choices=[[], *SCENARIOS], metavar="SCENARIO", help=f"all, or some of: {', '.join(SCENARIOS)}"
    )
    parser.add_argument("--quick", action="store_true", help="one round, fewer phones")
    parser.add_argument("--selftest", action="store_true", help="only show that the generators are not the bottleneck")
    parser.add_argument("--rounds", type=int, help="measured rounds of each side (3; quick: 1)")
    parser.add_argument("--phones", type=int, help="phones of the HTTP storms (4000; quick: 1000)")
    parser.add_argument("--many", type=int, help="phones of the large database (10000; quick: 2000)")
    parser.add_argument("--work", type=Path, help="folder to work in and keep (a temporary one, removed at the end)")
    return parser.parse_args(words)


def _machine(report: Report, server_core: int | None, generator_core: int | None) -> None:
    report.heading("Machine")
    meter = cpu_meter()
    how = meter.how
    meter.close()
    report.say(f"{len(cores())} cores, {_processor()}, Linux {platform.release()}, Python {platform.python_version()}")
    report.say(f"server on core {server_core}, generator on core {generator_core}; CPU time from {how}")
    report.say(f"socket buffers: net.core.rmem_max {_kernel('core/rmem_max')}; backlog: net.core.somaxconn {_kernel('core/somaxconn')}")
    report.say("; ".join(f"{name} {metadata.version(name)}" for name in PACKAGES))
    report.say("; ".join(peers.versions()))


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _kernel(name: str) -> str:
    path = Path("/proc/sys/net") / name
    return path.read_text().strip() if path.exists() else "unknown"


def _context(chosen: argparse.Namespace, work: Path) -> Context:
    usable = cores()
    quick = chosen.quick
    return Context(
        work=work,
        report=Report(),
        rounds=chosen.rounds or (1 if quick else 3),
        quick=quick,
        phones=chosen.phones or (1000 if quick else 4000),
        many_phones=chosen.many or (2000 if quick else 10_000),
        server_core=usable[0] if len(usable) > 1 else None,
        generator_core=usable[1] if len(usable) > 1 else None,
    )


def _run_all(ctx: Context, scenarios: dict[str, Scenario]) -> None:
    for name, scenario in scenarios.items():
        try:
            scenario(ctx)
        except (ServerError, GeneratorError, own.NotPossibleError, TimeoutError, OSError) as error:
            ctx.report.skip(name, str(error))


def run(chosen: argparse.Namespace, work: Path) -> int:
    """Runs what was chosen; returns the exit status: 0 when every target was met and nothing was skipped."""
    work.mkdir(parents=True, exist_ok=True)
    work.chmod(0o755)
    ctx = _context(chosen, work)
    _machine(ctx.report, ctx.server_core, ctx.generator_core)
    if chosen.selftest:
        _run_all(ctx, selftest.SCENARIOS)
        return 0
    if not own.is_installed():
        print(
            f"{own.command()} is not there: install the project into this Python, or name the command in BENCH_PROVISIONER.",
            file=sys.stderr,
        )
        return 2
    _run_all(ctx, {name: SCENARIOS[name] for name in chosen.scenario or SCENARIOS})
    return 0 if ctx.report.summary() else 1


def main(words: Sequence[str] | None = None) -> int:
    """Returns the exit status of the command: 0 all met, 1 something missed or skipped, 2 cannot run."""
    chosen = _arguments(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that every started server is stopped on the way out.
    try:
        build_all()
    except BuildError as error:
        print(error, file=sys.stderr)
        return 2
    if chosen.work is not None:
        return run(chosen, chosen.work.resolve())
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return run(chosen, Path(folder))


if __name__ == "__main__":
    sys.exit(main())

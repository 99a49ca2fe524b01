"""The targets, and what was measured against them: tables as they come, one summary at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.measure import shown, table


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one figure: at least or at most. `house` targets are ours, the others are those of the first measurements."""

    text: str
    at_least: float | None = None
    at_most: float | None = None
    house: bool = False

    def is_met(self, value: float) -> bool:
        """Returns whether the value keeps the bound."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def bound(self) -> str:
        """Returns the bound as text."""
        return f"≥ {shown(self.at_least)}" if self.at_least is not None else f"≤ {shown(self.at_most)}"


TARGETS: dict[str, Target] = {
    "H1 rate": Target("200 active, keep-alive, warm, 1 core: nginx req/s ÷ ours", at_most=1.5),
    "H1 CPU": Target("the same: our CPU per request ÷ nginx's", at_most=2.0),
    "H1 errors": Target("the same: our errors, time-outs and sheds", at_most=0, house=True),
    "H2 rate": Target("Yealinks, 200 active, warm, with log, access stages and recorder: our phones/s ÷ wazo-provd's", at_least=25.0),
    "H2 errors": Target("the same: our errors, time-outs and sheds", at_most=0),
    "H3 rate": Target("Yealinks, 200 active: our req/s ÷ FusionPBX's", at_least=500.0),
    "H4 keep last": Target("all phones at once, keep-alive: our last phone ÷ nginx's", at_most=2.0),
    "H4 keep last s": Target("the same: our last phone, seconds", at_most=1.0),
    "H4 keep errors": Target("the same: our errors, time-outs and sheds", at_most=0),
    "H4 new last": Target("all phones at once, new connections: our last phone ÷ nginx's", at_most=2.0),
    "H4 new last s": Target("the same: our last phone, seconds", at_most=1.0),
    "H4 new errors": Target("the same: our errors, time-outs and sheds", at_most=0),
    "H5 rate": Target("first storm after our restart, 200 active: nginx req/s ÷ ours", at_most=2.5),
    "H5 errors": Target("the same: our errors, time-outs and sheds", at_most=0),
    "H6 rate": Target("nothing rendered: our phones/s ÷ wazo-provd's at its first contact, whose files were made before", at_least=1.5),
    "H7 goodput": Target("all phones at once, nothing rendered: good answers/s ÷ the calm cold rate", at_least=0.8),
    "H7 shed ms": Target("the same: p99 of the 503s, ms", at_most=50.0),
    "H7 phones": Target("the same: phones that did not get everything in the end", at_most=0, house=True),
    "H7 time-outs": Target("the same: time-outs", at_most=0),
    "H8 memory": Target("memory of all our processes with the storm's bodies, each page once (PSS), at rest, MB", at_most=300.0),
    "H8 memory storm": Target("the same during H4, MB", at_most=400.0),
    "404 memory": Target("growth of our RSS over the flood of unknown names, MB", at_most=32.0, house=True),
    "404 errors": Target("the same: our errors, time-outs and sheds", at_most=0, house=True),
    "DB errors": Target("small and large database: our errors, time-outs and sheds", at_most=0, house=True),
    "DB size": Target("our CPU per request with the large database ÷ with the small one", at_most=1.3, house=True),
    "site p99": Target("p99 of a gentle stream while every phone is rendered anew, ms", at_most=100.0, house=True),
    "site errors": Target("the same: our errors, sheds and phones without everything", at_most=0, house=True),
    "render": Target("CPU of the busier of two processes that make the files of 10,000 phones of mixed models, s", at_most=40.0),
    "PBX label": Target("an edited key label, 10,000 extensions: live for the phone and verified in the PBX, median ms", at_most=150.0),
    "PBX extension": Target("an edited extension, the same, median ms", at_most=150.0),
    "PBX notify": Target("the same edits: NOTIFY arrives at the phone, median ms", at_most=300.0),
    "PBX label size": Target("an edited key label: median with 10,000 extensions ÷ with 10", at_most=1.5),
    "PBX extension size": Target("an edited extension: median with 10,000 extensions ÷ with 10", at_most=1.5),
    "PBX push s": Target("10,000 extensions pushed to an empty PBX and read back, seconds", at_most=60.0),
    "PBX check s": Target("a full drift check of 10,000 extensions, seconds", at_most=20.0),
    "PBX register s": Target("2,000 phones registered, seconds", at_most=30.0),
    "PBX memory": Target(
        "resident memory of everything, Asterisk included, each page once (PSS), with these phones registered, MB", at_most=1000.0
    ),
    "T1 failed": Target("100 phones: our failed or unfinished transfers", at_most=0, house=True),
    "T1 512": Target("100 phones, 20 KB, blksize 512: our transfers/s ÷ tftpd-hpa's", at_least=4.0),
    "T1 1428": Target("100 phones, 20 KB, blksize 1428: our transfers/s ÷ tftpd-hpa's", at_least=5.0),
    "T2 hpa 512": Target("1000 at once, blksize 512: our transfers/s ÷ tftpd-hpa's", at_least=20.0),
    "T2 hpa 1428": Target("1000 at once, blksize 1428: our transfers/s ÷ tftpd-hpa's", at_least=20.0),
    "T2 dnsmasq 512": Target("1000 at once, blksize 512: our transfers/s ÷ dnsmasq's", at_least=4.0),
    "T2 dnsmasq 1428": Target("1000 at once, blksize 1428: our transfers/s ÷ dnsmasq's", at_least=4.0),
    "T2 p99": Target("1000 at once: our p99, ms (the worse of both block sizes)", at_most=600.0),
    "T2 failed": Target("1000 at once: our failed or unfinished transfers", at_most=0, house=True),
    "T2 drops": Target("1000 at once: RRQs dropped at our socket", at_most=0),
    "T3 all": Target("2000 at once: our last phone, seconds", at_most=1.5),
    "T3 failed": Target("2000 at once: our failed or unfinished phones", at_most=0),
    "T4 512": Target("CPU per transfer, blksize 512: ours ÷ dnsmasq's", at_most=2.0),
    "T4 1428": Target("CPU per transfer, blksize 1428: ours ÷ dnsmasq's", at_most=2.0),
    "T5 1% p99": Target("1 % loss, 150 at once: our p99 ÷ tftpd-hpa's (median of both block sizes)", at_most=0.6),
    "T5 5% p99": Target("5 % loss, 150 at once: our p99 ÷ tftpd-hpa's", at_most=0.33),
    "T5 1% rate": Target("1 % loss: our transfers/s ÷ tftpd-hpa's", at_least=1.4),
    "T5 5% rate": Target("5 % loss: our transfers/s ÷ tftpd-hpa's", at_least=2.4),
    "T5 failed": Target("loss: our failed or unfinished transfers", at_most=0),
    "T6 crashes": Target("hostile datagrams: cases after which we do not serve, or served wrongly", at_most=0),
    "T6 fds": Target(
        "hostile datagrams: file descriptors (without the database's pool of connections) and processes still held", at_most=0
    ),
    "T6 rate": Target("good transfers/s with 1100 silent clients ÷ without", at_least=0.7),
    "T7 failed": Target("40 MB firmware: our failed or unfinished transfers", at_most=0, house=True),
    "T7 plain": Target("40 MB firmware, blksize 1428: our rate ÷ tftpd-hpa's", at_least=0.9),
    "T7 window": Target("the same with windowsize 8: our rate ÷ tftpd-hpa's without", at_least=7.0),
    "T8 100": Target("100 phones: our transfers/s ÷ stock tftpy's (the worse of both block sizes)", at_least=3.5),
    "T8 1000": Target("1000 phones: our transfers/s ÷ stock tftpy's (the worse of both block sizes)", at_least=20.0),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One figure beside its target."""

    key: str
    value: float
    own: float | None
    peer: float | None

    def row(self) -> tuple[object, ...]:
        """Returns the summary row."""
        target = TARGETS[self.key]
        word = "PASS" if target.is_met(self.value) else "MISS"
        sides = ["-" if side is None else shown(side) for side in (self.own, self.peer)]
        return (word, self.key + (" (house)" if target.house else ""), target.text, target.bound(), self.value, *sides)


@dataclass
class Report:
    """Prints what is measured and keeps the verdicts."""

    verdicts: list[Verdict] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Prints the title of a scenario."""
        print(f"\n## {text}\n", flush=True)

    def say(self, text: str) -> None:
        """Prints a sentence."""
        print(text, flush=True)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Prints a table."""
        print(table(heads, rows) + "\n", flush=True)

    def judge(self, key: str, value: float, *, own: float | None = None, peer: float | None = None) -> None:
        """Keeps and prints a figure against its target; own and peer are the two sides of a ratio."""
        verdict = Verdict(key, float(value), own, peer)
        self.verdicts.append(verdict)
        word, _, text, bound, shown_value, *_ = verdict.row()
        print(f"{word}  {key}: {text}: {shown(shown_value)} (target {bound})", flush=True)

    def skip(self, scenario: str, why: str) -> None:
        """Keeps and prints that a scenario could not run."""
        self.skipped.append(f"{scenario}: {why}")
        print(f"SKIPPED {scenario}: {why}", flush=True)

    def summary(self) -> bool:
        """Prints all verdicts; returns whether every target was met and nothing was skipped."""
        self.heading("Summary")
        self.table(("", "target", "figure", "bound", "measured", "ours", "baseline"), [verdict.row() for verdict in self.verdicts])
        for line in self.skipped:
            print(f"SKIPPED {line}")
        missed = [verdict.key for verdict in self.verdicts if not TARGETS[verdict.key].is_met(verdict.value)]
        print(f"{len(self.verdicts) - len(missed)} of {len(self.verdicts)} met" + (f"; missed: {', '.join(missed)}" if missed else ""))
        return not missed and not self.skipped

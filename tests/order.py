"""The order of files in a run on several cores: those that take longest come first, so that no core is left with a long one at the end.

A file goes to one worker as a whole (``--dist=loadfile``): what its tests share is set up once. ``make durations`` measures anew.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DURATIONS = Path(__file__).with_name("durations.json")
"""File of tests -> seconds that all of it took, set-up and end included."""
UNKNOWN_S = 10.0
"""For a file that was never measured."""


class Measuring:
    """Adds up what every file took, and keeps it; what did not run keeps what it had, and what is gone goes."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid.partition("::")[0]] += report.duration

    def pytest_sessionfinish(self) -> None:
        measured = {**durations(), **{name: round(seconds, 1) for name, seconds in self.seconds.items()}}
        kept = {name: seconds for name, seconds in sorted(measured.items()) if (ROOT / name).exists()}
        DURATIONS.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def durations() -> dict[str, float]:
    """Returns what was kept."""
    found: dict[str, float] = json.loads(DURATIONS.read_text("utf-8")) if DURATIONS.exists() else {}
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep-durations", action="store_true", help="keep what every file took, for the order of later runs")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("keep_durations") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Measuring())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sorts files, not the tests in them; a run on one core keeps the order that it has."""
    if not hasattr(config, "workerinput"):
        return
    known = durations()
    items.sort(key=lambda item: (-known.get(_file(item), UNKNOWN_S), _file(item)))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]

"""A second look at what failed: ``python -m tests.again`` runs the failed tests of the last whole run once more, one after another.

Hundreds of tests wait for real servers, phones and browsers. On a build machine that others slow down, one of them now and then
fails for its own impatience. A test that passes by itself then is named as unsteady, and is to be mended; the build goes on. One that
fails again, more failures than ``MOST``, and a run that did not come to its end, fail the build.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[1] / ".pytest_cache" / "v" / "cache" / "lastfailed"
"""Where pytest keeps the names of what failed."""
ENDED = "ended"
"""The file beside it with the exit status of a run that came to its end."""
MOST = 3


def pytest_sessionfinish(session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
    """Keeps how the run ended, beside what failed in it."""
    cache = getattr(session.config, "cache", None)  # none where it is switched off
    if cache is not None and not hasattr(session.config, "workerinput"):
        cache.set(f"cache/{ENDED}", int(exitstatus))


def failed(cache: Path) -> list[str]:
    """Returns the tests to look at again.

    Raises:
        SystemExit: there is nothing that a second look could mend; with the reason.
    """
    try:
        ended = json.loads(cache.with_name(ENDED).read_text("utf-8"))
        names: list[str] = sorted(json.loads(cache.read_text("utf-8")))
    except FileNotFoundError:
        raise SystemExit("no test run came to its end: nothing to look at again") from None
    if ended != pytest.ExitCode.TESTS_FAILED:
        raise SystemExit(f"the test run broke off with status {ended}: nothing to look at again")
    if not 1 <= len(names) <= MOST:
        raise SystemExit(f"{len(names)} tests failed: too many to be unsteady")
    return names


def main() -> int:
    """Returns the exit status of the build."""
    names = failed(CACHE)
    sys.stdout.write(f"\nOnce more, alone: {' '.join(names)}\n")
    sys.stdout.flush()
    status = subprocess.call(
        [sys.executable, "-m", "pytest", "--timeout=300", "-p", "no:cacheprovider", "-v", *names], cwd=CACHE.parents[3]
    )
    for name in names if not status else ():
        sys.stdout.write(f"UNSTEADY, to be mended: {name}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())

"""What an import costs, by its number of rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.importing import apply_plan, preview_import
from provisioner.wiring import Installation
from tests.installations import fresh_installation


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with fresh_installation(tmp_path) as made:
        yield made


def test_ten_times_the_rows_cost_ten_times_the_work(installation: Installation) -> None:
    """In CPU and beside each other, so that a busy machine is no slow import; twice as much for each row is allowed."""
    few, many = (imported_cpu_s(installation, first, rows) for first, rows in ((0, 1000), (1000, 10_000)))
    assert many < 2 * 10 * few


def imported_cpu_s(installation: Installation, first: int, rows: int) -> float:
    numbers = range(first, first + rows)
    lines = (f"02acde{at:06x},A1,{10000 + at},Person {at},p{at}@example.com,Desk {at},Europe/Amsterdam\n" for at in numbers)
    text = "mac,model,extension,name,email,label,setting:timezone\n" + "".join(lines)
    start = time.process_time()
    result = apply_plan(installation, "test", preview_import(installation, text), all_or_nothing=True)
    assert (result.phones_created, result.extensions_created) == (rows, rows)
    return time.process_time() - start

"""A spreadsheet may name the key layout of each phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.changes import LayoutKeyInput
from provisioner.core.mac import Mac
from provisioner.importing import apply_plan, export_csv, preview_import
from provisioner.wiring import Installation
from tests.installations import fresh_installation


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with fresh_installation(tmp_path) as made:
        yield made


def applied(installation: Installation, text: str) -> None:
    apply_plan(installation, "test", preview_import(installation, text), all_or_nothing=True)


def test_layout_is_imported_checked_and_exported(installation: Installation) -> None:
    changes, mac = installation.changes, Mac("02acde000001")
    changes.put_layout("test", "Sales", [LayoutKeyInput(3, "speed_dial", "0800")])
    applied(installation, "mac,model,layout\n02acde000001,A1,Sales\n")
    record = installation.store.phone(mac)
    assert record is not None and record.layout == "Sales"
    assert "Sales" in export_csv(installation)
    wrong = preview_import(installation, "mac,model,layout\n02acde000002,A2,Sales\n02acde000003,A1,None such\n")
    assert [(mistake.line, mistake.column) for mistake in wrong.mistakes] == [(2, "layout"), (3, "layout")]
    applied(installation, "mac,layout\n02acde000001,-\n")
    record = installation.store.phone(mac)
    assert record is not None and record.layout is None

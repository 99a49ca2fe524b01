"""Rows of a spreadsheet that name a phone which is taken out of service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.changes import PhoneInput
from provisioner.core.mac import Mac
from provisioner.importing import export_csv, preview_import
from provisioner.wiring import Installation
from tests.installations import fresh_installation

MAC = Mac("02acde000001")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with fresh_installation(tmp_path) as made:
        made.changes.create_extension("tests", "1001")
        made.changes.create_phone("tests", MAC, PhoneInput(model="acme/a1"))
        made.changes.retire_phone("tests", MAC)
        yield made


def test_row_that_would_change_it_is_refused_in_the_preview(installation: Installation) -> None:
    plan = preview_import(installation, f"mac,line1\n{MAC},1001\n")
    assert [(each.line, each.column, each.sentence) for each in plan.mistakes] == [(2, "mac", "this phone is taken out of service")]


def test_list_that_goes_out_comes_back_without_a_mistake(installation: Installation) -> None:
    plan = preview_import(installation, export_csv(installation))
    assert (plan.mistakes, [row for row in plan.rows if row.differences]) == ((), [])

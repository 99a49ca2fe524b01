"""The page of features beside other servers says nothing that no test shows, and says why wherever it is no plain yes."""

from __future__ import annotations

from typing import Any

import pytest

from docs.peers_page import ANSWERS, peers, sections
from provisioner.settings import ROOT

ROWS = [row for section in sections() for row in section["rows"]]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["feature"])
def test_a_row_is_whole(row: dict[str, Any]) -> None:
    assert row.keys() <= {"feature", "others", "ours", "proof", "note"}
    assert row["ours"] in ANSWERS
    assert [path for path in row["proof"] if not (ROOT / path).is_file()] == []
    assert row["proof"] or row["ours"] not in ("yes", "partly"), "what is said to be there is shown by a test"
    assert row.get("note") or row["ours"] == "yes", "what is not there says why"


def test_no_feature_stands_twice() -> None:
    names = [row["feature"] for row in ROWS]
    assert sorted(set(names)) == sorted(names)


def test_the_page_has_every_row() -> None:
    page = peers()
    assert [row["feature"] for row in ROWS if f"| {row['feature'].replace('|', chr(92) + '|')} |" not in page] == []

"""The page of features beside the open servers that do the same job. Its rows are ``peers.toml``; a test holds that every proof is there."""

from __future__ import annotations

import tomllib
from collections import Counter
from typing import Any

from docs.markdown import table
from docs.peer_counts import HERE

ANSWERS = {"yes": "yes", "partly": "partly", "refused": "no, on purpose", "no": "no"}


def sections() -> list[dict[str, Any]]:
    """Returns the sections: each a ``title`` and ``rows`` of ``feature``, ``others``, ``ours``, ``proof`` and, where it is not a plain yes, ``note``."""
    found: list[dict[str, Any]] = tomllib.loads((HERE / "peers.toml").read_text("utf-8"))["section"]
    return found


def peers() -> str:
    """Returns the page."""
    counted = Counter(row["ours"] for section in sections() for row in section["rows"])
    text = (
        "# Features, beside other servers\n\n"
        f"What provisioning servers can do, and who can. Of {counted.total()} features this server has {counted['yes']}, {counted['partly']} partly; "
        f"{counted['refused']} are left out on purpose and {counted['no']} are missing.\n\n"
        "The others were read in their own files in August 2026; a name in brackets: partly. *Shown by* are files of tests, which run with `make test`.\n\n"
    )
    return text + "".join(_section(section) for section in sections())


def _section(section: dict[str, Any]) -> str:
    rows = [
        (
            row["feature"],
            row["others"] or "nobody",
            _ours(row),
            " ".join(f"[{path.rpartition('/')[2]}](../../{path})" for path in row["proof"]),
        )
        for row in section["rows"]
    ]
    return f"## {section['title']}\n\n" + table(("feature", "open servers that have it", "here", "shown by"), rows)


def _ours(row: dict[str, Any]) -> str:
    answer = ANSWERS[row["ours"]]
    return f"{answer}: {row['note']}" if row.get("note") else answer

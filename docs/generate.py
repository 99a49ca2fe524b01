"""Writes ``docs/reference/``, and the table of the client.

``python docs/generate.py`` writes them; with ``--check`` it writes nothing and ends with 1 where a page is not as it should be.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    sys.path.insert(0, str(ROOT))
    from docs import client_table, pages

    if "--check" in arguments:
        wrong = pages.stale_pages() + client_table.stale(pages.openapi())
        if wrong:
            sys.stderr.write(f"What is made from the code is not as the code says: {', '.join(wrong)}. Run 'make docs'.\n")
        return 1 if wrong else 0
    for name in pages.PAGES:
        (pages.REFERENCE / name).write_text(pages.page(name), "utf-8")
    client_table.PATH.write_text(client_table.text(pages.openapi()), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``python -m web``: compiles the project's own modules, the catalogue and the templates of all pages, where they lie.

All are compiled by themselves where they may be kept. A service that may not write there would do it again at each start, for seconds.
"""

from __future__ import annotations

import compileall
import sys
from pathlib import Path

from flask import Flask

from provisioner.kept_catalogue import load_kept_catalogue
from web import attach_pages
from web.compiled import compile_all

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Returns the status: 0 where everything could be compiled."""
    done = [compileall.compile_dir(ROOT / name, quiet=1) for name in ("pbx_sync", "provisioner", "web")]
    load_kept_catalogue()
    app = Flask("web", static_folder=None, template_folder=None)
    attach_pages(app, dict)
    compile_all(app)
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())

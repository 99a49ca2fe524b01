"""Styles and scripts that the pages load: our own, and those of the two libraries, which packages of the Python index carry.

All of them are read once, at start, and served from memory under an address with their hash, so that browsers keep them for ever.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

OWN = Path(__file__).parent / "static"
LIBRARIES: Mapping[str, tuple[str, str]] = {
    "htmx.js": ("django-js-lib-htmx", "js_lib_htmx/static/htmx/htmx.min.js"),
    "reboot.css": ("django-js-lib-bootstrap5", "js_lib_bootstrap5/static/js-lib-bootstrap5/css/bootstrap-reboot.min.css"),
}
"""Name here -> package, and the file in it. Read as files: neither package is imported, and neither brings anything else."""

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_SOURCE_MAP = re.compile(rb"[/][*/]# sourceMappingURL=[^\n]*")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    name: str
    body: bytes
    packed: bytes
    content_type: str
    tag: str
    """Beginning of its SHA-256: part of its address."""


class MissingLibrary(RuntimeError):
    """A package that carries a library of the pages is not installed, or no longer carries it."""


def load_assets() -> dict[str, Asset]:
    """Returns name -> asset. Raises ``MissingLibrary``, naming the package."""
    bodies = {path.name: path.read_bytes() for path in sorted(OWN.iterdir()) if path.suffix in TYPES}
    bodies |= {name: _library(*where) for name, where in LIBRARIES.items()}
    return {name: _asset(name, body) for name, body in bodies.items()}


def _asset(name: str, body: bytes) -> Asset:
    return Asset(name, body, gzip.compress(body, 9, mtime=0), TYPES[Path(name).suffix], hashlib.sha256(body).hexdigest()[:12])


def _library(package: str, file: str) -> bytes:
    try:
        path = Path(str(metadata.distribution(package).locate_file(file)))
        return _SOURCE_MAP.sub(b"", path.read_bytes())  # its source map is not served, and browsers would ask for it
    except (metadata.PackageNotFoundError, OSError) as error:
        raise MissingLibrary(f"the package {package} does not give {file}: run 'make run', or pip install --editable .") from error

"""The project's own catalogue as it was read last: reading and checking three hundred files is a third of the work of every command.

It is taken as long as nothing has changed that it was made from: the files of the catalogue, the code that reads them, and the packages
which that leans on.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
from importlib import metadata
from pathlib import Path
from typing import cast

from provisioner.core.catalogue import Catalogue
from provisioner.kept import keep, kept_beside, read_kept
from provisioner.settings import ROOT

OWN_FOLDER = ROOT / "phone_templates"
CODE = [Path(__file__).parent / name for name in ("catalog", "core", "kept_catalogue.py")]
PACKAGES = ("jinja2", "marshmallow", "tzdata")
NOT_READ = ("__pycache__", "examples")
"""Folders from which nothing comes into the catalogue: examples are held against it by ``provisioner check``."""


def load_kept_catalogue(folder: Path = OWN_FOLDER) -> Catalogue:
    """Returns the catalogue in a folder; the project's own in the form that was kept, where it is still that. Raises ``CatalogueError``."""
    if folder != OWN_FOLDER:
        return _read(folder)
    made_from, path = _made_from(folder), kept_beside(__file__) / f"catalogue.{sys.implementation.cache_tag}"
    kept = read_kept(path, made_from)
    if kept is not None:
        return cast("Catalogue", pickle.loads(kept))
    catalogue = _read(folder)
    keep(path, made_from, pickle.dumps(catalogue, pickle.HIGHEST_PROTOCOL))
    return catalogue


def _read(folder: Path) -> Catalogue:
    from provisioner.catalog import load_catalogue

    return load_catalogue(folder)


def _made_from(folder: Path) -> bytes:
    """Returns a digest of everything that the catalogue in a folder follows from."""
    made = hashlib.sha256(" ".join([sys.version, *map(metadata.version, PACKAGES)]).encode())
    for path in (folder, *CODE):
        for file in _files(path):
            made.update(f"\0{file}\0".encode())
            made.update(hashlib.sha256(file.read_bytes()).digest())
    return made.digest()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = []
    for where, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in NOT_READ)
        files += [Path(where, name) for name in sorted(names)]
    return files

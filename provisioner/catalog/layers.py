"""The catalogue as it is read: the shipped folder, and files of one's own that take the place of the shipped ones of the same name.

A file is named by its path below the catalogue (``yealink/templates/device.cfg.j2``). What is not among one's own comes from the shipped
folder, so that everything read here is the real path of a file, and a mistake names the one that has to be mended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layers:
    """The shipped folder with files of one's own over it."""

    shipped: Path
    own: Mapping[str, Path] = field(default_factory=dict)
    """Path below the catalogue -> the file to be read instead, or besides."""

    def __truediv__(self, relative: str) -> Path:
        """The file to be read for this path, whether it is there or not."""
        return self.own.get(relative) or self.shipped / relative

    def vendors(self) -> list[VendorFolder]:
        """Returns the vendors' folders by name. A copy kept by version control or an editor begins with a dot and is none."""
        names = {path.name for path in self.shipped.iterdir() if path.is_dir()}
        return [VendorFolder(self, name) for name in sorted(names | vendors_of(self.own)) if name[0] not in "._"]


@dataclass(frozen=True, slots=True)
class VendorFolder:
    """One vendor's folder in both layers. Used as a ``Path`` of it would be."""

    layers: Layers
    name: str

    def __truediv__(self, relative: str) -> Path:
        """The file to be read for this path below the vendor's folder."""
        return self.layers / f"{self.name}/{relative}"

    def glob(self, pattern: str) -> list[Path]:
        """Returns the files that fit ``<folder>/<pattern of a name>``, by name."""
        folder, _, of_name = pattern.rpartition("/")
        names = {path.name for path in (self.layers.shipped / self.name / folder).glob(of_name)}
        for relative in self.layers.own:
            place, _, name = relative.rpartition("/")
            if place == f"{self.name}/{folder}".rstrip("/") and fnmatchcase(name, of_name):
                names.add(name)
        return [self / f"{folder}/{name}".lstrip("/") for name in sorted(names)]


def vendors_of(files: Iterable[str]) -> set[str]:
    """Returns the vendors that files of the catalogue belong to; the tables beside the vendors' folders belong to none."""
    return {name.partition("/")[0] for name in files if "/" in name}


def layers_of(place: Path | Layers) -> Layers:
    """Returns the layers of a catalogue that is one folder, and those of layers themselves."""
    return place if isinstance(place, Layers) else Layers(place)

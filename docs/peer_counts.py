"""Counts, in clones of FusionPBX and of Wazo's plugins, which of the features of ``features.toml`` their templates have.

``python docs/peer_counts.py FUSIONPBX_CLONE WAZO_CLONE`` writes ``docs/peer_counts.json``, from which the page ``coverage.md`` is made.
Generous to them by intent: a feature counts where a template writes the parameter at all, also with a fixed value.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
COUNTS = HERE / "peer_counts.json"
VENDORS: Mapping[str, Sequence[str]] = {"yealink": ("yealink",), "grandstream": ("grandstream",), "polycom": ("polycom", "poly")}
"""Vendor folder of ours -> folders of FusionPBX."""
_XML_COMMENT, _LINE_COMMENT, _JINJA_COMMENT = r"<!--.*?-->", r"^[ \t]*#[^\n]*$", r"\{#.*?#\}"
_COMMENTS: Mapping[str, re.Pattern[str]] = {
    "yealink": re.compile(f"{_LINE_COMMENT}|{_JINJA_COMMENT}", re.DOTALL | re.MULTILINE),
    "grandstream": re.compile(f"{_XML_COMMENT}|{_LINE_COMMENT}|{_JINJA_COMMENT}", re.DOTALL | re.MULTILINE),
    "polycom": re.compile(f"{_XML_COMMENT}|{_JINJA_COMMENT}", re.DOTALL),
}
_NO_TEXT = (".db", ".wav", ".png", ".jpg", ".ld", ".rom", ".gitignore")


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    if len(arguments) != 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    fusionpbx, wazo = (Clone(Path(argument)) for argument in arguments)
    counted = {
        "fusionpbx": {"commit": fusionpbx.commit, **{vendor: _fusionpbx(fusionpbx, vendor) for vendor in VENDORS}},
        "wazo": {"commit": wazo.commit, **{vendor: _wazo(wazo, vendor) for vendor in VENDORS}},
    }
    COUNTS.write_text(json.dumps(counted, indent=1, sort_keys=True) + "\n", "utf-8")
    return 0


class Clone:
    """A clone that is read without a work tree."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.commit = self._git("rev-parse", "HEAD").strip()[:8]

    def folders(self, path: str) -> list[str]:
        """Returns the folders below ``path``, by name."""
        return [Path(name).name for name in self._git("ls-tree", "-d", "--name-only", "HEAD", f"{path}/").splitlines()]

    def texts(self, path: str) -> Iterator[str]:
        """Yields the text of every file below ``path``."""
        for name in self._git("ls-tree", "-r", "--name-only", "HEAD", f"{path}/").splitlines():
            if not name.endswith(_NO_TEXT):
                yield self.text(name)

    def text(self, name: str) -> str:
        """Returns one file."""
        return self._git("show", f"HEAD:{name}")

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self._folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout.decode("utf-8", "replace")


def patterns(vendor: str) -> dict[str, re.Pattern[str]]:
    """Returns feature -> how a template of the vendor shows it."""
    rows = tomllib.loads((HERE / "features.toml").read_text("utf-8"))["feature"]
    return {name: re.compile(row[vendor]) for name, row in rows.items() if vendor in row}


def shown(texts: Iterable[str], vendor: str) -> set[str]:
    """Returns the features that these templates have."""
    text = _COMMENTS[vendor].sub("", "\n".join(texts))
    return {name for name, pattern in patterns(vendor).items() if pattern.search(text)}


def _fusionpbx(clone: Clone, vendor: str) -> dict[str, Any]:
    base = "resources/templates/provision"
    folders = [f"{base}/{own}/{name}" for own in VENDORS[vendor] for name in clone.folders(f"{base}/{own}")]
    return _counted(shown(clone.texts(folder), vendor) for folder in folders)


def _wazo(clone: Clone, vendor: str) -> dict[str, Any]:
    """Counts models by the names in ``plugin-info``; one has what the templates of its version and the common ones have."""
    base = f"plugins/wazo_{vendor}"
    names = clone.folders(base)
    common = [text for name in names if name.startswith("common") for text in clone.texts(f"{base}/{name}")]
    models: dict[str, set[str]] = {}
    for name in names:
        if name.startswith("common"):
            continue
        found = shown([*common, *clone.texts(f"{base}/{name}")], vendor) - {"keys", "modules"}
        for told, row in json.loads(clone.text(f"{base}/{name}/plugin-info"))["capabilities"].items():
            own = models.setdefault(told.split(", ")[1], set())
            own |= found
            own |= {feature for feature, field in (("keys", "function_keys"), ("modules", "expansion_modules")) if row.get(field)}
    return _counted(models.values())


def _counted(models: Iterable[set[str]]) -> dict[str, Any]:
    rows = list(models)
    return {"models": len(rows), "features": {name: sum(name in row for row in rows) for name in sorted(set().union(*rows))}}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

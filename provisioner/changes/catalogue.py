"""Notes which files of one's own over the catalogue came into use. The files themselves are no rows: ``provisioner.overlay`` keeps them."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.changes.unit import UnitMaker

MOST_FILES = 50
"""Named in one row of the changes; the others are counted."""
_SUBJECT = 64


class CatalogueWrites(UnitMaker):
    """Keeps who brought what into use."""

    def note_catalogue_applied(self, actor: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Notes the files (path -> version) that changed; one that is missing on a side was not of one's own there."""
        names = sorted(before.keys() | after.keys())
        subject = names[0][-_SUBJECT:] if len(names) == 1 else f"{len(names)} files"
        shown = names[:MOST_FILES]
        with self.unit(actor) as unit:
            unit.log(
                "catalogue.apply", subject,
                {name: before[name] for name in shown if name in before} or None, {name: after[name] for name in shown if name in after} or None,
            )  # fmt: skip

"""Previews and applies: the two steps of an import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from provisioner.core.mac import Mac
from provisioner.errors import InputError
from provisioner.importing.foreign import Reader, Told
from provisioner.importing.planning import mistakes_as_fields, planned
from provisioner.importing.values import ImportPlan, ImportResult, ParsedFile
from provisioner.importing.world import world_of
from provisioner.store import CHUNK, Store
from provisioner.wiring import Installation


def preview_import(installation: Installation, content: str | bytes, told: Told | None = None) -> ImportPlan:
    """Returns what the file would do, row by row, and everything that is wrong with it. Writes nothing, never raises for content."""
    reader = Reader(installation.renderer, lambda macs: _known_models(installation.store, macs))
    return _plan(installation, reader.parsed(content, told or Told()))


def apply_plan(installation: Installation, actor: str, plan: ImportPlan, *, all_or_nothing: bool) -> ImportResult:
    """Writes the plan in one transaction.

    The rows are judged once more inside it, against what is there by then. Raises ``InputError`` where the file cannot be read, or
    where ``all_or_nothing`` and a row is wrong; ``RenderError`` where a template fails for the new facts. Nothing is written then.
    """
    if plan.is_unreadable:
        raise InputError(mistakes_as_fields(plan.mistakes))
    with installation.changes.unit(actor) as unit:
        now = _plan(installation, plan.parsed)
        if all_or_nothing and now.mistakes:
            raise InputError(mistakes_as_fields(now.mistakes))
        extensions = [row.extension for row in now.rows if row.extension]
        phones = [row.phone for row in now.rows if row.phone]
        made = Counter([("extension", row.before is None) for row in extensions] + [("phone", row.before is None) for row in phones])
        result = {
            "phones_created": made["phone", True],
            "phones_updated": made["phone", False],
            "extensions_created": made["extension", True],
            "extensions_updated": made["extension", False],
            "unchanged": now.counts["unchanged"],
        }
        about = {**result, "left_out": now.counts["bad"]}
        rendered = installation.changes.import_rows(unit, extensions, phones, about) if extensions or phones else 0
    return ImportResult(**result, phones_rendered=rendered, left_out=now.mistakes)


def _plan(installation: Installation, parsed: ParsedFile) -> ImportPlan:
    return planned(parsed, world_of(installation.store, parsed))


def _known_models(store: Store, macs: list[Mac]) -> Mapping[Mac, str]:
    chunks = (macs[start : start + CHUNK] for start in range(0, len(macs), CHUNK))
    return {phone.mac: phone.model for chunk in chunks for phone in store.phones(macs=chunk, limit=CHUNK)}

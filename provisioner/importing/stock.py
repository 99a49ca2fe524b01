"""A CSV of phones for the warehouse: MACs and models, every row checked before anything is written."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.changes.enrolment import Stocked
from provisioner.core.mac import InvalidMac, Mac
from provisioner.errors import InputError
from provisioner.importing.planning import mistakes_as_fields
from provisioner.importing.reading import parsed_file
from provisioner.importing.values import ImportMistake, ParsedRow
from provisioner.importing.world import named_model

COLUMNS = {"mac", "model"}


def stock_of(names: Mapping[str, str | None], text: bytes) -> list[Stocked]:
    """Returns the phones of the file; ``names`` as of ``world.model_names``. Raises ``InputError`` with every row that is wrong, each with its line."""
    parsed = parsed_file(text)
    mistakes, stock = list(parsed.mistakes), []
    for row in parsed.rows:
        unused = sorted(row.cells.keys() - COLUMNS)
        if unused:
            mistakes.append(
                ImportMistake(row.line, unused[0], "a phone of the warehouse has a MAC and a model alone", "take the column out")
            )
        mac, model = _mac(row, mistakes), named_model(names, row.cells.get("model") or "")
        if model is None:
            mistakes.append(ImportMistake(row.line, "model", "the catalogue has no such model", "'provisioner check --models' lists them"))
        elif mac is not None:
            stock.append(Stocked(mac, model))
    if mistakes:
        raise InputError(mistakes_as_fields(sorted(mistakes)))
    return stock


def _mac(row: ParsedRow, mistakes: list[ImportMistake]) -> Mac | None:
    try:
        return Mac.parse(row.cells.get("mac") or "")
    except InvalidMac as error:
        mistakes.append(ImportMistake(row.line, "mac", str(error), "write twelve hex digits, for example 80:5e:c0:aa:bb:cc"))
        return None

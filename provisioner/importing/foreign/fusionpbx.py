"""Reads what FusionPBX exports: devices, and extensions; and the sheet of devices that its own import takes, with keys.

Sources: fusionpbx/fusionpbx, app/devices/device_download.php (columns of the export of devices; a further line's columns end in ``|2``),
app/devices/device_imports.php and app_config.php (fields of the import, lines and keys repeated; types of keys by vendor;
``device_mac_address`` before it became ``device_address``), app/devices/device_edit.php (categories of keys),
app/extensions/extension_download.php (columns of the export of extensions).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count

from provisioner.changes.keys import KeyInput
from provisioner.core.catalogue import Catalogue
from provisioner.core.mac import Mac, try_parse
from provisioner.importing.foreign.facts import LineFacts, PhoneFacts, Rows, keys_left_out
from provisioner.importing.foreign.sheets import Sheet, SheetRow
from provisioner.importing.values import ParsedFile
from provisioner.importing.world import model_names, named_model

DEVICE_COLUMNS = ("device_address", "device_mac_address")
EXTENSION_COLUMNS = frozenset({
    "effective_caller_id_name", "effective_caller_id_number", "outbound_caller_id_name", "directory_first_name", "user_context",
    "toll_allow", "number_alias",
})  # fmt: skip
"""One of these beside ``extension`` tells an export of extensions."""
_LINE = ("line_number", "display_name", "user_id", "auth_id", "password", "label", "enabled")
_KEY = ("device_key_id", "device_key_category", "device_key_type", "device_key_line", "device_key_value", "device_key_label")
_OFF = frozenset({"false", "f", "0", "no"})
_TYPES: Mapping[str, str] = {
    "none": "none", "null": "none", "na": "none", "line": "line", "shared line": "shared_line", "speed dial": "speed_dial", "blf": "blf",
    "normal": "blf", "automata": "park", "call park": "park", "monitored call park": "park", "dial dtmf": "dtmf", "voicemail": "voicemail",
    "transfer": "transfer", "intercom": "intercom", "ldap search": "ldap", "conference": "conference", "multicast paging": "paging",
    "phonebook": "phonebook",
}  # fmt: skip
"""Type of a key as FusionPBX writes it in words -> ours; where it writes the number of the phone, the catalogue knows it."""
KEY_TABLE = "key_type"
"""The table of a vendor that has the numbers of its key types."""


def are_devices(names: list[str]) -> bool:
    """Returns whether these are the columns of a sheet of devices."""
    return any(name in names for name in DEVICE_COLUMNS)


def are_extensions(names: list[str]) -> bool:
    """Returns whether these are the columns of an export of extensions."""
    return "extension" in names and bool(EXTENSION_COLUMNS.intersection(names))


def devices(sheet: Sheet, catalogue: Catalogue, model: str, known: Callable[[list[Mac]], Mapping[Mac, str]]) -> ParsedFile:
    """Returns the rows that a sheet of devices says; ``model`` is that of devices without a template."""
    rows, names = Rows(), model_names(catalogue)
    found = list(sheet.rows())
    listed_models = known([mac for row in found if (mac := try_parse(row.first(*DEVICE_COLUMNS)))])
    for row in found:
        address = row.first(*DEVICE_COLUMNS)
        mac = try_parse(address)
        told = (listed_models.get(mac, "") if mac else "") or row.first("device_template") or model
        numbers = _numbers(catalogue, named_model(names, told) or told)
        strange: list[str] = []
        keys = tuple(_keys(row, numbers, strange))
        enabled = "no" if row.first("device_enabled").lower() in _OFF else ""
        rows.add(PhoneFacts(row.line, "", address, told, tuple(_lines(row)), keys or None, enabled))
        if strange:
            rows.notes.append(keys_left_out(f"line {row.line}", strange))
    return ParsedFile(tuple(rows.rows), (), (*sheet.notes, *rows.notes), left=sheet.left())


def extensions(sheet: Sheet) -> ParsedFile:
    """Returns the rows that an export of extensions says."""
    rows = Rows()
    for row in sheet.rows():
        person = " ".join(part for part in (row.first("directory_first_name"), row.first("directory_last_name")) if part)
        name = row.first("effective_caller_id_name") or person or row.first("description")
        rows.add_extension(row.line, LineFacts(1, row.first("extension"), name, row.first("password")))
    return ParsedFile(tuple(rows.rows), (), (*sheet.notes, *rows.notes), left=sheet.left())


def _lines(row: SheetRow) -> Iterator[LineFacts]:
    for at, line in zip(count(1), row.groups(*_LINE), strict=False):
        number = line["user_id"] or line["auth_id"]
        if number and line["enabled"].lower() not in _OFF:
            place = int(line["line_number"]) if line["line_number"].isascii() and line["line_number"].isdigit() else at
            yield LineFacts(min(place, 999), number, line["display_name"], line["password"], line["label"])


def _keys(row: SheetRow, numbers: Mapping[str, str], strange: list[str]) -> Iterator[KeyInput]:
    for key in row.groups(*_KEY):
        place, module = key["device_key_id"], _module(key["device_key_category"])
        written = key["device_key_type"].strip().lower().replace("_", " ")
        kind = numbers.get(written) or _TYPES.get(written)
        if not written or kind == "none":
            continue
        if kind is None or module is None or not _is_count(place):
            strange.append(f"{key['device_key_category']} {place} {key['device_key_type']}".strip())
            continue
        line = int(key["device_key_line"]) if _is_count(key["device_key_line"]) else 1
        value = "" if kind in ("line", "shared_line") else key["device_key_value"].partition("@")[0]
        yield KeyInput(int(place), kind, value, key["device_key_label"], module, max(1, line))


def _module(category: str) -> int | None:
    """Returns the module of a category of keys, 0 being the phone; None for keys beside those that can be laid out."""
    plain = category.strip().lower()
    if plain in ("", "line"):
        return 0
    kind, _, number = plain.partition("-")
    if kind != "expansion" or (number and not _is_count(number)):
        return None
    return int(number) if number else 1


def _numbers(catalogue: Catalogue, model: str) -> Mapping[str, str]:
    """Returns number of a key type -> type, as the vendor of ``model`` counts them; of types with one number the first."""
    vendor = catalogue.vendors.get(model.partition("/")[0])
    table = vendor.maps.get(KEY_TABLE, {}) if vendor else {}
    return {number: kind for kind, number in reversed(list(table.items()))}


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3

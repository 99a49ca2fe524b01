"""Writes everything that importing reads: one row for each phone, one for each extension that no phone has on its first line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from provisioner.core.mac import Mac
from provisioner.core.values import SettingValue
from provisioner.importing.columns import guarded
from provisioner.records import ExtensionRecord, PhoneRecord
from provisioner.store import CHUNK, Store
from provisioner.wiring import Installation

_FIRST = ("mac", "model", "site", "group", "layout", "enabled", "extension", "display_name", "secret", "email", "department")
Row = dict[str, str]


def export_csv(installation: Installation, *, with_secrets: bool = False) -> str:
    """Returns all phones and extensions as CSV (comma, CRLF) that ``preview_import`` takes back as it is.

    Of a phone's keys only its layout is in it. Secrets are left empty unless ``with_secrets``; importing an empty cell keeps the secret that is there.
    """
    store = installation.store
    extensions = {record.number: record for record in _extensions(store)}
    secrets = _secrets(store, list(extensions)) if with_secrets else {}
    described: set[str] = set()
    rows: list[Row] = []
    for page in _phones(store):
        hidden = store.phone_secret_settings([phone.mac for phone in page]) if with_secrets else {}
        rows += [_phone(phone, extensions, secrets, hidden, described) for phone in page]
    rows += [_extension(record, secrets) for number, record in extensions.items() if number not in described]
    return _written(rows)


def _written(rows: Sequence[Row]) -> str:
    more = {name for row in rows for name in row} - set(_FIRST)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, [*_FIRST, *sorted(more, key=_order)], restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _phone(
    phone: PhoneRecord,
    extensions: Mapping[str, ExtensionRecord],
    secrets: Mapping[str, str],
    hidden: Mapping[Mac, Mapping[str, SettingValue]],
    described: set[str],
) -> Row:
    row = {"mac": phone.mac.colons, "model": phone.model, "site": guarded(phone.site), "enabled": "yes" if phone.enabled else "no"}
    if phone.group:
        row["group"] = guarded(phone.group)
    if phone.layout:
        row["layout"] = guarded(phone.layout)
    for line in phone.lines:
        if line.line == 1 and line.extension not in described:
            row |= _extension(extensions[line.extension], secrets)
            described.add(line.extension)
        else:
            row[f"line{line.line}"] = guarded(line.extension)
        if line.label:
            row["label" if line.line == 1 else f"label{line.line}"] = guarded(line.label)
    for name, value in {**phone.settings, **hidden.get(phone.mac, {})}.items():
        row[f"setting:{name}"] = guarded(value) if isinstance(value, str) else str(value).lower()
    return row


def _extension(record: ExtensionRecord, secrets: Mapping[str, str]) -> Row:
    texts = {"email": record.email, "department": record.department, "secret": secrets.get(record.number, "")}
    row = {"extension": guarded(record.number), "display_name": guarded(record.display_name)}
    return row | {name: guarded(text) for name, text in texts.items() if text}


def _order(name: str) -> tuple[int, int, str]:
    """Line 1 with its label, line 2 with its label, ..., then settings by name."""
    kind = name.rstrip("0123456789")
    number = int(name.removeprefix(kind) or 1)
    return (1, 0, name) if name.startswith("setting:") else (0, number, "a" if kind == "line" else "b")


def _phones(store: Store) -> Iterator[list[PhoneRecord]]:
    after = ""
    while page := store.phones(after=after, limit=CHUNK):
        yield page
        after = page[-1].mac


def _extensions(store: Store) -> Iterator[ExtensionRecord]:
    after = ""
    while page := store.extensions(after=after, limit=1000):
        yield from page
        after = page[-1].number


def _secrets(store: Store, numbers: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(numbers), CHUNK):
        found |= store.extension_secrets(numbers[start : start + CHUNK])
    return found

"""How many statements each page takes: the same for three phones as for sixty, checked in as ``query_counts.json``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.importing import apply_plan, preview_import
from provisioner.wiring import Installation
from tests.calls import AT, add_call
from tests.web.conftest import Person

COUNTS = Path(__file__).with_name("query_counts.json")
MAC = "02:ac:de:00:00:01"
PATHS = (
    "/", "/phones", "/phones?stage=rendering", f"/phones/{MAC}", f"/phones/{MAC}/files", f"/phones/{MAC}/fetches", f"/phones/{MAC}/settings",
    f"/phones/{MAC}/edit", "/seen", "/extensions", "/extensions/1001", "/departments", "/sites", "/sites/default", "/models", "/pbx", "/changes",
    "/people", "/you", "/help", "/enrolment", "/install", "/install/1001", "/install/1002/02:ac:de:00:00:01", f"/phones/{MAC}/install",
    "/changes/LISTING/undo", "/redirects", "/backups", "/notices", f"/phones/{MAC}/redirect", "/changes/IMPORT/undo", f"/phones/{MAC}/changes", "/calls", "/calls?extension=1001&day=2027-01-15", "/calls/1",
)  # fmt: skip


def furnish(installation: Installation, numbers: range) -> None:
    for number in numbers:
        if number > 1:
            installation.changes.create_extension("tests", str(1000 + number), department=f"d{number % 7}")
        given = PhoneInput(
            model="acme/a1", lines=[LineInput(1, str(1000 + number))], keys=[KeyInput(3, "blf", str(1000 + number))], settings={"voice_vlan": number}
        )  # fmt: skip
        installation.changes.create_phone("tests", Mac(f"02acde{number:06x}"), given)
        add_call(installation.database, AT + number, caller="1001", called=str(1000 + number), parties=("1001",))
    rows = "".join(f"{Mac(f'02acde{number:06x}').colons},{1000 + number},Person {number}\n" for number in numbers)
    apply_plan(installation, "tests", preview_import(installation, f"mac,extension,display_name\n{rows}"), all_or_nothing=True)


def counted(person: Person, installation: Installation) -> dict[str, int]:
    """Returns path -> statements; LISTING stands for the change that listed the first phone, IMPORT for the newest import."""
    [listing] = installation.store.changes(subject=Mac.parse(MAC), actions=["phone.create"])
    [imported] = installation.store.changes(actions=["import.commit"], limit=1)
    found: dict[str, int] = {}
    for path in PATHS:
        sent: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_more: object, sent: list[str] = sent) -> None:
            sent.append(statement)

        sa.event.listen(installation.database.engine, "before_cursor_execute", note)
        try:
            assert person.get(path.replace("LISTING", str(listing.id)).replace("IMPORT", str(imported.id))).status_code == 200
        finally:
            sa.event.remove(installation.database.engine, "before_cursor_execute", note)
        found[path] = len([statement for statement in sent if not statement.startswith(("BEGIN", "PRAGMA"))])
    return found


def test_pages_take_as_many_statements_as_agreed_however_many_rows(
    installation: Installation, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioner.api.numbers.REMEMBERED_S", -1.0)
    admin = Person(app, "admin")
    furnish(installation, range(1, 4))
    few = counted(admin, installation)
    furnish(installation, range(4, 61))
    many = counted(admin, installation)
    assert few == many
    assert many == json.loads(COUNTS.read_text()), json.dumps(many, indent=1)

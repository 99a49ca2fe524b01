"""The stage in SQL and the stage in ``core.lockstep`` are one rule: over phones in every state that rows can have, both say the same."""

from __future__ import annotations

import random
from typing import Any

import pytest

from provisioner.core.lockstep import Stage, names_hash, stage
from provisioner.core.mac import Mac
from provisioner.models import extension, phone, phone_line, registration, rendered_file, served_file, upload
from provisioner.records import PhoneFilter
from provisioner.store import Store
from provisioner.wiring import Installation
from tests.engines import mac_of

PHONES = 300
FILES = ("a.cfg", "b.cfg")


@pytest.fixture
def random_phones(installation: Installation) -> list[Mac]:
    """Phones whose facts are drawn at random, the same ones in every run."""
    draw = random.Random(5)
    tables: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in (extension, phone, phone_line, registration, rendered_file, served_file, upload)
    }
    macs = [mac_of(number) for number in range(PHONES)]
    for number, mac in enumerate(macs):
        _add_phone(draw, tables, mac, number)
    with installation.database.write() as connection:
        for table, rows in tables.items():
            for row in rows:  # not all rows of a table name the same columns
                connection.execute(table.insert().values(**row))
    return macs


def _add_phone(draw: random.Random, tables: dict[Any, list[dict[str, Any]]], mac: Mac, number: int) -> None:
    files = [(name, draw.choice("xy") * 64) for name in FILES[: draw.choice([0, 1, 2, 2])]]
    live = names_hash(files) if files else None
    tables[phone].append(
        {
            "mac": mac, "model": "acme/a1", "site": "default", "settings": {}, "created_at": 1.0, "opened_at": 1.0,
            "error": draw.choice(["", "", "", "", "", "a template fails"]), "wanted_hash": draw.choice([None, live, live, live, live, "other"]),
            "live_hash": live, "live_at": draw.choice([None, 100.0, 100.0]), "notified_at": draw.choice([None, 99.0, 100.0, 101.5]),
            "notify_error": draw.choice(["", "", "not registered"]), "retired_at": draw.choice([*[None] * 5, 90.0]),
        }
    )  # fmt: skip
    for name, sha256 in files:
        row = {"mac": mac, "name": name, "size": 1, "content_type": "text/plain", "body": b""}
        tables[rendered_file].append({**row, "state": "live", "sha256": sha256})
        if draw.random() < 0.9:
            times = {"since": 200.0 + draw.random(), "at": 201.0 + 99 * draw.random()}
            tables[served_file].append({"mac": mac, "name": name, "sha256": draw.choice([sha256] * 5 + ["z" * 64]), **times})
        if draw.random() < 0.2:
            tables[upload].append({**row, "kind": "override", "received_at": 1.0, "sha256": "u" * 64})
    for line in range(1, draw.choice([1, 2, 3, 3])):
        _add_line(draw, tables, mac, line, f"{1000 + number}{line}")


def _add_line(draw: random.Random, tables: dict[Any, list[dict[str, Any]]], mac: Mac, line: int, name: str) -> None:
    wanted = draw.choice([None, *"aaaaaa"])
    verified = draw.choice([wanted, wanted, wanted, wanted, None, "b"])
    error = draw.choice(["", "", "", "", "", "", "refused"])
    row = {"number": name, "display_name": name, "secret": b"", "pbx_wanted": wanted, "pbx_verified": verified, "pbx_error": error}
    tables[extension].append(row)
    tables[phone_line].append({"mac": mac, "line": line, "extension": name})
    if draw.random() < 0.85:
        at = draw.choice([199.5, 200.0, 200.0, 201.0, 202.0])
        row = {"mac": mac, "extension": name, "registered_at": at, "uri": "sip:x", "address": "192.0.2.1", "user_agent": ""}
        tables[registration].append(row)


@pytest.mark.parametrize("has_pbx", [True, False], ids=["with a PBX", "without a PBX"])
def test_stage_in_sql_is_the_stage_of_the_facts(store: Store, random_phones: list[Mac], has_pbx: bool) -> None:
    facts = store.locksteps(random_phones, has_pbx=has_pbx)
    expected = {mac: str(stage(facts[mac])) for mac in random_phones}
    listed = {
        name: [record.mac for record in store.phones(limit=PHONES, wanted=PhoneFilter(stage=name, has_pbx=has_pbx))]
        for name in map(str, Stage)
    }
    assert {mac: name for name, macs in listed.items() for mac in macs} == expected
    counts = store.stage_counts(has_pbx=has_pbx)
    assert counts == {name: len(macs) for name, macs in listed.items()}
    impossible = set() if has_pbx else {"pushing", "waiting_for_registration"}
    assert {name for name, count in counts.items() if not count} == impossible, "the draw reaches every stage"


def test_stages_are_counted_of_the_sites_named(store: Store, random_phones: list[Mac]) -> None:
    assert sum(store.stage_counts(has_pbx=True, site_names=["default"]).values()) == len(random_phones)
    assert sum(store.stage_counts(has_pbx=True, site_names=[]).values()) == 0

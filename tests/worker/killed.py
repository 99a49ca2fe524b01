"""What the children of ``test_kill`` run: a worker whose PBX outlives it, and a writer of changes. Both are killed at any moment."""

from __future__ import annotations

import json
import random
import threading
from dataclasses import asdict
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from pbx_sync.fake import FakePBX
from pbx_sync.plan import Plan
from pbx_sync.state import Contact, Endpoint, PBXObject, RingGroup
from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.core.catalogue import Catalogue
from provisioner.worker import Worker
from tests.engines import A1, Clock, mac_of, quick_installation


class KeptPBX(FakePBX):
    """A PBX in a file: it does not die with the worker. Each change is whole or not there, as a PBX's own is."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        if path.exists():
            self.objects = {item["number"]: _object(item) for item in json.loads(path.read_text())}
        self.registrations = [Contact(str(1000 + number), "", "", 1.0) for number in range(8)]

    def apply(self, plan: Plan) -> dict[str, str]:
        refused: dict[str, str] = {}
        for single in (*(Plan(create=(item,)) for item in (*plan.create, *plan.update)), *(Plan(delete=(item,)) for item in plan.delete)):
            refused |= super().apply(single)
            partial = self._path.with_suffix(".partial")
            partial.write_text(json.dumps([asdict(item) for item in self.objects.values()]))
            partial.replace(self._path)
        return refused


def _object(item: dict[str, Any]) -> PBXObject:
    kind = RingGroup if "members" in item else Endpoint
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in item.items()})


def run_worker(folder: Path, catalogue: Catalogue, ready: Event) -> None:
    """Drains until it is killed; says when it is about to begin."""
    made = quick_installation(f"sqlite:///{folder}/tables.sqlite", folder, catalogue, Clock())
    worker = Worker(made.store, made.renderer, KeptPBX(folder / "pbx.json"))
    ready.set()
    worker.run(threading.Event(), lambda ok, detail: None)


def run_writer(folder: Path, catalogue: Catalogue, seed: int, ready: Event) -> None:
    """Lists phones with two lines and eight keys each, one transaction a phone, until it is killed."""
    changes = quick_installation(f"sqlite:///{folder}/tables.sqlite", folder, catalogue, Clock()).changes
    keys = [KeyInput(number, "blf", str(number)) for number in range(1, 9)]
    for number in range(seed * 10_000, seed * 10_000 + 9_999):
        given = PhoneInput(model=A1, lines=[LineInput(1, "1000"), LineInput(2, "1001")], keys=keys, settings={"voice_vlan": 5})
        changes.create_phone("writer", mac_of(number), given)
        ready.set()
        if random.Random(number).random() < 0.3:
            changes.delete_phone("writer", mac_of(number))

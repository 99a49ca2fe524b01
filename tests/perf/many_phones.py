"""Measures the worker with many phones: ``python -m tests.perf.many_phones [PHONES] [DATABASE_URL]``. Prints; compares nothing."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pbx_sync.fake import FakePBX
from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.changes.bulk import ExtensionRow, PhoneRow
from provisioner.core.mac import Mac
from provisioner.settings import load_settings
from provisioner.wiring import Installation, open_installation
from provisioner.worker import Worker

MODELS = ("yealink/t46u", "grandstream/gxp2170", "polycom/vvx411")


def open_real(folder: Path, url: str = "") -> Installation:
    """Returns an installation with the real catalogue in ``folder``."""
    environ = {"PROVISIONER_DATA_DIR": str(folder), "PROVISIONER_PUBLIC_HOST": "prov.example", "PROVISIONER_PBX": "fake"}
    return open_installation(
        load_settings({**environ, **({"PROVISIONER_DATABASE_URL": url} if url else {})}, file=folder / "none"), create=True
    )


def list_phones(installation: Installation, count: int) -> list[Mac]:
    """Lists phones of three vendors, each with one line of its own; returns their MACs."""
    macs = [Mac(f"0004f2{number:06x}") for number in range(count)]
    extensions = [ExtensionRow(str(100_000 + number), {"display_name": f"Person {number}"}) for number in range(count)]
    phones = [
        PhoneRow(mac, MODELS[number % 3], "default", None, True, (LineInput(1, str(100_000 + number)),)) for number, mac in enumerate(macs)
    ]
    with installation.changes.unit("perf") as unit:
        installation.changes.import_rows(unit, extensions, phones, {})
    return macs


def timed(what: str, action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    result = action()
    took = time.perf_counter() - begun
    print(f"{what:48} {took:8.3f} s   {result if isinstance(result, int) else ''}", flush=True)
    return took


def until_live(worker: Worker, installation: Installation, mac: Mac) -> int:
    """Steps until the phone's wanted files are live; returns how many steps it took."""
    for steps in range(1, 1000):
        worker.step()
        facts = installation.store.lockstep(mac, has_pbx=True)
        if facts and facts.wanted and facts.wanted == facts.live:
            return steps
    raise AssertionError("never live")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        installation = open_real(Path(folder), sys.argv[2] if len(sys.argv) > 2 else "")
        changes = installation.changes
        timed(f"import of {count} phones", lambda: len(list_phones(installation, count)))
        worker = Worker(installation.store, installation.renderer, FakePBX())
        timed("first rendering, pushing, promoting", worker.drain)
        timed("site-wide edit", lambda: changes.update_site("perf", "default", {"settings": {"voice_vlan": 30}}).revision)
        timed("  drained by the worker", worker.drain)
        mac = Mac(f"0004f2{count // 2:06x}")
        for label in ("a", "b", "c"):
            lines = [LineInput(1, str(100_000 + count // 2), label)]
            timed("one phone's edit", lambda lines=lines: changes.update_phone("perf", mac, PhoneInput(lines=lines)).revision)
            timed("  live", lambda: until_live(worker, installation, mac))
        name = str(100_000 + count // 2)
        timed("an extension's rename", lambda: changes.update_extension("perf", name, {"display_name": "Zed"}).revision)
        timed("  live", lambda: until_live(worker, installation, mac))
        timed("a step with nothing to do", worker.step)
        timed("a key's edit", lambda: changes.update_phone("perf", mac, PhoneInput(keys=[KeyInput(3, "blf", "100001")])).revision)
        timed("  live", lambda: until_live(worker, installation, mac))
        assert worker.pushing
        timed("full check of the PBX", lambda: worker.pushing.check(confirmed=False))
        timed("lockstep counts", lambda: sum(installation.store.stage_counts(has_pbx=True).values()))


if __name__ == "__main__":
    main()

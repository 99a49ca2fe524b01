"""The provisioning servers that others wrote: wazo-provd, from checkouts that the user names."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.plans import Plan
from bench.servers import Server, ServerError, free_port, launched

WAZO_HOME = "BENCH_WAZO"
"""Names a folder with the checkouts ``wazo-provd`` and ``wazo-provd-plugins``, and ``venv``, a Python with what ``bench/README.md`` lists."""
WAZO_PLUGIN = "wazo-yealink-v86"
THEY_LACK = "y000000000108.cfg"
"""The common file of a T46U, which neither wazo-provd's plugin nor FusionPBX's templates have."""
SEED_S = 300.0


def wazo_home() -> Path:
    """Returns the folder of the checkouts; raises ``ServerError`` that says what is missing."""
    home = Path(os.environ.get(WAZO_HOME, ""))
    for part in ("wazo-provd/wazo_provd", "wazo-provd-plugins/plugins/wazo_yealink/v86", "venv/bin/python"):
        if not os.environ.get(WAZO_HOME) or not (home / part).exists():
            raise ServerError(f"wazo-provd is not there: {WAZO_HOME} has to name a folder with {part} in it (bench/README.md says how).")
    return home.resolve()


def as_rivals_answer(plan: Plan) -> Plan:
    """Returns the plan with what the other servers should answer: bodies are their own, and one shared file is not among them."""
    phones = []
    for phone in plan.phones:
        fetches = tuple(
            replace(one, status=404 if one.name == THEY_LACK else one.status, size_bytes=-1, crc32=None) for one in phone.fetches
        )
        phones.append(replace(phone, fetches=fetches))
    return Plan(tuple(phones))


@contextlib.contextmanager
def wazo_provd(plan: Plan, work: Path, *, core: int | None = None) -> Iterator[Server]:
    """wazo-provd with the phones of ``plan``, a T46U each, which it has made files for and never heard of."""
    home, port = wazo_home(), free_port()
    state = work / f"wazo-{port}"
    plugins = home / "wazo-provd-plugins/plugins/wazo_yealink"
    for part in ("common", "v86"):  # as the plugins' own build does
        ignored = shutil.ignore_patterns(".*", "tests", "__pycache__")
        shutil.copytree(plugins / part, state / "plugins" / WAZO_PLUGIN, dirs_exist_ok=True, ignore=ignored)
    for part in ("cache", "jsondb"):
        (state / part).mkdir()
    listed = state / "phones.tsv"
    listed.write_text("".join(f"{phone.colon_mac()}\tT46U\n" for phone in plan.phones))
    script = Path(__file__).with_name("wazo_peer.py")
    command = [str(home / "venv/bin/python"), "-W", "ignore", str(script), str(home), str(state), str(port), str(listed)]
    with launched(
        "wazo-provd", command, host="127.0.0.1", port=port, log=state / "out.log", core=core,
        ready=(state / "ready").exists, ready_s=SEED_S,
    ) as server:  # fmt: skip
        yield server

"""What the hearing process has left once its sockets are open: no capability, and not root's identity in a folder of another user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.settings import ROOT

NOBODY = 65534
OWN = NOBODY if os.geteuid() == 0 else os.geteuid()
"""Whose folder it is: another user's where there is a right to give it away."""
PROGRAM = """import json, os, sys
from pathlib import Path
import sqlalchemy as sa
from provisioner.db import Database
from provisioner.discovery.rights import drop_rights
from provisioner.heartbeat import Heartbeats, own_folder
folder = Path(sys.argv[1])
database = Database(f"sqlite:///{folder}/own.sqlite3")
beats = Heartbeats(folder)
why = drop_rights(folder, [own_folder(folder), *database.files], program=())
with database.write() as connection:
    connection.execute(sa.text("INSERT INTO kept VALUES (2)"))
beats.beat("discovery")
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
rights = {name: value.split() for name, value in status.items() if name.startswith(("Cap", "NoNew", "Uid", "Gid", "Groups"))}
print(json.dumps({"why": why, **rights}))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder with a database, both ``OWN``'s. Not below ``tmp_path``: nobody else may look into that."""
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        run("-c", f"import sqlite3; sqlite3.connect({made + '/own.sqlite3'!r}).execute('CREATE TABLE kept (number INTEGER)')")
        for path in (place, *place.iterdir()):
            os.chown(path, OWN, -1)
        yield place


def run(*args: str) -> str:
    return subprocess.run([sys.executable, *args], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout


def test_every_capability_is_given_away_and_root_becomes_the_owner(folder: Path) -> None:
    told = json.loads(run("-c", PROGRAM, str(folder)))
    assert told["why"] == ""
    assert {told[name][0] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert told["NoNewPrivs"] == ["1"]
    assert told["Uid"] == [str(OWN)] * 4
    assert os.geteuid() != 0 or told["Groups"] == []
    assert {path.stat().st_uid for path in (folder / "run", *folder.glob("run/*"))} == {OWN}


def test_root_stays_where_the_owner_may_not_write_and_says_why(folder: Path) -> None:
    kept = folder / "own.sqlite3"
    os.chown(kept, os.geteuid(), -1)
    kept.chmod(0o600)
    told = json.loads(run("-c", PROGRAM, str(folder)))
    is_root = os.geteuid() == 0
    assert (str(kept) in told["why"]) is is_root
    assert told["Uid"] == [str(os.geteuid())] * 4
    assert int(told["CapEff"][0], 16) == int(told["CapPrm"][0], 16) == (2 if is_root else 0), "CAP_DAC_OVERRIDE alone"


def test_the_folder_of_heartbeats_is_not_given_away_through_a_link(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "run").symlink_to(folder / "elsewhere")
    told = subprocess.run([sys.executable, "-c", PROGRAM, str(folder)], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert (told.returncode != 0) is (os.geteuid() == 0)
    assert (folder / "elsewhere").stat().st_uid == os.geteuid()

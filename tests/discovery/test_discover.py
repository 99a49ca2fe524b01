"""``provisioner discover``: where no discovery process runs it scans by itself, on loopback here; it ends at Ctrl-C, and where nobody scans."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.heartbeat import Heartbeats
from provisioner.records import ScanRecord
from provisioner.scans import ScanWriter
from provisioner.settings import ROOT
from provisioner.wiring import Installation
from tests.contract.world import wait_until
from tests.installations import make_installation

MAC = "64167f0a0b0c"
COMMAND = """import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
from provisioner.discovery import probing
probing.SIP_PORT = int(sys.argv.pop(1))
probing.asked_by_sip.__defaults__ = (probing.SIP_PORT,)
from provisioner.__main__ import main
main()
"""


@pytest.fixture
def phone() -> Iterator[int]:
    """A phone at 127.0.0.2 that says its MAC over SIP; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.2", 0))

        def answer() -> None:
            while True:
                data, peer = own.recvfrom(4096)
                if data == b"end":
                    return
                lines = [line for line in data.split(b"\r\n") if line.startswith((b"Via", b"Call-ID", b"CSeq"))]
                agent = f"User-Agent: PolycomVVX-VVX_411-UA/6.4.6.2494_{MAC}".encode()
                own.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *lines, agent, b"", b""]), peer)

        thread = threading.Thread(target=answer)
        thread.start()
        yield own.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"end", own.getsockname())
        thread.join()


def started(folder: Path, port: int, network: str, before: str = "") -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PROVISIONER_")}
    environ = {**clean, "PROVISIONER_DATA_DIR": str(folder / "var"), "PROVISIONER_PBX": "none", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", before + COMMAND, str(port), "discover", network, "--json"]
    return subprocess.Popen(command, env=environ, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_finds_a_phone_that_names_itself(tmp_path: Path, phone: int) -> None:
    make_installation(tmp_path, catalogue_dir=ROOT / "phone_templates").database.dispose()
    output, errors = started(tmp_path, phone, "127.0.0.0/30").communicate(timeout=120)
    (found,) = json.loads(output)
    assert (found["mac"], found["vendor"], found["model"], found["peer"]) == ("64:16:7f:0a:0b:0c", "polycom", "VVX411", "127.0.0.2"), errors


def test_ctrl_c_stops_it(tmp_path: Path, phone: int) -> None:
    installation = make_installation(tmp_path, catalogue_dir=ROOT / "phone_templates")
    process = started(tmp_path, phone, "127.0.0.0/20")

    def state() -> str:
        return next((scan.state for scan in installation.store.scans(limit=1)), "")

    wait_until(lambda: state() == "running", 60, "the scan's beginning")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert (process.returncode, state()) == (130, "cancelled")
    installation.database.dispose()


UNWRITABLE = """import provisioner.scans
from provisioner.db import DatabaseError
def away(*_, **__):
    raise DatabaseError("the disk is full")
provisioner.scans.ScanWriter._write = away
"""


def test_a_scan_of_its_own_that_cannot_be_written_ends_it(tmp_path: Path) -> None:
    make_installation(tmp_path, catalogue_dir=ROOT / "phone_templates").database.dispose()
    process = started(tmp_path, 5060, "127.0.0.0/30", UNWRITABLE)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "nobody does this scan any more" in errors and "Traceback" not in errors


LOOKED = """import importlib, pathlib
module = importlib.import_module("provisioner.commands.discover")
def noted(*args, look=module._looked):
    pathlib.Path("looked").touch()
    return look(*args)
module._looked = noted
"""


@dataclass
class Waiting:
    """A command that waits for a scan which a discovery process began, and which does not get on."""

    installation: Installation
    beats: Heartbeats
    process: subprocess.Popen[str]
    number: int

    def record(self) -> ScanRecord:
        record = self.installation.store.scan(self.number)
        assert record is not None
        return record


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    installation = make_installation(tmp_path, catalogue_dir=ROOT / "phone_templates")
    beats = Heartbeats(tmp_path / "var", clock=lambda: time.time() + 3600)  # never too old
    beats.beat("discovery")
    process = started(tmp_path, 5060, "127.0.0.0/30", LOOKED)
    wait_until((tmp_path / "looked").exists, 60, "the command's first look at the scan that it leaves to the other process")
    made = Waiting(installation, beats, process, installation.store.scans(limit=1)[0].id)
    ScanWriter(installation.database).progress(made.number, 1, 0)
    yield made
    process.kill()
    process.communicate()
    installation.database.dispose()


def test_a_second_ctrl_c_leaves_without_waiting_for_the_end(waiting: Waiting) -> None:
    waiting.process.send_signal(signal.SIGINT)
    wait_until(lambda: waiting.record().cancel, 30, "the wish to stop")
    assert waiting.process.poll() is None, "it waits for what was found so far"
    waiting.process.send_signal(signal.SIGINT)
    assert waiting.process.wait(30) == 130
    assert waiting.record().state == "running"


def test_a_discovery_process_that_is_gone_ends_it(waiting: Waiting) -> None:
    waiting.beats.forget("discovery")
    _, errors = waiting.process.communicate(timeout=30)
    assert (waiting.process.returncode, "nobody does this scan any more" in errors) == (1, True)

"""``doctor``: each check says what is wrong and how to mend it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provisioner.commands import doctor_machine
from provisioner.commands.port_owner import port_owner
from provisioner.models import meta, phone
from provisioner.secrets import KEY_FILE
from provisioner.setting_values import Bind
from provisioner.settings import load_settings
from provisioner.store.calls import RECORDINGS_CUT
from provisioner.wiring import open_installation
from tests.calls import add_call
from tests.commands.conftest import Cli


def found(cli: Cli, *, status: int = 0, **env: str) -> dict[str, dict[str, str]]:
    import json

    result = cli("doctor", "--json", status=status, env=env)
    return {row["name"]: row for row in json.loads(result.stdout)}


def test_sound_installation_ends_with_0(cli: Cli) -> None:
    rows = found(cli)
    assert {name for name, row in rows.items() if row["status"] == "FAIL"} == set()
    assert rows["secrets"]["sentence"] == "the key opens the database"
    assert rows["database"]["status"] == "OK"
    shown = cli("doctor").stdout
    assert " 0 to mend" in shown
    assert shown.startswith("OK    python")


def test_missing_installation_fails_and_is_not_made(bare: Cli) -> None:
    rows = found(bare, status=1)
    assert {"data folder", "secret key", "database"} <= {name for name, row in rows.items() if row["status"] == "FAIL"}
    assert all(row["mend"] for row in rows.values() if row["status"] != "OK")
    assert not bare.data.exists()


def test_key_that_others_can_read(cli: Cli) -> None:
    (cli.data / KEY_FILE).chmod(0o644)
    assert "chmod 600" in found(cli, status=1)["secret key"]["mend"]


def test_key_that_does_not_fit(cli: Cli) -> None:
    (cli.data / KEY_FILE).write_bytes(b"x" * 32)
    assert "is not the key that this database belongs to" in found(cli, status=1)["secrets"]["sentence"]
    assert "secret.key of the server that has it" in cli("phone", "list", status=1).stderr


def test_database_that_is_none(cli: Cli) -> None:
    for path in cli.data.glob("provisioner.sqlite3*"):
        path.write_bytes(b"nonsense" * 500)
    assert found(cli, status=1)["database"]["status"] == "FAIL"


def test_catalogue_with_mistakes(cli: Cli) -> None:
    (cli.folder / "catalogue" / "acme" / "SOURCES.md").unlink()
    assert "SOURCES.md" in found(cli, status=1)["catalogue"]["sentence"]


def test_phones_held_are_named_with_their_reason(cli: Cli) -> None:
    installation = open_installation(load_settings(cli.env, file=Path("none.toml")))
    with installation.database.write() as connection:
        connection.execute(phone.update().values(error="device.acme.j2 line 3: 'x' is undefined"))
    installation.database.dispose()
    row = found(cli)["phones held"]
    assert row["status"] == "WARN"
    assert "02:ac:de:00:00:01: device.acme.j2 line 3" in row["sentence"]


def test_parts_tell_their_heartbeat(cli: Cli) -> None:
    heartbeat = pytest.importorskip("provisioner.heartbeat")
    beats = heartbeat.Heartbeats(cli.data)
    beats.beat("phones")
    beats.beat("worker", ok=False, detail="the PBX does not answer")
    heartbeat.Heartbeats(cli.data, clock=lambda: time.time() - 60).beat("tftp")
    rows = found(cli, status=1)
    assert rows["part phones"]["status"] == "OK"
    assert "the PBX does not answer" in rows["part worker"]["sentence"]
    assert rows["part tftp"]["status"] == "FAIL"


def test_port_held_by_another_program_is_named(cli: Cli) -> None:
    code = (
        "import socket,time; s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(); print(s.getsockname()[1], flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        port = other.stdout.readline().strip()
        row = found(cli, status=1, PROVISIONER_ADMIN_BIND=f"127.0.0.1:{port}")["port admin"]
        other.terminate()
    assert row["status"] == "FAIL"
    assert str(other.pid) in row["sentence"]
    assert "PROVISIONER_ADMIN_BIND" in row["mend"]


def test_udp_port_has_an_owner_too() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        owner = port_owner(holder.getsockname()[1], is_udp=True)
    assert owner is not None
    assert owner.pid > 1


def test_free_port_has_no_owner() -> None:
    assert port_owner(1, is_udp=False) is None


@pytest.mark.parametrize(
    ("finding", "status"),
    [
        (doctor_machine._clock(0.0), "FAIL"),
        (doctor_machine._clock(1.9e9), "OK"),
        (doctor_machine._kernel("net.core.somaxconn", 10**9, "queue"), "WARN"),
        (doctor_machine._kernel("net.core.nothing", 1, "queue"), "OK"),
        (doctor_machine.port_finding("port", Bind("192.0.2.200", 5), "X"), "FAIL"),
    ],
)
def test_machine_check(finding: doctor_machine.Finding, status: str) -> None:
    assert finding.status == status
    assert bool(finding.mend) == (status != "OK")


def test_public_host_that_is_loopback_or_none(cli: Cli) -> None:
    assert found(cli, PROVISIONER_PUBLIC_HOST="127.0.0.1")["public host"]["status"] == "WARN"
    assert found(cli, status=1, PROVISIONER_PUBLIC_HOST="no-such-host.invalid")["public host"]["status"] == "FAIL"


def test_recordings_that_are_forgotten_early_or_soon_are_told(cli: Cli) -> None:
    assert found(cli)["recordings"] == {"name": "recordings", "status": "OK", "sentence": "there are none", "mend": ""}
    place = open_installation(load_settings(cli.env, file=cli.folder / "none.toml"))
    add_call(place.database, time.time() - 3 * 86_400, recording="7.1.wav", recording_bytes=95 * 1024**2)
    row = found(cli, PROVISIONER_RECORDINGS_MB="1000")["recordings"]
    assert (row["status"], row["sentence"]) == ("OK", "1 calls, 95 of 1000 MB, kept for 90 days")
    row = found(cli, PROVISIONER_RECORDINGS_MB="100")["recordings"]
    assert (row["status"], row["sentence"]) == ("WARN", "1 calls, 95 of 100 MB, kept for 90 days: soon older ones are forgotten early")
    with place.database.write() as connection:
        connection.execute(meta.insert().values(key=RECORDINGS_CUT, value=repr(time.time() - 86_400)))
    row = found(cli)["recordings"]
    assert row["status"] == "WARN"
    assert "older ones were forgotten early" in row["sentence"]
    assert "the oldest is 3 days old" in row["sentence"]
    assert "PROVISIONER_RECORDINGS_MB" in row["mend"]
    place.database.dispose()

"""The server under test: seeding, starting, changing. The only module of bench that knows anything of it.

Written against its public face: the command, the settings and the admin API. Everything that may have to follow
the server is in the part "What depends on the server" below.
"""

from __future__ import annotations

import contextlib
import csv
import http.client
import json
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.plans import Phone, Plan, storm_plan
from bench.servers import Server, ServerError, free_port, launched
from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.ami import AMI, Action
from pbx_sync.asterisk.configuration import USER
from pbx_sync.asterisk.instance import passwords_of

TOKEN = "bench_" + secrets.token_hex(24)
SEED_S, SERVE_S, LIVE_S = 900.0, 120.0, 300.0


class NotPossibleError(Exception):
    """The server offers no way to do what a scenario needs; the message says what."""


def command() -> str:
    """Returns the path of the `provisioner` command: beside this Python, or BENCH_PROVISIONER."""
    return os.environ.get("BENCH_PROVISIONER") or str(Path(sys.executable).with_name("provisioner"))


def is_installed() -> bool:
    """Returns whether the command is there."""
    return Path(command()).exists()


# ---- What depends on the server -----------------------------------------------------

SITE = "default"  # Every phone of a storm belongs to it.
COLUMNS = ("mac", "model", "site", "extension", "display_name")  # Of `provisioner import FILE.csv`.
SITE_SETTING = "ntp_server"  # A setting that ends up in every phone's own file.


def _csv_row(number: int, phone: Phone) -> tuple[str, ...]:
    return (phone.colon_mac(), phone.model, SITE, str(100000 + number), f"Bench {number}")


def _site_patch(marker: str) -> dict[str, object]:
    return {"settings": {SITE_SETTING: marker}}


def _key_rows(marker: str) -> list[dict[str, object]]:
    return [{"key": 3, "module": 0, "type": "blf", "value": "100001", "label": marker}]


def site_marker(number: int) -> str:
    """Returns a value of the site setting that is found again in every phone's own file."""
    return f"ntp{number}.bench.example"


def key_marker(number: int) -> str:
    """Returns a key label that is found again in the phone's own file."""
    return f"Bench{number}"


def forget_rendered(data_dir: Path) -> None:
    """Drops every rendered body of a stopped server, so that its next start is cold (H7)."""
    with contextlib.closing(sqlite3.connect(data_dir / "provisioner.sqlite3")) as database:
        database.execute("DELETE FROM rendered_file")
        database.execute("UPDATE phone SET wanted_hash = NULL, live_hash = NULL, revision = revision + 1")
        database.commit()


def bundled_pbx(data_dir: Path) -> dict[str, str]:
    """Returns the settings of a bundled PBX on ports of the installation's own, and puts Asterisk where the server looks for it."""
    path = data_dir / "bench-pbx-ports.json"
    if not path.exists():
        path.write_text(json.dumps([free_port(socket.SOCK_DGRAM), free_port(), free_port()]))
    there = data_dir / "asterisk"
    if not there.exists():
        shared = Path(__file__).parents[1] / "build" / "asterisk" / "asterisk"  # what the tests installed
        if not (shared / "provisioner-complete").exists():
            _run(data_dir, "pbx", "install")
        else:
            there.symlink_to(shared)
    names = ("PROVISIONER_SIP_BIND", "PROVISIONER_AMI_BIND", "PROVISIONER_ARI_BIND")
    binds = {name: f"127.0.0.1:{port}" for name, port in zip(names, json.loads(path.read_text()), strict=True)}
    return {"PROVISIONER_PBX": "bundled", **binds}


def wipe_pbx(data_dir: Path) -> None:
    """Empties the PBX behind the server's back: extensions, marks and registrations."""
    host, _, port = bundled_pbx(data_dir)["PROVISIONER_AMI_BIND"].partition(":")
    ami = AMI(AsteriskAddress(host, int(port), USER, passwords_of(data_dir / "pbx").ami), 60.0)
    try:
        families = ("provisioner", "provisioner-group", "ps_endpoint", "ps_auth", "ps_aor", "registrar")
        ami.ask_all([Action("DBDelTree", {"Family": family}) for family in families])
    finally:
        ami.close()


def _environment(data_dir: Path, phones: int, admin: int, tftp: int | None, tftp_root: Path | None) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PROVISIONER_")}
    env |= {
        "PROVISIONER_DATA_DIR": str(data_dir),
        "PROVISIONER_PHONES_BIND": f"127.0.0.1:{phones}",
        "PROVISIONER_ADMIN_BIND": f"127.0.0.1:{admin}",
        "PROVISIONER_TFTP_BIND": f"127.0.0.1:{tftp}" if tftp else "off",
        "PROVISIONER_PUBLIC_HOST": "127.0.0.1",
        "PROVISIONER_PBX": "none",
        "PROVISIONER_API_TOKEN": TOKEN,
        "PROVISIONER_ADMIN_PASSWORD": TOKEN,
        "PROVISIONER_ACCESS": "open",  # The storm asks at the root, again and again; first-fetch would move the phones on.
    }
    if tftp_root is not None:
        env["PROVISIONER_TFTP_ROOT"] = str(tftp_root)
    return env


def _ports(data_dir: Path) -> tuple[int, int, int]:
    """Returns the ports of an installation, chosen once: its address stands in every phone's files, so another port renders all anew."""
    path = data_dir / "bench-ports.json"
    if not path.exists():
        path.write_text(json.dumps([free_port(), free_port(), free_port(socket.SOCK_DGRAM)]))
    phones, admin, tftp = json.loads(path.read_text())
    return phones, admin, tftp


# ---- Seeding ------------------------------------------------------------------------


def _run(data_dir: Path, *words: str) -> None:
    phones, admin, _ = _ports(data_dir)
    env = _environment(data_dir, phones, admin, None, None)
    done = subprocess.run([command(), *words], env=env, capture_output=True, text=True, timeout=SEED_S, check=False)
    if done.returncode != 0:
        raise ServerError(
            f"provisioner {' '.join(words)} failed with status {done.returncode}: {(done.stderr or done.stdout).strip()[-800:]}"
        )


def _write_csv(path: Path, phones: Iterable[Phone]) -> None:
    with path.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(COLUMNS)
        rows.writerows(_csv_row(number, phone) for number, phone in enumerate(phones))


def seed(data_dir: Path, phones: int) -> Plan:
    """Creates a database with that many phones in a new folder and returns their storm; bodies are rendered at the next start."""
    data_dir.mkdir(parents=True, exist_ok=True)
    plan = storm_plan(phones)
    _write_csv(data_dir / "bench-phones.csv", plan.phones)
    _run(data_dir, "init")
    _run(data_dir, "import", str(data_dir / "bench-phones.csv"), "--commit")
    return plan


# ---- Running ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Own:
    """The running server: its processes and its three ports, all on 127.0.0.1; seconds from its start until it was ready."""

    server: Server
    phones_port: int
    admin_port: int
    tftp_port: int | None
    ready_s: float


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


@contextlib.contextmanager
def start(
    data_dir: Path,
    *,
    core: int | None = None,
    tftp: bool = False,
    tftp_root: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Own]:
    """Runs `provisioner serve` on the data folder while the `with` body runs; ready means /readyz says 200."""
    phones, admin, datagrams = _ports(data_dir)
    tftp_port = datagrams if tftp else None
    began = time.monotonic()
    with launched(
        "provisioner",
        [command(), "serve"],
        host="127.0.0.1",
        port=phones,
        log=data_dir / "bench-serve.log",
        core=core,
        env=_environment(data_dir, phones, admin, tftp_port, tftp_root) | dict(settings or {}),
        ready=lambda: _status(admin, "/readyz") == 200,
        ready_s=SERVE_S,
        patience_s=30.0,
    ) as server:
        yield Own(server, phones, admin, tftp_port, time.monotonic() - began)


class Reader:
    """Fetches files over one kept connection, as a calm phone would."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def body(self, phone: Phone, name: str) -> bytes | None:
        """Returns the bytes of a file, None when the status is not 200."""
        try:
            self.connection.request("GET", f"/{name}", headers={"User-Agent": phone.agent})
            answer = self.connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return None
        return body if answer.status == 200 else None

    def tags(self, phone: Phone) -> list[str | None]:
        """Returns the ETag of each of the phone's own files. A look at the headers is not recorded as a fetch: the phone is still to be told."""
        found = []
        for fetch in phone.own_files():
            self.connection.request("HEAD", f"/{fetch.name}", headers={"User-Agent": phone.agent})
            answer = self.connection.getresponse()
            answer.read()
            found.append(answer.getheader("ETag"))
        return found

    def close(self) -> None:
        """Hangs up."""
        self.connection.close()


def has_marker(reader: Reader, phone: Phone, marker: str) -> bool:
    """Returns whether one of the phone's own files contains the marker."""
    wanted = marker.encode()
    return any(wanted in (reader.body(phone, fetch.name) or b"") for fetch in phone.own_files())


def _has_files(reader: Reader, phone: Phone) -> bool:
    return all(reader.body(phone, fetch.name) is not None for fetch in phone.own_files())


def wait_served(own: Own, plan: Plan, limit_s: float = LIVE_S) -> None:
    """Returns when every phone's own files are answered with 200; raises ServerError after `limit_s` seconds."""
    reader, end, number = Reader(own.phones_port), time.monotonic() + limit_s, 0
    try:
        while number < len(plan.phones):
            if _has_files(reader, plan.phones[number]):
                number += 1
                continue
            if time.monotonic() > end or not own.server.is_alive():
                raise ServerError(f"phone {plan.phones[number].mac} ({plan.phones[number].model}) was not served within {limit_s:.0f} s")
            time.sleep(0.1)
    finally:
        reader.close()


# ---- Changing -----------------------------------------------------------------------


def call(own: Own, method: str, path: str, body: object = None) -> Any:
    """Returns what one call of the admin API answers; raises ServerError on a status of 300 or more."""
    connection = http.client.HTTPConnection("127.0.0.1", own.admin_port, timeout=60)
    try:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise ServerError(f"{method} {path} answered {answer.status}: {text[:400].decode(errors='replace')}")
    return json.loads(text) if text else None


def change_one(own: Own, phone: Phone, number: int) -> str:
    """Changes one key of one phone; returns the marker that its file shows when the change is live."""
    call(own, "PUT", f"/api/v1/phones/{phone.colon_mac()}/keys", _key_rows(key_marker(number)))
    return key_marker(number)


def change_site(own: Own, number: int) -> str:
    """Changes a setting of the whole site; returns the marker that every phone's file shows when the change is live."""
    call(own, "PATCH", f"/api/v1/sites/{SITE}", _site_patch(site_marker(number)))
    return site_marker(number)

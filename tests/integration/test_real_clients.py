"""The README's scenario with the clients that people have: curl, tftp and atftp against ``provisioner serve``; and what such a session leaves behind."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.world import Phone, World, wait_until, world
from tests.installations import API_TOKEN

VENDORS = ("yealink/t46u", "grandstream/gxp2170", "polycom/vvx411")


def program(name: str, package: str) -> str:
    found = shutil.which(name)
    assert found, f"the program {name} is missing: apt-get install {package}"
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("clients")) as made:
        yield made


@pytest.fixture(scope="module")
def phones(running: World) -> dict[str, Phone]:
    site = running.site("open")
    return {model: running.phone(model, site) for model in VENDORS}


def files(running: World, phone: Phone) -> list[tuple[str, bytes]]:
    found = [(record.name, body) for record, body in running.installation.store.files(phone.mac) if record.state == "live"]
    assert found
    return found


def curl(running: World, tmp_path: Path, path: str, *options: str) -> tuple[str, bytes]:
    out = tmp_path / "out"
    out.unlink(missing_ok=True)
    command = [program("curl", "curl"), "-sS", "--max-time", "20", "-o", str(out), "-w", "%{http_code}", "--path-as-is", *options]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{running.http_port}/{path}"], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout, out.read_bytes() if out.exists() else b""


@pytest.mark.parametrize("model", VENDORS)
def test_curl_fetches_every_file_of_a_phone(running: World, phones: dict[str, Phone], tmp_path: Path, model: str) -> None:
    phone = phones[model]
    for name, body in files(running, phone):
        for path in (name, running.own(phone, name), name.replace(phone.mac, phone.mac.colons.replace(":", "%3A").upper())):
            assert curl(running, tmp_path, path, "-A", phone.agent) == ("200", body)


@pytest.mark.parametrize("model", VENDORS)
def test_tftp_hpa_fetches_every_file_of_a_phone(running: World, phones: dict[str, Phone], tmp_path: Path, model: str) -> None:
    for name, body in files(running, phones[model]):
        command = [
            program("tftp", "tftp-hpa"),
            "-m",
            "octet",
            "127.0.0.1",
            str(running.tftp_port),
            "-c",
            "get",
            name,
            str(tmp_path / "out"),
        ]
        subprocess.run(command, check=True, timeout=30, capture_output=True)
        assert (tmp_path / "out").read_bytes() == body


@pytest.mark.parametrize("model", VENDORS)
def test_atftp_fetches_every_file_of_a_phone(running: World, phones: dict[str, Phone], tmp_path: Path, model: str) -> None:
    for name, body in files(running, phones[model]):
        command = [program("atftp", "atftp"), "--option", "blksize 1428", "-g", "-r", name, "-l", str(tmp_path / "out")]
        subprocess.run([*command, "127.0.0.1", str(running.tftp_port)], check=True, timeout=30, capture_output=True)
        assert (tmp_path / "out").read_bytes() == body


def test_a_phone_that_fetched_everything_is_in_lockstep(running: World, phones: dict[str, Phone]) -> None:
    phone = running.phone("polycom/vvx411")
    for name, body in files(running, phone):
        assert running.http("GET", running.own(phone, name), phone.agent).body == body

    def in_lockstep() -> bool:
        facts = running.installation.store.lockstep(phone.mac, has_pbx=False)
        return facts is not None and facts.served == facts.live == facts.wanted

    wait_until(in_lockstep, what="lockstep")


# ---- digest, the way real clients speak it; these come last, for a digest site changes every refusal --------------------


@pytest.mark.parametrize("way", ["--digest", "--basic", "--anyauth"])
def test_curl_proves_itself(running: World, tmp_path: Path, way: str) -> None:
    phone = running.phone("polycom/vvx411", running.site("digest"))
    password = running.installation.box.phone_password(phone.mac, "digest")
    body = running.body(phone)
    assert curl(running, tmp_path, phone.name, "-A", phone.agent)[0] == "401"
    assert curl(running, tmp_path, phone.name, "-A", phone.agent, way, "-u", f"{phone.mac}:{password}") == ("200", body)
    assert curl(running, tmp_path, phone.name, "-A", phone.agent, way, "-u", f"{phone.mac}:wrong")[0] == "401"
    assert curl(running, tmp_path, phone.name, "-A", phone.agent, way, "-u", "PlcmSpIp:PlcmSpIp")[0] == "401"
    log = tmp_path / "log"
    log.write_bytes(b"sent with credentials\n")
    sending = ("-A", phone.agent, way, "-u", f"{phone.mac}:{password}", "-T", str(log))
    assert curl(running, tmp_path, f"{phone.mac}-app.log", *sending)[0] == "200"
    found = running.installation.store.upload_body(phone.mac, f"{phone.mac}-app.log")
    assert found is not None
    assert found[1] == b"sent with credentials\n"


def test_both_challenges_stand_in_headers_of_their_own(running: World) -> None:
    running.site("digest")
    running.wait_index()
    answer = running.http("GET", "805ec0fffffd.cfg")
    challenges = [value for name, value in answer.header_list if name == "www-authenticate"]
    assert [challenge.partition(" ")[0] for challenge in challenges] == ["Digest", "Basic"]


def test_every_refusal_is_the_same_on_the_wire(running: World) -> None:
    running.site("digest")
    running.wait_index()
    unproven, disabled, open_one = (
        running.phone(site=running.site("token")),
        running.phone(enabled=False),
        running.phone(site=running.site("open")),
    )
    closed = running.phone()
    assert running.http("GET", running.own(closed), closed.agent).status == 200
    asked = [
        (unproven.name, unproven.agent), (disabled.name, disabled.agent), (closed.name, closed.agent), ("805ec0fffffc.cfg", open_one.agent),
        (f"p/{'a' * 24}/{open_one.name}", open_one.agent), (open_one.name, unproven.agent), (open_one.name, "Yealink SIP-T31P 124.86.0.75"),
    ]  # fmt: skip
    for method in ("GET", "HEAD", "PUT"):
        seen = set()
        for path, agent in asked:
            answer = running.http(method, path, agent, b"x" if method == "PUT" else None)
            headers = tuple(
                (name, value.partition("nonce=")[0]) for name, value in answer.header_list if name != "date"
            )  # fmt: skip
            seen.add((answer.status, headers, answer.body))
        assert len(seen) == 1, seen
        assert next(iter(seen))[0] == 401


# ---- what is left behind ------------------------------------------------------------------------------------------------


def test_neither_the_logs_nor_the_database_hold_a_secret(running: World, phones: dict[str, Phone]) -> None:
    secrets: set[str] = {API_TOKEN}
    for phone in phones.values():
        token = running.token(phone.mac)
        box = running.installation.box
        secrets |= {phone.secret, token, *(box.phone_password(phone.mac, purpose) for purpose in ("admin", "user", "digest"))}
        for path in (
            running.own(phone), f"//p/{token}/{phone.name}", f"p/{token}", f"p/{token}/", f"p/{token}/../x", f"P/{token.upper()}/{phone.name}",
            f"a/p/{token}/nothing", f"x?p/{token}/y", f"p/{token}/nothing", f"p//{token}/{phone.name}",
        ):  # fmt: skip
            for method in ("GET", "HEAD", "PUT", "DELETE"):
                running.http(method, path, phone.agent, b"x" if method == "PUT" else None)
            running.tftp(path.partition("?")[0] or "x")
        running.http("GET", phone.name, phone.agent, headers={"Authorization": f"Bearer {token}", "Referer": f"http://x/p/{token}/"})
    marker = "805ec0fffffb.cfg"
    running.http("GET", marker)
    wait_until(lambda: any(fetch.name == marker for fetch in running.installation.store.fetches(limit=1000)), what="the record")
    lowered = {secret.lower().encode() for secret in secrets}
    data = running.installation.settings.data_dir
    places = [running.serve.folder / "error.log", running.serve.folder / "access.log", *data.rglob("*")]
    for path in places:
        if path.is_file() and path.name != "secret.key":
            content = path.read_bytes().lower()
            assert not [secret for secret in lowered if secret in content], path


def test_secrets_and_logs_are_for_their_owner_alone(running: World) -> None:
    key = running.installation.settings.data_dir / "secret.key"
    assert key.stat().st_mode & 0o077 == 0

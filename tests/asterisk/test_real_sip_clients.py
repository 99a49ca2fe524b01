"""SIP clients that others wrote take part with what a rendered file says: SIPp, which tests SIP servers, baresip, a telephone, and linphonec, which
also fetches the file itself."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pbx_sync.asterisk.program import Program
from provisioner.changes import LineInput, PhoneInput
from provisioner.core.lockstep import Stage, stage
from provisioner.core.mac import Mac
from tests.contract.world import wait_until
from tests.phones.calls import State
from tests.phones.config import LineConfig
from tests.phones.device import HTTPServer
from tests.phones.media import RATE_HZ, decode_ulaw, tone_frames
from tests.phones.office import PATIENCE_S, Desk, Office, office, wait_state
from tests.ports import free_port

pytestmark = pytest.mark.asterisk
SCENARIO = Path(__file__).with_name("sipp_call.xml")
BARESIP_HZ = 880


@pytest.fixture(scope="module")
def firm(asterisk_program: Program) -> Iterator[Office]:
    """One desk with a simulated phone, and two whose files real clients read."""
    with office(asterisk_program) as made:
        made.desk("yealink/t46u")
        made.boot()
        made.wait_in_lockstep()
        yield made


def line_of(firm: Office, desk: Desk) -> LineConfig:
    """Returns the account that the server wrote into the desk's files; the desk's own phone stays switched off."""
    firm.wait_live(desk)
    wait_until(lambda: _has_fetched(firm, desk), PATIENCE_S, "the phone's files")
    return desk.phone.firmware.config().lines[0]


def _has_fetched(firm: Office, desk: Desk) -> bool:
    """Returns whether the files could be read: a moment ago the listener may not have known them yet."""
    server = HTTPServer(firm.url, desk.phone.firmware.user_agent, {})
    try:
        desk.phone.firmware.fetch(server)
    except OSError:
        return False
    finally:
        server.close()
    return True


def needed(program: str) -> str:
    path = shutil.which(program)
    assert path, f"{program} is missing: make tools-test installs it"
    return path


def test_sipp_registers_and_calls(firm: Office, tmp_path: Path) -> None:
    line = line_of(firm, firm.desk("grandstream/gxp2170", secret="a+b/c=d%e&f*"))
    phone = firm.desks[0]
    (tmp_path / "who.csv").write_text(f"SEQUENTIAL\n{line.number};\n")
    command = [
        needed("sipp"), f"{line.server}:{line.port}", "-sf", str(SCENARIO), "-inf", "who.csv", "-s", phone.number, "-au", line.user,
        "-ap", line.secret, "-i", "127.0.0.1", "-p", str(free_port()), "-mp", str(free_port()), "-m", "1", "-timeout", "30", "-nostdin", "-aa", "-deadcall_wait", "0",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as sipp:
        call = firm.rings(phone)
        firm.answer(call)
        said, _ = sipp.communicate(timeout=60)
        assert sipp.returncode == 0, said[-2000:]
    wait_state(call, State.ENDED)
    assert call.peer == line.number


def write_tone(path: Path) -> None:
    """Writes a minute of a tone: baresip plays it as what its user says."""
    second = b"".join(struct.pack("<h", decode_ulaw(byte)) for frame in tone_frames(BARESIP_HZ) for byte in frame)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(second * 60)


@contextmanager
def baresip(line: LineConfig, folder: Path, *commands: str) -> Iterator[subprocess.Popen[str]]:
    """Runs baresip with the account; it says a tone of its own and answers at once."""
    write_tone(folder / "tone.wav")
    (folder / "config").write_text(
        f"sip_listen 127.0.0.1:{free_port()}\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\nmodule aufile.so\nmodule aubridge.so\n"
        f"module_tmp account.so\nmodule_app menu.so\naudio_source aufile,{folder}/tone.wav\naudio_player aubridge,nowhere\n"
    )
    (folder / "accounts").write_text(
        f"<sip:{line.number}@{line.server}:{line.port}>;auth_user={line.user};auth_pass={line.secret};answermode=auto;audio_codecs=PCMU;regint=300\n"
    )
    words = [word for command in commands for word in ("-e", command)]
    with subprocess.Popen(
        [needed("baresip"), "-f", str(folder), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.terminate()
            print(running.communicate(timeout=20)[0][-3000:])


def test_baresip_is_called_and_calls(firm: Office, tmp_path: Path) -> None:
    desk = firm.desk("polycom/vvx411")
    line = line_of(firm, desk)
    with baresip(line, tmp_path):
        wait_until(lambda: firm.facts(desk).registered_at, PATIENCE_S, "baresip's registration")
        call = firm.dial(firm.desks[0], desk.number)
        wait_until(lambda: call.speech.hears(BARESIP_HZ), PATIENCE_S, "baresip's tone")
        firm.hang_up(call)
    with baresip(line, tmp_path, f"d sip:{firm.desks[0].number}@{line.server}:{line.port}"):
        there = firm.rings(firm.desks[0])
        firm.answer(there)
        wait_until(lambda: there.speech.hears(BARESIP_HZ), PATIENCE_S, "baresip's tone")
        assert there.peer == line.number


SOFTPHONE = Mac("020000000901")


@contextmanager
def linphonec(address: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Runs linphonec as it is after its installation, told of nothing but the address that it fetches from."""
    (folder / ".local/share/linphone").mkdir(parents=True)  # without a place for its database it does not even start
    rc = folder / "linphonerc"
    rc.write_text(f"[sip]\nsip_port={free_port()}\nsip_tcp_port=0\nsip_tls_port=0\n\n[misc]\nconfig-uri={address}\n")
    with subprocess.Popen(
        [needed("linphonec"), "-c", str(rc)],
        env={**os.environ, "HOME": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def test_linphonec_fetches_its_file_and_registers(firm: Office, tmp_path: Path) -> None:
    """Nobody writes into it but its own fetch; what it shows of its account is what the server wrote."""
    changes, store = firm.world.installation.changes, firm.world.installation.store
    changes.create_extension("test", "1950", display_name="Home & Office", secret="a+b/c=d%e&f*")
    changes.create_phone("test", SOFTPHONE, PhoneInput("linphone/softphone", "default", lines=[LineInput(1, "1950")]))
    address = f"p/{firm.world.token(SOFTPHONE)}/linphone-{SOFTPHONE}.xml"
    wait_until(lambda: firm.world.http("HEAD", address).status == 200, PATIENCE_S, "the softphone's file")
    with linphonec(firm.url + address, tmp_path) as program:
        wait_until(lambda: _stage(firm, SOFTPHONE) == Stage.IN_LOCKSTEP, PATIENCE_S, "linphonec's fetch and registration")
        said, _ = program.communicate("proxy show 0\nquit\n", timeout=60)
    facts = store.lockstep(SOFTPHONE, has_pbx=True)
    assert facts is not None and facts.fetched_at and facts.registered_at
    server = f"127.0.0.1:{firm.world.installation.settings.sip_bind.port}"
    assert '"Home & Office" <sip:1950@127.0.0.1>' in said and f"sip:{server}" in said and "registered: yes" in said.lower(), said[-3000:]


def _stage(firm: Office, mac: Mac) -> Stage | None:
    facts = firm.world.installation.store.lockstep(mac, has_pbx=True)
    return stage(facts) if facts else None

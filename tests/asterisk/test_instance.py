"""The bundled Asterisk as a process: it comes up, answers, and ends with whoever started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pbx_sync.asterisk.configuration import Listen
from pbx_sync.asterisk.errors import AsteriskError, StartError
from pbx_sync.asterisk.instance import Instance, end_orphans, passwords_of, processes_of
from pbx_sync.asterisk.program import Program
from tests.asterisk.running import fresh_instance
from tests.ports import free_port

pytestmark = pytest.mark.asterisk
COMPLAINTS = ("WARNING", "ERROR")


def test_it_starts_without_a_complaint(asterisk: Instance) -> None:
    assert asterisk.is_answering(booted=True)
    assert [line for line in asterisk.log_lines() if any(word in line for word in COMPLAINTS)] == []
    assert "Failed" not in (asterisk.folder / "log" / "start.log").read_text()


def test_command_line_answers(asterisk: Instance) -> None:
    assert asterisk.cli("core show version").startswith(f"Asterisk {asterisk.program.version}")


def test_configuration_is_written_once(asterisk: Instance) -> None:
    assert asterisk.prepare() == []
    (asterisk.folder / "etc" / "rtp.conf").write_text("[general]\n")
    (asterisk.folder / "etc" / "left-over.conf").write_text("")
    assert asterisk.prepare() == ["rtp.conf", "left-over.conf"]


def test_secrets_are_for_the_owner_alone(asterisk: Instance) -> None:
    for name in ("passwords.json", "etc/manager.conf", "etc/ari.conf"):
        assert (asterisk.folder / name).stat().st_mode & 0o077 == 0
    assert asterisk.folder.stat().st_mode & 0o077 == 0
    assert len(asterisk.passwords.ami) == len(asterisk.passwords.ari) == 64
    assert passwords_of(asterisk.folder) == asterisk.passwords


def test_wrong_password_is_no_answer(asterisk: Instance) -> None:
    path = asterisk.folder / "passwords.json"
    path.write_text(path.read_text().replace(asterisk.passwords.ami, "0" * 64))
    assert not asterisk.is_answering()


def test_what_is_reachable_from_outside_is_sip_alone(asterisk: Instance) -> None:
    assert asterisk.process is not None
    links = [link.readlink() for link in Path(f"/proc/{asterisk.process.pid}/fd").iterdir() if link.is_symlink()]
    inodes = {str(link) for link in links if str(link).startswith("socket:")}
    ports = set()
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = row.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
            ports.add(int(fields[1].rpartition(":")[2], 16))
    assert ports == {asterisk.facts.sip.port, asterisk.facts.ami.port, asterisk.facts.ari.port}


def test_it_stops_at_once_and_twice(asterisk: Instance) -> None:
    process = asterisk.process
    assert process is not None
    asterisk.stop(60)
    assert process.returncode == 0, "by itself: nobody had to kill it"
    assert processes_of(asterisk.folder) == []
    asterisk.stop()
    assert not asterisk.is_answering(0.5)
    with pytest.raises(AsteriskError, match="does not answer"):
        asterisk.cli("core show version")


_PARENT = """
import os, sys, time
from pathlib import Path
from pbx_sync.asterisk.instance import Instance
from pbx_sync.asterisk.configuration import Facts, Listen
from pbx_sync.asterisk.program import find_program
folder, program, sip, ami, ari = sys.argv[1:]
facts = Facts(sip=Listen("127.0.0.1", int(sip)), ami=Listen("127.0.0.1", int(ami)), ari=Listen("127.0.0.1", int(ari)))
instance = Instance(Path(folder), find_program(Path(program)), facts)
instance.prepare()
instance.start()
instance.wait_until_ready()
print("ready", flush=True)
time.sleep(600)
"""


def test_it_ends_with_a_parent_that_is_killed(asterisk_program: Program) -> None:
    with fresh_instance(asterisk_program, started=False) as instance:
        facts = instance.facts
        root = asterisk_program.modules.parents[4].parent
        arguments = [str(instance.folder), str(root), str(facts.sip.port), str(facts.ami.port), str(facts.ari.port)]
        with subprocess.Popen([sys.executable, "-c", _PARENT, *arguments], stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            assert parent.stdout.readline() == "ready\n"
            assert len(processes_of(instance.folder)) == 1
            parent.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 60
        while processes_of(instance.folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert processes_of(instance.folder) == []


def test_an_orphan_is_ended_before_a_start(asterisk: Instance) -> None:
    (before,) = processes_of(asterisk.folder)
    os.kill(before, signal.SIGSTOP)  # one that hangs: it heeds nothing but SIGKILL
    former, asterisk.process = asterisk.process, None
    end_orphans(asterisk.folder, within_s=0.5)
    assert former is not None
    former.wait(5)
    asterisk.start()
    asterisk.wait_until_ready()
    (after,) = processes_of(asterisk.folder)
    assert after != before


def test_a_hanging_one_does_not_answer_and_is_stopped(asterisk: Instance) -> None:
    assert asterisk.process is not None
    asterisk.process.send_signal(signal.SIGSTOP)
    assert not asterisk.is_answering(0.5)
    asterisk.stop(within_s=0.5)
    assert processes_of(asterisk.folder) == []


def test_a_taken_ami_port_is_said(asterisk_program: Program) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with fresh_instance(asterisk_program, started=False, ami=Listen("127.0.0.1", port)) as instance:
            instance.start()
            with pytest.raises(StartError, match=rf"not ready within 2 s: .*AMI.*{port}"):
                instance.wait_until_ready(2.0)


def test_a_missing_module_ends_the_start(asterisk_program: Program) -> None:
    with fresh_instance(asterisk_program, started=False) as instance:
        modules = instance.folder / "etc" / "modules.conf"
        modules.write_text(modules.read_text().replace("[modules]\n", "[modules]\nrequire = res_not_there.so\n", 1))
        instance.start()
        with pytest.raises(StartError, match=r"ended at once.*module res_not_there"):
            instance.wait_until_ready()


def test_log_is_bounded(asterisk: Instance) -> None:
    for _ in range(6):
        asterisk.cli("logger rotate")
    log = asterisk.folder / "log"
    with (log / "messages").open("a") as file:
        file.write("x" * 5000)
    asterisk.bound_logs(limit_bytes=4096)
    assert (log / "messages").stat().st_size < 4096
    assert len(list(log.glob("messages.*"))) <= 4


def test_a_sip_port_that_was_not_free_is_found_whatever_the_log_says(asterisk_program: Program) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        port = free_port()
        holder.bind(("127.0.0.1", port))
        with fresh_instance(asterisk_program, started=False, sip=Listen("127.0.0.1", port)) as instance:
            instance.start()
            instance.wait_until_ready()
            (instance.folder / "log" / "messages").write_text("")
            assert instance.unbound() == ["transport-udp"]


def test_a_running_one_has_both_transports(asterisk: Instance) -> None:
    assert asterisk.unbound() == []

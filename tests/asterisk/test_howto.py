"""What the how-to pages tell people to write, given to the real Asterisk."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.backend import AsteriskBackend
from pbx_sync.asterisk.configuration import Facts, Listen, configuration
from pbx_sync.asterisk.errors import AsteriskError
from pbx_sync.asterisk.instance import Account, Instance, processes_of
from pbx_sync.asterisk.program import Program
from pbx_sync.plan import Plan
from pbx_sync.state import Endpoint, RingGroup
from tests.asterisk.running import fresh_instance, loopback_facts
from tests.contract.world import wait_until
from tests.phones.calls import State
from tests.phones.network import Network
from tests.phones.sip import Account as SIPAccount
from tests.phones.sip import UserAgent

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
SECRET = "a-secret-of-the-tests"
NOBODY = 65534


def blocks(page: str) -> list[str]:
    """Returns the code blocks of a page that are not for a shell, without their indentation."""
    found = re.findall(r"^( *)```(.*)\n([\s\S]*?)^\1```$", (HOWTO / page).read_text("utf-8"), re.MULTILINE)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, language, text in found if not language]


@pytest.mark.asterisk
def test_a_trunk_of_ones_own_is_read_by_a_reload(asterisk: Instance) -> None:
    trunk, dialplan = blocks("pbx.md")
    (asterisk.folder / "custom" / "pjsip.conf").write_text(trunk)
    (asterisk.folder / "custom" / "extensions.conf").write_text(dialplan)
    (asterisk.folder / "custom" / "modules.conf").write_text("load = app_milliwatt.so\n")
    asterisk.reload()
    wait_until(lambda: "sip:192.0.2.10" in asterisk.cli("pjsip show endpoint trunk"), what="the trunk")
    assert "Match: 192.0.2.10/32" in asterisk.cli("pjsip show endpoint trunk")
    assert "Dial(PJSIP/${FILTER(0-9,${EXTEN:1})}@trunk,60)" in asterisk.cli("dialplan show 0201234567@internal")
    assert "Goto(extensions,1001,1)" in asterisk.cli("dialplan show 201234567@from-outside")
    assert not [finding for finding in asterisk.findings() if "module" in finding.what]


@contextmanager
def set_up_by_hand(program: Program) -> Iterator[Instance]:
    """Yields an Asterisk set up by hand, as the page tells: its manager user, sorcery and dialplan are the page's own. It is not started."""
    manager, sorcery, dialplan, *_ = blocks("external-pbx.md")
    with fresh_instance(program, started=False) as instance:
        etc = instance.folder / "etc"
        port = f"port = {instance.facts.ami.port}"
        (etc / "manager.conf").write_text(manager.replace("port = 5038", port).replace("a-long-random-secret", instance.passwords.ami))
        (etc / "sorcery.conf").write_text(sorcery)
        (etc / "extensions.conf").write_text(dialplan)
        yield instance


@pytest.fixture
def external(asterisk_program: Program) -> Iterator[Instance]:
    with set_up_by_hand(asterisk_program) as instance:
        instance.start()
        instance.wait_until_ready()
        yield instance


@pytest.mark.asterisk
def test_an_asterisk_set_up_as_the_page_says_is_kept_and_rings(external: Instance) -> None:
    backend = AsteriskBackend(AsteriskAddress(*external.facts.ami, external.user, external.passwords.ami))
    people = tuple(Endpoint(number, f"Person {number}", SECRET) for number in ("1001", "1002"))
    group = RingGroup("600", "Sales", ("1002", "1003"))
    assert backend.apply(Plan(create=(*people, group))) == {}
    assert set(backend.read()) == {"1001", "1002", "600"}
    with Network() as network:
        caller, called = (UserAgent(SIPAccount(number, SECRET, *external.facts.sip)) for number in ("1001", "1002"))
        for agent in (caller, called):
            network.run(agent.open())
            network.run(agent.register())
        assert network.run(called.watch("1001")).refusal == 0
        for number in ("1002", "600"):
            call = network.run(caller.call(number))
            wait_until(called.ringing, what=f"ringing by {number}")
            ringing = called.ringing()
            assert ringing is not None
            network.run(ringing.answer())
            wait_until(lambda call=call: call.state == State.CONFIRMED, what="the call")
            network.run(call.hang_up())
        network.all([caller.close(), called.close()])
    backend.close()


@pytest.mark.asterisk
def test_started_by_root_it_runs_as_the_owner_of_the_folder(asterisk_program: Program) -> None:
    """Anybody else cannot become somebody else: then it runs as they are."""
    uid = NOBODY if os.geteuid() == 0 else os.geteuid()
    with fresh_instance(asterisk_program, started=False) as instance:
        account = Account(NOBODY, NOBODY)
        instance.prepare(account)
        instance.start(account)
        instance.wait_until_ready()
        (pid,) = processes_of(instance.folder)
        status = Path(f"/proc/{pid}/status").read_text()
        assert re.search(rf"^Uid:\t{uid}\t{uid}\t", status, re.MULTILINE)
        assert os.geteuid() != 0 or re.search(r"^Groups:\s*$", status, re.MULTILINE)
        assert instance.cli("core show version").startswith("Asterisk")
        assert not [line for line in instance.log_lines() if "ERROR" in line]


def plain_program(folder: Path) -> Program:
    """Returns a program that has every module, for what is only written and never run."""
    from pbx_sync.asterisk.modules import REQUIRED

    (folder / "modules").mkdir(parents=True)
    for name in REQUIRED:
        (folder / "modules" / f"{name}.so").touch()
    return Program(("asterisk",), "22.0.0", folder / "modules", folder / "share")


def test_the_same_facts_give_the_same_bytes(tmp_path: Path) -> None:
    program, facts = plain_program(tmp_path), loopback_facts()
    instance = Instance(tmp_path / "pbx", program, facts)
    once = configuration(instance.folder, program, facts, instance.passwords)
    assert once == configuration(instance.folder, program, facts, instance.passwords)
    assert not [name for name, text in once.items() if "@{" in text]


def test_a_module_that_is_missing_is_named(tmp_path: Path) -> None:
    program = plain_program(tmp_path)
    (program.modules / "chan_pjsip.so").unlink()
    instance = Instance(tmp_path / "pbx", program, loopback_facts())
    with pytest.raises(AsteriskError, match="lacks chan_pjsip"):
        instance.prepare()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"sip": Listen("0.0.0.0\nbind=1.2.3.4", 5060)}, r"SIP: [\s\S]* is not an IP address and a port"),
        ({"ami": Listen("localhost", 5038)}, "AMI: "),
        ({"ari": Listen("127.0.0.1", 0)}, "ARI: "),
        ({"rtp": (20000, 10000)}, "RTP ports 20000-10000"),
        ({"external_address": "x;y\n[evil]"}, "external address"),
        ({"local_networks": ("10.0.0.0/8\nx=y",)}, "is not a network"),
        ({"sip_tls": Listen("0.0.0.0", 5061)}, "needs a certificate"),
    ],
)
def test_a_value_that_would_break_out_of_its_line_is_refused(given: dict[str, object], sentence: str) -> None:
    known: dict[str, object] = {"sip": Listen("127.0.0.1", 5060), "ami": Listen("127.0.0.1", 5038), "ari": Listen("127.0.0.1", 8088)}
    with pytest.raises(AsteriskError, match=sentence):
        Facts(**{**known, **given})


@pytest.mark.parametrize("name", ["a;b", "a\nb", "a[b]", "a${b}", "a" * 120], ids=["comment", "line", "section", "variable", "too long"])
def test_a_folder_that_the_configuration_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    program = plain_program(tmp_path / "p")
    with pytest.raises(AsteriskError, match=r"plainer folder|too long"):
        Instance(tmp_path / name, program, loopback_facts()).prepare()

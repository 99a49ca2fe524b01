"""The README's first phone and the tutorial, for real: their code blocks are run in a shell, against a server of their own, and the outcome is looked at.

Changed in the blocks are only the ports, which others may hold. ``make run`` itself is replaced by what it ends in (init, then serve).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
SECTION = "## First phone in ten minutes"
BIN = Path(sys.executable).parent


def blocks() -> list[str]:
    """Returns the shell blocks of the README's section, in order."""
    return shell_blocks((ROOT / "README.md").read_text("utf-8").split(SECTION)[1].split("\n## ")[0])


def shell_blocks(text: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


class Desk:
    """A folder with a running server, and a shell beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {usual: free_port() for usual in ("8080", "8000", "6969")}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PROVISIONER_")},
            "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
            "NO_COLOR": "1",
            "PROVISIONER_PUBLIC_HOST": "127.0.0.1",
            "PROVISIONER_PHONES_BIND": f"127.0.0.1:{self.ports['8080']}",
            "PROVISIONER_ADMIN_BIND": f"127.0.0.1:{self.ports['8000']}",
            "PROVISIONER_TFTP_BIND": f"127.0.0.1:{self.ports['6969']}",
        }

    def run(self, script: str) -> str:
        """Returns what a block prints. A line that fails ends it, and the test."""
        for port, free in self.ports.items():
            script = re.sub(rf"\b{port}\b", str(free), script)
        script = script.replace(". .venv/bin/activate\n", "")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['8000']}/readyz", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise AssertionError((self.folder / "serve.log").read_text("utf-8", "replace"))

    def wait_for(self, command: str, pattern: str) -> str:
        """Returns what ``command`` prints once it shows ``pattern``: the worker and the recorder need a moment."""
        deadline = time.monotonic() + 60
        while not re.search(pattern, shown := self.run(command)):
            assert time.monotonic() < deadline, f"no {pattern} in\n{shown}"
            time.sleep(0.2)
        return shown


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The desk of the README, which the tutorial goes on at: its three phones are listed, and their files made."""
    for program in ("curl", "tftp", "atftp", "bash"):
        assert shutil.which(program), f"the program {program} is missing: apt-get install curl tftp-hpa atftp bash"
    folder = tmp_path_factory.mktemp("desk")
    here = Desk(folder)
    assert re.search(r"^[\w-]{40,}$", here.run("provisioner init"), re.MULTILINE), "the first start shows an admin token"
    with (folder / "serve.log").open("wb") as log:
        # Without Asterisk, as "make run PBX=none" does. Only the server is told: the second terminal knows nothing of it.
        environment = {**here.environment, "PROVISIONER_PBX": "none"}
        server = subprocess.Popen([str(BIN / "provisioner"), "serve"], cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            here.wait_until_ready()
            assert here.run(blocks()[1]).count("is listed at site default") == 3
            here.wait_for("provisioner lockstep", "3 waiting_for_phone")
            yield here
        finally:
            server.terminate()
            assert server.wait(timeout=60) == 0, (folder / "serve.log").read_text("utf-8", "replace")


def test_readme_begins_with_make_run() -> None:
    assert blocks()[0].strip() == "make run"


def test_readme_first_phone_as_it_is_written(desk: Desk) -> None:
    _, _, by_http, by_tftp, own_address, key = blocks()

    desk.run(by_http)
    text = (desk.folder / "805ec0aabbcc.cfg").read_text("utf-8")
    assert "account.1.user_name = 1001" in text
    for name in ("cfg000b82a1b2c3.xml", "64167f0a0b0c.cfg"):
        ElementTree.parse(desk.folder / name)

    desk.run(by_tftp)  # "cmp" in it ends with 1 where the bytes differ

    assert desk.run(own_address).strip() == "404"
    assert (desk.folder / "again.cfg").read_bytes() == (desk.folder / "805ec0aabbcc.cfg").read_bytes()

    shown = desk.run(key)
    assert '"value":"1002"' in shown
    assert "linekey.3.value = 1002" in shown, "the key is in the rendered file"
    secret = re.search(r"account\.1\.password = (\S+)", text)
    assert secret is not None
    assert secret[1] not in shown, "shown without secrets"
    fetched = desk.wait_for("provisioner fetches", "bootstrap_closed")
    assert {"served", "bootstrap_closed"} <= set(fetched.split())
    assert desk.wait_for("provisioner lockstep", r"80:5e:c0:aa:bb:cc +yealink/t46u +default +waiting_for_phone")


def test_tutorial_as_it_is_written(desk: Desk) -> None:
    know, site, phone, unknown, wrong, ask, correct, many, keep = shell_blocks((ROOT / "docs" / "tutorial.md").read_text("utf-8"))

    assert "account.1.password = ***" in desk.run(know)
    shown = desk.run(site + phone)
    assert re.search(r"language = fr\n +from +.*phone", shown)
    assert re.search(r"language = nl\n +from +.*site", shown)
    shown = desk.run(unknown)
    assert shown.startswith("404\n")
    assert "24:9a:d8:41:6c:5c" in shown
    desk.run(wrong)
    shown = desk.run(ask)
    assert shown.startswith("404\n")
    assert "conflict" in shown
    desk.run("token=$(provisioner token create again --role technician)\n" + correct)
    assert "account.1.user_name = 1004" in (desk.folder / "249ad8416c5c.cfg").read_text("utf-8")
    assert "Written: 2 phones and 2 extensions made" in desk.run(many)
    assert desk.run(keep).count("polycom/vvx411") == 3

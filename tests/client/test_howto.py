"""The examples of ``docs/howto/script-it.md`` are run, one after the other, against a server with the real catalogue."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.api import create_admin_app
from provisioner.changes import PhoneInput
from provisioner.core.mac import Mac
from provisioner.settings import ROOT
from provisioner.wiring import Installation
from tests.client.conftest import listening
from tests.installations import API_TOKEN, fresh_installation

PHONE = Mac("805ec0aabbcc")
HOWTO = ROOT / "docs" / "howto" / "script-it.md"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with fresh_installation(tmp_path, catalogue_dir=ROOT / "phone_templates") as fresh:
        yield fresh


def test_examples_in_the_shell_do_what_they_say(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{API_TOKEN}\n")
    installation.changes.create_extension("tests", "1001", display_name="Alice")
    installation.changes.create_phone("tests", PHONE, PhoneInput(model="yealink/t46u"))
    blocks = re.findall(r"```sh\n(.*?)```", HOWTO.read_text("utf-8"), re.DOTALL)
    known = {name: value for name, value in os.environ.items() if not name.startswith("PROVISIONER_")}
    with listening(create_admin_app(installation)) as url:
        script = "set -e\n" + "".join(blocks).replace("https://pbx.example.org", url)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, env={**known, "PATH": path}, capture_output=True, text=True, timeout=200, check=False
        )
    assert ran.returncode == 0, ran.stderr
    record = installation.store.phone(PHONE)
    assert record is not None and [line.extension for line in record.lines] == ["1001", "1002"]
    assert "is told to fetch" in ran.stdout and "rendering" in ran.stdout
    assert [row.actor for row in installation.store.changes(limit=2)] == ["settings:api_token"] * 2


def test_examples_in_python_do_what_they_say(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text(f"{API_TOKEN}\n")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", HOWTO.read_text("utf-8"), re.DOTALL)
    known: dict[str, Any] = {}
    with listening(create_admin_app(installation)) as url:
        for block in blocks:
            exec(block.replace("https://pbx.example.org", url), known)
    record = installation.store.phone(PHONE)
    assert record is not None and record.settings == {"language": "nl"}
    printed = capsys.readouterr().out
    assert printed.startswith("rendering\n") and re.search(r"^mac: \S", printed, re.MULTILINE)

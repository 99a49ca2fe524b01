"""The examples of ``docs/howto/script-it.md`` are run, one after the other, against a server with the real catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.api import create_admin_app
from provisioner.core.mac import Mac
from provisioner.settings import ROOT
from provisioner.wiring import Installation
from tests.client.conftest import listening
from tests.installations import API_TOKEN, fresh_installation

HOWTO = ROOT / "docs" / "howto" / "script-it.md"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with fresh_installation(tmp_path, catalogue_dir=ROOT / "phone_templates") as fresh:
        yield fresh


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
    record = installation.store.phone(Mac("805ec0aabbcc"))
    assert record is not None and record.settings == {"language": "nl"}
    printed = capsys.readouterr().out
    assert printed.startswith("rendering\n") and re.search(r"^mac: \S", printed, re.MULTILINE)

"""Runs commands in this process against an installation of their own in a folder of their own."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from provisioner.__main__ import main
from tests.installations import toy_catalogue

MAC = "02:ac:de:00:00:01"


class Cli:
    """``cli("phone", "list")`` runs that command; ``folder`` is where it runs, ``data`` its data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "var"
        self.url = ""
        """Where the API listens, in tests that have it listen."""
        self.env = {
            "PROVISIONER_DATA_DIR": str(self.data),
            "PROVISIONER_CATALOGUE_DIR": str(toy_catalogue(folder / "catalogue")),
            "PROVISIONER_PUBLIC_HOST": "192.0.2.7",
            "PROVISIONER_PHONES_BIND": "127.0.0.1:0",
            "PROVISIONER_ADMIN_BIND": "127.0.0.1:0",
            "PROVISIONER_TFTP_BIND": "off",
            "PROVISIONER_PBX": "fake",
        }

    def __call__(self, *args: str, stdin: str | bytes | None = None, status: int = 0, env: dict[str, str] | None = None) -> Result:
        result = CliRunner().invoke(main, list(args), input=stdin, env={**self.env, **(env or {})})
        assert result.exit_code == status, (result.exit_code, result.output, result.exception)
        return result

    def json(self, *args: str) -> Any:
        return json.loads(self(*args, "--json").stdout)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """A folder without an installation."""
    monkeypatch.chdir(tmp_path)
    yield Cli(tmp_path)
    forget_logging()


def forget_logging() -> None:
    root = logging.getLogger()
    for handler in [known for known in root.handlers if known.get_name() == "provisioner"]:
        root.removeHandler(handler)
    root.setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an installation with an extension on a phone, to be copied."""
    made = Cli(tmp_path_factory.mktemp("furnished"))
    made("init")
    made("extension", "add", "1001", "--name", "Alice", "--secret-stdin", stdin="hunter2hunter2\n")
    made("phone", "add", MAC, "--model", "acme/a1", "--extension", "1001", "--label", "Desk")
    forget_logging()
    return made.data


@pytest.fixture
def cli(furnished: Path, bare: Cli) -> Cli:
    """An installation with an extension on a phone."""
    shutil.copytree(furnished, bare.data)
    return bare

"""``pbx`` pointed to a server elsewhere, whose Asterisk is played by a program that keeps its state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, jsonify, request

from provisioner.commands import remote_pbx
from tests.client.conftest import listening
from tests.commands.conftest import Cli

FINDING = {"what": "port 5060 is taken", "mend": "stop the other program", "at": "10:00", "count": 2, "is_fatal": True}


class Far:
    """A server with a bundled Asterisk; ``looks_until_back`` is how often it is looked at before it is back after a restart."""

    def __init__(self) -> None:
        self.pid, self.looks_until_back, self.asked, self.findings = 7, 0, list[str](), list[dict[str, Any]]()
        self.app = Flask("far")
        self.app.add_url_rule("/api/v1/pbx/service", view_func=self.service)
        self.app.add_url_rule("/api/v1/pbx/restart", view_func=self.restart, methods=["POST"])
        self.app.add_url_rule("/api/v1/pbx/reload", view_func=self.reload, methods=["POST"])
        self.app.add_url_rule("/api/v1/pbx/log", view_func=self.log)

    def service(self) -> Response:
        is_back = self.looks_until_back <= 0
        self.looks_until_back -= 1
        names = ("uptime_s", "memory_bytes", "channels", "calls", "registrations")
        counts = dict.fromkeys(names, 0)
        state = {"is_installed": True, "is_running": is_back, "is_answering": is_back, "pid": self.pid if is_back else 0}
        return jsonify({"version": "22.9.0", **state, **counts, "findings": self.findings})

    def restart(self) -> tuple[Response, int]:
        self.asked.append(f"restart {request.json}")
        self.pid, self.looks_until_back = self.pid + 1, 2
        return jsonify({"now": request.json["now"] if request.json else False}), 202

    def reload(self) -> tuple[str, int]:
        self.asked.append("reload")
        return "", 204

    def log(self) -> Response:
        self.asked.append(f"log {request.args['log']} {request.args['lines']}")
        return jsonify({"lines": ["one\x1b[2J", "two"], "findings": []})


@pytest.fixture
def place() -> Far:
    return Far()


@pytest.fixture
def cli(bare: Cli, place: Far, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    monkeypatch.setattr(remote_pbx, "POLL_S", 0.01)
    with listening(place.app) as url:
        bare.env = {"PROVISIONER_SERVER": url, "PROVISIONER_TOKEN": "a-token"}
        yield bare


def test_status_is_told_with_what_its_log_complains_of(cli: Cli, place: Far) -> None:
    assert "22.9.0 runs and answers" in cli("pbx", "status").stdout
    place.findings, place.looks_until_back = [FINDING], 9
    told = cli("pbx", "status", status=1).stdout
    assert "does not run" in told and "port 5060 is taken (2 times, last 10:00)" in told and "-> stop the other program" in told
    assert cli("pbx", "status", "--json", status=1).stdout.count("is_fatal") == 1


def test_restart_waits_until_another_process_answers(cli: Cli, place: Far) -> None:
    assert cli("pbx", "restart", "--now").stdout == "Asterisk is back\n"
    assert "Waiting for the last call" in cli("pbx", "restart").stderr
    assert place.asked == ["restart {'now': True}", "restart {'now': False}"] and place.looks_until_back < 0


def test_reload_and_log(cli: Cli, place: Far) -> None:
    assert cli("pbx", "reload").stdout == "Asterisk has read its files again\n"
    assert cli("pbx", "log", "-n", "20", "--security").stdout == "one\ufffd[2J\ntwo\n"
    assert "2000 lines at most" in cli("pbx", "log", "-n", "9999").stderr
    assert place.asked == ["reload", "log security 20", "log messages 2000"]

"""Alive, ready, numbers, and the first page."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.api import create_admin_app
from provisioner.heartbeat import STALE_AFTER_S, Heartbeats, read_heartbeats
from provisioner.models import metadata
from provisioner.wiring import Installation
from tests.api.conftest import Api, reason
from tests.installations import fresh_installation


@pytest.fixture
def phones_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def ready(tmp_path: Path, phones_port: int) -> Iterator[tuple[Installation, Api]]:
    with fresh_installation(tmp_path, phones_bind=f"0.0.0.0:{phones_port}") as installation:
        yield installation, Api(create_admin_app(installation), None)


def test_alive_is_alive(admin: Api) -> None:
    assert admin.get("/healthz").get_json() == {"status": "alive"}


def test_ready_when_every_part_serves(ready: tuple[Installation, Api]) -> None:
    installation, api = ready
    beats = Heartbeats(installation.settings.data_dir)
    beats.beat("tftp")
    beats.beat("worker")
    for _ in range(2):  # the second look trusts the first one's migrations
        answer = api.get("/readyz")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.get_json()["parts"] == dict.fromkeys(["database", "catalogue", "phones", "tftp", "worker"], "ok")


def test_a_part_that_does_not_serve_is_named(ready: tuple[Installation, Api], monkeypatch: pytest.MonkeyPatch) -> None:
    installation, api = ready
    beats = Heartbeats(installation.settings.data_dir)
    beats.beat("tftp", ok=False, detail="port 69 is taken")
    Heartbeats(installation.settings.data_dir, clock=lambda: 1000.0).beat("worker")
    answer = api.get("/readyz")
    assert (answer.status_code, reason(answer)) == (503, "not_ready")
    parts = answer.get_json(force=True)["parts"]
    assert parts["tftp"] == "port 69 is taken" and "last heartbeat" in parts["worker"] and parts["phones"] == "ok"
    beats.forget("worker")
    assert "has not started" in api.get("/readyz").get_json(force=True)["parts"]["worker"]


def test_a_database_without_tables_is_not_ready(tmp_path: Path) -> None:
    with fresh_installation(tmp_path) as installation:
        api = Api(create_admin_app(installation), None)
        metadata.drop_all(installation.database.engine)
        with installation.database.write() as connection:
            connection.exec_driver_sql("DROP TABLE alembic_version")
        assert "provisioner init" in api.get("/readyz").get_json(force=True)["parts"]["database"]
        assert "provisioner_database_up 0.0" in api.get("/metrics").get_data(as_text=True)


def test_tftp_that_is_off_is_not_waited_for(tmp_path: Path) -> None:
    with fresh_installation(tmp_path, tftp_bind="off") as installation:
        assert "tftp" not in Api(create_admin_app(installation), None).get("/readyz").get_json(force=True)["parts"]


def test_metrics_tell_rows_stages_and_heartbeats(admin: Api, phone: dict[str, Any], installation: Installation) -> None:
    Heartbeats(installation.settings.data_dir).beat("worker", counters={"renders_total": 7, "odd name!": 1})
    answer = admin.get("/metrics")
    text = answer.get_data(as_text=True)
    assert answer.content_type.startswith("text/plain")
    for line in (
        "provisioner_database_up 1.0", "provisioner_phones 1.0", "provisioner_extensions 1.0", "provisioner_phones_to_render 1.0",
        "provisioner_phones_held 0.0", "provisioner_sightings 0.0", "provisioner_changes 2.0", "provisioner_pbx_drift 1.0",
        'provisioner_phones_in_stage{stage="rendering"} 1.0', 'provisioner_phones_in_stage{stage="held"} 0.0',
        'provisioner_part_up{part="worker"} 1.0', "provisioner_worker_renders_total 7.0", "provisioner_worker_odd_name_ 1.0",
    ):  # fmt: skip
        assert line in text.splitlines(), line
    assert re.search(r'provisioner_heartbeat_age_seconds\{part="worker"\} \d', text)
    assert "process_cpu_seconds_total" in text


def test_numbers_are_remembered_for_moments(admin: Api, phone: dict[str, Any]) -> None:
    admin.get("/metrics")
    admin.post("/phones", {"mac": "02:ac:de:00:00:09", "model": "acme/a1"})
    assert "provisioner_phones 1.0" in admin.get("/metrics").get_data(as_text=True)


def test_a_heartbeat_is_read_as_it_was_written(tmp_path: Path) -> None:
    Heartbeats(tmp_path, clock=lambda: 50.0).beat("worker", ok=False, detail="stuck", counters={"a": 1})
    (beat,) = read_heartbeats(tmp_path).values()
    assert (beat.part, beat.at, beat.ok, beat.detail, beat.counters) == ("worker", 50.0, False, "stuck", {"a": 1.0})
    assert beat.complaint(51.0) == "stuck"
    assert beat.complaint(50.0 + STALE_AFTER_S + 1) == "its last heartbeat is 11 s old"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["worker.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"part": "other"}', '{"part": "worker", "pid": "x", "at": 1, "ok": true}', "null"])
def test_a_heartbeat_that_cannot_be_understood_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "worker.json").write_text(text)
    assert read_heartbeats(tmp_path) == {}


@pytest.mark.parametrize("part", ["", "../x", "Worker", "a" * 40, "x/y"])
def test_a_name_that_is_no_part_is_refused(tmp_path: Path, part: str) -> None:
    with pytest.raises(ValueError, match="no name of a part"):
        Heartbeats(tmp_path).beat(part)
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == "[]"

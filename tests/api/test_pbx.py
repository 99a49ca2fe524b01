"""The PBX in the API: its state, drift and guard, plan and sync, and what needs the bundled one."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx_sync.fake import FakePBX
from provisioner.api import create_admin_app
from provisioner.changes import LineInput, PhoneInput
from provisioner.wiring import Installation
from provisioner.worker import Worker
from tests.api.conftest import BARE, MAC, Api, errors, reason
from tests.installations import API_TOKEN, fresh_installation


@pytest.fixture
def pbx() -> FakePBX:
    return FakePBX()


@pytest.fixture
def worker(installation: Installation, pbx: FakePBX, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """A worker that runs, as it does beside the admin process, and compares only when it is asked: what a hand changed is put back by nobody else."""
    monkeypatch.setattr("provisioner.api.pbx.ANSWER_S", 20.0)
    monkeypatch.setattr("provisioner.worker.pushing.SPOT_EVERY_S", 3600.0)
    for number in range(1000, 1012):
        installation.changes.create_extension("t", str(number))
    made, stop = Worker(installation.store, installation.renderer, pbx), threading.Event()
    made.drain()
    thread = threading.Thread(target=made.run, args=(stop, lambda ok, detail: None), daemon=True)
    thread.start()
    yield made
    stop.set()
    thread.join(10)


def by_hand(pbx: FakePBX, *numbers: int) -> None:
    for number in numbers:
        pbx.objects[str(number)] = dataclasses.replace(pbx.objects[str(number)], display_name="by hand")


def test_pbx_in_lockstep_says_so_and_what_it_is(admin: Api, worker: Worker) -> None:
    shown = admin.get("/pbx").get_json()
    assert (shown["kind"], shown["state"], shown["extensions"], shown["drift"], shown["errors"]) == ("fake", "in_lockstep", 12, 0, 0)
    assert shown["version"] == "fake" and shown["since"] and shown["checked_at"] and shown["last_drift"] is None and shown["guard"] == ""


def test_plan_shows_what_a_hand_changed_and_sync_puts_it_back(admin: Api, worker: Worker, pbx: FakePBX) -> None:
    assert admin.get("/pbx/plan").get_json()["lines"] == []
    by_hand(pbx, 1001)
    plan = admin.get("/pbx/plan").get_json()
    assert plan == {
        "lines": ["~ 1001 1001: display_name is 'by hand'"], "create": 0, "update": 1, "delete": 0, "guard": "", "refused": {}, "applied": False,
    }  # fmt: skip
    assert admin.post("/pbx/sync").get_json() == {**plan, "applied": True}
    assert pbx.objects["1001"].label == "1001"
    drift = admin.get("/pbx").get_json()["last_drift"]
    assert (drift["count"], drift["numbers"], drift["is_put_back"]) == (1, ["1001"], True)
    assert drift["details"] == ["1001: display_name is 'by hand'"]
    assert [item["action"] for item in admin.get("/changes?subject=pbx").get_json()["items"]] == ["pbx.sync"]


def test_guard_holds_a_large_drift_back_until_it_is_confirmed(admin: Api, worker: Worker, pbx: FakePBX) -> None:
    by_hand(pbx, *range(1000, 1006))
    assert "6 of 12 extensions" in admin.get("/pbx/plan").get_json()["guard"]
    refused = admin.post("/pbx/sync", {"confirm": False})
    assert (refused.status_code, reason(refused)) == (409, "needs_confirmation")
    assert len(refused.get_json()["lines"]) == 6
    shown = admin.get("/pbx").get_json()
    assert (shown["state"], shown["drift"], shown["last_drift"]["is_put_back"]) == ("drifting", 6, False)
    assert "sync --confirm" in shown["guard"]
    assert "provisioner_pbx_guarded 6.0" in admin.get("/metrics").get_data(as_text=True)
    assert admin.post("/pbx/sync", {"confirm": True}).get_json()["update"] == 6
    assert admin.get("/pbx").get_json()["state"] == "in_lockstep"


def test_pbx_that_is_away_is_shown_with_the_reason(admin: Api, worker: Worker, pbx: FakePBX) -> None:
    pbx.is_down = True
    answer = admin.get("/pbx/plan")
    assert (answer.status_code, reason(answer)) == (503, "not_ready")
    shown = admin.get("/pbx").get_json()
    assert (shown["state"], shown["reason"]) == ("away", "the PBX does not answer")
    assert "provisioner_pbx_up 0.0" in admin.get("/metrics").get_data(as_text=True)


def test_worker_that_does_not_run_is_said(admin: Api) -> None:
    answer = admin.get("/pbx/plan")
    assert (answer.status_code, reason(answer)) == (503, "not_ready")
    assert "the worker did not answer" in answer.get_json()["detail"]


def test_request_of_long_ago_is_not_done(admin: Api, installation: Installation, pbx: FakePBX) -> None:
    admin.post("/pbx/sync", {"confirm": True})
    worker = Worker(installation.store, installation.renderer, pbx, clock=lambda: installation.changes.clock() + 3600)
    assert worker.lockstep and worker.lockstep.answering.step() == 1
    assert installation.store.pbx_answer(1) == {"error": "it was asked too long ago"}
    assert installation.store.pbx_requests_open(10) == []


@pytest.mark.parametrize("path", ["/pbx/service", "/pbx/log", "/pbx/log?log=security"])
def test_what_only_the_bundled_one_has_is_refused_of_others(admin: Api, path: str) -> None:
    answer = admin.get(path)
    assert (answer.status_code, reason(answer)) == (503, "not_ready")
    for action in ("restart", "reload"):
        assert "there is no bundled Asterisk" in admin.post(f"/pbx/{action}").get_json()["detail"]


def test_without_a_pbx_there_is_nothing_to_plan(tmp_path: Path) -> None:
    with fresh_installation(tmp_path, pbx="none") as bare:
        api = Api(create_admin_app(bare), API_TOKEN)
        assert api.get("/pbx").get_json() == {"kind": "none", "state": "none", "extensions": 0, "drift": 0, "errors": 0}
        assert api.get("/pbx/plan").status_code == 404
        bare.changes.create_extension("tests", "1001")
        bare.changes.create_phone("tests", BARE, PhoneInput(model="acme/a1", lines=[LineInput(1, "1001")]))
        assert "made by the bundled PBX" in errors(api.post(f"/phones/{MAC}/test-call"))["mac"]


def test_bundled_one_that_is_not_installed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.pbxservice.bundled_program", lambda settings: None)
    monkeypatch.setattr("provisioner.pbxstatus.bundled_program", lambda settings: None)
    with fresh_installation(tmp_path, pbx="bundled") as bare:
        api = Api(create_admin_app(bare), API_TOKEN)
        assert api.get("/pbx/service").get_json()["is_installed"] is False
        monkeypatch.setattr("provisioner.pbxstatus.bundled_program", None)  # who looked again would fail
        assert api.get("/pbx/service").get_json()["is_installed"] is False
        assert "provisioner pbx install" in api.get("/pbx/log").get_json()["detail"]

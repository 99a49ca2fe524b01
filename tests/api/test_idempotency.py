"""A POST that is sent again with its key is done once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from provisioner.wiring import Installation
from tests.api.conftest import Api, reason
from tests.installations import API_TOKEN

KEY = {"Idempotency-Key": "9c1f0d6e-1"}


def test_the_second_answer_is_the_first_one(admin: Api) -> None:
    first = admin.post("/tokens", {"name": "monitoring", "role": "viewer"}, headers=KEY)
    again = admin.post("/tokens", {"name": "monitoring", "role": "viewer"}, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json() == again.get_json()
    assert first.headers["Location"] == again.headers["Location"]
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert admin.post("/tokens", {"name": "monitoring", "role": "viewer"}).status_code == 409


def test_a_refusal_is_kept_too(admin: Api) -> None:
    assert admin.post("/extensions", {"number": ""}, headers=KEY).status_code == 422
    again = admin.post("/extensions", {"number": ""}, headers=KEY)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (422, "true")
    assert again.content_type == "application/problem+json"


def test_a_key_belongs_to_one_request_and_to_one_caller(admin: Api, roles: dict[str, Api]) -> None:
    admin.post("/extensions", {"number": "1001"}, headers=KEY)
    assert reason(admin.post("/extensions", {"number": "1002"}, headers=KEY)) == "idempotency_key_reused"
    assert reason(admin.post("/sites", {"number": "1001"}, headers=KEY)) == "idempotency_key_reused"
    assert roles["technician"].post("/extensions", {"number": "1003"}, headers=KEY).status_code == 201


@pytest.mark.parametrize("key", ["a" * 256, "with blank", "caf\xe9"])
def test_a_key_that_is_none_is_refused(admin: Api, key: str) -> None:
    assert admin.post("/extensions", {"number": "1001"}, headers={"Idempotency-Key": key}).status_code == 400


def test_the_kept_answer_is_sealed_and_goes_after_a_day(admin: Api, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    token = admin.post("/tokens", {"name": "monitoring", "role": "viewer"}, headers=KEY).get_json()["token"]
    import sqlalchemy as sa

    from provisioner.models_api import idempotency_key

    with installation.database.read() as connection:
        rows = connection.execute(sa.select(idempotency_key)).all()
    assert token.encode() not in rows[0].answer
    later = installation.changes.clock() + 86_401
    monkeypatch.setattr(installation.changes, "clock", lambda: later)
    assert admin.post("/tokens", {"name": "monitoring", "role": "viewer"}, headers=KEY).status_code == 409


def test_answers_are_bounded_in_number(admin: Api, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.changes.idempotency.KEPT", 3)
    for number in range(8):
        admin.post("/extensions", {"number": str(2000 + number)}, headers={"Idempotency-Key": f"key-{number}"})
    import sqlalchemy as sa

    from provisioner.models_api import idempotency_key

    with installation.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(idempotency_key)).scalar() == 3


def test_two_at_once_do_it_once(app: Flask, admin: Api) -> None:
    def send(_: int) -> Any:
        return Api(app, API_TOKEN).post("/extensions", {"number": "1001"}, headers=KEY)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    kept = [json.loads(answer.get_data()) for answer in answers if answer.status_code == 201]
    assert len(kept) >= 1
    assert all(reason(answer) == "in_progress" for answer in answers if answer.status_code == 409)
    assert len(admin.get("/changes?subject=1001").get_json()["items"]) == 1


def test_a_request_that_died_frees_its_key(admin: Api, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.changes.idempotency.IdempotencyWrites.keep_answer", lambda *_: None)
    assert admin.post("/extensions", {"number": "1001"}, headers=KEY).status_code == 201
    assert reason(admin.post("/extensions", {"number": "1001"}, headers=KEY)) == "in_progress"
    later = installation.changes.clock() + 121
    monkeypatch.setattr(installation.changes, "clock", lambda: later)
    assert reason(admin.post("/extensions", {"number": "1001"}, headers=KEY)) == "in_progress"
    assert reason(admin.post("/extensions", {"number": "1001"}, headers=KEY)) == "already_exists"

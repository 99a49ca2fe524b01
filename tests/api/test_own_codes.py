"""One's own one-time codes over the API."""

from __future__ import annotations

import base64

from flask import Flask

from provisioner.accounts import totp
from provisioner.wiring import Installation
from tests.api.conftest import Api, errors, reason
from tests.api.test_session import PASSWORD, alice, person, sign_in

__all__ = ["alice", "person"]


def code_of(installation: Installation, secret: str, steps: int = 0) -> str:
    """Returns a code of now. The clock stands from then on: no thirty seconds end between a code and its use."""
    now = installation.changes.clock()
    installation.changes.clock = lambda: now
    return totp.code_at(base64.b32decode(secret), int(now // 30) + steps)


def test_codes_are_set_up_used_renewed_and_turned_off(person: Api, app: Flask, installation: Installation) -> None:
    begun = person.post("/session/totp").get_json()
    assert begun["address"].startswith("otpauth://totp/") and begun["secret"] in begun["address"]
    assert person.post("/session/totp").get_json() == begun
    wrong = person.put("/session/totp", {"code": code_of(installation, begun["secret"]), "present": "wrong"})
    assert list(errors(wrong)) == ["present"]
    assert list(errors(person.put("/session/totp", {"code": "000000", "present": PASSWORD}))) == ["code"]
    given = {"code": code_of(installation, begun["secret"], -1), "present": PASSWORD}
    first = person.put("/session/totp", given).get_json()["recovery_codes"]
    assert person.post("/session/totp").status_code == 409
    assert sign_in(Api(app, None), "alice", body={"code": first[0]}).status_code == 200
    renewed = person.post("/session/recovery-codes", {"shown": first[1]}).get_json()["recovery_codes"]
    assert sign_in(Api(app, None), "alice", body={"code": first[2]}).status_code == 401
    assert list(errors(person.post("/session/totp/off", {"shown": first[2]}))) == ["shown"]
    assert person.post("/session/totp/off", {"shown": renewed[0]}).status_code == 204
    assert sign_in(Api(app, None), "alice").status_code == 200


def test_proofs_are_guessed_at_slowly(person: Api) -> None:
    person.post("/session/totp")
    answers = [person.put("/session/totp", {"code": "000000", "present": "wrong"}) for _ in range(11)]
    assert reason(answers[-1]) == "rate_limited" and 20 <= int(answers[-1].headers["Retry-After"]) <= 30


def test_a_token_has_no_codes(admin: Api) -> None:
    assert [admin.post("/session/totp").status_code, admin.post("/session/totp/off", {"shown": "x"}).status_code] == [404, 404]

"""Every error is a problem, and every answer carries its headers."""

from __future__ import annotations

import json
import logging

import pytest
from flask import Flask

from provisioner.api.noun import StrictParser
from provisioner.store import Store
from tests.api.conftest import MAC, Api, errors, reason

HEADERS = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b'{"number": NaN}', b'{"number": "\\ud800"}', b"[" * 100_000, b'{"n": ' + b"9" * 5000 + b"}"],
    ids=["cut off", "not UTF-8", "NaN", "half of a surrogate pair", "too deep", "a number of 5000 digits"],
)
def test_a_body_that_is_no_json_gets_400(admin: Api, body: bytes) -> None:
    answer = admin.send("POST", "/extensions", data=body, headers=HEADERS)
    assert (answer.status_code, reason(answer)) == (400, "malformed_request")


def test_a_body_of_another_type_gets_415(admin: Api) -> None:
    answer = admin.send("POST", "/extensions", data=b"number=1", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status_code, reason(answer)) == (415, "unsupported_media_type")


def test_a_body_over_the_bound_gets_413(admin: Api, app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 1000
    answer = admin.send("POST", "/extensions", data=b" " * 1001, headers=HEADERS)
    assert (answer.status_code, reason(answer)) == (413, "too_large")


@pytest.mark.parametrize("path", ["/nothing", "/phones/", "/api/v2/phones", f"/phones/{MAC}/nothing", "//phones", "/extensions/%00"])
def test_an_address_that_is_not_there_gets_404(admin: Api, path: str) -> None:
    answer = admin.get(path)
    assert (answer.status_code, reason(answer)) == (404, "not_found")


def test_an_address_outside_the_api_gets_404_without_a_token(roles: dict[str, Api]) -> None:
    answer = roles["nobody"].client.get("/p/abc/805ec0aabbcc.cfg")
    assert (answer.status_code, reason(answer)) == (404, "not_found")


def test_a_method_that_is_not_taken_gets_405_with_those_that_are(admin: Api) -> None:
    answer = admin.delete("/phones")
    assert (answer.status_code, reason(answer)) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= {word.strip() for word in answer.headers["Allow"].split(",")}


@pytest.mark.parametrize("mac", ["zz", "80:5e:c0:aa:bb", "ff:ff:ff:ff:ff:ff", "000000000000", "80:5e:c0:aa:bb:cc"])
@pytest.mark.parametrize("rest", ["", "/lines", "/keys", "/settings", "/lockstep", "/files", "/fetches", "/explain/timezone", "/token"])
def test_a_mac_that_is_none_or_not_listed_gets_404(admin: Api, mac: str, rest: str) -> None:
    answer = admin.get(f"/phones/{mac}{rest}")
    assert (answer.status_code, reason(answer)) == (404, "not_found")
    assert "mac" in errors(answer)


@pytest.mark.parametrize("rest", ["/resync", "/reopen", "/token"])
def test_an_action_on_a_phone_that_is_not_listed_gets_404(admin: Api, rest: str) -> None:
    assert admin.post(f"/phones/{MAC}{rest}").status_code == 404
    assert admin.post(f"/phones/nonsense{rest}").status_code == 404


def test_an_unknown_field_and_an_unknown_parameter_are_named(admin: Api) -> None:
    assert errors(admin.post("/extensions", {"number": "1", "colour": "red"})) == {"colour": "there is no such field"}
    assert errors(admin.get("/phones?colour=red")) == {"colour": "there is no such parameter"}


@pytest.mark.parametrize("body", [[], "text", 7, None, True])
def test_a_body_that_is_no_object_gets_422(admin: Api, body: object) -> None:
    answer = admin.send("POST", "/extensions", data=json.dumps(body), headers=HEADERS)
    assert answer.status_code == 422
    assert "an object is needed" in errors(answer).values()


def test_a_fault_of_ours_says_nothing_of_the_inside(admin: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("inner-detail-of-ours")

    monkeypatch.setattr(Store, "groups", fail)
    with caplog.at_level(logging.INFO):
        answer = admin.get("/groups")
    assert (answer.status_code, reason(answer)) == (500, "internal_error")
    text = answer.get_data(as_text=True)
    assert "inner-detail" not in text and "Traceback" not in text
    assert answer.get_json(force=True)["request_id"] == answer.headers["X-Request-Id"]
    assert answer.headers["X-Request-Id"] in caplog.text and "type=RuntimeError" in caplog.text
    assert "inner-detail" not in caplog.text  # a message may carry a value, and a value may be a secret


@pytest.mark.parametrize("path", ["/phones", "/nothing", "/healthz", "/metrics", "/api/v1/openapi.json"])
def test_every_answer_carries_its_headers(admin: Api, path: str) -> None:
    answer = admin.get(path)
    assert len(answer.headers["X-Request-Id"]) == 16
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert admin.get(path).headers["X-Request-Id"] != answer.headers["X-Request-Id"]


def test_a_request_is_one_line_in_the_log(admin: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "provisioner.admin"):
        answer = admin.get("/phones/a%0Ab?secret=x")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "provisioner.admin"]
    assert "\n" not in line and "secret=x" not in line
    for field in (
        "method=GET",
        "path=/api/v1/phones/a%0Ab",
        "status=404",
        "ms=",
        f"req={answer.headers['X-Request-Id']}",
        "settings:api_token",
    ):
        assert field in line


def test_unknown_query_parameters_are_refused_everywhere() -> None:
    assert StrictParser.DEFAULT_UNKNOWN_BY_LOCATION["query"] == "raise"


def test_a_text_with_a_control_character_is_refused_before_the_database(admin: Api) -> None:
    answer = admin.post("/phones", {"mac": MAC, "model": "acme/a1", "site": "a\x00b", "firmware": "1\n2"})
    assert errors(answer) == dict.fromkeys(["site", "firmware"], "line breaks and control characters are not possible here")
    assert admin.get("/phones?search=%00").status_code == 422

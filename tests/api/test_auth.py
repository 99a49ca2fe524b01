"""Tokens, roles and the bound on guessing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from provisioner.api import auth, create_admin_app, problems
from provisioner.api.context import attach
from provisioner.wiring import Installation
from tests.api.conftest import MAC, Api, a_client_for_each_role, reason
from tests.installations import API_TOKEN, fresh_installation


def test_a_request_without_a_token_gets_401_and_a_challenge(roles: dict[str, Api]) -> None:
    answer = roles["nobody"].get("/phones")
    assert (answer.status_code, reason(answer)) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="provisioner"'


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YWRtaW46YWRtaW4=", "bearer: x", API_TOKEN])
def test_what_is_no_bearer_token_gets_401(app: Flask, header: str) -> None:
    answer = app.test_client().get("/api/v1/phones", headers={"Authorization": header})
    assert answer.status_code == 401


def test_a_wrong_token_gets_401_that_says_so(app: Flask) -> None:
    answer = Api(app, "wrong-token-of-enough-length").get("/phones")
    assert (answer.status_code, reason(answer)) == (401, "unauthorized")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_the_scheme_may_be_written_in_any_case(app: Flask) -> None:
    assert app.test_client().get("/api/v1/phones", headers={"Authorization": f"bEaReR {API_TOKEN}"}).status_code == 200


def test_an_empty_token_never_fits_an_unset_one(tmp_path) -> None:
    with fresh_installation(tmp_path, api_token="") as installation:
        client = create_admin_app(installation).test_client()
        assert client.get("/api/v1/phones", headers={"Authorization": "Bearer "}).status_code == 401
        assert client.get("/api/v1/phones", headers={"Authorization": "Bearer  "}).status_code == 401


def test_a_deleted_token_opens_nothing_any_more(roles: dict[str, Api]) -> None:
    assert roles["viewer"].get("/phones").status_code == 200
    assert roles["admin"].delete("/tokens/the viewer").status_code == 204
    assert roles["viewer"].get("/phones").status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"])
def test_what_is_public_asks_for_no_token(roles: dict[str, Api], path: str) -> None:
    assert roles["nobody"].get(path).status_code in {200, 503}


PUBLIC = {("POST", "/api/v1/session")}  # signing in; tests/api/test_session.py
WRITES = [
    # method, path, body, who may (the others get 403)
    ("POST", "/phones", {}, {"technician", "admin"}),
    ("PATCH", f"/phones/{MAC}", {}, {"technician", "admin"}),
    ("DELETE", f"/phones/{MAC}", None, {"technician", "admin"}),
    ("PUT", f"/phones/{MAC}/lines", [], {"technician", "admin"}),
    ("PUT", f"/phones/{MAC}/keys", [], {"technician", "admin"}),
    ("PUT", f"/phones/{MAC}/settings", {}, {"technician", "admin"}),
    ("POST", f"/phones/{MAC}/resync", None, {"technician", "admin"}),
    ("POST", f"/phones/{MAC}/reopen", None, {"technician", "admin"}),
    ("POST", f"/phones/{MAC}/install-link", {}, {"technician", "admin"}),
    ("DELETE", f"/phones/{MAC}/install-link", None, {"technician", "admin"}),
    ("POST", f"/phones/{MAC}/retire", None, {"technician", "admin"}),
    ("POST", f"/phones/{MAC}/reinstate", None, {"technician", "admin"}),
    ("POST", f"/phones/{MAC}/swap", {"mac": "02:ac:de:00:00:02"}, {"technician", "admin"}),
    ("PUT", "/layouts/Sales", {}, {"technician", "admin"}),
    ("DELETE", "/layouts/Nowhere", None, {"technician", "admin"}),
    ("POST", "/layouts/Nowhere/phones", {"macs": []}, {"technician", "admin"}),
    ("POST", f"/phones/{MAC}/keys/copy", {"macs": []}, {"technician", "admin"}),
    ("DELETE", f"/phones/{MAC}/uploads/nothing.xml", None, {"technician", "admin"}),
    ("POST", f"/phones/{MAC}/test-call", None, {"technician", "admin"}),
    ("POST", f"/phones/{MAC}/seat", {"extension": "1002"}, {"technician", "admin"}),
    ("DELETE", f"/phones/{MAC}/seat", None, {"technician", "admin"}),
    ("PUT", "/sites/default/window", {}, {"technician", "admin"}),
    ("DELETE", "/sites/default/window", None, {"technician", "admin"}),
    ("POST", "/warehouse", {}, {"technician", "admin"}),
    ("DELETE", f"/warehouse/{MAC}", None, {"technician", "admin"}),
    ("POST", "/claims", {}, {"technician", "admin"}),
    ("POST", "/claim-codes", {}, {"technician", "admin"}),
    ("PUT", "/firmware/acme/one", {}, {"admin"}),
    ("DELETE", "/firmware/acme/one", None, {"admin"}),
    ("POST", "/firmware/acme/one/resume", None, {"admin"}),
    ("POST", f"/phones/{MAC}/redirect", None, {"technician", "admin"}),
    ("DELETE", f"/phones/{MAC}/redirect", None, {"technician", "admin"}),
    ("PUT", "/redirect-services/acme", {"fields": {}}, {"admin"}),
    ("DELETE", "/redirect-services/acme", None, {"admin"}),
    ("DELETE", f"/redirect-removals/{MAC}", None, {"technician", "admin"}),
    ("POST", f"/redirect-removals/{MAC}/retry", None, {"technician", "admin"}),
    ("POST", f"/sightings/{MAC}/adopt", None, {"technician", "admin"}),
    ("POST", "/scans", {"network": "192.168.1.0/24"}, {"technician", "admin"}),
    ("POST", "/scans/1/cancel", None, {"technician", "admin"}),
    ("POST", "/extensions", {"number": ""}, {"technician", "admin"}),
    ("PATCH", "/extensions/77", {}, {"technician", "admin"}),
    ("PUT", "/departments/Sales", {"number": "600"}, {"technician", "admin"}),
    ("DELETE", "/departments/Nowhere", None, {"technician", "admin"}),
    ("POST", "/extensions/77/rotation", None, {"admin"}),
    ("PATCH", "/extensions/77", {"revoke_former": True}, {"admin"}),
    ("GET", "/pbx/plan", None, {"admin"}),
    ("POST", "/pbx/sync", None, {"admin"}),
    ("POST", "/pbx/restart", None, {"admin"}),
    ("POST", "/pbx/reload", None, {"admin"}),
    ("GET", "/pbx/log", None, {"admin"}),
    ("GET", "/calls/1/recording", None, {"admin"}),
    ("DELETE", "/calls/1/recording", None, {"admin"}),
    ("GET", f"/phones/{MAC}/token", None, {"admin"}),
    ("POST", f"/phones/{MAC}/token", None, {"admin"}),
    ("DELETE", f"/phones/{MAC}/token", None, {"admin"}),
    ("DELETE", "/extensions/77", None, {"admin"}),
    ("POST", "/sites", {}, {"admin"}),
    ("PATCH", "/sites/default", {}, {"admin"}),
    ("DELETE", "/sites/default", None, {"admin"}),
    ("PUT", "/groups/a", {}, {"admin"}),
    ("DELETE", "/groups/a", None, {"admin"}),
    ("POST", "/imports", {}, {"admin"}),
    ("GET", "/tokens", None, {"admin"}),
    ("POST", "/tokens", {}, {"admin"}),
    ("DELETE", "/tokens/x", None, {"admin"}),
    ("GET", "/users", None, {"admin"}),
    ("GET", "/users/x", None, {"admin"}),
    ("POST", "/users", {}, {"admin"}),
    ("PATCH", "/users/x", {}, {"admin"}),
    ("DELETE", "/users/x", None, {"admin"}),
    ("PUT", "/users/x/password", {"password": ""}, {"admin"}),
    ("DELETE", "/users/x/sessions", None, {"admin"}),
    ("DELETE", "/users/x/totp", None, {"admin"}),
    ("GET", "/mail-recipients", None, {"admin"}),
    ("POST", "/mail-recipients", {}, {"admin"}),
    ("GET", "/mail-recipients/9", None, {"admin"}),
    ("PATCH", "/mail-recipients/9", {}, {"admin"}),
    ("DELETE", "/mail-recipients/9", None, {"admin"}),
    ("POST", "/mail-recipients/9/test", None, {"admin"}),
    ("GET", "/webhooks", None, {"admin"}),
    ("POST", "/webhooks", {}, {"admin"}),
    ("GET", "/webhooks/x", None, {"admin"}),
    ("PATCH", "/webhooks/x", {}, {"admin"}),
    ("DELETE", "/webhooks/x", None, {"admin"}),
    ("POST", "/webhooks/x/test", None, {"admin"}),
    ("GET", "/webhooks/x/deliveries", None, {"admin"}),
    ("POST", "/webhooks/x/deliveries/1/resend", None, {"admin"}),
    ("GET", "/backups", None, {"admin"}),
    ("POST", "/backups", None, {"admin"}),
    ("DELETE", "/backups/x", None, {"admin"}),
    ("POST", "/backups/x/download", {"passphrase": "correct horse battery"}, {"admin"}),
    ("POST", "/preview", {"method": "POST", "path": "/"}, {"viewer", "technician", "admin"}),
    ("POST", "/changes/1/undo", None, {"technician", "admin"}),
    ("DELETE", "/session", None, {"viewer", "technician", "admin"}),
    ("DELETE", "/session/all", None, {"viewer", "technician", "admin"}),
    ("PUT", "/session/password", {"present": "", "new": ""}, {"viewer", "technician", "admin"}),
    ("POST", "/session/totp", None, {"viewer", "technician", "admin"}),
    ("PUT", "/session/totp", {"code": ""}, {"viewer", "technician", "admin"}),
    ("POST", "/session/totp/off", {"shown": ""}, {"viewer", "technician", "admin"}),
    ("POST", "/session/recovery-codes", {"shown": ""}, {"viewer", "technician", "admin"}),
]


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Api]]:
    """A client for each role of one installation: what a role may does not depend on what is there."""
    with fresh_installation(tmp_path_factory.mktemp("standing")) as installation:
        yield a_client_for_each_role(create_admin_app(installation), installation)


@pytest.mark.parametrize(("method", "path", "body", "may"), WRITES, ids=[f"{row[0]} {row[1]}" for row in WRITES])
def test_each_role_may_exactly_what_is_its_own(standing: dict[str, Api], method: str, path: str, body: object, may: set[str]) -> None:
    for role in ("viewer", "technician", "admin"):
        answer = standing[role].send(method, path, **({"json": body} if body is not None else {}))
        assert (answer.status_code != 403) == (role in may), (role, answer.status_code)
        if answer.status_code == 403:
            assert reason(answer) == "forbidden"
    assert standing["nobody"].send(method, path).status_code == 401


def test_every_write_is_in_the_table_of_roles(app: Flask) -> None:
    routes = {
        (method, rule.rule) for rule in app.url_map.iter_rules() for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}
    }
    adapter = app.url_map.bind("localhost")
    covered = set()
    for method, path, _, _ in WRITES:
        rule, _ = adapter.match(f"/api/v1{path}", method=method, return_rule=True)
        covered.add((method, rule.rule))
    assert routes <= covered | PUBLIC


def test_reading_is_open_to_every_role_but_for_tokens(roles: dict[str, Api], phone: dict) -> None:
    paths = [
        "/phones",
        f"/phones/{MAC}",
        "/extensions",
        "/sites",
        "/groups",
        "/sightings",
        "/models",
        "/settings",
        "/changes",
        "/pbx",
        "/departments",
        "/extensions/1001/rotation",
        f"/phones/{MAC}/registrations",
        "/export.csv",
    ]
    for path in paths:
        for role in ("viewer", "technician", "admin"):
            assert roles[role].get(path).status_code == 200, (role, path)


def test_a_technician_sets_no_secret_of_an_extension(roles: dict[str, Api]) -> None:
    technician = roles["technician"]
    assert technician.post("/extensions", {"number": "2001"}).status_code == 201
    assert technician.post("/extensions", {"number": "2002", "secret": "abcdefgh1"}).status_code == 403
    assert technician.patch("/extensions/2001", {"secret": "abcdefgh1"}).status_code == 403
    assert roles["admin"].patch("/extensions/2001", {"secret": "abcdefgh1"}).status_code == 200


def test_the_actor_of_a_change_is_the_token(roles: dict[str, Api], admin: Api) -> None:
    roles["technician"].post("/extensions", {"number": "2001"})
    admin.post("/extensions", {"number": "2002"})
    newest = admin.get("/changes?limit=2").get_json()["items"]
    assert [row["actor"] for row in newest] == ["settings:api_token", "the technician"]


def test_last_use_is_noted_once_a_minute(roles: dict[str, Api], installation: Installation) -> None:
    def used() -> float | None:
        return next(token.last_used_at for token in installation.store.api_tokens() if token.name == "the viewer")

    assert used() is None
    roles["viewer"].get("/phones")
    first = used()
    assert first is not None
    roles["viewer"].get("/phones")
    assert used() == first
    installation.changes.clock = lambda: first + 61
    roles["viewer"].get("/phones")
    assert used() == first + 61


def test_guessing_is_stopped_and_says_for_how_long(app: Flask) -> None:
    guesser = Api(app, "guess-guess-guess-guess")
    statuses = [guesser.get("/phones").status_code for _ in range(auth.WRONG_TOKENS + 2)]
    assert statuses == [401] * auth.WRONG_TOKENS + [429, 429]
    answer = guesser.get("/phones")
    assert reason(answer) == "rate_limited"
    assert 1 <= int(answer.headers["Retry-After"]) <= auth.WINDOW_S
    other = {"REMOTE_ADDR": "192.0.2.7"}
    assert app.test_client().get("/api/v1/phones", headers={"Authorization": f"Bearer {API_TOKEN}"}, environ_base=other).status_code == 200


def test_a_token_that_fits_forgives_no_guesses_and_the_window_does(app: Flask, installation: Installation) -> None:
    now = [100.0]
    own = Flask("guessing")
    attach(own, installation)
    auth.register(own, lambda: now[0])
    problems.register(own)
    own.add_url_rule("/api/v1/thing", view_func=auth.allowed("viewer")(lambda: "it"))
    wrong, right = Api(own, "guess-guess-guess-guess"), Api(own, API_TOKEN)
    for guess in range(1, auth.WRONG_TOKENS + 1):
        assert wrong.get("/thing").status_code == 401
        assert right.get("/thing").status_code == (200 if guess < auth.WRONG_TOKENS else 429)
    now[0] += auth.WINDOW_S - 1
    assert right.get("/thing").headers["Retry-After"] == "1"
    now[0] += 1
    assert (wrong.get("/thing").status_code, right.get("/thing").status_code) == (401, 200)


@pytest.mark.parametrize(
    ("peer", "hops", "found"),
    [
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9", "10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["garbage"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
    ],
)
def test_only_a_trusted_proxy_says_where_a_request_comes_from(peer: str, hops: list[str], found: str) -> None:
    assert auth.forwarded(peer, hops, ["10.0.0.0/8"]) == found

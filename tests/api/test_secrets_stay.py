"""Marker secrets are put wherever a secret can be put, and looked for in whatever the admin listener says to anybody."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

import pytest
from flask import Flask
from werkzeug.routing import IntegerConverter, Rule

from provisioner.logs import LineFormatter
from provisioner.models import sighting
from provisioner.wiring import Installation
from tests.api.conftest import MAC, Api
from tests.installations import API_TOKEN, render_all

MARKERS = (
    "marker-sip-secret-1",
    "marker-admin-pw-2",
    "marker-user-pw-3",
    "marker-sip-secret-4",
    "marker-sip-secret-5",
    "marker-admin-pw-6",
)


def _write(admin: Api) -> None:
    sip, first, user, changed, imported, kept = MARKERS
    admin.post("/extensions", {"number": "1001", "secret": sip})
    phone = {"mac": MAC, "model": "acme/a1", "lines": [{"line": 1, "extension": "1001"}], "settings": {"admin_password": first}}
    assert admin.post("/phones", phone).status_code == 201
    assert admin.post("/phones", phone).status_code == 409
    admin.patch(f"/phones/{MAC}", {"settings": {"user_password": user, "voice_vlan": 99999}})  # refused, and says why
    assert admin.patch(f"/phones/{MAC}", {"settings": {"user_password": user}}).status_code == 200
    assert admin.patch("/extensions/1001", {"secret": changed}).status_code == 200
    assert admin.post("/imports", {"csv": f"extension,secret\n1002,{imported}\n", "commit": True}).status_code == 200
    assert admin.put(f"/phones/{MAC}/settings", {"user_password": "***", "admin_password": kept}).status_code == 200
    admin.post("/extensions", {"number": "1003", "secret": f"{sip} with blanks"})


def _filled(rule: Rule, name: str, values: Mapping[str, str | int]) -> str | int:
    if name == "number":  # of an extension, or of a row
        return 1 if isinstance(rule._converters[name], IntegerConverter) else "1001"
    return values[name]


def _paths(app: Flask) -> list[str]:
    values: dict[str, str | int] = {"mac": MAC, "name": "default", "setting": "admin_password", "vendor": "acme", "model": "a1"}
    values |= {"layout": "Sales", "server": "dnsmasq", "target": "acme/a1", "change": 1, "call": 1}
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set())]
    adapter = app.url_map.bind("localhost")
    paths = [adapter.build(rule.endpoint, {name: _filled(rule, name, values) for name in rule.arguments}) for rule in rules]
    of_changes = [f"/api/v1/changes/{number}/{what}" for number in range(1, 20) for what in ("parts", "undo-outlook")]
    return [*paths, *of_changes, f"/api/v1/phones/{MAC}/files?secrets=false", f"/api/v1/phones/{MAC}/explain/user_password"]


def test_no_answer_and_no_line_of_the_log_holds_a_secret(
    app: Flask, admin: Api, roles: dict[str, Api], installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        _write(admin)
        render_all(installation)
        with installation.database.write() as connection:
            row = {"mac": "02acde0000aa", "first_seen": 1, "last_seen": 1}
            connection.execute(sighting.insert().values(**row))
        tokens = [installation.box.token(phone.mac, phone.token_epoch) for phone in installation.store.phones()]
        hidden = [*MARKERS, API_TOKEN, *(api.headers["Authorization"][7:] for api in roles.values() if api.headers)]
        for role, api in roles.items():
            for path in _paths(app):
                said = api.get(path)
                text = said.get_data(as_text=True) + str(said.headers)
                own_address = path.endswith("/token") and role == "admin"  # what that address is for
                for secret in [*hidden, *([] if own_address else tokens)]:
                    assert secret not in text, (role, path, secret)
            if api.headers:  # what goes in as technician or viewer asking for secrets does not come out either
                answer = api.get(f"/api/v1/phones/{MAC}/files?secrets=true").get_data(as_text=True)
                assert (MARKERS[3] in answer) == (role == "admin")
    formatter = LineFormatter()
    for record in caplog.records:
        for line in (record.getMessage(), formatter.format(record)):
            for secret in [*hidden, *tokens]:
                assert secret not in line
    with installation.database.read() as connection:
        for secret in [*hidden, *tokens]:
            rows = connection.exec_driver_sql("SELECT before, after FROM change").all()
            assert secret not in json.dumps([list(map(str, row)) for row in rows])


def test_a_token_in_an_address_that_is_not_there_is_not_logged(admin: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        admin.client.get("/p/abcdefghijklmnopqrstuvwx/805ec0aabbcc.cfg")
    assert "abcdefghijklmnop" not in caplog.text

"""Whatever is sent, the answer is never a fault of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.conftest import MAC, Api

NAMES = [
    "mac", "model", "site", "group", "enabled", "modules", "firmware", "lines", "keys", "settings", "number", "display_name", "secret",
    "email", "department", "name", "access", "trusted_networks", "enrolment", "timezone", "language", "role", "csv", "commit", "reboot",
    "line", "extension", "label", "key", "module", "type", "value", "admin_password", "voice_vlan", "codecs", "sip_server", "dtmf",
]  # fmt: skip
VALUES = [
    "",
    MAC,
    "acme/a1",
    "1001",
    "default",
    "blf",
    "\x00",
    "\ud800",
    "***",
    "mac\n1",
    "a" * 300,
    "Europe/Amsterdam",
    "open",
    "10.0.0.0/8",
]
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-3, 12), st.floats(allow_nan=True), st.text(max_size=20), st.sampled_from(VALUES)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=8)), inner, max_size=6)
    ),
    max_leaves=12,
)
likely_phone = st.fixed_dictionaries(
    {},
    optional={
        "mac": st.one_of(st.just(MAC), st.just("02acde0000ff"), values),
        "model": st.one_of(st.just("acme/a1"), values),
        "lines": st.lists(
            st.fixed_dictionaries({"line": st.integers(), "extension": st.sampled_from(VALUES)}, optional={"label": values}), max_size=3
        ),
        "keys": st.lists(
            st.fixed_dictionaries(
                {"key": st.integers(), "type": st.sampled_from(["blf", "none", "x"])},
                optional={"module": st.integers(), "value": st.text()},
            ),
            max_size=3,
        ),
        "settings": st.dictionaries(st.sampled_from(NAMES), values, max_size=4),
        "modules": st.integers(),
        "site": st.sampled_from(VALUES),
        "group": values,
        "firmware": values,
        "enabled": values,
    },
)
OPERATIONS = [
    ("POST", "/phones"), ("PATCH", f"/phones/{MAC}"), ("PUT", f"/phones/{MAC}/lines"), ("PUT", f"/phones/{MAC}/keys"),
    ("PUT", f"/phones/{MAC}/settings"), ("POST", f"/phones/{MAC}/resync"), ("POST", f"/phones/{MAC}/reopen"),
    ("POST", f"/phones/{MAC}/token"), ("POST", "/extensions"), ("PATCH", "/extensions/1001"), ("POST", "/sites"),
    ("PATCH", "/sites/default"), ("PUT", "/groups/g"), ("POST", f"/sightings/{MAC}/adopt"), ("POST", "/tokens"), ("POST", "/imports"),
]  # fmt: skip
slow_fixture = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(row) for row in OPERATIONS])
@slow_fixture
@given(body=st.one_of(values, likely_phone))
def test_no_body_makes_a_fault(admin: Api, phone: dict[str, Any], method: str, path: str, body: object) -> None:
    answer = admin.send(method, path, data=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code < 500, (body, answer.get_data(as_text=True))
    if answer.status_code >= 400:
        assert answer.content_type == "application/problem+json"


@slow_fixture
@given(
    name=st.sampled_from(NAMES),
    value=st.one_of(scalars, st.text()),
    path=st.sampled_from(["/phones", "/extensions", "/changes", "/sites", "/sightings"]),
)
def test_no_query_makes_a_fault(admin: Api, name: str, value: object, path: str) -> None:
    given_name = name if name not in {"mac", "name", "role"} else {"mac": "after", "name": "search", "role": "before"}[name]
    try:
        answer = admin.get(path, query_string={given_name: str(value)})
    except UnicodeEncodeError:
        return  # half of a surrogate pair cannot be sent at all
    assert answer.status_code < 500


@slow_fixture
@given(
    text=st.text(min_size=1),
    prefix=st.sampled_from(["/phones/", "/extensions/", "/sites/", "/groups/", "/settings/", "/models/acme/", "/sightings/"]),
)
def test_no_address_makes_a_fault(admin: Api, text: str, prefix: str) -> None:
    from urllib.parse import quote

    assert admin.get(prefix + quote(text, safe="", errors="replace")).status_code < 500

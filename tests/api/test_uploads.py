"""What phones sent, in the API: listed, shown without secrets, thrown away; never for viewers."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.core.mac import Mac
from provisioner.models import upload
from provisioner.wiring import Installation
from tests.api.conftest import MAC, Api

OVERRIDE = "line.1.server = evil.example\nvoice.vlan = 30\nadmin.password = phone-secret-9\n"


@pytest.fixture
def sent(phone: dict[str, Any], installation: Installation) -> str:
    """The phone sent an override."""
    mac = Mac.parse(phone["mac"])
    name = f"{mac}-keys.acme"
    sealed = installation.box.seal(OVERRIDE.encode(), f"upload:{mac}:{name}")
    row = {"mac": mac, "name": name, "kind": "override", "content_type": "text/plain", "received_at": 5.0, "size": 9, "sha256": "0" * 64}
    with installation.database.write() as connection:
        connection.execute(upload.insert().values(**row, body=sealed))
    return name


def test_an_upload_is_shown_without_secrets_and_with_what_is_refused(admin: Api, sent: str) -> None:
    [listed] = admin.get(f"/phones/{MAC}/uploads").get_json()
    assert (listed["name"], listed["kind"]) == (sent, "override")
    shown = admin.get(f"/phones/{MAC}/uploads/{sent}").get_json()
    assert "phone-secret-9" not in str(shown)
    assert shown["refused"] == ["line.1.server"]
    assert "evil.example" in shown["content"]
    assert "evil.example" not in shown["restorable"]
    assert "voice.vlan = 30" in shown["restorable"]


def test_an_upload_is_thrown_away(admin: Api, sent: str, installation: Installation) -> None:
    assert admin.delete(f"/phones/{MAC}/uploads/{sent}").status_code == 204
    assert admin.delete(f"/phones/{MAC}/uploads/{sent}").status_code == 404
    assert admin.get(f"/phones/{MAC}/uploads/{sent}").status_code == 404
    assert installation.store.uploads_of(Mac.parse(MAC)) == []


def test_uploads_are_not_for_viewers(roles: dict[str, Api], sent: str) -> None:
    assert roles["viewer"].get(f"/phones/{MAC}/uploads").status_code == 403
    assert roles["viewer"].get(f"/phones/{MAC}/uploads/{sent}").status_code == 403
    assert roles["technician"].get(f"/phones/{MAC}/uploads/{sent}").status_code == 200

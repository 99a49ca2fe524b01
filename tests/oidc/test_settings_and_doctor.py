"""The settings of signing in by a provider are complete or refused; the doctor asks the provider; the secret is shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.commands.doctor_provider import provider_findings
from provisioner.commands.settings import shown_value
from provisioner.errors import SettingsError
from provisioner.settings import Settings, load_settings
from tests.oidc.standin import CLIENT_SECRET, Standin

WHOLE = {"OIDC_ISSUER": "https://id.example/", "OIDC_CLIENT_ID": "us", "OIDC_CLIENT_SECRET": CLIENT_SECRET}


def settings_of(folder: Path, **more: str) -> Settings:
    return load_settings({f"PROVISIONER_{name}": value for name, value in {**WHOLE, **more}.items()}, file=folder / "none.toml")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"OIDC_CLIENT_ID": ""}, "PROVISIONER_OIDC_CLIENT_ID: PROVISIONER_OIDC_ISSUER needs it"),
        ({"OIDC_CLIENT_SECRET": ""}, "PROVISIONER_OIDC_CLIENT_SECRET: PROVISIONER_OIDC_ISSUER needs it"),
        ({"OIDC_ISSUER": "http://id.example"}, "https:// is needed"),
        ({"OIDC_ISSUER": "https://user@id.example"}, "https:// is needed"),
        ({"OIDC_ROLES": "a=admin"}, "PROVISIONER_OIDC_ROLE_CLAIM: PROVISIONER_OIDC_ROLES needs it"),
        ({"OIDC_CREATE": "on"}, "PROVISIONER_OIDC_ROLES: PROVISIONER_OIDC_CREATE needs it"),
        ({"OIDC_ROLES": "a=emperor"}, "with one of user, viewer, technician, admin as role"),
        ({"OIDC_SCOPES": "profile"}, "PROVISIONER_OIDC_SCOPES=openid"),
        ({"ADMIN_URL": "phones.example/admin"}, "scheme and host are needed"),
    ],
)
def test_incomplete_settings_are_refused_with_what_is_missing(tmp_path: Path, given: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of(tmp_path, **given)
    assert named in str(caught.value) and CLIENT_SECRET not in str(caught.value)


def test_secret_is_masked() -> None:
    assert shown_value("OIDC_CLIENT_SECRET", CLIENT_SECRET) == "***"


def test_doctor_asks_the_provider(tmp_path: Path, provider: Standin) -> None:
    settings = settings_of(tmp_path, OIDC_ISSUER=provider.issuer, ADMIN_URL="https://phones.example")
    [found] = provider_findings(settings)
    assert found.status == "OK" and "with 1 keys; it must know https://phones.example/sign-in/return" in found.sentence
    provider.metadata = {"code_challenge_methods_supported": ["plain"]}
    assert [(found.status, "S256" in found.sentence) for found in provider_findings(settings)] == [("WARN", True)]
    [found] = provider_findings(settings_of(tmp_path, OIDC_ISSUER=f"{provider.issuer}/"))
    assert found.status == "FAIL" and "another issuer" in found.sentence
    [found] = provider_findings(settings_of(tmp_path, OIDC_ISSUER="http://127.0.0.1:1"))
    assert found.status == "FAIL" and "does not answer" in found.sentence
    assert list(provider_findings(settings_of(tmp_path, OIDC_ISSUER=""))) == []

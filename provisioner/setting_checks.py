"""What settings need of each other: one that is given and cannot do without another that is not."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any


def missing(values: Mapping[str, Any], prefix: str) -> list[str]:
    """Returns a sentence for each setting that is needed and not given, beginning with its name. A value that was mistaken is absent."""
    return [*_for_pbx(values, prefix), *_for_oidc(values, prefix), *_for_mtls(values, prefix), *_for_mail(values, prefix)]


def _for_pbx(values: Mapping[str, Any], prefix: str) -> list[str]:
    if values.get("pbx") != "external":
        return []
    needed = ("PBX_AMI_ADDRESS", "PBX_AMI_USER", "PBX_AMI_PASSWORD")
    return [f"{name}: {prefix}PBX=external needs it" for name in needed if not values.get(name.lower(), "mistaken")]


def _for_oidc(values: Mapping[str, Any], prefix: str) -> list[str]:
    needs = {
        "OIDC_CLIENT_ID": "OIDC_ISSUER",
        "OIDC_CLIENT_SECRET": "OIDC_ISSUER",
        "OIDC_USER_CLAIM": "OIDC_ISSUER",
        "OIDC_ROLE_CLAIM": "OIDC_ROLES",
        "OIDC_ROLES": "OIDC_CREATE",
    }
    found = [(name, by) for name, by in needs.items() if values.get(by.lower()) and not values.get(name.lower(), "mistaken")]
    if "openid" not in values.get("oidc_scopes", "openid").split():
        found.append(("OIDC_SCOPES=openid", "OIDC_ISSUER"))
    return [f"{name}: {prefix}{by} needs it" for name, by in found]


def _for_mtls(values: Mapping[str, Any], prefix: str) -> list[str]:
    if values.get("access") != "mtls" or values.get("tls_client_ca", "mistaken") is not None:
        return []
    return [f"TLS_CLIENT_CA: {prefix}ACCESS=mtls needs it, and {prefix}PHONES_TLS_BIND"]


def _for_mail(values: Mapping[str, Any], prefix: str) -> list[str]:
    server = values.get("mail_server")
    if server is None:
        return []
    found = [] if values.get("mail_from", "mistaken") else [f"MAIL_FROM: {prefix}MAIL_SERVER needs it"]
    if values.get("mail_user") and not (values.get("mail_password", "mistaken") or values.get("mail_password_file", "mistaken")):
        found.append(f"MAIL_PASSWORD: {prefix}MAIL_USER needs it, or {prefix}MAIL_PASSWORD_FILE")
    if values.get("mail_security") == "none" and not _is_here(server.host):
        found.append(
            f"MAIL_SECURITY=none: {server.host} is another machine, and whoever is on the way would read what phones do; "
            "use starttls or tls, or none-anywhere where you know the way"
        )
    return found


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

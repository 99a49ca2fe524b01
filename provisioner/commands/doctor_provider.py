"""The doctor's check of signing in by a provider: does it answer with the addresses and keys that are needed?"""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.commands.findings import Finding, failure, fine, warning
from provisioner.settings import Settings


def provider_findings(settings: Settings) -> Iterator[Finding]:
    """Yields what there is to say of the provider that the settings name; nothing where they name none."""
    if settings.oidc_issuer:
        yield _provider(settings)


def _provider(settings: Settings) -> Finding:
    from provisioner.oidc import NotVouched, Provider

    provider = Provider(settings.oidc_issuer)
    try:
        metadata, keys = provider.metadata(), provider.keys()
    except NotVouched as error:
        return failure(
            "sign-in provider", error.detail,
            "is PROVISIONER_OIDC_ISSUER written as its discovery document has it, does it answer from this machine, is its certificate trusted here?",
        )  # fmt: skip
    if metadata.challenges and "S256" not in metadata.challenges:
        return warning("sign-in provider", "it does not name S256 as a way of PKCE", "allow PKCE with S256 for this client at the provider")
    back = f"; it must know {settings.admin_url}/sign-in/return" if settings.admin_url else ""
    return fine("sign-in provider", f"{settings.oidc_issuer} answers, with {len(keys.keys)} keys{back}")

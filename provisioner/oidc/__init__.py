"""Signing in by an OpenID Connect provider: whom does it vouch for?

What lives here: the exchange with the provider and the proof that its word is true. What does not: who that is here, and their session
(``accounts.vouched``); any request (``web.pages.provider``).
"""

from provisioner.oidc.flow import Client, Flow, Vouched
from provisioner.oidc.provider import Provider
from provisioner.oidc.refusal import NotVouched, Why

__all__ = ["Client", "Flow", "NotVouched", "Provider", "Vouched", "Why"]

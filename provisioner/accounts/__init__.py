"""People who sign in: passwords, one-time codes, sessions, and who they are to the rest (``Caller``).

What lives here: the rules of signing in and of sessions. What does not: any row (``store``, ``changes``), any request (``api``, ``web``).
"""

from provisioner.accounts.caller import Caller
from provisioner.accounts.first import ensure_admin
from provisioner.accounts.signing_in import Accounts, Reason, Refused, SignedIn
from provisioner.accounts.vouched import ProviderSignIn, open_provider_sign_in

__all__ = ["Accounts", "Caller", "ProviderSignIn", "Reason", "Refused", "SignedIn", "ensure_admin", "open_provider_sign_in"]

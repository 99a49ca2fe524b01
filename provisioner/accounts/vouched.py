"""Who somebody is here for whom a provider vouches, what they may, and their session.

At the first sign-in a person is known by a claim, from then on by the provider's subject, which is bound to them: a name that another one
is given there later does not open their account.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from provisioner.accounts.attempts import Attempts
from provisioner.accounts.cookies import cookie_digest
from provisioner.accounts.signing_in import Accounts, SignedIn
from provisioner.changes import Changes
from provisioner.core.peers import group_of
from provisioner.errors import InputError
from provisioner.oidc import Client, Flow, NotVouched, Provider, Vouched
from provisioner.records import ROLES, UserRecord
from provisioner.setting_values import RoleRule
from provisioner.settings import Settings
from provisioner.store import Store

log = logging.getLogger("provisioner.accounts")

ACTOR = "oidc:sign_in"
"""Who the changes say made or changed a person by what the provider said."""
Rights = tuple[str, list[str] | None]
"""Role, and sites (None: all)."""


@dataclass(frozen=True, slots=True)
class CameBack:
    """Somebody whom the provider vouched for. ``where``: the page that they wanted; ``parting``: the cookie for signing out there too."""

    signed_in: SignedIn
    where: str
    parting: str = field(repr=False)


class ProviderSignIn:
    """Signs in by a provider. One for each process; safe to share between threads."""

    def __init__(self, flow: Flow, store: Store, changes: Changes, accounts: Accounts, settings: Settings) -> None:
        self._flow = flow
        self._store = store
        self._changes = changes
        self._accounts = accounts
        self._settings = settings

    @property
    def name(self) -> str:
        """How the provider is called."""
        return self._settings.oidc_name or str(urlsplit(self._settings.oidc_issuer).hostname)

    def begin(self, redirect_uri: str, where: str) -> tuple[str, str]:
        """Returns the address to go to and the cookie to keep meanwhile. Raises ``NotVouched``, which is in the log."""
        try:
            return self._flow.begin(redirect_uri, where)
        except NotVouched as error:
            log.warning("event=oidc_failed what=begin why=%s detail=%r", error.why, error.detail)
            raise

    def finish(self, cookie: str, came: Mapping[str, str], redirect_uri: str, address: str, user_agent: str) -> CameBack:
        """Returns a session, and what goes with it. Raises ``NotVouched``, which is in the log.

        What fails counts like a wrong password from the address.
        """
        guesses, key = self._accounts.by_address, group_of(address)
        try:
            _expect_no_wait(guesses, key)
            vouched = self._flow.finish(cookie, came, redirect_uri)
            signed_in = self._signed_in(vouched, address, user_agent)
        except NotVouched as error:
            if error.why not in {"away", "wait"}:
                guesses.failed(key)
            log.warning("event=oidc_refused why=%s address=%s detail=%r", error.why, key, error.detail)
            raise
        guesses.succeeded(key)
        return CameBack(signed_in, vouched.where, self._flow.parting(vouched.token, cookie_digest(signed_in.cookie)))

    def is_parting_of(self, parting: str, session: str) -> bool:
        """Returns whether the cookie ``parting`` was made for the session with the cookie ``session``."""
        return self._flow.is_parting_of(parting, cookie_digest(session))

    def way_out(self, parting: str) -> str:
        """Returns the provider's address where the person signs out there too; empty where there is none."""
        return self._flow.way_out(parting)

    def _signed_in(self, vouched: Vouched, address: str, user_agent: str) -> SignedIn:
        rights = rights_of(vouched.claims, self._settings.oidc_role_claim, self._settings.oidc_roles)
        if self._settings.oidc_roles and rights is None:
            raise NotVouched("unknown", "no value of the role claim gives a role")
        try:
            who = self._known(vouched, rights)
            signed_in = self._accounts.sign_in_as(who.name, address, user_agent)
        except InputError as error:  # a site that is not there, the last admin, a name that cannot be one
            raise NotVouched("unknown", "; ".join(error.fields.values())) from error
        if signed_in is None:
            raise NotVouched("unknown", f"user {who.name} is disabled")
        return signed_in

    def _known(self, vouched: Vouched, rights: Rights | None) -> UserRecord:
        """Returns the person, bound to the subject and with the rights that the provider gives."""
        who = self._store.user_of_subject(vouched.subject)
        name = "" if who else self._name_in(vouched.claims)
        who = who or self._store.user(name)
        if who is None:
            return self._made(name, vouched.subject, rights)
        if who.disabled:
            return who
        if who.subject not in {None, vouched.subject}:
            raise NotVouched("unknown", f"user {who.name} is bound to another subject")
        wanted: dict[str, Any] = {} if rights is None else {"role": rights[0], "sites": rights[1]}
        present = {"role": who.role, "sites": None if who.sites is None else sorted(who.sites), "subject": who.subject}
        changed = {field: value for field, value in {**wanted, "subject": vouched.subject}.items() if present[field] != value}
        return self._changes.update_user(ACTOR, who.name, changed) if changed else who

    def _made(self, name: str, subject: str, rights: Rights | None) -> UserRecord:
        if not self._settings.oidc_create or rights is None:
            raise NotVouched("unknown", "nobody here has the name that the claim gives")
        return self._changes.create_user(ACTOR, name, {"role": rights[0], "sites": rights[1], "subject": subject})

    def _name_in(self, claims: Mapping[str, Any]) -> str:
        claim = self._settings.oidc_user_claim
        name = claims.get(claim)
        if not isinstance(name, str) or not 0 < len(name) <= 48:
            raise NotVouched("unknown", f"the claim {claim} is missing, or no name of 1 to 48 characters")
        if claim == "email" and claims.get("email_verified") is not True:
            raise NotVouched("unknown", "the provider has not verified the email")
        return name


def open_provider_sign_in(store: Store, changes: Changes, accounts: Accounts, settings: Settings) -> ProviderSignIn | None:
    """Returns the signing in by the provider of the settings, None where they name none; asks nobody yet."""
    if not settings.oidc_issuer:
        return None
    claims = [settings.oidc_user_claim, settings.oidc_role_claim, "email_verified" if settings.oidc_user_claim == "email" else ""]
    client = Client(settings.oidc_client_id, settings.oidc_client_secret, settings.oidc_scopes, tuple(claim for claim in claims if claim))
    flow = Flow(Provider(settings.oidc_issuer), client, store.box, changes.clock)
    return ProviderSignIn(flow, store, changes, accounts, settings)


def _expect_no_wait(guesses: Attempts, key: str) -> None:
    if guesses.wait_s(key):
        raise NotVouched("wait", "too many attempts from this address")


def rights_of(claims: Mapping[str, Any], claim: str, rules: Sequence[RoleRule]) -> Rights | None:
    """Returns what the values of a claim give: the highest role, at all sites that its rules name; None where none does.

    A rule without sites gives all of them.
    """
    given = _values(claims, claim)
    fitting = [rule for rule in rules if rule.value in given]
    roles = {rule.role for rule in fitting}
    role = next((name for name in reversed(ROLES) if name in roles), None)
    if role is None:
        return None
    sites = [rule.sites for rule in fitting if rule.role == role]
    return role, None if () in sites else sorted({site for several in sites for site in several})


def _values(claims: Mapping[str, Any], claim: str) -> set[str]:
    """Returns the values of a claim, which may lie within another one: ``realm_access.roles``."""
    found: Any = claims
    for part in [claim] if claim in claims else claim.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    several = found if isinstance(found, list) else [found]
    return {value for value in several if isinstance(value, str)}

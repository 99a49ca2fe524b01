"""Signing in by a provider: who somebody is here, what they may, and what is kept of it."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest
from joserfc.jwk import ECKey

from provisioner.records import ROLES
from provisioner.setting_values import RoleRule, role_rules
from tests.oidc.conftest import Office, Opening
from tests.oidc.standin import CLIENT_ID, KEY, Standin, saying
from tests.web.conftest import PASSWORD, Person


def test_person_signs_in_and_goes_on_where_they_wanted(office: Office, provider: Standin) -> None:
    assert "Sign in with Example" in office.browser.get("/sign-in").text
    address = office.begin("?next=/phones%3Fsearch%3D1")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256" and asked["scope"] == "openid profile email"
    assert asked["redirect_uri"] == "http://localhost/sign-in/return"
    begun = office.browser.get_cookie("provisioner_oidc", path="/sign-in")
    assert begun is not None and begun.http_only and begun.same_site == "Lax" and asked["state"] not in begun.value
    answer = office.come_back(provider.authorize(address))
    assert answer.status_code == 200 and 'content="0;url=/phones?search=1"' in answer.text
    assert office.browser.get_cookie("provisioner_oidc", path="/sign-in") is None
    cookie = next(text for text in answer.headers.getlist("Set-Cookie") if text.startswith("provisioner_session="))
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert office.user() == "alice" and office.browser.get("/phones").status_code == 200
    changes = [(row.actor, row.action, row.after) for row in office.installation.store.changes(limit=2)]
    assert changes == [
        ("user:alice", "session.open", {"address": "127.0.0.1", "by": "OpenID Connect"}),
        ("oidc:sign_in", "user.update", {"subject": "subject-1"}),
    ]


def test_nobody_is_sent_elsewhere_afterwards(office: Office, provider: Standin) -> None:
    assert 'content="0;url=/"' in office.sign_in(provider, "?next=https://elsewhere.example/").text


def test_person_is_bound_to_the_subject_and_not_to_a_name(office: Office, provider: Standin) -> None:
    office.sign_in(provider)
    provider.person = {"sub": "subject-1", "email": "renamed@example.com", "email_verified": False}
    office.browser = office.app.test_client()
    office.sign_in(provider)
    assert office.user() == "alice"
    provider.person = {"sub": "subject-2", "email": "alice", "email_verified": True}
    office.browser = office.app.test_client()
    assert "you have no place here" in office.sign_in(provider).text, "another one has her name now"
    assert office.user() == ""


def test_disabled_person_stays_out_and_is_not_bound(office: Office, provider: Standin) -> None:
    office.installation.changes.update_user("tests", "alice", {"disabled": True})
    assert "you have no place here" in office.sign_in(provider).text
    alice = office.installation.store.user("alice")
    assert office.user() == "" and alice is not None and alice.subject is None


def test_claims_that_the_id_token_lacks_come_from_userinfo(office: Office, provider: Standin) -> None:
    provider.person = {"sub": "subject-1"}
    provider.userinfo = {"email": "alice", "email_verified": True}
    office.sign_in(provider)
    assert office.user() == "alice"


def test_other_kinds_of_keys_sign_too(office: Office, provider: Standin) -> None:
    key = ECKey.generate_key("P-256", {"kid": "one"})
    provider.key, provider.algorithm, provider.published = key, "ES256", [key]
    office.sign_in(provider)
    assert office.user() == "alice"


def test_a_key_that_is_not_known_has_the_keys_asked_for_at_most_once_a_minute(
    office: Office, provider: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.published = [ECKey.generate_key("P-256", {"kid": name}) for name in ("old", "older")]
    assert "could not be proven" in office.sign_in(provider).text
    provider.published = [KEY]
    assert "could not be proven" in office.sign_in(provider).text, "it was asked just now"
    assert provider.asked.count("/keys") == 1
    monkeypatch.setattr("provisioner.oidc.provider.NEW_KEYS_EVERY_S", 0.0)
    office.sign_in(provider)
    assert office.user() == "alice" and provider.asked.count("/keys") == 2


RIGHTS: list[tuple[list[str], str, list[str] | None]] = [
    (["installers"], "technician", ["default"]),
    (["installers", "admins"], "admin", None),
    (["installers", "north"], "technician", ["default", "north"]),
    (["everywhere", "installers"], "technician", None),
    (["readers", "others"], "viewer", None),
]


def test_role_and_sites_follow_the_claim_at_each_sign_in(opening: Opening, provider: Standin) -> None:
    rules = "installers=technician@default,north=technician@north, everywhere=technician,readers=viewer,admins=admin"
    office = opening(oidc_role_claim="realm_access.roles", oidc_roles=rules)
    office.installation.changes.create_site("tests", "north", {})
    for groups, role, sites in RIGHTS:
        provider.person["realm_access"] = {"roles": groups}
        office.sign_in(provider)
        alice = office.installation.store.user("alice")
        assert alice is not None and (alice.role, alice.sites and list(alice.sites)) == (role, sites), groups
    provider.person["realm_access"] = {"roles": []}
    assert "you have no place here" in office.sign_in(provider).text, "who has no role there any more is not let in"


def test_person_is_made_where_the_settings_say_so(opening: Opening, provider: Standin) -> None:
    office = opening(oidc_role_claim="groups", oidc_roles="phones=viewer@default", oidc_create="on", oidc_user_claim="preferred_username")
    provider.person = {"sub": "subject-9", "preferred_username": "bob", "groups": "phones"}
    office.sign_in(provider)
    bob = office.installation.store.user("bob")
    assert office.user() == "bob" and bob is not None
    assert (bob.role, bob.sites, bob.has_password, bob.subject) == ("viewer", ("default",), False, "subject-9")
    provider.person = {"sub": "subject-10", "preferred_username": "not a name!", "groups": "phones"}
    office.browser = office.app.test_client()
    assert "you have no place here" in office.sign_in(provider).text


def test_last_admin_is_not_taken_away_by_a_claim(opening: Opening, provider: Standin) -> None:
    office = opening(oidc_role_claim="groups", oidc_roles="phones=viewer")
    provider.person = {"sub": "1", "email": "root", "email_verified": True, "groups": ["phones"]}
    assert "you have no place here" in office.sign_in(provider).text
    root = office.installation.store.user("root")
    assert root is not None and root.role == "admin" and root.subject is None


def test_local_sign_in_works_while_the_provider_is_away_and_says_so(office: Office, provider: Standin) -> None:
    provider.answers["/.well-known/openid-configuration"] = saying(500, b"")
    answer = office.browser.get("/sign-in/provider")
    assert answer.status_code == 503
    assert "Example does not answer at the moment. Sign in with your password here, or try again later." in answer.text
    office.browser.get("/sign-in/provider")
    assert len(provider.asked) == 1, "it is not asked again at once"
    office.installation.changes.set_user_password("tests", "alice", PASSWORD)
    assert Person(office.app, "alice").get("/phones").status_code == 200


def test_own_address_is_the_settings_or_as_people_came(opening: Opening, provider: Standin) -> None:
    office = opening(trusted_proxies="127.0.0.1/32")
    answer = office.browser.get("/sign-in/provider", headers={"X-Forwarded-Proto": "https", "Host": "phones.example"})
    assert "redirect_uri=https%3A%2F%2Fphones.example%2Fsign-in%2Freturn" in answer.headers["Location"]
    assert "Secure" in answer.headers["Set-Cookie"]


def test_own_address_of_the_settings_wins(opening: Opening, provider: Standin) -> None:
    office = opening(admin_url="https://provisioner.example/")
    assert "redirect_uri=https%3A%2F%2Fprovisioner.example%2Fsign-in%2Freturn" in office.begin()
    office.sign_in(provider)
    assert office.user() == "alice"


def test_without_a_provider_there_is_no_button_and_no_address(opening: Opening) -> None:
    office = opening(oidc_issuer="")
    assert "/sign-in/provider" not in office.browser.get("/sign-in").text
    assert [office.browser.get(path).status_code for path in ("/sign-in/provider", "/sign-in/return")] == [404, 404]


def test_rules_of_roles_are_read_or_refused() -> None:
    read = role_rules(*ROLES)
    assert read("CN=phones=admin, a b=technician@North Wing+South") == (
        RoleRule("CN=phones", "admin", ()), RoleRule("a b", "technician", ("North Wing", "South")),
    )  # fmt: skip
    for wrong in ("admin", "=admin", "x=emperor", "x=admin@"):
        with pytest.raises(ValueError, match="value=role"):
            read(wrong)


def sign_out(office: Office) -> str:
    """Signs out; returns where the browser is sent."""
    token = office.browser.get("/api/v1/session").get_json()["csrf_token"]
    answer = office.browser.post("/sign-out", data={"csrf_token": token})
    assert (answer.status_code, office.user()) == (303, "")
    return str(answer.headers["Location"])


def way_out(office: Office) -> str:
    """Returns the address of the button by which somebody signs out at the provider too; empty where there is none."""
    answer = office.browser.get("/sign-out")
    found = re.search(r'href="(https?://[^"]+)" rel="noreferrer"', answer.text)
    assert answer.status_code == (200 if found else 303)
    return html.unescape(found[1]) if found else ""


def test_who_signs_out_is_asked_whether_at_the_provider_too(office: Office, provider: Standin) -> None:
    provider.metadata = {"end_session_endpoint": f"{provider.issuer}/leave?realm=1"}
    office.sign_in(provider)
    kept = office.browser.get_cookie("provisioner_parting", path="/sign-out")
    assert kept is not None and kept.http_only and kept.same_site == "Strict" and "." not in kept.value, "the token is sealed"
    assert sign_out(office) == "/sign-out"
    address, _, query = way_out(office).partition("?")
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    assert (address, asked["realm"], asked["client_id"]) == (f"{provider.issuer}/leave", "1", CLIENT_ID)
    assert json.loads(base64.urlsafe_b64decode(asked["id_token_hint"].split(".")[1] + "=="))["sub"] == "subject-1"
    office.sign_in(provider)
    assert office.browser.get("/sign-out").headers["Location"] == "/sign-in", "who is signed in is asked nothing"


def test_a_token_that_no_cookie_holds_is_left_out(office: Office, provider: Standin) -> None:
    provider.metadata = {"end_session_endpoint": f"{provider.issuer}/leave"}
    provider.person = {**provider.person, "groups": ["x" * 40] * 100}
    office.sign_in(provider)
    sign_out(office)
    assert way_out(office) == f"{provider.issuer}/leave?client_id={quote_plus(CLIENT_ID)}"


@pytest.mark.parametrize("offered", [{}, {"end_session_endpoint": "http://id.example.com/leave"}, {"end_session_endpoint": 7}])
def test_a_provider_without_a_safe_address_for_it_is_not_left(office: Office, provider: Standin, offered: dict[str, object]) -> None:
    provider.metadata = offered
    office.sign_in(provider)
    sign_out(office)
    assert way_out(office) == ""


def test_a_session_that_a_password_opened_ends_here_alone(office: Office, provider: Standin) -> None:
    provider.metadata = {"end_session_endpoint": f"{provider.issuer}/leave"}
    office.sign_in(provider)
    parting = office.browser.get_cookie("provisioner_parting", path="/sign-out")
    office.installation.changes.create_user("tests", "bob", {"role": "technician", "password": PASSWORD})
    person = Person(office.app, "bob")
    assert parting is not None
    person.client.set_cookie("provisioner_parting", parting.value, path="/sign-out")
    assert person.post("/sign-out").headers["Location"] == "/sign-in"
    assert person.client.get_cookie("provisioner_parting", path="/sign-out") is None
    person.client.set_cookie("provisioner_parting", "nonsense", path="/sign-out")
    assert person.get("/sign-out").headers["Location"] == "/sign-in"

"""The one place where secrets are let out: every combination of what a record says and what a request brings along."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.access import Proof, Standing, certificate_of, decide
from provisioner.core.mac import Mac
from provisioner.core.values import Reason

HOURS = 3600.0
PROOFS = [
    Proof(*facts)
    for facts in product(
        ("none", "good", "bad"),
        (False, True),
        ("none", "good", "bad"),
        (False, True),
        ("", "it names another model"),
        (False, True),
        (False, True),
        ("none", "good", "bad"),
    )
]
STANDINGS = [
    Standing(enabled, access, opened, success)
    for enabled, access, opened, success in product(
        (True, False), ("open", "first-fetch", "token", "digest", "mtls", ""), (0.0, 30 * HOURS), (None, 31 * HOURS)
    )
]
NOW = 40 * HOURS


def proven(standing: Standing, proof: Proof) -> bool:
    """The rule said once more, the other way round: what each access mode calls a proof."""
    if proof.token != "none":
        return proof.token == "good"
    if standing.access == "digest":
        return proof.credentials == "good"
    if standing.access == "mtls":
        return proof.certificate == "good"
    if proof.frozen:
        return False
    if standing.access == "open":
        return proof.trusted_network
    is_open = standing.first_success_at is None and NOW - standing.opened_at <= 24 * HOURS
    return standing.access == "first-fetch" and proof.trusted_network and proof.looks_like_vendor and is_open and not proof.another_address


@pytest.mark.parametrize("access", ["open", "first-fetch", "token", "digest", "mtls", ""])
def test_served_means_enabled_proven_and_without_conflict(access: str) -> None:
    for standing, proof in product((item for item in STANDINGS if item.access == access), PROOFS):
        reason = decide(standing, proof, now=NOW, first_fetch_s=24 * HOURS)
        assert isinstance(reason, Reason)
        assert (reason is Reason.SERVED) == (
            standing.enabled and proven(standing, proof) and not proof.conflict and proof.certificate != "bad"
        ), (standing, proof)


KEYED = Standing(True, "open", 0, 1.0, has_key=True)
FRESH = Standing(True, "first-fetch", 39 * HOURS, None)
TABLE = [
    (
        "a first fetch of the listed vendor's phone from a trusted network",
        FRESH,
        Proof(trusted_network=True, looks_like_vendor=True),
        Reason.SERVED,
    ),
    ("a first fetch by something else", FRESH, Proof(trusted_network=True), Reason.NOT_A_PHONE),
    ("a first fetch from elsewhere", FRESH, Proof(looks_like_vendor=True), Reason.UNPROVEN),
    (
        "a first fetch after the first success",
        Standing(True, "first-fetch", 39 * HOURS, 39 * HOURS),
        Proof(trusted_network=True, looks_like_vendor=True),
        Reason.BOOTSTRAP_CLOSED,
    ),
    (
        "a first fetch after its hours",
        Standing(True, "first-fetch", 15 * HOURS, None),
        Proof(trusted_network=True, looks_like_vendor=True),
        Reason.BOOTSTRAP_CLOSED,
    ),
    ("the phone's own address, from anywhere", FRESH, Proof(token="good"), Reason.SERVED),
    (
        "a first fetch that another address has taken",
        FRESH,
        Proof(trusted_network=True, looks_like_vendor=True, another_address=True),
        Reason.REPLAYED,
    ),
    ("a first fetch during a scan", FRESH, Proof(trusted_network=True, looks_like_vendor=True, frozen=True), Reason.FROZEN),
    ("the phone's own address during a scan", FRESH, Proof(token="good", frozen=True), Reason.SERVED),
    ("a certificate of its own, from anywhere", Standing(True, "mtls", 0, None), Proof(certificate="good"), Reason.SERVED),
    ("no certificate where one is needed", Standing(True, "mtls", 0, None), Proof(trusted_network=True), Reason.UNPROVEN),
    ("another phone's certificate and a good token", Standing(True, "mtls", 0, None), Proof("good", certificate="bad"), Reason.CONFLICT),
    ("a certificate where the site asks for something else", Standing(True, "token", 0, None), Proof(certificate="good"), Reason.UNPROVEN),
    ("a bad token in a trusted network", FRESH, Proof(token="bad", trusted_network=True, looks_like_vendor=True), Reason.BAD_TOKEN),
    ("a good token and another phone's User-Agent", FRESH, Proof(token="good", conflict="x"), Reason.CONFLICT),
    ("a disabled phone with its token", Standing(False, "open", 0, None), Proof(token="good"), Reason.DISABLED),
    ("open, from a trusted network, whatever asks", Standing(True, "open", 0, 1.0), Proof(trusted_network=True), Reason.SERVED),
    ("open, from elsewhere", Standing(True, "open", 0, None), Proof(looks_like_vendor=True), Reason.UNPROVEN),
    ("token, by name alone", Standing(True, "token", 0, None), Proof(trusted_network=True, looks_like_vendor=True), Reason.UNPROVEN),
    ("digest, nothing sent", Standing(True, "digest", 0, None), Proof(trusted_network=True), Reason.UNPROVEN),
    ("digest, wrong", Standing(True, "digest", 0, None), Proof(credentials="bad", trusted_network=True), Reason.BAD_CREDENTIALS),
    ("digest, right, from anywhere", Standing(True, "digest", 0, None), Proof(credentials="good"), Reason.SERVED),
    ("good credentials where digest is not the site's way", Standing(True, "token", 0, None), Proof(credentials="good"), Reason.UNPROVEN),
    ("open, without a token, of a phone that has its key", KEYED, Proof(trusted_network=True), Reason.BOOTSTRAP_CLOSED),
    ("the same, and it contradicts the record", KEYED, Proof(trusted_network=True, conflict="x"), Reason.CONFLICT),
    ("the same, from elsewhere", KEYED, Proof(), Reason.UNPROVEN),
    ("its own address, of a phone that has its key", KEYED, Proof(token="good"), Reason.SERVED),
    ("right digest, of a phone that has its key", KEYED._replace(access="digest"), Proof(credentials="good"), Reason.BOOTSTRAP_CLOSED),
    ("its own certificate, of a phone that has its key", KEYED._replace(access="mtls"), Proof(certificate="good"), Reason.SERVED),
    ("a conflict tells nothing to who proved nothing", Standing(True, "token", 0, None), Proof(conflict="x"), Reason.UNPROVEN),
]


@pytest.mark.parametrize(("standing", "proof", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_decision(standing: Standing, proof: Proof, reason: Reason) -> None:
    assert decide(standing, proof, now=NOW, first_fetch_s=24 * HOURS) is reason


@given(st.floats(0, 1e10), st.floats(0, 1e10), st.floats(1, 1e6))
def test_the_window_is_counted_from_when_it_was_opened(opened: float, now: float, first_fetch_s: float) -> None:
    standing = Standing(True, "first-fetch", opened, None)
    reason = decide(standing, Proof(trusted_network=True, looks_like_vendor=True), now=now, first_fetch_s=first_fetch_s)
    assert reason is (Reason.SERVED if now - opened <= first_fetch_s else Reason.BOOTSTRAP_CLOSED)


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("CN=805EC0AABBCC,O=Maker", "good"),
        ("CN=80:5e:c0:aa:bb:cc", "good"),
        ("C=CN,O=Maker,CN=805ec0aabbcc", "good"),
        ("CN=805EC0AABBCD,O=Maker", "bad"),
        ("CN=Generic Device,O=Maker", "none"),
        ("O=805EC0AABBCC", "none"),
        (r"O=x\,CN=805EC0AABBCC", "none"),
        ("CN=805EC0AABBCC,CN=805EC0AABBCC", "none"),
        ("CN=000000000000", "none"),
        ("", "none"),
    ],
)
def test_a_certificate_speaks_for_the_mac_that_is_its_one_common_name(subject: str, said: str) -> None:
    assert certificate_of(subject, Mac("805ec0aabbcc")) == said

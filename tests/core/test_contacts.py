"""Which phone a registration is of, with what evidence there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.contacts import LineContact, LinePhone, owners, proven, wake_uris
from provisioner.core.mac import Mac
from provisioner.core.values import UserAgent

A, B, C = Mac("02acde00000a"), Mac("02acde00000b"), Mac("02acde00000c")


def phone(mac: Mac, vendor: str = "acme", model: str = "A1", address: str = "") -> LinePhone:
    return LinePhone(mac, vendor, frozenset({model}), address)


def contact(
    uri: str, at: float = 1.0, *, vendor: str = "", model: str | None = None, mac: Mac | None = None, address: str = "", text: str = ""
) -> LineContact:
    agent = UserAgent(vendor, model, None, mac) if vendor else None
    return LineContact(uri, at, address, text or (f"{vendor} {model} {mac}" if vendor else ""), agent)


TOLD: list[tuple[str, LineContact, list[LinePhone], set[Mac]]] = [
    ("the only phone of the extension has it", contact("u"), [phone(A)], {A}),
    ("nobody has the extension", contact("u"), [], set()),
    ("the MAC in the User-Agent decides", contact("u", vendor="acme", mac=B), [phone(A), phone(B)], {B}),
    ("a MAC of no phone of the extension is another device", contact("u", vendor="acme", mac=C), [phone(A)], set()),
    ("another vendor's phone is none of ours", contact("u", vendor="other"), [phone(A)], set()),
    ("the vendor tells them apart", contact("u", vendor="other"), [phone(A), phone(B, "other")], {B}),
    ("the model tells them apart", contact("u", vendor="acme", model="A2"), [phone(A), phone(B, model="A2")], {B}),
    ("a model that no phone has tells nothing", contact("u", vendor="acme", model="A9"), [phone(A), phone(B)], {A, B}),
    ("the address of the last fetch tells them apart", contact("u", address="::2"), [phone(A, address="::1"), phone(B, address="::2")], {B}),
    ("an address that nobody fetched from tells nothing", contact("u", address="::3"), [phone(A, address="::1"), phone(B, address="::2")], {A, B}),
    ("no address is no evidence", contact("u"), [phone(A), phone(B)], {A, B}),
    ("the MAC wins over the address", contact("u", vendor="acme", mac=A, address="::2"), [phone(A, address="::1"), phone(B, address="::2")], {A}),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "phones", "expected"), [row[1:] for row in TOLD], ids=[row[0] for row in TOLD])
def test_contact_is_of_the_phones_that_the_evidence_leaves(seen: LineContact, phones: list[LinePhone], expected: set[Mac]) -> None:
    assert set(owners([seen], phones)[seen]) == expected


def test_stranger_counts_only_while_nobody_known_is_there() -> None:
    stranger, known = contact("soft", 9.0, text="Zoiper 5"), contact("desk", 1.0, vendor="acme")
    assert owners([stranger], [phone(A)])[stranger] == (A,)
    assert owners([stranger, known], [phone(A)]) == {stranger: (), known: (A,)}
    assert proven([stranger, known], [phone(A)])[A] == known


def test_wake_goes_to_the_phones_own_contact_or_to_all_that_may_be() -> None:
    phones = [phone(A), phone(B), phone(C, "other")]
    seen = [contact("a", vendor="acme", mac=A), contact("b", vendor="acme"), contact("c", vendor="other")]
    assert wake_uris(A, seen, phones) == ("a", "b")
    assert wake_uris(B, seen, phones) == ("b",)
    assert wake_uris(C, seen, phones) == ("c",)


def test_newest_of_a_phones_own_registrations_is_proven() -> None:
    seen = [contact("old", 1.0), contact("new", 3.0), contact("older", 2.0)]
    assert proven(seen, [phone(A)]) == {A: seen[1]}


def test_phones_that_cannot_be_told_apart_are_proven_together_or_not_at_all() -> None:
    phones = [phone(A), phone(B)]
    assert proven([contact("1", 5.0)], phones) == {}
    both = [contact("1", 5.0), contact("2", 7.0)]
    assert proven(both, phones) == {A: both[0], B: both[0]}, "whichever is whose, each registered at 5 at the earliest"
    stale = [*both, contact("3", 1.0)]
    assert proven(stale, phones) == {A: stale[2], B: stale[2]}


TEXTS = st.sampled_from(["", "::1", "::2"])
CONTACTS = st.lists(
    st.builds(
        LineContact,
        st.uuids().map(str),
        st.floats(0, 100),
        TEXTS,
        st.sampled_from(["", "ua"]),
        st.none()
        | st.builds(UserAgent, st.sampled_from(["acme", "other"]), st.sampled_from([None, "A1"]), st.none(), st.sampled_from([None, A, B])),
    ),
    max_size=5,
)
PHONES = st.lists(st.sampled_from([A, B, C]), unique=True, max_size=3).flatmap(
    lambda macs: st.tuples(*(st.builds(phone, st.just(mac), st.sampled_from(["acme", "other"]), st.just("A1"), TEXTS) for mac in macs))
)


@given(CONTACTS, PHONES)
def test_proof_is_of_a_contact_that_may_be_the_phones_and_a_wake_reaches_it(seen: list[LineContact], phones: tuple[LinePhone, ...]) -> None:
    found = owners(seen, phones)
    assert set(found) == set(seen)
    for mac, best in proven(seen, phones).items():
        assert mac in found[best]
        assert best.uri in wake_uris(mac, seen, phones)

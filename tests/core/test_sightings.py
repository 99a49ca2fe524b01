"""What counts of everything that is known of a phone, and what contradicts it."""

from __future__ import annotations

from typing import Never, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.catalogue import Catalogue
from provisioner.core.mac import Mac
from provisioner.core.sightings import FACTS, GUESSED, SHOWN, SOURCES, TOLD, Evidence, fact, maker_of, merge


def said(source: str, name: str, value: str, confidence: int = SHOWN, at: float = 1.0) -> Evidence:
    return Evidence(source, name, value, confidence, at)


def test_the_most_believed_counts_and_among_equals_the_newer(catalogue: Catalogue) -> None:
    rows = [
        said("dhcp", "model", "T4X", TOLD, 9.0), said("fetch", "model", "T46U", SHOWN, 1.0), said("fetch", "vendor", "yealink"),
        said("sip", "firmware", "108.85.0.1", SHOWN, 2.0), said("pnp", "firmware", "108.86.0.90", SHOWN, 3.0), said("arp", "address", "192.0.2.9"),
    ]  # fmt: skip
    found = merge(catalogue, rows)
    assert (found.vendor, found.model, found.firmware, found.address, found.conflict) == ("yealink", "T46U", "108.86.0.90", "192.0.2.9", "")


def test_a_yealink_user_agent_on_a_polycom_prefix_is_a_conflict(catalogue: Catalogue) -> None:
    found = merge(catalogue, [said("oui", "vendor", "polycom", GUESSED), said("fetch", "vendor", "yealink")])
    assert found.vendor == "yealink"
    assert found.conflict == "vendor: polycom by oui, yealink by fetch"


def test_a_guess_contradicts_nobody_but_the_register_does(catalogue: Catalogue) -> None:
    assert merge(catalogue, [said("mdns", "vendor", "polycom", GUESSED), said("fetch", "vendor", "yealink")]).conflict == ""
    assert maker_of(catalogue, Mac("64167f000001")) == "polycom" and maker_of(catalogue, Mac("000413000001")) == "Snom"


def test_two_models_of_ours_are_a_conflict_and_a_short_name_is_not(catalogue: Catalogue) -> None:
    assert merge(catalogue, [said("pnp", "model", "T21D", TOLD), said("sip", "model", "T21P")]).conflict == ""
    found = merge(catalogue, [said("dhcp", "model", "T46U", TOLD), said("sip", "model", "T48U"), said("fetch", "model", "SIP-T46U")])
    assert "model: T46U by dhcp" in found.conflict and "T48U by sip" in found.conflict


class Unread:
    """A catalogue that nobody may read: to go through all of it for each MAC would hold up who serves phones."""

    @property
    def vendors(self) -> Never:
        raise AssertionError("it was read")


def test_the_catalogue_is_read_only_where_two_models_were_told() -> None:
    rows = [said("dhcp", "model", "T46U", TOLD), said("fetch", "model", "SIP-T46U"), said("fetch", "vendor", "yealink")]
    unread = cast("Catalogue", Unread())
    assert merge(unread, rows[:1] + rows[2:]).model == "T46U"
    with pytest.raises(AssertionError):
        merge(unread, rows)


def test_what_was_refused_is_said(catalogue: Catalogue) -> None:
    rows = [
        said("fetch", "refused", "conflict"),
        said("pnp", "refused", "a request for it came from 02:00:00:00:00:01"),
        said("dhcp", "refused", ""),
    ]
    assert merge(catalogue, rows).conflict == "refused: a request for it came from 02:00:00:00:00:01; refused: conflict"


ROWS = st.lists(
    st.builds(
        Evidence, st.sampled_from(SOURCES), st.sampled_from(FACTS), st.sampled_from(["yealink", "polycom", "T46U", "T48U", "", "x"]),
        st.integers(0, 100), st.floats(0, 10),
    ),
    max_size=12,
    unique_by=lambda row: (row.source, row.fact),
)  # fmt: skip


@given(ROWS)
def test_the_order_of_the_evidence_does_not_matter(catalogue: Catalogue, rows: list[Evidence]) -> None:
    turned = sorted(rows, key=lambda row: (row.value, row.at, row.fact, row.source))
    assert merge(catalogue, rows) == merge(catalogue, turned)


def test_a_silent_source_says_no_fact() -> None:
    assert fact("model", " ", SHOWN) == () == fact("model", None, SHOWN)
    assert fact("model", "T46U\x00\ud800" + "x" * 400, SHOWN)[0].value.startswith("T46U??x")

"""Merging two texts that began as one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.overlay.three_way import has_marks, three_way

NAMES = {"our_name": "yours", "base_name": "release 1", "their_name": "release 2"}


@st.composite
def edits(draw: st.DrawFn) -> tuple[list[str], dict[int, list[str]], dict[int, list[str]]]:
    """A text and two sides' replacements of its lines, no two of them on the same line or on neighbouring ones."""
    base = [f"line {at}\n" for at in range(draw(st.integers(1, 30)))]
    sides: tuple[dict[int, list[str]], dict[int, list[str]]] = ({}, {})
    for at in range(0, len(base), 2):
        side = draw(st.sampled_from([None, 0, 1]))
        if side is not None:
            sides[side][at] = [f"{'ours' if side == 0 else 'theirs'} {at} {extra}\n" for extra in range(draw(st.integers(0, 2)))]
    return base, *sides


def edited(base: list[str], changed: dict[int, list[str]]) -> str:
    return "".join("".join(changed.get(at, [line])) for at, line in enumerate(base))


@given(edits())
@settings(deadline=None, max_examples=60)
def test_edits_that_do_not_meet_are_both_there(case: tuple[list[str], dict[int, list[str]], dict[int, list[str]]]) -> None:
    base, ours, theirs = case
    merged = three_way("".join(base), edited(base, ours), edited(base, theirs), **NAMES)
    assert merged.text == edited(base, {**ours, **theirs})
    assert merged.conflicts == 0


@given(
    st.lists(st.sampled_from(["a\n", "b\n", "\n", "c\n"]), max_size=12).map("".join),
    st.lists(st.sampled_from(["a\n", "b\n", "d"]), max_size=8).map("".join),
)
@settings(deadline=None, max_examples=60)
def test_a_side_that_changed_nothing_takes_the_other(base: str, other: str) -> None:
    for merged in (three_way(base, other, base, **NAMES), three_way(base, base, other, **NAMES), three_way(base, other, other, **NAMES)):
        assert (merged.text, merged.conflicts) == (other, 0)


def test_conflict_shows_all_three_sides() -> None:
    merged = three_way("a\nb\nc\n", "a\nmine\nc\n", "a\nnew\nc", **NAMES)
    assert merged.conflicts == 1
    assert merged.text == "a\n<<<<<<< yours\nmine\nc\n||||||| release 1\nb\nc\n=======\nnew\nc\n>>>>>>> release 2\n"
    assert has_marks(merged.text)
    assert not has_marks("a\n< b\n> c\n==== \n")

"""Merges two texts that began as one, line by line.

Our own, by the standard library's ``difflib``: ``merge3`` on PyPI is under the GPL, and ``git merge-file`` is not on every server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

OURS, BASE, THEIRS, END = "<<<<<<<", "|||||||", "=======", ">>>>>>>"


@dataclass(frozen=True, slots=True)
class Merged:
    """``conflicts``: how many places both sides changed, each otherwise; they stand in ``text`` between marks."""

    text: str
    conflicts: int


def three_way(base: str, ours: str, theirs: str, *, our_name: str, base_name: str, their_name: str) -> Merged:
    """Returns both sides' changes of ``base`` in one text."""
    texts = [text.splitlines(keepends=True) for text in (base, ours, theirs)]
    out: list[str] = []
    conflicts = 0
    for root, left, right in _pieces(*texts):
        if right in (left, root):
            out += left
        elif left == root:
            out += right
        else:
            conflicts += 1
            marked = ((f"{OURS} {our_name}", left), (f"{BASE} {base_name}", root), (THEIRS, right), (f"{END} {their_name}", ()))
            for mark, lines in marked:
                out += [f"{mark}\n", *_ended(lines)]
    return Merged("".join(out), conflicts)


def has_marks(text: str) -> bool:
    """Returns whether a mark of a conflict is left in ``text``."""
    return any(line.startswith((f"{OURS} ", f"{BASE} ", f"{END} ")) or line == THEIRS for line in text.splitlines())


Lines = Sequence[str]


def _pieces(base: Lines, ours: Lines, theirs: Lines) -> Iterator[tuple[Lines, Lines, Lines]]:
    """Yields the three texts piece by piece: what all three share, and what lies between."""
    at = at_ours = at_theirs = 0
    for start, in_ours, in_theirs, size in _shared(base, ours, theirs):
        yield base[at:start], ours[at_ours:in_ours], theirs[at_theirs:in_theirs]
        same = base[start : start + size]
        yield same, same, same
        at, at_ours, at_theirs = start + size, in_ours + size, in_theirs + size
    yield base[at:], ours[at_ours:], theirs[at_theirs:]


def _shared(base: Lines, ours: Lines, theirs: Lines) -> Iterator[tuple[int, int, int, int]]:
    """Yields the runs of lines that stand in all three: where in each, and how many."""
    left = SequenceMatcher(None, base, ours, autojunk=False).get_matching_blocks()
    right = SequenceMatcher(None, base, theirs, autojunk=False).get_matching_blocks()
    one = other = 0
    while one < len(left) and other < len(right):
        mine, yours = left[one], right[other]
        start, end = max(mine.a, yours.a), min(mine.a + mine.size, yours.a + yours.size)
        if start < end:
            yield start, mine.b + start - mine.a, yours.b + start - yours.a, end - start
        if mine.a + mine.size < yours.a + yours.size:
            one += 1
        else:
            other += 1


def _ended(lines: Lines) -> list[str]:
    """Returns the lines so that a mark can follow: the last of a text may have no end of its own."""
    return [line if line.endswith("\n") else f"{line}\n" for line in lines]

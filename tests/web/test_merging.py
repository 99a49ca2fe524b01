"""Two people edit the same thing; and what a change row tells of before and after."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.records import ChangeRecord
from web.differences import differences, value_text
from web.merging import merged

FORM = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "1", "2", "3"]))


@given(FORM, FORM, FORM)
def test_nothing_of_either_is_lost(base: dict[str, str], mine: dict[str, str], theirs: dict[str, str]) -> None:
    both = merged(base, mine, theirs)
    for name in base.keys() | mine.keys() | theirs.keys():
        was, own, other = (form.get(name, "") for form in (base, mine, theirs))
        if own != was:
            assert both.values[name] == own, "what I wrote stands in the form"
        if other not in (was, own):
            assert both.values.get(name, "") == other or both.conflicts[name] == other, "what they saved stands there, or is told beside it"
    assert not both.conflicts.keys() & both.taken


@given(FORM, FORM)
def test_one_who_changed_nothing_gets_what_the_other_saved(base: dict[str, str], theirs: dict[str, str]) -> None:
    both = merged(base, base, theirs)
    assert {name: value for name, value in both.values.items() if value} == {name: value for name, value in theirs.items() if value}
    assert not both.conflicts


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"site": "a", "modules": 0}, {"site": "b", "modules": 0}, [("site", "a", "b")]),
        (None, {"role": "viewer"}, [("role", "", "viewer")]),
        ({"display_name": "Bob"}, None, [("display_name", "Bob", "")]),
        ({"lines": [[1, "1001", ""]]}, {"lines": [[1, "1002", "Desk"]]}, [("line 1", "1001", "1002 Desk")]),
        ({"lines": [[1, "1001", ""]]}, {"lines": []}, [("line 1", "1001", "")]),
        ({"keys": []}, {"keys": [[0, 3, "blf", "1002", "Bob", 1]]}, [("key 0.3", "", "blf 1002 Bob 1")]),
        ({"settings": {"voice_vlan": 7}}, {"settings": {}}, [("settings voice_vlan", "7", "")]),
        ({"enabled": True}, {"enabled": False}, [("enabled", "✓", "✗")]),
        ({"a": "x" * 200}, {"a": "y"}, [("a", "x" * 119 + "…", "y")]),
        ("old", "new", [("", "old", "new")]),
    ],
)
def test_a_change_tells_what_it_made_otherwise(before: Any, after: Any, told: list[tuple[str, str, str]]) -> None:
    found = differences(ChangeRecord(1, 0.0, "a", "phone.update", "s", before, after, 1))
    assert [(name, value_text(was), value_text(now)) for name, was, now in found] == told

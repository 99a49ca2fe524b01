"""The stage is total over every combination of facts, and a story told in order never goes backwards."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.lockstep import LockstepFacts, Stage, files_hash, names_hash, stage
from provisioner.core.values import RenderedFile, Sha256

HASHES, TIMES = (None, "a", "b"), (None, 1.0, 2.0)


def test_every_combination_has_a_stage_and_proof_is_never_cheap() -> None:
    counted = 0
    for wanted, live, served, pbx_wanted, pbx_verified in itertools.product(HASHES, repeat=5):
        for live_at, notified_at, fetched_at, registered_at in itertools.product(TIMES, (None, 2.0), TIMES, TIMES):
            for error, has_lines, has_pbx in itertools.product(("", "why"), (True, False), (True, False)):
                facts = LockstepFacts(
                    wanted,
                    live,
                    served,
                    pbx_wanted,
                    pbx_verified,
                    live_at,
                    notified_at,
                    fetched_at,
                    registered_at,
                    error,
                    has_lines,
                    has_pbx,
                )
                found = stage(facts)
                counted += 1
                assert isinstance(found, Stage)
                assert (found is Stage.HELD) == bool(error)
                if found is Stage.IN_LOCKSTEP:
                    assert wanted is not None and wanted == live == served
                    if has_pbx and has_lines:
                        assert pbx_wanted is not None and pbx_wanted == pbx_verified
                        assert registered_at is not None and fetched_at is not None and registered_at >= fetched_at
    assert counted > 100_000


ORDER = [
    Stage.RENDERING, Stage.PUSHING, Stage.PROMOTING, Stage.WAITING_FOR_PHONE, Stage.NOTIFIED, Stage.WAITING_FOR_REGISTRATION, Stage.IN_LOCKSTEP,
]  # fmt: skip
STORY = [
    {"wanted": "new"}, {"pbx_wanted": "p"}, {"pbx_verified": "p"}, {"live": "new", "live_at": 10.0, "notified_at": None},
    {"notified_at": 11.0}, {"served": "new", "fetched_at": 12.0}, {"registered_at": 13.0},
]  # fmt: skip


@given(st.sampled_from([None, "old"]), st.sampled_from([None, 5.0]))
def test_story_in_its_order_goes_forward_to_lockstep(old: str | None, registered_at: float | None) -> None:
    facts = LockstepFacts(live=old, served=old, fetched_at=registered_at, registered_at=registered_at, live_at=registered_at)
    told = [stage(facts)]
    for step in STORY:
        facts = replace(facts, **step)
        told.append(stage(facts))
    places = [ORDER.index(one) for one in told]
    assert places == sorted(places)
    assert (told[0], told[-1]) == (Stage.RENDERING, Stage.IN_LOCKSTEP)


@given(st.dictionaries(st.text("abc.", min_size=1), st.binary(max_size=4), max_size=5), st.randoms())
def test_hash_of_a_set_knows_every_name_and_byte_and_no_order(files: dict[str, bytes], dice) -> None:
    pairs = [(name, Sha256(body.hex())) for name, body in files.items()]
    shuffled = list(pairs)
    dice.shuffle(shuffled)
    assert names_hash(pairs) == names_hash(shuffled) == files_hash(RenderedFile(name, b"", sha256, "") for name, sha256 in pairs)
    assert names_hash([*pairs, ("another", "x")]) != names_hash(pairs)

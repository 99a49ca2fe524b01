"""The four lights are the lockstep equation: all of them are on exactly where the stage is in_lockstep."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.lockstep import LockstepFacts, Stage, stage
from web.lights import WHY, lights, why
from web.words import REASONS, STAGES

HASH = st.sampled_from([None, "a", "b"])
TIME = st.sampled_from([None, 1.0, 2.5, 3.0])
FACTS = st.builds(
    LockstepFacts, wanted=HASH, live=HASH, served=HASH, pbx_wanted=HASH, pbx_verified=HASH, live_at=TIME, notified_at=TIME, fetched_at=TIME,
    registered_at=TIME, error=st.sampled_from(["", "broken"]), has_lines=st.booleans(), has_pbx=st.booleans(), notify_error=st.sampled_from(["", "away"]),
)  # fmt: skip


@given(FACTS)
def test_all_lights_are_on_exactly_in_lockstep(facts: LockstepFacts) -> None:
    shown = lights(facts)
    assert len(shown) == 4
    assert all(light.state in {"on", "none"} for light in shown) == (stage(facts) is Stage.IN_LOCKSTEP)
    assert any(light.state == "bad" for light in shown) == bool(facts.error)
    assert all(light.sentence for light in shown) and why(facts) == WHY[stage(facts)]


def test_every_stage_and_reason_has_words() -> None:
    from provisioner.core.values import Reason

    assert set(STAGES) == set(map(str, Stage)) and set(WHY) == set(Stage)
    assert set(REASONS) == set(Reason)

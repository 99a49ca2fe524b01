"""Keys that only some places of a model can be: refused when they are laid out, with a place that can."""

from __future__ import annotations

import pytest

from provisioner.changes.keys import KeyInput, key_mistakes
from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()


@pytest.mark.parametrize(
    ("model", "key", "sentence"),
    [
        ("grandstream/gxp1628", KeyInput(1, "blf", "203"), "key 1 of the phone cannot be of type 'blf'; key 3 of the phone can"),
        ("grandstream/gxp1628", KeyInput(3, "line"), "key 3 of the phone cannot be of type 'line'; key 1 of the phone can"),
        ("grandstream/grp2614", KeyInput(17, "line"), "key 17 of the phone cannot be of type 'line'; key 1 of the phone can"),
        ("grandstream/gxp2170", KeyInput(4, "line", module=2), "key 4 of module 2 cannot be of type 'line'; key 1 of the phone can"),
    ],
)
def test_a_key_that_its_place_cannot_be_is_refused(model: str, key: KeyInput, sentence: str) -> None:
    found = CATALOGUE.model(model)
    assert found is not None
    assert key_mistakes(found, [key], None) == {"keys.0.type": sentence}


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("grandstream/gxp1628", KeyInput(3, "blf", "203")),
        ("grandstream/gxp1628", KeyInput(1, "line")),
        ("grandstream/gxp2170", KeyInput(40, "blf", "203", module=4)),
        ("grandstream/gxp1628", KeyInput(1, "none")),
    ],
)
def test_a_key_that_its_place_can_be_is_taken(model: str, key: KeyInput) -> None:
    found = CATALOGUE.model(model)
    assert found is not None
    assert key_mistakes(found, [key], None) == {}


def test_a_type_that_the_model_never_has_is_refused_as_such() -> None:
    found = CATALOGUE.model("grandstream/gxp1610")
    assert found is not None
    [sentence] = key_mistakes(found, [KeyInput(1, "blf", "203")], None).values()
    assert sentence.startswith("the Grandstream GXP1610 lacks the key type 'blf', because ")

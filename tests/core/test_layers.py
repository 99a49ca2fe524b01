"""What is merged is what is explained."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.layers import LAYER_ORDER, Layer, explained, merged

VALUES = st.one_of(st.booleans(), st.integers(0, 9), st.text("ab", max_size=2))
LAYERS = st.lists(
    st.builds(Layer, st.sampled_from(LAYER_ORDER), st.text("xy", max_size=1), st.dictionaries(st.sampled_from("abcd"), VALUES))
)


@given(LAYERS, st.randoms())
def test_merged_and_explained_agree(layers: list[Layer], dice) -> None:
    values = merged(layers)
    for name in "abcd":
        origin = explained(layers, name)
        assert (origin is not None) == (name in values)
        if origin is not None:
            assert origin.value is values[name] or origin.value == values[name]
            ranks = [LAYER_ORDER.index(kind) for kind in (origin.layer, *(hidden.kind for hidden in origin.overridden))]
            assert ranks == sorted(ranks, reverse=True)
            assert 1 + len(origin.overridden) == sum(name in layer.values for layer in layers)
    one_of_each = list({layer.kind: layer for layer in layers}.values())
    expected = merged(one_of_each)
    dice.shuffle(one_of_each)
    assert merged(one_of_each) == expected, "the order in which layers come does not matter"

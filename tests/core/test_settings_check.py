"""Checking a setting is total: a value in its type, or ``InputError`` naming the setting - whatever is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.catalogue import Catalogue
from provisioner.core.settings_check import checked_setting
from provisioner.errors import InputError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("9" * 5000) | st.just("٣"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
TYPES = {"integer": int, "boolean": bool}


@given(st.data())
def test_any_value_of_any_setting(catalogue: Catalogue, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(catalogue.settings)))
    row = catalogue.settings[name]
    value = data.draw(JSON | st.sampled_from([row.default, str(row.default), "Europe/Amsterdam", "on", "1", "host.example", "::1"]))
    try:
        found = checked_setting(catalogue.settings, catalogue.zones, name, value)
    except InputError as error:
        assert set(error.fields) == {f"settings.{name}"}
        assert len(error.fields[f"settings.{name}"]) < 2000
    else:
        assert type(found) is TYPES.get(row.type, str)
        assert checked_setting(catalogue.settings, catalogue.zones, name, found) == found
        assert len(str(found).splitlines()) <= 1
        str(found).encode("utf-8")


@given(st.text(max_size=50) | st.just("voice_vlna" * 10_000))
def test_unknown_name_is_refused_at_once(catalogue: Catalogue, name: str) -> None:
    if name not in catalogue.settings:
        with pytest.raises(InputError, match=r"there is no such setting|no list of parameters"):
            checked_setting(catalogue.settings, catalogue.zones, name, 1)


@pytest.mark.parametrize(
    "value", [10**5000, -(10**5000), [10**5000], {"a": 10**5000}], ids=["huge", "hugely negative", "in a list", "in a mapping"]
)
def test_number_that_python_does_not_write_out(catalogue: Catalogue, value: object) -> None:
    """Was: ``ValueError: Exceeds the limit (4300 digits)``, out of the very sentence that refuses it."""
    for name in catalogue.settings:
        with pytest.raises(InputError):
            checked_setting(catalogue.settings, catalogue.zones, name, value)


def test_every_default_fits_its_own_row(catalogue: Catalogue) -> None:
    for name, row in catalogue.settings.items():
        if row.default != "":
            assert checked_setting(catalogue.settings, catalogue.zones, name, row.default) == row.default


def test_slip_of_the_pen_is_recognised(catalogue: Catalogue) -> None:
    with pytest.raises(InputError, match="did you mean voice_vlan"):
        checked_setting(catalogue.settings, catalogue.zones, "voice_vlna", 1)
    with pytest.raises(InputError, match="did you mean Europe/Amsterdam"):
        checked_setting(catalogue.settings, catalogue.zones, "timezone", "Europe/Amsterdm")

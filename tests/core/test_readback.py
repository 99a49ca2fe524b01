"""Files of ours are read back to the same lines and keys, on every series that is read; whatever else is in a file does no harm."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.catalog import load_catalogue
from provisioner.catalog.examples import example_paths, read_example
from provisioner.core.catalogue import Catalogue
from provisioner.core.parameters import MOST_PARAMETERS, parameters_of, without_comments
from provisioner.core.probing import Form, learned
from provisioner.core.readback import read_phone
from provisioner.core.render import Renderer
from provisioner.core.values import PhoneConfig
from tests.installations import REAL

CATALOGUE: Catalogue = load_catalogue(REAL)
RENDERER = Renderer(CATALOGUE)
KEYED = [vendor.id for vendor in CATALOGUE.vendors.values() if vendor.reading is not None and vendor.id != "polycom"]
EXAMPLES = [path for vendor in KEYED for path in example_paths(REAL, vendor)][::4]
"""Some series of each vendor whose keys hold their numbers themselves."""


@cache
def form_of(model: str, with_modules: bool) -> Form:
    found = CATALOGUE.model(model)
    assert found is not None
    return learned(RENDERER, found, with_modules=with_modules)


def parameters_in(config: PhoneConfig) -> dict[str, str]:
    rule = CATALOGUE.vendors[config.model.partition("/")[0]].reading
    assert rule is not None
    found: dict[str, str] = {}
    for file in RENDERER.phone_files(config):
        found |= parameters_of(rule, file.body.decode("utf-8"))
    return found


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_example_is_read_back_to_what_it_was_made_of(path: Path) -> None:
    """The phone that was read makes the very same files, apart from settings that it did not read."""
    example = read_example(CATALOGUE, path.parent.parent.name, path).config
    keys = tuple(replace(key, type="line") if key.type == "shared_line" else key for key in example.keys)  # who shares a line is not read
    config = replace(example, firmware="", keys=keys)
    written = parameters_in(config)
    read = read_phone(form_of(config.model, bool(config.modules)), written)
    again = parameters_in(replace(config, lines=read.lines, keys=read.keys))
    assert {name: (value, again.get(name)) for name, value in written.items() if again.get(name) != value} == {}
    assert read.strange == ()


def test_lines_are_read_where_keys_only_list_numbers() -> None:
    path = next(path for path in example_paths(REAL, "polycom") if path.stem == "vvx350-shared_line")
    example = read_example(CATALOGUE, "polycom", path).config
    read = read_phone(form_of(example.model, False), parameters_in(example))
    assert [(line.line, line.extension, line.secret) for line in read.lines] == [
        (line.line, line.extension, line.secret) for line in example.lines
    ]
    assert read.keys == ()


def test_line_that_is_off_and_login_beside_the_number() -> None:
    form = form_of("yealink/t46u", False)
    given = {"account.1.enable": "1", "account.1.user_name": "1001", "account.1.auth_name": "login-1", "account.1.label": "Front"}
    off = {"account.2.enable": "0", "account.2.user_name": "1002"}
    read = read_phone(form, {**given, **off, "account.3.auth_name": "1003@pbx.old"})
    assert [(line.line, line.extension, line.label) for line in read.lines] == [(1, "1001", "Front"), (3, "1003", "")]


def test_what_has_no_word_is_told_by_its_name_alone() -> None:
    form = form_of("yealink/t46u", False)
    read = read_phone(form, {"linekey.3.type": "99", "linekey.3.value": "s3cret", "ldap.password": "s3cret", "lang.gui": ""})
    assert read.strange == ("linekey.3.type",) and read.keys == ()
    assert read.left == ("linekey.3.type", "linekey.3.value", "ldap.password")


def test_dark_key_of_a_line_stays_dark_and_a_line_key_that_comes_by_itself_is_not_laid_out() -> None:
    form = form_of("yealink/t46u", False)
    account = {"account.1.enable": "1", "account.1.user_name": "1001"}
    assert read_phone(form, {**account, "linekey.1.type": "15", "linekey.1.line": "1"}).keys == ()
    (dark,) = read_phone(form, {**account, "linekey.1.type": "0"}).keys
    assert (dark.key, dark.type) == (1, "none")


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_values_are_read_without_an_error(data: st.DataObject) -> None:
    form = form_of(data.draw(st.sampled_from(["yealink/t46u", "grandstream/gxp2170", "polycom/vvx411"])), False)
    names = st.sampled_from(sorted(form.written))
    values = TEXTS | st.sampled_from(["0", "1", "-1", "15", "16", "99999999999999", "*8", "*81002"])
    read = read_phone(form, data.draw(st.dictionaries(names, values, max_size=30)))
    assert len(read.lines) <= form.model.lines and len(read.keys) <= form.model.keys
    assert all(1 <= key.line <= form.model.lines for key in read.keys)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["yealink", "grandstream", "polycom"]), TEXTS | st.text('<>!-="P1ab. \n', max_size=200))
def test_any_text_is_taken_apart_without_an_error(vendor: str, text: str) -> None:
    rule = CATALOGUE.vendors[vendor].reading
    assert rule is not None
    assert len(parameters_of(rule, text)) <= MOST_PARAMETERS


def test_comments_of_a_file_hold_no_parameters() -> None:
    assert without_comments("a<!-- <P2>x</P2> -->b<!-- never closed <P3>") == "ab"
    assert len(without_comments("<!--" * 200_000)) == 0


def test_entities_of_xml_are_letters_again() -> None:
    rule = CATALOGUE.vendors["grandstream"].reading
    assert rule is not None
    given = "<P1>A &amp; B &#228;&#xE4;</P1><P2>&nbsp;&#0;&#xD800;&#9999999;</P2>"
    assert parameters_of(rule, given) == {"P1": "A & B \u00e4\u00e4", "P2": "&nbsp;&#0;&#xD800;&#9999999;"}

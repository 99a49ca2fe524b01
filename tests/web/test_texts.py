"""Every marked text has its translation, with the same values in it; and pages, times and numbers come in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, g

from provisioner.core.languages import LANGUAGES
from tests.web.conftest import Person, words_in
from web import i18n, texts

OTHERS = [code for code in LANGUAGES if code != i18n.DEFAULT]
VALUE = re.compile(r"%\(\w+\)s|\{\w+\}")
KINDS = pytest.mark.parametrize("kind", texts.KINDS, ids=lambda folder: folder.name)


@KINDS
@pytest.mark.parametrize("language", OTHERS)
def test_no_text_is_missing(language: str, kind: Path) -> None:
    assert texts.missing(language, kind) == [], f"translate them in {kind}, after 'python -m web.texts'"


@KINDS
@pytest.mark.parametrize("language", OTHERS)
def test_translations_carry_the_values_of_their_text(language: str, kind: Path) -> None:
    for message in texts.catalogue_of(language, kind):
        source = message.id if isinstance(message.id, str) else message.id[0]
        forms = [message.string] if isinstance(message.string, str) else list(message.string)
        for form in forms if message.id else ():
            assert sorted(VALUE.findall(form)) == sorted(VALUE.findall(source)), source
            assert "%%" not in source and form == form.strip()


@KINDS
@pytest.mark.parametrize("language", OTHERS)
def test_catalogue_holds_nothing_that_nobody_says(language: str, kind: Path) -> None:
    said = {message.id for message in texts.KINDS[kind]()}
    assert [message.id for message in texts.catalogue_of(language, kind) if message.id and message.id not in said] == []


@pytest.mark.parametrize(
    ("language", "word"), [("nl", "Toestellen"), ("fi", "Puhelimet"), ("vi", "Điện thoại"), ("km", "ទូរសព្ទ"), ("en", "Phones")]
)
def test_pages_come_in_the_language_of_the_browser_or_of_ones_choice(app: Flask, admin: Person, language: str, word: str) -> None:
    answer = admin.get("/phones", **{"Accept-Language": f"{language};q=0.9, xx"})
    assert f'<html lang="{language}"' in answer.text and word in words_in(answer)
    admin.post("/look", language=language, theme="dark", back="/phones")
    answer = admin.get("/phones", **{"Accept-Language": "de"})
    assert f'<html lang="{language}" data-theme="dark"' in answer.text


@pytest.fixture
def finnish(app: Flask) -> Iterator[None]:
    with app.app_context():
        g.language = "fi"
        yield


@pytest.mark.usefixtures("finnish")
def test_times_and_numbers_are_written_as_the_language_does() -> None:
    assert i18n.number_text(12345.5) == "12\xa0345,5"
    assert i18n.ago_text(1000.0, 1120.0) == "2 minuuttia sitten"
    assert i18n.ngettext("%(num)s phone was changed.", "%(num)s phones were changed.", 2) == "2 puhelinta muutettiin."

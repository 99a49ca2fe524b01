"""Instruction sheets: every text in every language, the right steps for the model, nothing that a name could add, PDFs with their fonts."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from provisioner.core.installing import STEP_FIELDS
from provisioner.core.languages import LANGUAGES
from provisioner.core.mac import Mac
from provisioner.errors import InputError
from provisioner.sheets import Sheet, printing, sheet_html
from provisioner.sheets.printing import PrintingError, sheet_pdf
from provisioner.sheets.texts import FOLDER, PARTS, STEPS, said
from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()
MODELS = ("yealink/t46u", "grandstream/gxp2170", "polycom/vvx411")
ADDRESS = "http://prov.example.com:8080/p/abcdefghij/"
PLACE = re.compile(r"%\((\w+)\)s")


def sheet(model_id: str = MODELS[0], name: str = "Nguyễn Thị Ánh", until: float | None = 1_795_000_000.0) -> Sheet:
    model = CATALOGUE.model(model_id)
    assert model is not None
    ways = tuple(CATALOGUE.vendors[model.vendor].ways_of(model))
    return Sheet(model.title, Mac("805ec0aabbcc"), (f"1001 ({name})",), ADDRESS, until, "Asia/Phnom_Penh", ways)


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_text_is_translated_with_the_same_places(language: str) -> None:
    with (FOLDER / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    texts = {*PARTS.values(), *STEPS.values()}
    assert {message.id for message in catalogue if message.id} == texts, "no text is missing, none is left over"
    for message in catalogue:
        if message.id:
            assert message.string
            assert sorted(PLACE.findall(message.string)) == sorted(PLACE.findall(message.id)), message.id


def test_steps_have_the_words_that_their_sentences_name() -> None:
    assert STEPS.keys() == STEP_FIELDS.keys()
    for name, text in STEPS.items():
        assert set(PLACE.findall(text)) == set(STEP_FIELDS[name]), name


@pytest.mark.parametrize("vendor", sorted(CATALOGUE.vendors))
def test_every_model_has_a_way_that_names_the_address(vendor: str) -> None:
    for model in CATALOGUE.vendors[vendor].models.values():
        ways = CATALOGUE.vendors[vendor].ways_of(model)
        assert ways and len({way.where for way in ways}) == len(ways)
        assert all(any(step.do == "enter" for step in way.steps) for way in ways)


def test_series_has_a_way_of_its_own() -> None:
    assert "*** 02" in sheet_html(sheet("grandstream/ht802"), "en")
    assert "*** 02" not in sheet_html(sheet("grandstream/gxp2170"), "en")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", MODELS)
def test_page_is_complete_in_every_language(model: str, language: str) -> None:
    page = sheet_html(sheet(model), language)
    assert f'<html lang="{language}">' in page and ADDRESS in page and "80:5e:c0:aa:bb:cc" in page and "<svg" in page
    for name in ("title", "exactly", "connect", "fetches", "compare"):
        assert str(said(language, PARTS[name])) in page
    assert "%(" not in page and "2026" in page and "UTC+07:00" in page
    assert not re.search(r"(?:src|href)=", page), "nothing is loaded from anywhere"


def test_address_is_written_as_the_field_wants_it() -> None:
    assert "<b>http://prov.example.com:8080/p/abcdefghij/</b>" in sheet_html(sheet("yealink/t46u"), "en")
    for model in ("grandstream/gxp2170", "polycom/vvx411"):
        page = sheet_html(sheet(model), "en")
        assert "<b>prov.example.com:8080/p/abcdefghij</b>" in page and "<b>HTTP</b>" in page


def test_common_address_is_not_called_a_one_time_one() -> None:
    page = sheet_html(sheet(until=None), "en")
    assert PARTS["local"] in page and "works once" not in page


def test_name_of_an_extension_is_text_and_nothing_else() -> None:
    page = sheet_html(sheet(name='<script>alert(1)</script>"&%(x)s{{ 1 }}'), "vi")
    assert "<script>" not in page and "&lt;script&gt;" in page and "{{ 1 }}" in page


def test_unknown_language_names_those_that_there_are() -> None:
    with pytest.raises(InputError, match="en, vi, km, nl, fi"):
        sheet_html(sheet(), "tlh")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", MODELS)
def test_pdf_is_one_page_whose_text_is_readable(model: str, language: str, tmp_path: Path) -> None:
    path = tmp_path / "sheet.pdf"
    path.write_bytes(sheet_pdf(sheet(model, name="សុខ ភា"), language))
    about = subprocess.run(["pdfinfo", path], capture_output=True, text=True, check=True, timeout=60).stdout
    assert re.search(r"^Pages: +1$", about, re.MULTILINE)
    fonts = subprocess.run(["pdffonts", path], capture_output=True, text=True, check=True, timeout=60).stdout
    used = {line.split()[0].partition("+")[2] for line in fonts.splitlines()[2:]}
    assert used and all(name.startswith(("Sheet", "Noto-Sans", "DejaVu-Sans", "Noto", "DejaVu")) for name in used), used
    assert "Khmer" in fonts, "the name is set in a font that has its letters"
    text = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert (ADDRESS if model == MODELS[0] else ADDRESS.removeprefix("http://").rstrip("/")) in text and "80:5e:c0:aa:bb:cc" in text


def test_missing_font_is_told_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(printing, "FOLDERS", (tmp_path,))
    printing._font.cache_clear()
    try:
        with pytest.raises(PrintingError, match=r"NotoSansKhmer-Regular.ttf.*apt-get install .*fonts-noto-core"):
            sheet_pdf(sheet(), "km")
    finally:
        printing._font.cache_clear()

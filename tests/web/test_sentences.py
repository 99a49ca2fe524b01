"""What the server says is said on the pages in the reader's language, and nothing that a page can show is left out of the catalogues."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from flask import Flask, g

from provisioner import errors
from provisioner.core.languages import LANGUAGES
from provisioner.core.mac import Mac
from provisioner.models import phone as phones
from provisioner.models_enrolment import newcomer
from provisioner.wiring import Installation
from tests.web.conftest import BARE, MAC, Person, words_in
from web import extraction
from web.i18n import DEFAULT
from web.sentences import Sentence, full_sentence, sentences, translated

PART = re.compile(r"\{(\w+)\}")
TOLD_OTHERWISE = ("api", "commands", "overlay", "parts", "dhcp", "discovery", "transports", "redirect")
"""Whole parts whose errors no page shows: programs, people at a command line and logs are told. The modules of the API whose functions
the pages call are named in ``extraction``."""
BEFORE_THERE_ARE_PAGES = {
    "backups.py",
    "key_mark.py",
    "migrate.py",
    "secrets.py",
    "settings.py",
    "catalog/__init__.py",
    "catalog/examples.py",
}
"""Without what these read there is no server."""
WITHOUT_A_PAGE = {"redirecting.py", "scans.py", "trial.py"}


@pytest.fixture(params=[code for code in LANGUAGES if code != DEFAULT])
def language(app: Flask, request: pytest.FixtureRequest) -> Iterator[str]:
    with app.app_context():
        g.language = request.param
        yield request.param


@pytest.fixture
def dutch(app: Flask) -> Iterator[None]:
    with app.app_context():
        g.language = "nl"
        yield


def test_every_sentence_is_found_again_with_its_values(language: str) -> None:
    for sentence in sentences(language):
        values = {name: f"<{name}>" for name in PART.findall(sentence.text)}
        assert translated(Sentence("", sentence.text).told(values)) == sentence.told(values), sentence.text


@pytest.mark.usefixtures("dutch")
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("there is no extension 1001", "toestelnummer 1001 bestaat niet"),
        ("it was taken in: the window is open", "het is opgenomen: het venster is open"),
        (
            "it could not be taken in: site: the window of Oslo is closed",
            "het kon niet worden opgenomen: site: het venster van Oslo is gesloten",
        ),
        ("there is no group A; there is no site B", "er is geen groep A; er is geen locatie B"),
        ("'x' is not a time zone; did you mean Asia/Hanoi?", "'x' is geen tijdzone; bedoelde u Asia/Hanoi?"),
        ("acme/a1 line 3: a value does not fit", "acme/a1 line 3: een waarde past niet"),
        ("nobody ever said this: nor that", "nobody ever said this: nor that"),
        ("", ""),
    ],
)
def test_sentence_is_told_with_what_is_in_it(said: str, told: str) -> None:
    assert translated(said) == told


@pytest.mark.usefixtures("dutch")
def test_sentence_that_stands_alone_begins_and_ends_as_one() -> None:
    assert full_sentence("it rings") == "Het gaat over." and full_sentence("why?") == "Why?"
    g.language = "km"
    assert full_sentence("it waits to be claimed") == "វារង់ចាំការទាមទារ។"
    g.language = DEFAULT
    assert full_sentence("there is no site Oslo") == "There is no site Oslo."


def test_part_ends_where_what_follows_it_first_stands() -> None:
    sentence = Sentence("key {key} of module {module}", "{module}/{key}")
    assert sentence.values("key 1 of module 2 of module 3") == {"key": "1", "module": "2 of module 3"}
    assert sentence.values("key 1") is None and sentence.values("key 1 of module") is None
    assert Sentence("it rings", "").values("it rings twice") is None


def test_sentences_of_a_module_are_its_strings_that_read_as_such() -> None:
    source = '''
"""No docstring."""
WORDS = {"not a key": "of a value"}
def ask(row: "not an annotation", default="not a default") -> "nor this":
    log.info("not for people")
    if row == "no comparison is":
        raise InputError({"site": f"there is no site {row.name[:60]}" + (f", did you mean {near}?" if near else "")})
    return f"{len(row.lines)} of {row.lines} are {'too many' if row else 'too few'} here"
'''
    assert list(extraction.sentences_in(source)) == [
        "of a value",
        "there is no site {name}, did you mean {near}?",
        "there is no site {name}",
        "{lines} of {lines2} are too many here",
        "{lines} of {lines2} are too few here",
    ]


def test_what_is_no_sentence_still_stands_in_the_code() -> None:
    files = {path for pattern in extraction.SPOKEN for path in extraction.ROOT.glob(pattern)}
    said = {text for path in files for text in extraction.sentences_in(path.read_text("utf-8"))}
    assert not extraction.NO_SENTENCES - said
    assert {str(path.relative_to(extraction.ROOT)) for path in files} >= extraction.SILENT


def test_every_part_that_raises_errors_of_ours_is_translated_or_never_shown() -> None:
    server = extraction.ROOT / "provisioner"
    spoken = {path for pattern in extraction.SPOKEN for path in extraction.ROOT.glob(pattern)}
    left = {
        path.relative_to(server) for path in server.rglob("*.py") if path not in spoken and raises_ours(ast.parse(path.read_text("utf-8")))
    }
    unsaid = {str(path) for path in left if path.parts[0] not in TOLD_OTHERWISE}
    assert unsaid <= BEFORE_THERE_ARE_PAGES | WITHOUT_A_PAGE, "name them in web/extraction.py, then run 'python -m web.texts'"


def raises_ours(tree: ast.AST) -> bool:
    ours = {name for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, errors.ProvisionerError)}
    calls = (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise))
    return any(isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ours for call in calls)


def test_person_reads_in_their_language_what_is_wrong_and_a_program_in_english(admin: Person, phone: Mac) -> None:
    admin.post("/look", language="vi", theme="auto", back="/")
    answer = admin.post("/phones/new", mac=MAC, model="acme/a1", site="Oslo", enabled="yes")
    assert answer.status_code == 422 and f"điện thoại {MAC} đã có trong danh sách" in words_in(answer)
    answer = admin.post(f"/phones/{MAC}/edit", revision=1, model="acme/none", site="Oslo", firmware="", modules="0")
    assert "không có địa điểm Oslo" in words_in(answer) and "there is no site" not in answer.text
    assert "điện thoại 02:ac:de:00:00:77 không có trong danh sách" in words_in(admin.get("/phones/02:ac:de:00:00:77"))
    problem = admin.client.get("/api/v1/phones/02acde000077", headers={"Accept-Language": "vi"}).get_json()
    assert problem["errors"][0]["message"] == "phone 02:ac:de:00:00:77 is not listed"


def test_what_was_kept_long_ago_is_told_in_the_language_of_who_looks(admin: Person, phone: Mac, installation: Installation) -> None:
    row = {"peer": "10.0.0.9", "user_agent": "", "transport": "http", "first_at": 1.0, "at": 2.0, "count": 1, "waits": False}
    with installation.database.write() as connection:
        connection.execute(newcomer.insert().values(mac="02acde00aa01", outcome="it was taken in: the window is open", **row))
        connection.execute(phones.update().values(error="acme/a1 line 3: a value does not fit", error_at=1.0))
    finnish = {"Accept-Language": "fi"}
    assert "Se otettiin käyttöön: ikkuna on auki." in words_in(admin.get("/enrolment", **finnish))
    assert "acme/a1 line 3: arvo ei sovi" in words_in(admin.get(f"/phones/{MAC}", **finnish))
    assert "Ei rekisteröitynyt: 1001." in words_in(admin.get(f"/phones/{BARE}/install", **finnish))
    assert "Not registered: 1001." in words_in(admin.get(f"/phones/{BARE}/install"))

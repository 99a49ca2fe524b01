"""CSV in and out over the API; the rules of the spreadsheet are tested where they live."""

from __future__ import annotations

import io
import zipfile

import pytest

from tests.api.conftest import MAC, Api, errors

CSV = f"mac,model,extension,display_name,secret\r\n{MAC},acme/a1,1001,Alice,csv-secret-marker\r\n"
TEXT = {"Content-Type": "text/csv; charset=utf-8"}


def test_an_import_is_previewed_and_writes_nothing(admin: Api) -> None:
    for answer in (admin.post("/imports", {"csv": CSV}), admin.send("POST", "/imports", data=CSV, headers=TEXT)):
        shown = answer.get_json()
        assert answer.status_code == 200 and shown["committed"] is False
        assert shown["counts"]["create"] == 1 and shown["rows"][0]["mac"] == MAC and shown["mistakes"] == []
        assert "csv-secret-marker" not in answer.get_data(as_text=True)
    assert admin.get("/phones").get_json()["items"] == []


@pytest.mark.parametrize("as_json", [True, False])
def test_an_import_is_committed(admin: Api, as_json: bool) -> None:
    if as_json:
        answer = admin.post("/imports", {"csv": CSV, "commit": True})
    else:
        answer = admin.send("POST", "/imports?commit=true", data=CSV, headers=TEXT)
    shown = answer.get_json()
    assert shown["committed"] is True and shown["counts"]["phones_created"] == 1 and shown["counts"]["extensions_created"] == 1
    assert admin.get(f"/phones/{MAC}").get_json()["lines"] == [{"line": 1, "extension": "1001", "label": ""}]


def test_mistakes_are_told_by_line_and_stop_all_of_it(admin: Api) -> None:
    wrong = f"{CSV}02:ac:de:00:00:02,acme/a9,1002,Bob,\r\n"
    shown = admin.post("/imports", {"csv": wrong}).get_json()
    assert [(mistake["line"], mistake["column"]) for mistake in shown["mistakes"]] == [(3, "model")]
    refused = admin.post("/imports", {"csv": wrong, "commit": True})
    assert refused.status_code == 422 and any("3" in field for field in errors(refused))
    assert admin.get("/phones").get_json()["items"] == []
    partly = admin.post("/imports", {"csv": wrong, "commit": True, "all_or_nothing": False}).get_json()
    assert partly["counts"]["phones_created"] == 1 and partly["counts"]["left_out"] == 1


def test_files_of_phones_are_imported_as_a_zip(admin: Api) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("02acde000001.acme", "line.1.user = 1001\nline.1.secret = zip-secret-marker\ntimezone = Old/Zone\n")
    packed = {"Content-Type": "application/zip"}
    (mistake,) = admin.send("POST", "/imports", data=out.getvalue(), headers=packed).get_json()["mistakes"]
    assert (mistake["source"], mistake["column"]) == ("02acde000001.acme", "model")
    answer = admin.send("POST", "/imports?model=acme/a1&commit=true", data=out.getvalue(), headers=packed)
    shown = answer.get_json()
    assert shown["format"] == "phone-files" and shown["counts"]["phones_created"] == 1
    assert shown["left"] == [{"name": "timezone", "phones": 1, "set_here": True}]
    assert "zip-secret-marker" not in answer.get_data(as_text=True)
    assert admin.get("/phones/02acde000001").get_json()["lines"] == [{"line": 1, "extension": "1001", "label": ""}]
    assert errors(admin.send("POST", "/imports?format=none", data=CSV, headers=TEXT)) == {"format": "there is no such format"}


def test_a_body_that_is_no_import_is_refused(admin: Api) -> None:
    assert errors(admin.post("/imports", {})) == {"csv": "this is needed"}
    assert errors(admin.post("/imports", {"csv": 1})) == {"csv": "a text is needed"}
    assert errors(admin.post("/imports", {"csv": "", "commit": "yes"})) == {"commit": "true or false is needed"}
    assert errors(admin.post("/imports", [])) == {"": "an object is needed"}
    assert "this is needed" in errors(admin.send("POST", "/imports"))["csv"]
    assert admin.send("POST", "/imports", data=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert admin.send("POST", "/imports", data=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    assert errors(admin.send("POST", "/imports?commit=7", data=CSV, headers=TEXT)) == {"commit": "true or false is needed"}


def test_what_is_exported_is_imported_again_without_a_change(roles: dict[str, Api]) -> None:
    admin = roles["admin"]
    admin.post("/imports", {"csv": CSV, "commit": True})
    answer = roles["viewer"].get("/export.csv?secrets=true")
    assert answer.content_type == "text/csv; charset=utf-8" and "attachment" in answer.headers["Content-Disposition"]
    text = answer.get_data(as_text=True)
    assert MAC in text and "csv-secret-marker" not in text
    assert admin.post("/imports", {"csv": text}).get_json()["counts"]["unchanged"] == 1
    assert "csv-secret-marker" in admin.get("/export.csv?secrets=true").get_data(as_text=True)
    assert admin.get("/changes?limit=1").get_json()["items"][0]["action"] == "export.with_secrets"

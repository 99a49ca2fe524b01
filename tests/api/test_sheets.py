"""Instruction sheets over the API and on the command line."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import MAC, Api, errors, reason


def test_sheet_is_html_or_pdf_by_accept(roles: dict[str, Api], phone: dict[str, Any]) -> None:
    viewer = roles["viewer"]
    page = viewer.get(f"/phones/{MAC}/sheet?language=km")
    assert page.content_type == "text/html; charset=utf-8" and 'lang="km"' in page.get_data(as_text=True)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    pdf = viewer.get(f"/phones/{MAC}/sheet?language=nl", headers={"Accept": "application/pdf"})
    assert pdf.content_type == "application/pdf" and pdf.get_data().startswith(b"%PDF-")


def test_code_of_an_install_link_is_printed_only_while_it_opens_something(roles: dict[str, Api], phone: dict[str, Any]) -> None:
    technician = roles["technician"]
    code = technician.post(f"/phones/{MAC}/install-link").get_json()["code"]
    assert f"http://prov.example:1/p/{code}/" in technician.get(f"/phones/{MAC}/sheet?code={code}").get_data(as_text=True)
    assert "code" in errors(technician.get(f"/phones/{MAC}/sheet?code=aaaaaaaaaa"))
    technician.delete(f"/phones/{MAC}/install-link")
    assert "code" in errors(technician.get(f"/phones/{MAC}/sheet?code={code}"))


def test_language_is_that_of_the_phone_and_unknown_ones_are_refused(admin: Api, phone: dict[str, Any]) -> None:
    admin.patch(f"/phones/{MAC}", {"settings": {"language": "fi"}})
    assert 'lang="fi"' in admin.get(f"/phones/{MAC}/sheet").get_data(as_text=True)
    admin.patch(f"/phones/{MAC}", {"settings": {"language": "de"}})
    assert 'lang="en"' in admin.get(f"/phones/{MAC}/sheet").get_data(as_text=True)
    assert "language" in errors(admin.get(f"/phones/{MAC}/sheet?language=tlh"))
    assert reason(admin.get("/phones/02acde0000ff/sheet")) == "not_found"

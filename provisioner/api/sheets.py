"""Instruction sheets for people who set up a phone far away."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask.views import MethodView

from provisioner.api.context import installation
from provisioner.api.noun import Noun
from provisioner.api.phones import found_phone
from provisioner.api.problems import Refusal
from provisioner.api.schemas import Strict, Text
from provisioner.core.languages import LANGUAGES
from provisioner.sheets import Sheet, sheet_html
from provisioner.sheets.facts import language_of, sheet_of
from provisioner.sheets.printing import PrintingError, sheet_pdf

noun = Noun("sheets", "Instruction sheets for people who set up a phone far away, as HTML to be printed or as PDF.", of_sites=True)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class SheetQuery(Strict):
    """In which language, with which address."""

    language = Text(
        longest=8, load_default="", metadata={"example": "km", "description": f"One of {', '.join(LANGUAGES)}. Absent: the phone's own"}
    )
    code = Text(
        longest=32,
        load_default="",
        metadata={
            "example": "abcdefghij",
            "description": "The code of an install link, as it was told. Absent: the server's common address",
        },
    )


@noun.route("/phones/<string:mac>/sheet")
class PhoneSheet(MethodView):
    """The sheet of a phone."""

    @noun.documents(
        responses={
            "200": {
                "description": "One page",
                "content": {
                    "text/html": {"schema": {"type": "string"}},
                    "application/pdf": {"schema": {"type": "string", "format": "binary"}},
                },
            },
            "503": {"$ref": "#/components/responses/NotReady"},
        }
    )
    @noun.takes(SheetQuery, location="query")
    def get(self, query: dict[str, Any], mac: str) -> Response:
        """Print how the server's address is typed into exactly this phone; Accept chooses HTML or PDF."""
        record, place = found_phone(mac), installation()
        language = query["language"] or language_of(place.store, record.mac)
        sheet = sheet_of(place.store, record.mac, code=query["code"], now=place.changes.clock())
        if request.accept_mimetypes.best_match(["text/html", "application/pdf"]) != "application/pdf":
            headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
            return Response(sheet_html(sheet, language), content_type="text/html; charset=utf-8", headers=headers)
        try:
            return pdf_of(sheet, language)
        except PrintingError as error:
            raise Refusal(503, error.reason, str(error)) from error


def pdf_of(sheet: Sheet, language: str) -> Response:
    """Returns a sheet as a PDF to be kept. Raises ``PrintingError``."""
    body = sheet_pdf(sheet, language)
    headers = {"Content-Disposition": f'attachment; filename="{sheet.mac}-{language}.pdf"'}
    return Response(body, content_type="application/pdf", headers=headers)

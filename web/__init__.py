"""Pages of the admin listener. Views call the same functions as the API and have no rules of their own.

For now one page: what this is, and how many phones are in which stage. It shows numbers only, so it asks for no token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, make_response, render_template

POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Nothing is loaded, run or sent from these pages (Content Security Policy 3)."""

Numbers = tuple[Mapping[str, int], Mapping[str, int]]
"""Counts by name, and phones by stage; empty where the database cannot be read."""


def create_pages(numbers: Callable[[], Numbers]) -> Blueprint:
    """Returns the pages; ``numbers`` gives what the first one shows."""
    pages = Blueprint("pages", __name__, template_folder="templates")

    @pages.get("/")
    def index() -> Response:
        counts, stages = numbers()
        response = make_response(render_template("index.html", counts=counts, stages=stages))
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return pages

"""Pages of the admin listener. Views call the same functions as the API and have no rules of their own.

One module per page in ``pages``; what they share is in ``page`` (rendering, errors), ``guard`` (who may), ``i18n`` (languages), ``words``
(how things are called), ``assets`` (styles and scripts) and ``live`` (what happens shows at once).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from flask import Blueprint, Flask, Response, make_response, request
from werkzeug.exceptions import HTTPException, NotFound

from provisioner.api import problems
from provisioner.core.languages import LANGUAGES
from provisioner.errors import ProvisionerError
from web import guard, i18n, navigation, page, plain, words
from web.assets import Asset, load_assets
from web.compiled import keep_compiled
from web.pages import PAGES
from web.previewing import row_of

FOR_EVER = "public, max-age=31536000, immutable"


def attach_pages(app: Flask, marks: Callable[[], Mapping[str, str]]) -> None:
    """Adds the pages to the admin application; ``marks`` says what a page was made with, for the live updates."""
    pages = Blueprint("web", __name__, template_folder="templates")
    pages.before_request(page.begin)
    pages.after_request(page.finish)
    pages.register_error_handler(HTTPException, page.refused)
    pages.register_error_handler(ProvisionerError, page.failed)
    pages.register_error_handler(Exception, page.broken)
    for blueprint in PAGES:
        pages.register_blueprint(blueprint)
    app.extensions["provisioner.assets"] = load_assets()
    app.extensions["provisioner.marks"] = marks
    app.add_url_rule("/static/<tag>/<name>", "static", _static)
    app.register_blueprint(pages)
    app.register_error_handler(404, _not_found)
    _prepare_templates(app)


def _prepare_templates(app: Flask) -> None:
    keep_compiled(app)
    env = app.jinja_env
    env.trim_blocks = env.lstrip_blocks = True
    env.add_extension("jinja2.ext.i18n")
    cast("Any", env).install_gettext_callables(i18n.plain_gettext, i18n.plain_ngettext, newstyle=True)
    env.filters.update(words.FILTERS, plainly=plain.plainly, secret_names=plain.secret_names, field_names=plain.field_names, as_row=row_of)
    env.globals.update(words.GLOBALS)
    env.globals.update(asset=_asset_url, form_token=guard.form_token, said=page.said, languages=LANGUAGES, themes=page.THEMES)
    env.globals.update(navigation=navigation.navigation)


def _asset_url(name: str) -> str:
    return f"/static/{page.assets()[name].tag}/{name}"


def _static(tag: str, name: str) -> Response:
    """Returns a style or a script. An address with an old hash gets the present file, which no cache may keep under it."""
    found: Asset | None = page.assets().get(name)
    if found is None:
        raise NotFound
    packs = bool(request.accept_encodings["gzip"])
    response = make_response(found.packed if packs else found.body)
    response.content_type = found.content_type
    response.headers["Cache-Control"] = FOR_EVER if tag == found.tag else "no-store"
    response.vary.add("Accept-Encoding")
    if packs:
        response.headers["Content-Encoding"] = "gzip"
    return response


def _not_found(error: HTTPException) -> Response:
    """An address that belongs to nobody: a person gets a page, a program a problem."""
    if not page.wants_page():
        return cast("Response", problems.of_http(error))
    page.begin_plain()
    return page.finish(page.refused(error))

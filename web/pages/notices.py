"""Who is told of what happens: people by e-mail, with the forms of a recipient here; and an overview of the programs (``webhooks``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request, url_for
from werkzeug.datastructures import MultiDict

from provisioner.api.context import actor, installation
from provisioner.api.mail import found_recipient, send_test
from provisioner.api.webhooks import state_of
from provisioner.changes.mail import DEFAULT_EVENTS
from provisioner.core.languages import LANGUAGES
from provisioner.errors import InputError, StaleWrite
from provisioner.records_mail import MailRecipient
from web import told
from web.forms import revision_of
from web.guard import needs, of_installation
from web.i18n import _, mark
from web.page import done, mistakes_of, page

pages = Blueprint("notices", __name__)
SECURITY: Mapping[str, str] = {
    "starttls": mark("Enciphered (STARTTLS)"),
    "tls": mark("Enciphered (TLS)"),
    "none": mark("In clear, on this machine"),
    "none-anywhere": mark("In clear"),
}
"""``PROVISIONER_MAIL_SECURITY`` -> how mail goes to the server."""


@pages.get("/notices")
@needs("admin")
@of_installation
def index() -> Response:
    """Everybody who is told, and whether that works."""
    return _index("")


@pages.get("/notices/new-recipient")
@needs("admin")
@of_installation
def new() -> Response:
    """The form for somebody new, who is told of trouble."""
    return _form(None, MultiDict({"language": "en", "events": list(DEFAULT_EVENTS)}), {})


@pages.post("/notices/new-recipient")
@of_installation
def create() -> Response:
    """Adds somebody."""
    form = request.form
    try:
        record = installation().changes.create_mail_recipient(actor(), _given(form))
    except InputError as error:
        return _form(None, form, mistakes_of(error), 422)
    return done(_("%(address)s is told from now on.", address=record.address), url_for(".index"))


@pages.get("/notices/recipients/<int:number>")
@needs("admin")
@of_installation
def edit(number: int) -> Response:
    """The form of a recipient."""
    record = found_recipient(number)
    return _form(record, _values(record), {})


@pages.post("/notices/recipients/<int:number>")
@of_installation
def save(number: int) -> Response:
    """Saves a recipient."""
    record, form = found_recipient(number), request.form
    try:
        given = {**_given(form), "enabled": form.get("paused") != "yes"}
        installation().changes.update_mail_recipient(actor(), number, given, revision_of(form))
    except (InputError, StaleWrite) as error:
        return _form(record, form, mistakes_of(error), 422)
    return done(_("Saved."), url_for(".index"))


@pages.post("/notices/recipients/<int:number>/pause")
@of_installation
def pause(number: int) -> Response:
    """Tells somebody nothing until they are told again, or again."""
    record, is_on = found_recipient(number), request.form.get("paused") != "yes"
    installation().changes.update_mail_recipient(actor(), number, {"enabled": is_on})
    text = _("%(address)s is told again.") if is_on else _("%(address)s is told nothing until you say so.")
    return done(text % {"address": record.address}, url_for(".index"))


@pages.post("/notices/recipients/<int:number>/delete")
@of_installation
def delete(number: int) -> Response:
    """Removes a recipient."""
    record = found_recipient(number)
    installation().changes.delete_mail_recipient(actor(), number)
    return done(_("%(name)s is told no more.", name=record.address), url_for(".index"))


@pages.post("/notices/recipients/<int:number>/test")
@of_installation
def test(number: int) -> Response:
    """Sends somebody a test, and says what the mail server said."""
    record = found_recipient(number)
    if refusal := send_test(record):
        return _index(refusal, 409)
    return done(_("The mail server took the test for %(address)s: look into that mailbox.", address=record.address), url_for(".index"))


def _index(refusal: str, status: int = 200) -> Response:
    store, settings = installation().store, installation().settings
    return page(
        "notices.html", status, recipients=store.mail_recipients(), webhooks=store.webhooks(), standings=store.webhook_standings(), settings=settings,
        security=SECURITY, refusal=refusal, told_of=told.told_of, state_of=state_of, languages_named=LANGUAGES,
    )  # fmt: skip


def _form(record: MailRecipient | None, values: MultiDict[str, Any], mistakes: Mapping[str, str], status: int = 200) -> Response:
    sites = [row.name for row in installation().store.sites()]
    return page(
        "recipient.html", status, it=record, values=values, mistakes=mistakes, sites=sites, languages_named=LANGUAGES, told=told,
        settings=installation().settings,
    )  # fmt: skip


def _values(record: MailRecipient) -> MultiDict[str, Any]:
    values = {
        "address": record.address,
        "site": record.site or "",
        "language": record.language,
        "events": list(record.events),
        "paused": "" if record.enabled else "yes",
    }
    return MultiDict(values)


def _given(form: MultiDict[str, Any]) -> dict[str, Any]:
    """Returns what a form says of a recipient."""
    return {
        "address": form.get("address", "").strip(),
        "site": form.get("site") or None,
        "language": form.get("language", ""),
        "events": told.ticked(form),
    }

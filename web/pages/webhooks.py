"""Webhooks: programs that are told of changes, what was sent to each of them, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request, url_for
from werkzeug.datastructures import MultiDict

from provisioner.api.context import actor, installation
from provisioner.api.webhooks import found_webhook, send_again, state_of
from provisioner.errors import InputError, StaleWrite
from provisioner.records import WebhookRecord
from web import told
from web.forms import revision_of, whole
from web.guard import needs, of_installation
from web.i18n import _
from web.page import done, mistakes_of, page

pages = Blueprint("webhooks", __name__)
PAGE = 25


@pages.get("/notices/new-webhook")
@needs("admin")
@of_installation
def new() -> Response:
    """The form for a new webhook, which is told of everything."""
    return _new(MultiDict({"events": told.EVERYTHING}), {})


@pages.post("/notices/new-webhook")
@of_installation
def create() -> Response:
    """Makes a webhook, and shows this once what signs."""
    form, name = request.form, request.form.get("name", "").strip()
    try:
        record, secret = installation().changes.create_webhook(actor(), name, _given(form))
    except InputError as error:
        return _new(form, mistakes_of(error), 422)
    return _show(record, secret=secret)


@pages.get("/notices/webhooks/<string:name>")
@needs("admin")
@of_installation
def show(name: str) -> Response:
    """One webhook, what was sent to it, and its form."""
    return _show(found_webhook(name))


@pages.post("/notices/webhooks/<string:name>")
@of_installation
def save(name: str) -> Response:
    """Saves a webhook."""
    record, form = found_webhook(name), request.form
    try:
        installation().changes.update_webhook(actor(), name, _given(form), revision_of(form))
    except (InputError, StaleWrite) as error:
        return _show(record, form, mistakes_of(error), 422)
    return done(_("Saved."), url_for(".show", name=name))


@pages.post("/notices/webhooks/<string:name>/pause")
@of_installation
def pause(name: str) -> Response:
    """Sends nothing until it goes on, or goes on."""
    is_on = request.form.get("paused") != "yes"
    installation().changes.update_webhook(actor(), found_webhook(name).name, {"enabled": is_on})
    return done(_("It goes on.") if is_on else _("Nothing is sent to it until you say so."), url_for(".show", name=name))


@pages.post("/notices/webhooks/<string:name>/test")
@of_installation
def test(name: str) -> Response:
    """Queues something to try it."""
    installation().changes.test_webhook(actor(), found_webhook(name).name)
    return done(_("A test is on its way: what comes of it stands below."), url_for(".show", name=name))


@pages.post("/notices/webhooks/<string:name>/deliveries/<int:delivery>/resend")
@of_installation
def resend(name: str, delivery: int) -> Response:
    """Has a delivery sent again."""
    send_again(found_webhook(name).name, delivery)
    return done(_("It is sent again."), url_for(".show", name=name))


@pages.post("/notices/webhooks/<string:name>/delete")
@of_installation
def delete(name: str) -> Response:
    """Removes a webhook, and what waits for it."""
    installation().changes.delete_webhook(actor(), found_webhook(name).name)
    return done(_("%(name)s is told no more.", name=name), url_for("web.notices.index"))


def _new(values: MultiDict[str, Any], mistakes: Mapping[str, str], status: int = 200) -> Response:
    return page("webhook_new.html", status, values=values, mistakes=mistakes, told=told)


def _show(
    record: WebhookRecord,
    values: MultiDict[str, Any] | None = None,
    mistakes: Mapping[str, str] | None = None,
    status: int = 200,
    *,
    secret: str = "",
) -> Response:
    store, before = installation().store, whole(request.args.get("before", ""), 17)
    rows = store.deliveries(record.name, before=before, limit=PAGE + 1)
    here = url_for(".show", name=record.name, before=before)
    following = url_for(".show", name=record.name, before=rows[PAGE - 1].id) if len(rows) > PAGE else ""
    return page(
        "webhook.html", status, it=record, values=MultiDict({"url": record.url, "events": list(record.events)}) if values is None else values,
        mistakes=mistakes or {}, rows=rows[:PAGE], next=following, live=here, standing=store.webhook_standings().get(record.name), secret=secret,
        state_of=state_of, told=told,
    )  # fmt: skip


def _given(form: MultiDict[str, Any]) -> dict[str, Any]:
    """Returns what a form says of a webhook."""
    return {"url": form.get("url", "").strip(), "events": told.ticked(form)}

"""The API of the admin listener: JSON for programs under ``/api/v1``, health for machines.

One module per noun. Views read and write through ``store`` and ``changes`` alone; no rule about phones lives here.
"""

from __future__ import annotations

import logging
import secrets
import time
from importlib import metadata
from urllib.parse import quote

from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider

from provisioner.api import (
    auth,
    backups,
    bootstrap,
    calls,
    catalogue,
    changes_,
    context,
    departments,
    dhcp,
    document,
    enrolment,
    etags,
    extensions,
    fetches,
    firmware,
    groups,
    health,
    idempotency,
    imports,
    install_links,
    layouts,
    lights,
    lockstep,
    mail,
    own_codes,
    pbx,
    pbx_service,
    phone_actions,
    phone_keys,
    phone_layout,
    phone_state,
    phones,
    preview,
    problems,
    redirects,
    scans,
    seats,
    session,
    sheets,
    sightings,
    sites,
    tokens,
    uploads,
    users,
    webhooks,
)
from provisioner.api.metrics import Metrics
from provisioner.api.numbers import Numbers
from provisioner.api.readiness import Readiness
from provisioner.api.routes import LateRule
from provisioner.logs import pairs
from provisioner.wiring import Installation

MAX_BODY_BYTES = 16 * 1024 * 1024
NOUNS = [
    extensions.noun,
    departments.noun,
    layouts.noun,
    phones.noun,
    phone_layout.noun,
    phone_keys.noun,
    phone_state.noun,
    fetches.noun,
    calls.noun,
    lockstep.noun,
    phone_actions.noun,
    sightings.noun,
    scans.noun,
    bootstrap.noun,
    enrolment.noun,
    lights.noun,
    seats.noun,
    sites.noun,
    groups.noun,
    firmware.noun,
    uploads.noun,
    catalogue.noun,
    changes_.noun,
    preview.noun,
    pbx.noun,
    pbx_service.noun,
    imports.noun,
    dhcp.noun,
    install_links.noun,
    sheets.noun,
    redirects.noun,
    tokens.noun,
    users.noun,
    session.noun,
    own_codes.noun,
    webhooks.noun,
    mail.noun,
    backups.noun,
    health.noun,
    document.noun,
]
log = logging.getLogger("provisioner.admin")


def create_admin_app(installation: Installation) -> Flask:
    """Returns the application of the admin listener, without its pages."""
    app = Flask("provisioner.admin", static_folder=None, template_folder=None)
    app.url_rule_class = LateRule
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json = _json(app)
    app.url_map.merge_slashes = False
    context.attach(app, installation)
    pbx_service.attach(app)
    calls.attach(app)
    numbers = Numbers(installation)
    app.extensions["provisioner.numbers"] = numbers
    app.extensions["provisioner.metrics"] = Metrics(installation, numbers)
    app.extensions["provisioner.readiness"] = Readiness(installation)
    _number_requests(app)
    auth.register(app)
    idempotency.register(app)
    etags.register(app)
    document.register(app, NOUNS, metadata.version("provisioner"))
    problems.register(app)
    return app


def _json(app: Flask) -> DefaultJSONProvider:
    provider = DefaultJSONProvider(app)
    provider.sort_keys = False  # fields come in the order in which the schemas list them
    return provider


def _number_requests(app: Flask) -> None:
    """Gives every request a random id, every answer its headers, and the log one line."""

    @app.before_request
    def _begin() -> None:
        g.request_id = secrets.token_hex(8)
        g.started = time.perf_counter()

    @app.after_request
    def _end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        who = context.caller()
        fields = {
            "method": request.method,
            "path": quote(request.path)[:300],
            "status": response.status_code,
            "ms": (time.perf_counter() - g.started) * 1000,
            "actor": who.name if who else "-",
            "req": g.request_id,
        }
        log.info("%s", pairs(**fields))
        return response

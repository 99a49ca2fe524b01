"""Help that explains: what the lights mean, how phones find this server, what to do when one does not."""

from __future__ import annotations

from flask import Blueprint, Response

from provisioner.api.context import installation
from web.guard import needs
from web.lights import WHY
from web.page import page
from web.words import STAGES

pages = Blueprint("help", __name__)


@pages.get("/help")
@needs("user")
def index() -> Response:
    """The help."""
    settings = installation().settings
    why = {str(stage): text for stage, text in WHY.items()}
    return page(
        "help.html", base=settings.provisioning_base, host=settings.host, stages=[(name, why[name]) for name in STAGES],
        calls_days=settings.calls_days, recordings_days=settings.recordings_days,
    )  # fmt: skip

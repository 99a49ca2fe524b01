"""The models that phones can be: what each has, and what is known of it from where."""

from __future__ import annotations

from flask import Blueprint, Response, request

from provisioner.api.context import installation
from provisioner.errors import NotFound
from web.i18n import _
from web.page import page

pages = Blueprint("models", __name__)


@pages.get("/models")
def index() -> Response:
    """All models, by vendor."""
    search = request.args.get("search", "").strip().lower()[:64]
    vendors = [
        (
            vendor,
            sorted((model for model in vendor.models.values() if search in model.title.lower()), key=lambda model: model.title.lower()),
        )
        for vendor in sorted(installation().catalogue.vendors.values(), key=lambda vendor: vendor.name)
    ]
    return page("models.html", vendors=[(vendor, models) for vendor, models in vendors if models], search=search, used=set(_used()))


@pages.get("/models/<string:vendor>/<string:name>")
def show(vendor: str, name: str) -> Response:
    """One model."""
    model = installation().catalogue.model(f"{vendor}/{name}")
    if model is None:
        raise NotFound({"model": _("The catalogue has no model %(name)s.", name=f"{vendor}/{name}"[:80])})
    rows = installation().catalogue.settings
    unsupported = [(rows[setting], why) for setting, why in sorted(model.unsupported.items()) if setting in rows]
    lacking: dict[str, list[str]] = {}
    for key_type, why in model.missing_keys.items():
        lacking.setdefault(why, []).append(key_type)
    vendor_of_it = installation().catalogue.vendors[model.vendor]
    return page("model.html", it=model, vendor=vendor_of_it, unsupported=unsupported, lacking=lacking)


def _used() -> list[str]:
    return installation().store.models_listed()

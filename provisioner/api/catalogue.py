"""What the catalogue offers: models and phone settings. Reading only."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.api.auth import allowed
from provisioner.api.context import installation
from provisioner.api.noun import Noun
from provisioner.api.paging import PageQuery, page_of, sliced
from provisioner.api.schemas import Text
from provisioner.core.catalogue import Model as CatalogueModel
from provisioner.core.catalogue import Setting as SettingRow
from provisioner.errors import NotFound

noun = Noun("catalogue", "Models and phone settings that there are.", of_sites=True)


class Expansion(Schema):
    """Expansion modules that a model takes."""

    module = fields.String(metadata={"example": "exp43"})
    modules = fields.Integer(metadata={"description": "How many"})
    keys = fields.Integer(metadata={"description": "Keys on each"})


class ModelShown(Schema):
    """A model."""

    id = fields.String(metadata={"example": "yealink/t46u"})
    vendor = fields.String(metadata={"example": "yealink"})
    title = fields.String(metadata={"example": "Yealink SIP-T46U"})
    lines = fields.Integer()
    keys = fields.Integer(metadata={"description": "Programmable keys on the phone itself, over all pages"})
    key_types = fields.List(fields.String())
    missing_keys = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "Key types that it does not have, each with the reason"}
    )
    expansion = fields.Nested(Expansion, allow_none=True)
    codecs = fields.List(fields.String())


class ModelQuery(PageQuery):
    """Which models."""

    vendor = Text(load_default="", metadata={"example": "yealink"})


class SettingShown(Schema):
    """A phone setting."""

    name = fields.String(metadata={"example": "timezone"})
    type = fields.String(metadata={"example": "timezone"})
    default = fields.Raw(metadata={"type": ["string", "integer", "boolean"]})
    label = fields.String()
    help = fields.String()
    choices = fields.List(fields.String())
    minimum = fields.Integer(allow_none=True)
    maximum = fields.Integer(allow_none=True)
    max_length = fields.Integer()
    unit = fields.String()


@noun.route("/models")
class Models(MethodView):
    """All models."""

    @noun.takes(ModelQuery, location="query")
    @noun.gives(200, page_of(ModelShown, "ModelPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List models in the order of their id."""
        vendors = installation().catalogue.vendors.values()
        models = [model for vendor in vendors for model in vendor.models.values() if query["vendor"] in {"", vendor.id}]
        return sliced(models, query["after"], query["limit"], lambda model: model.id, _shown)


@noun.route("/models/<string:vendor>/<string:model>")
class Model(MethodView):
    """One model."""

    @allowed("user")
    @noun.gives(200, ModelShown)
    def get(self, vendor: str, model: str) -> dict[str, Any]:
        """Show a model."""
        found = installation().catalogue.model(f"{vendor}/{model}")
        if found is None:
            raise NotFound({"model": f"the catalogue has no model {vendor[:32]}/{model[:32]}"})
        return _shown(found)


@noun.route("/settings")
class Settings(MethodView):
    """All phone settings."""

    @noun.takes(PageQuery, location="query")
    @noun.gives(200, page_of(SettingShown, "SettingPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List phone settings in the order of their name."""
        return sliced(installation().catalogue.settings.values(), query["after"], query["limit"], lambda row: row.name)


@noun.route("/settings/<string:setting>")
class Setting(MethodView):
    """One phone setting."""

    @noun.gives(200, SettingShown)
    def get(self, setting: str) -> SettingRow:
        """Show a phone setting."""
        row = installation().catalogue.settings.get(setting)
        if row is None:
            raise NotFound({"setting": f"there is no setting {setting[:64]}"})
        return row


def _shown(model: CatalogueModel) -> dict[str, Any]:
    return {
        "id": model.id,
        "vendor": model.vendor,
        "title": model.title,
        "lines": model.lines,
        "keys": model.keys,
        "key_types": sorted(model.key_types),
        "missing_keys": model.missing_keys,
        "expansion": model.expansion,
        "codecs": model.codecs,
    }

"""A phone's lines, keys and settings: each read, or replaced whole."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import INCLUDE, Schema

from provisioner.api.auth import allowed
from provisioner.api.etags import tagged
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.phones import EXAMPLE, found_phone, phone_input, write_phone
from provisioner.api.problems import refuse_input
from provisioner.api.schemas import SETTINGS_HELP, KeySchema, LineSchema, refusals, rows_of
from provisioner.api.shown import shown_settings

noun = Noun(
    "phone-layout",
    "A phone's lines, keys and settings, each as a whole. Writing needs the role technician.",
    of_sites=True,
    previewable=True,
)

MOST_LINES, MOST_KEYS = 1000, 5000
Answer = tuple[Any, int, dict[str, str]]


class SettingsBody(Schema):
    """Settings by name."""

    error_messages = refusals("there is no such field")

    class Meta:
        unknown = INCLUDE

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """Returns the settings as they are: their names are the catalogue's, not fields of this schema."""
        return dict(obj)


@noun.route("/phones/<string:mac>/lines")
class Lines(MethodView):
    """A phone's registrations."""

    @allowed("user")
    @conditional
    @noun.gives(200, LineSchema(many=True), headers=ETAG)
    def get(self, mac: str) -> Answer:
        """Show the lines of a phone."""
        record = found_phone(mac)
        return record.lines, 200, tagged(record.revision)

    @allowed("technician")
    @conditional
    @noun.takes(rows_of(LineSchema), example=EXAMPLE["lines"])
    @noun.gives(200, LineSchema(many=True), headers=ETAG)
    def put(self, given: list[dict[str, Any]], mac: str) -> Answer:
        """Replace the lines of a phone."""
        if len(given) > MOST_LINES:
            refuse_input(lines=f"at most {MOST_LINES} entries are possible")
        record = write_phone(found_phone(mac), phone_input({"lines": given}))
        return record.lines, 200, tagged(record.revision)


@noun.route("/phones/<string:mac>/keys")
class Keys(MethodView):
    """A phone's programmable keys, those of its expansion modules included."""

    @allowed("user")
    @conditional
    @noun.gives(200, KeySchema(many=True), headers=ETAG)
    def get(self, mac: str) -> Answer:
        """Show the keys of a phone."""
        record = found_phone(mac)
        return record.keys, 200, tagged(record.revision)

    @allowed("technician", own=True)
    @conditional
    @noun.takes(rows_of(KeySchema), example=EXAMPLE["keys"])
    @noun.gives(200, KeySchema(many=True), headers=ETAG)
    def put(self, given: list[dict[str, Any]], mac: str) -> Answer:
        """Replace the keys of a phone; a position that is not named is cleared on the phone."""
        if len(given) > MOST_KEYS:
            refuse_input(keys=f"at most {MOST_KEYS} entries are possible")
        record = write_phone(found_phone(mac), phone_input({"keys": given}))
        return record.keys, 200, tagged(record.revision)


@noun.route("/phones/<string:mac>/settings")
class Settings(MethodView):
    """A phone's own settings."""

    @conditional
    @noun.gives(200, SettingsBody, description=SETTINGS_HELP, example=EXAMPLE["settings"], headers=ETAG)
    def get(self, mac: str) -> Answer:
        """Show a phone's own settings; /explain/{setting} tells what holds in the end."""
        record = found_phone(mac)
        return shown_settings(record), 200, tagged(record.revision)

    @allowed("technician")
    @conditional
    @noun.takes(SettingsBody, example=EXAMPLE["settings"])
    @noun.gives(200, SettingsBody, headers=ETAG)
    def put(self, given: dict[str, Any], mac: str) -> Answer:
        """Replace a phone's own settings; *** keeps the secret that is there."""
        too_long = [name for name in given if len(name) > 64]
        if too_long:
            refuse_input(settings="the name of a setting has at most 64 characters")
        record = write_phone(found_phone(mac), phone_input({"settings": given}))
        return shown_settings(record), 200, tagged(record.revision)

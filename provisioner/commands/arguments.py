"""Arguments and options that several commands take."""

from __future__ import annotations

from typing import Any

import click

from provisioner.core.mac import InvalidMac, Mac


class MacParameter(click.ParamType[Mac]):
    """A MAC in any usual form."""

    name = "mac"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mac:
        try:
            return value if isinstance(value, Mac) else Mac.parse(str(value))
        except InvalidMac as error:
            self.fail(str(error), param, ctx)


mac_argument = click.argument("mac", type=MacParameter())
optional_mac_argument = click.argument("mac", type=MacParameter(), required=False)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of a table for people.")
setting_option = click.option(
    "--setting", "settings", multiple=True, metavar="NAME=VALUE", help="A phone setting; may be given several times."
)


def settings_of(texts: tuple[str, ...]) -> dict[str, object] | None:
    """Returns ``NAME=VALUE`` texts as settings, or None where there are none. A wrong one is a usage error."""
    settings: dict[str, object] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name.strip():
            raise click.BadParameter(f"'{text}' is not NAME=VALUE, for example timezone=Europe/Amsterdam", param_hint="--setting")
        settings[name.strip()] = value
    return settings or None

"""``provisioner check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import counted, print_json, print_table
from provisioner.commands.session import Session, pass_session
from provisioner.errors import CatalogueError, RenderError

if TYPE_CHECKING:
    from provisioner.core.catalogue import Catalogue, Model
    from provisioner.core.values import SettingValue

_SAMPLE: dict[str, SettingValue] = {"sip_server": "192.0.2.1", "sip_port": 5060, "admin_password": "x", "user_password": "x"}
"""What an installation fills in by itself."""


@click.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--models", is_flag=True, help="List every model with its lines and keys.")
@json_option
@pass_session
def check(session: Session, folder: Path | None, models: bool, as_json: bool) -> None:
    """Check the catalogue in FOLDER (CATALOGUE_DIR where left out) and list every mistake with its file.

    Every template is rendered for every model, empty and with all its lines and modules. Exit status 1 when something is wrong.

    \b
    Examples:
      provisioner check
      provisioner check ./my_templates
      provisioner check --models
    """
    from provisioner.catalog import load_catalogue

    place = folder or session.settings.catalogue_dir
    if not place.is_dir():
        raise CatalogueError([f"{place}: there is no such folder"])
    catalogue = load_catalogue(place)
    mistakes = template_mistakes(place, catalogue)
    if mistakes:
        raise CatalogueError(mistakes)
    if as_json:
        print_json({vendor.id: {"name": vendor.name, "models": sorted(vendor.models)} for vendor in catalogue.vendors.values()})
    elif models:
        _print_models(catalogue)
    else:
        _print_vendors(place, catalogue)
        count = sum(len(vendor.models) for vendor in catalogue.vendors.values())
        click.echo(f"{place}: no mistakes in {counted(len(catalogue.vendors), 'vendor')}, {counted(count, 'model')}")


def template_mistakes(folder: Path, catalogue: Catalogue) -> list[str]:
    """Returns what fails when every file of every model is rendered, each sentence beginning with the template's file."""
    from provisioner.core.mac import Mac
    from provisioner.core.render import Renderer
    from provisioner.core.values import Line, PhoneConfig

    renderer = Renderer(catalogue)
    found: dict[str, str] = {}

    def attempt(model: str, config: PhoneConfig | None) -> None:
        try:
            renderer.phone_files(config) if config else renderer.shared_files()
        except RenderError as error:
            found.setdefault(f"{folder}/{error}", model)

    attempt("shared files", None)
    defaults = {name: row.default for name, row in catalogue.settings.items()}
    for vendor in catalogue.vendors.values():
        for model in vendor.models.values():
            settings = {**defaults, **vendor.settings, **model.settings, **_SAMPLE}
            lines = tuple(Line(at, f"10{at:02d}", "Name", "secret") for at in range(1, model.lines + 1))
            modules = model.expansion.modules if model.expansion else 0
            attempt(model.id, PhoneConfig(Mac("020000000001"), model.id, lines, (), settings, "http://192.0.2.1/p/x/", modules))
            attempt(model.id, PhoneConfig(Mac("020000000001"), model.id, (), (), settings, "http://192.0.2.1/p/x/"))
    return [f"{sentence} ({model})" for sentence, model in found.items()]


def _print_vendors(place: Path, catalogue: Catalogue) -> None:
    rows = [
        (
            vendor.id,
            vendor.name,
            len(vendor.models),
            len({model.series for model in vendor.models.values() if model.series}),
            len(vendor.templates),
            len(list((place / vendor.id / "examples").glob("*-*.toml"))),
            len(catalogue.settings) - len(vendor.unsupported),
            len(vendor.raw.names) if vendor.raw else None,
        )
        for vendor in catalogue.vendors.values()
    ]
    numbers = ["MODELS", "SERIES", "TEMPLATES", "EXAMPLES", "SETTINGS", "PARAMETERS"]
    print_table(["VENDOR", "NAME", *numbers], rows, right=numbers)


def _print_models(catalogue: Catalogue) -> None:
    rows = [
        (
            model.id,
            model.title,
            model.series or None,
            model.lines,
            model.keys,
            _modules(model),
            len(model.key_types - {"none"}),
            len(model.sources),
        )
        for vendor in catalogue.vendors.values()
        for model in vendor.models.values()
    ]
    numbers = ["LINES", "KEYS", "KEY TYPES", "SOURCES"]
    print_table(["MODEL", "TITLE", "SERIES", "LINES", "KEYS", "EXPANSION", "KEY TYPES", "SOURCES"], rows, right=numbers)


def _modules(model: Model) -> str | None:
    return f"{model.expansion.modules} x {model.expansion.keys}" if model.expansion else None

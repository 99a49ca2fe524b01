"""``provisioner check``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import counted, harmless, note, print_json, print_table
from provisioner.commands.session import Session, pass_session
from provisioner.core.encoders import ENCRYPT_FILES
from provisioner.errors import CatalogueError

if TYPE_CHECKING:
    from provisioner.core.catalogue import Catalogue, Model

Examples = Mapping[str, Sequence[str]]
"""Vendor id -> names of its examples."""


@click.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--models", is_flag=True, help="List every model with its lines and keys.")
@json_option
@pass_session
def check(session: Session, folder: Path | None, models: bool, as_json: bool) -> None:
    """Check the catalogue in FOLDER (CATALOGUE_DIR where left out) and list every mistake with its file.

    Every template is rendered for every model, empty and with all its lines, keys and modules; what comes out is held against the maker's
    list of parameters and against the recorded examples. ENCRYPTED counts the models whose files can be encrypted; what a model cannot
    follow, and why, is said by 'provisioner explain' and on its page. Exit status 1 when something is wrong.

    Without FOLDER your own files over it ('provisioner catalogue') are checked too, as they are on disk, and what an upgrade changed under
    them is told.

    \b
    Examples:
      provisioner check
      provisioner check ./my_templates
      provisioner check --models
    """
    from provisioner.catalog import load_catalogue
    from provisioner.catalog.examples import example_paths
    from provisioner.catalog.proving import rendering_mistakes

    session.must_be_local()
    place = folder or session.settings.catalogue_dir
    if not place.is_dir():
        raise CatalogueError([f"{place}: there is no such folder"])
    catalogue = load_catalogue(place)
    mistakes = rendering_mistakes(place, catalogue)
    mistakes += _own_mistakes(session) if folder is None else []
    if mistakes:
        raise CatalogueError(mistakes)
    examples = {vendor: [path.name for path in example_paths(place, vendor)] for vendor in catalogue.vendors}
    if as_json:
        print_json({vendor.id: {"name": vendor.name, "models": sorted(vendor.models)} for vendor in catalogue.vendors.values()})
    elif models:
        _print_models(catalogue, examples)
    else:
        _print_vendors(catalogue, examples)
        click.echo(f"{place}: no mistakes in {_counts(catalogue, examples)}")


def _own_mistakes(session: Session) -> list[str]:
    """Returns what is wrong with the files of one's own as they are on disk, and tells what somebody should look at."""
    from provisioner.catalog.layers import Layers
    from provisioner.overlay import OverlayPlace, mistakes_of, upgrade_notices
    from provisioner.overlay.reading import read_overlay

    place = OverlayPlace.of(session.settings)
    overlay = read_overlay(place.own) if place.own else None
    if place.own is None or overlay is None:
        return []
    for sentence in (*overlay.warnings, *upgrade_notices(place)):
        note(harmless(sentence))
    if overlay.refused or not overlay.files:
        return overlay.refused
    note(f"{place.own}: {counted(len(overlay.files), 'file')} of your own")
    return mistakes_of(Layers(place.shipped, {name: place.own / name for name in overlay.files}), overlay.files)


def _counts(catalogue: Catalogue, examples: Examples) -> str:
    models = [model for vendor in catalogue.vendors.values() for model in vendor.models.values()]
    parts = [
        (len(catalogue.vendors), "vendor"),
        (len(models), "model"),
        (sum(map(_places, models)), "key"),
        (sum(map(len, examples.values())), "example"),
    ]
    return ", ".join(counted(number, word) for number, word in parts)


def _print_vendors(catalogue: Catalogue, examples: Examples) -> None:
    rows = [
        (
            vendor.id,
            vendor.name,
            len(vendor.models),
            len({model.series for model in vendor.models.values() if model.series}),
            len(vendor.templates),
            sum(_places(model) for model in vendor.models.values()),
            len(examples[vendor.id]),
            len({source for model in vendor.models.values() for source in model.sources}),
            len(catalogue.settings) - len(vendor.unsupported),
            sum(bool(vendor.key_characters(model, {ENCRYPT_FILES: True})) for model in vendor.models.values()) or None,
            len(vendor.raw.names) if vendor.raw else None,
        )
        for vendor in catalogue.vendors.values()
    ]
    numbers = ["MODELS", "SERIES", "TEMPLATES", "KEYS", "EXAMPLES", "SOURCES", "SETTINGS", "ENCRYPTED", "PARAMETERS"]
    print_table(["VENDOR", "NAME", *numbers], rows, right=numbers)


def _print_models(catalogue: Catalogue, examples: Examples) -> None:
    rows = [
        (
            model.id,
            model.title,
            model.series or None,
            model.lines,
            model.keys,
            _modules(model),
            len(model.key_types - {"none"}),
            sum(name.startswith(f"{model.name}-") for name in examples[vendor.id]),
            len(model.sources),
        )
        for vendor in catalogue.vendors.values()
        for model in vendor.models.values()
    ]
    numbers = ["LINES", "KEYS", "KEY TYPES", "EXAMPLES", "SOURCES"]
    print_table(["MODEL", "TITLE", "SERIES", "LINES", "KEYS", "EXPANSION", "KEY TYPES", "EXAMPLES", "SOURCES"], rows, right=numbers)


def _places(model: Model) -> int:
    """Returns how many keys a phone of this model has with all its modules."""
    return model.keys + (model.expansion.modules * (model.expansion.keys - len(model.expansion.reserved)) if model.expansion else 0)


def _modules(model: Model) -> str | None:
    return f"{model.expansion.modules} x {model.expansion.keys}" if model.expansion else None

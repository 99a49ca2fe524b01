"""What only rendering shows of a catalogue: templates that fail, parameters that the maker's list lacks, examples that come out otherwise.

Every file of every model is rendered empty and full, and once for each choice of the settings. Reading the folders is not done here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path

from provisioner.catalog.examples import Example, example_paths, read_example
from provisioner.catalog.layers import Layers, VendorFolder
from provisioner.catalog.places import Written, first_difference
from provisioner.core.catalogue import Catalogue, Model, Vendor
from provisioner.core.encoders import ENCRYPT_FILES
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.core.values import Key, Line, PhoneConfig, RenderedFile, SettingValue
from provisioner.errors import CatalogueError, RenderError

_MAC = Mac("020000000001")
_ADDRESS = "http://192.0.2.1/p/x/"
_INSTALLATION: Mapping[str, SettingValue] = {
    "sip_server": "192.0.2.1", "sip_port": 5060, "admin_password": "x", "user_password": "x", "phonebook": True,
}  # fmt: skip


@dataclass
class _Proof:
    """One look at a catalogue; ``found`` holds each mistake once, with the first model that showed it."""

    folder: Layers
    catalogue: Catalogue
    found: dict[str, str] = field(default_factory=dict)
    named: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.renderer = Renderer(self.catalogue)
        self.written = {vendor: Written(VendorFolder(self.folder, vendor)) for vendor in self.catalogue.vendors}

    def render(self, config: PhoneConfig) -> list[RenderedFile]:
        """Returns the files of a phone; where a template fails it is noted, and there are none."""
        try:
            files = self.renderer.phone_files(config)
        except RenderError as error:
            self.found.setdefault(self.sentence(error), config.model)
            return []
        vendor = self.catalogue.vendors[config.model.partition("/")[0]]
        for file in files:
            self.hold_names(vendor, file, config.model)
        return files

    def sentence(self, error: RenderError) -> str:
        """Returns the mistake in the form of all others: file, line, what is wrong."""
        return f"{self.folder / error.template}:{error.line or 1}: {str(error).partition(': ')[2]}"

    def hold_names(self, vendor: Vendor, file: RenderedFile, model: str) -> None:
        """Notes each parameter of a file that the maker's list does not have, with the line that writes it."""
        rule = vendor.raw
        if rule is None or rule.parameter is None:
            return
        text = file.body.decode("utf-8")
        for match in rule.parameter.finditer(text):
            name = match["name"]
            if (vendor.id, name) in self.named:
                continue
            self.named.add((vendor.id, name))
            if not rule.knows(name):
                line = text[text.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0]
                place = self.written[vendor.id].place(name, line)
                self.found.setdefault(f"{place}: {name} is not in the maker's list of parameters", model)


def rendering_mistakes(folder: Path, catalogue: Catalogue) -> list[str]:
    """Returns what is wrong with the templates and the examples of a catalogue that could be read, each with file and line."""
    proof = _Proof(Layers(folder), catalogue)
    return [*_template_mistakes(proof, catalogue.vendors), *_example_mistakes(proof)]


def template_mistakes(folder: Layers, catalogue: Catalogue, vendors: Collection[str]) -> list[str]:
    """Returns what rendering shows of the templates of these vendors. Examples are not held: files of one's own make others."""
    return _template_mistakes(_Proof(folder, catalogue), vendors)


def _template_mistakes(proof: _Proof, vendors: Collection[str]) -> list[str]:
    catalogue = proof.catalogue
    try:
        proof.renderer.shared_files()
    except RenderError as error:
        proof.found.setdefault(proof.sentence(error), "shared files")
    defaults = {name: row.default for name, row in catalogue.settings.items()}
    for vendor in (catalogue.vendors[name] for name in sorted(vendors)):
        shown: set[str] = set()
        for model in vendor.models.values():
            full = _full(vendor, model, {**defaults, **vendor.settings, **model.settings, **_INSTALLATION})
            proof.render(full)
            proof.render(replace(full, lines=(), keys=(), modules=0))
            if (model.series or model.name) not in shown:
                shown.add(model.series or model.name)
                for choices in _choices(catalogue):
                    proof.render(replace(full, lines=full.lines[:1], keys=(), modules=0, settings={**full.settings, **choices}))
    return [f"{sentence} ({model})" for sentence, model in proof.found.items()]


def _full(vendor: Vendor, model: Model, settings: Mapping[str, SettingValue]) -> PhoneConfig:
    """Returns a phone with all its lines and modules, a key for its files and, on every key, one of the types that it takes there."""
    modules = model.expansion.modules if model.expansion else 0
    lines = tuple(Line(at, f"10{at:02d}", "Name", "secret") for at in range(1, model.lines + 1))
    file_key = "k" * vendor.key_characters(model, {ENCRYPT_FILES: True})
    return PhoneConfig(_MAC, model.id, lines, tuple(_keys(model, modules)), settings, _ADDRESS, modules, file_key=file_key)


def _keys(model: Model, modules: int) -> Iterator[Key]:
    types = cycle(sorted(model.key_types))
    reserved = model.expansion.reserved if model.expansion else ()
    of_module = [at for at in range(1, model.expansion.keys + 1) if at not in reserved] if model.expansion else []
    spots = [(0, at) for at in range(1, model.keys + 1)]
    spots += [(module, at) for module in range(1, modules + 1) for at in of_module]
    for module, at in spots:
        key_type = next(types)
        if model.takes(key_type, module, at):
            yield Key(module, at, key_type, f"10{at:02d}", "Label", 1)


def _choices(catalogue: Catalogue) -> Iterator[dict[str, SettingValue]]:
    """Yields settings so that every choice and every switch is there once."""
    rows = [(row.name, row.choices or (True, False)) for row in catalogue.settings.values() if row.choices or row.type == "boolean"]
    for at in range(max(len(values) for _, values in rows)):
        yield {name: values[at % len(values)] for name, values in rows}


def _example_mistakes(proof: _Proof) -> Iterator[str]:
    for vendor in proof.catalogue.vendors.values():
        shown: set[str] = set()
        for path in example_paths(proof.folder.shipped, vendor.id):
            try:
                example = read_example(proof.catalogue, vendor.id, path)
            except CatalogueError as error:
                yield from error.mistakes
                continue
            shown.add(_family(vendor.models[example.model]))
            yield from _recorded_otherwise(proof, example)
        for model in vendor.models.values():
            family = _family(model)
            if family not in shown:
                shown.add(family)
                yield f"{proof.folder / f'{vendor.id}/{family}.toml'}:1: no example of it: write examples/{model.name}-<story>.toml"


def _family(model: Model) -> str:
    """Returns what models have in common that share templates, tables and quirks: their series, or the model alone."""
    return f"series/{model.series}" if model.series else f"models/{model.name}"


def _recorded_otherwise(proof: _Proof, example: Example) -> Iterator[str]:
    files = {file.name: file.body for file in proof.render(example.config)}
    recorded = {path.name: path.read_bytes() for path in sorted(example.folder.glob("*")) if path.is_file()}
    for name in sorted(files.keys() | recorded.keys()):
        if name not in recorded:
            yield f"{example.path}:1: {name} comes out and is not recorded in {example.folder.name}/"
        elif files and name not in files:
            yield f"{example.folder / name}:1: no such file comes out of {example.path.name}"
        elif files and files[name] != recorded[name]:
            yield f"{example.folder / name}:{first_difference(files[name], recorded[name])}: comes out otherwise"

"""Every family of models has an example, and every example renders to the recorded bytes."""

from __future__ import annotations

import os
from xml.etree import ElementTree

import pytest

from provisioner.catalog import DEFAULT_FOLDER
from provisioner.catalog.examples import INSTALLATION, Example, load_examples
from provisioner.core.catalogue import Model
from provisioner.core.render import Renderer, masked
from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()
EXAMPLES = load_examples(CATALOGUE, DEFAULT_FOLDER)
RENDERER, OTHER = Renderer(CATALOGUE), Renderer(CATALOGUE)
REWRITE = os.environ.get("REWRITE_EXAMPLES") == "1"


def family(model: Model) -> str:
    """Returns what the models have in common that share templates, tables and quirks: their series, or the model alone."""
    return f"{model.vendor}/series/{model.series}" if model.series else model.id


MODELS = [model for vendor in CATALOGUE.vendors.values() for model in vendor.models.values()]


@pytest.mark.parametrize("wanted", sorted({family(model) for model in MODELS}))
def test_family_of_models_has_an_example(wanted: str) -> None:
    names = {f"{example.vendor}/{example.model}" for example in EXAMPLES}
    assert [model.id for model in MODELS if family(model) == wanted and model.id in names], f"no examples/*.toml for {wanted}"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.vendor}/{example.name}")
def test_example_renders_to_the_recorded_bytes(example: Example) -> None:
    files = {file.name: file.body for file in RENDERER.phone_files(example.config)}
    if REWRITE:
        example.folder.mkdir(exist_ok=True)
        for stale in example.folder.iterdir():
            stale.unlink()
        for name, body in files.items():
            (example.folder / name).write_bytes(body)
    recorded = {path.name: path.read_bytes() for path in example.folder.iterdir()}
    assert files == recorded


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.vendor}/{example.name}")
def test_rendering_twice_gives_the_same_bytes(example: Example) -> None:
    assert OTHER.phone_files(example.config) == RENDERER.phone_files(example.config)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.vendor}/{example.name}")
def test_xml_parses(example: Example) -> None:
    if CATALOGUE.vendors[example.vendor].escape != "xml":
        return
    for file in RENDERER.phone_files(example.config):
        ElementTree.fromstring(file.body)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.vendor}/{example.name}")
def test_masked_text_shows_no_secret(example: Example) -> None:
    vendor = CATALOGUE.vendors[example.vendor]
    secrets = [line.secret for line in example.config.lines if line.secret]
    secrets += [str(value) for name, value in example.config.settings.items() if CATALOGUE.settings[name].type == "secret" and value]
    plain = b"\n".join(file.body for file in RENDERER.phone_files(example.config)).decode()
    shown = masked(vendor, plain)
    assert secrets
    assert [secret for secret in secrets if secret in plain], "the files hold no secret: the mask was not tried"
    assert [secret for secret in secrets if secret in shown] == []


def test_shared_files_know_no_phone() -> None:
    for file in RENDERER.shared_files():
        text = file.body.decode()
        assert all(str(value) not in text for value in INSTALLATION.values() if isinstance(value, str)), file.name

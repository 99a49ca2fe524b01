"""Phones of the toy vendor for tests that render."""

from __future__ import annotations

from provisioner.catalog.examples import example_config
from provisioner.core.catalogue import Catalogue
from provisioner.core.values import PhoneConfig


def example_of(catalogue: Catalogue, vendor: str, model: str) -> PhoneConfig:
    """Returns a phone with one line."""
    line = {"line": 1, "extension": "1001", "display_name": "Ann", "secret": "s3cret"}
    return example_config(catalogue, vendor, model, {"mac": "02acde0000a1", "line": [line]})

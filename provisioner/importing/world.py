"""What a file is judged against: the catalogue, and what is there already of what the file names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeVar

from provisioner.core.catalogue import Catalogue, Model
from provisioner.core.laying import LayoutRecord
from provisioner.core.mac import Mac, try_parse
from provisioner.core.values import SettingValue
from provisioner.importing.columns import numbers_of
from provisioner.importing.values import ParsedFile
from provisioner.records import ExtensionRecord, PhoneRecord
from provisioner.store import CHUNK, Store

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class World:
    """What is there. Secrets are held only of what the file itself gives a secret for, to see whether it differs."""

    catalogue: Catalogue
    sites: frozenset[str]
    groups: frozenset[str]
    layouts: Mapping[str, LayoutRecord]
    """Those that the file names."""
    phones: Mapping[Mac, PhoneRecord]
    extensions: Mapping[str, ExtensionRecord]
    secrets: Mapping[str, str] = field(repr=False)
    secret_settings: Mapping[Mac, Mapping[str, SettingValue]] = field(repr=False)
    models: Mapping[str, str | None]
    """What people call a model (id, name, title; letters and digits only) -> its id; None where two share the name."""

    def model(self, text: str) -> Model | None:
        """Returns the model that ``text`` means: ``yealink/t46u``, ``T46U``, ``Yealink T46U``."""
        found = named_model(self.models, text)
        return self.catalogue.model(found) if found else None

    def near_models(self, text: str) -> list[str]:
        """Returns the models whose names are nearest to ``text``, at most three."""
        near = get_close_matches(_bare(text), self.models, n=6, cutoff=0.7)
        return list(dict.fromkeys(found for name in near if (found := self.models[name])))[:3]


def world_of(store: Store, parsed: ParsedFile) -> World:
    """Returns the facts that the file touches, in a few statements for each 400 of its rows."""
    macs = sorted({mac for row in parsed.rows if (mac := try_parse(row.cells.get("mac") or ""))})
    numbers = sorted({number for row in parsed.rows for number in _numbers(row.cells)})
    with_secret = sorted({number for row in parsed.rows if row.cells.get("secret") for number in _numbers(row.cells)})
    has_settings = any(name.startswith("setting:") for row in parsed.rows for name in row.cells)
    phones = {phone.mac: phone for chunk in _chunks(macs) for phone in store.phones(macs=chunk, limit=CHUNK)}
    hidden = [mac for mac, phone in phones.items() if phone.secret_names] if has_settings else []
    return World(
        catalogue=store.catalogue,
        sites=frozenset(site.name for site in store.sites()),
        groups=frozenset(group.name for group in store.groups()),
        layouts={name: layout for name in _layouts(parsed) if (layout := store.layout(name))},
        phones=phones,
        extensions={record.number: record for chunk in _chunks(numbers) for record in store.extensions(numbers=chunk, limit=CHUNK)},
        secrets={number: secret for chunk in _chunks(with_secret) for number, secret in store.extension_secrets(chunk).items()},
        secret_settings={mac: values for chunk in _chunks(hidden) for mac, values in store.phone_secret_settings(chunk).items()},
        models=model_names(store.catalogue),
    )


def _numbers(cells: Mapping[str, str | None]) -> Iterator[str]:
    for name in ("extension", *(f"line{at}" for at in numbers_of(cells, "line"))):
        number = cells.get(name)
        if number:
            yield number


def _layouts(parsed: ParsedFile) -> set[str]:
    return {name for row in parsed.rows if (name := row.cells.get("layout"))}


def model_names(catalogue: Catalogue) -> dict[str, str | None]:
    names: dict[str, str | None] = {}
    for vendor in catalogue.vendors.values():
        for model in vendor.models.values():
            for text in {_bare(model.id), _bare(model.name), _bare(model.title), *map(_bare, model.ua_models)}:
                names[text] = model.id if names.get(text, model.id) == model.id else None
    return names


def named_model(names: Mapping[str, str | None], text: str) -> str | None:
    """Returns the id of the model that ``text`` means, or None where it means none or several."""
    return names.get(_bare(text))


def _bare(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]

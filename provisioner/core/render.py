"""Turns a phone's facts into its files: a pure function, so that the same rows give the same bytes.

Templates run in Jinja2's sandbox with every undefined name an error, every printed value escaped for the file's format,
and the size bounded. No clock, no request, no network, no file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jinja2 import FunctionLoader, StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from provisioner.core import raw
from provisioner.core.catalogue import Catalogue, EscapeName, Expansion, FileRule, Model, Vendor, canonical_name
from provisioner.core.escape import ESCAPES, clean_label
from provisioner.core.phonebook import Book, Contact
from provisioner.core.timezone import Switch, TimezoneRule
from provisioner.core.values import LINE_TYPES, Key, Line, PhoneConfig, RenderedFile, SettingValue, Sha256
from provisioner.errors import RenderError

TEMPLATE_ENDING = ".j2"
MAX_FILE_BYTES = 524_288
"""No phone of the catalogue takes a configuration of this size; a runaway loop reaches it soon."""
MAX_BOOK_BYTES = 4 * 1024 * 1024
"""Of a phone book, whose contacts its rule bounds besides."""
BOOK_PART = 4000
"""Pieces of text between two pauses: those of some hundred contacts."""


@dataclass(frozen=True, slots=True)
class Address:
    """The provisioning address in the pieces that vendors want. ``path`` begins and ends with a slash."""

    full: str
    scheme: str
    host: str
    port: int
    hostport: str
    path: str

    @property
    def bare(self) -> str:
        """``host:port/path`` without scheme and closing slash, as Grandstream wants it."""
        return f"{self.hostport}{self.path}".rstrip("/")


class Renderer:
    """Renders the files of one catalogue. Templates are compiled once; instances are safe to share between threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._environments = {
            (vendor.id, escape): _environment(vendor, escape) for vendor in catalogue.vendors.values() for escape in _escapes(vendor)
        }

    def phone_files(self, config: PhoneConfig) -> list[RenderedFile]:
        """Returns every file of one phone, in the order of its vendor's rules. Raises ``RenderError``."""
        model = self.catalogue.model(config.model)
        if model is None:
            raise RenderError(f"the catalogue has no model {config.model}", template=config.model)
        vendor = self.catalogue.vendors[model.vendor]
        if vendor.id in self.catalogue.withheld:
            raise RenderError(self.catalogue.withheld[vendor.id], template=vendor.id)
        context = phone_context(self.catalogue, vendor, model, config)
        return [
            self._render(vendor, rule, canonical_name(rule, config.mac, model), context)
            for rule in vendor.files
            if rule.scope == "phone" and rule.template
        ]

    def shared_files(self) -> list[RenderedFile]:
        """Returns the files that belong to no phone: common files of models and of vendors. They know no secret and no phone."""
        files = [
            self._render(vendor, rule, name, {"vendor": vendor, "model": model})
            for vendor in self.catalogue.vendors.values()
            for rule in vendor.files
            if rule.template and rule.scope in ("model", "vendor")
            for name, model in shared_names(vendor, rule)
        ]
        return list({file.name: file for file in files}.values())

    def book_parts(self, vendor: Vendor, rule: FileRule, book: Book) -> Generator[None, None, RenderedFile]:
        """Returns a phone book in the form of one vendor; pauses now and then, for it may have thousands of contacts. Raises ``RenderError``."""
        texts: list[str] = []
        with _told_where(f"{vendor.id}/templates/{rule.template}"):
            for text in self._template(vendor, rule).generate({"vendor": vendor, "book": book}):
                texts.append(text)
                if not len(texts) % BOOK_PART:
                    yield
        return _file(vendor, rule, rule.name, "".join(texts), MAX_BOOK_BYTES)

    def _render(self, vendor: Vendor, rule: FileRule, name: str, context: Mapping[str, Any]) -> RenderedFile:
        with _told_where(f"{vendor.id}/templates/{rule.template}"):
            text = self._template(vendor, rule).render(context)
            if vendor.raw is not None and context.get("raw"):
                # In a file that empties a phone what the templates say holds: by hand nothing is said any more.
                text = raw.without_doubles(vendor.raw, (name for name, _ in context["raw"]), text, last=not context["is_emptied"])
        return _file(vendor, rule, name, text, MAX_FILE_BYTES)

    def _template(self, vendor: Vendor, rule: FileRule) -> Template:
        return self._environments[vendor.id, rule.escape or vendor.escape].get_template(rule.template or "")


@contextmanager
def _told_where(template: str) -> Iterator[None]:
    """Has whatever goes wrong in a template told as ``RenderError``, with its file and line."""
    try:
        yield
    except TemplateSyntaxError as error:
        raise RenderError(error.message or "syntax error", template=error.filename or template, line=error.lineno) from error
    except RecursionError as error:
        raise RenderError("a part of this template calls itself without end", template=template) from error
    except (TemplateError, SecurityError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        place, line = _template_place(error) or (template, None)
        raise RenderError(_plain(error), template=place, line=line) from error


def _file(vendor: Vendor, rule: FileRule, name: str, text: str, most_bytes: int) -> RenderedFile:
    body = text.encode("utf-8")
    if len(body) > most_bytes:
        template = f"{vendor.id}/templates/{rule.template}"
        raise RenderError(f"the file would have {len(body)} bytes; the bound is {most_bytes}", template=template)
    return RenderedFile(name, body, Sha256(hashlib.sha256(body).hexdigest()), rule.content_type)


def shared_names(vendor: Vendor, rule: FileRule) -> Iterator[tuple[str, Model | None]]:
    """Yields the names of a file that belongs to no phone, each with its model where it has one.

    A common file is there for every number that the vendor's phones are known to ask for, whether a model of the catalogue has it or not.
    """
    if rule.scope != "model":
        yield rule.name, None
        return
    named = "{common}" in rule.name
    for number in vendor.common_files if named else ():
        yield rule.name.replace("{common}", number), None
    for model in vendor.models.values():
        if model.common or not named:
            yield canonical_name(rule, None, model), model


def phone_context(catalogue: Catalogue, vendor: Vendor, model: Model, config: PhoneConfig) -> dict[str, Any]:
    """Returns what a phone's templates may use; ``docs/reference/templates.md`` explains each name."""
    zone = catalogue.zones.get(str(config.settings.get("timezone", "UTC")))
    keys = {(key.module, key.key): acting_key(key, config.settings) for key in config.keys}
    return {
        "mac": str(config.mac),
        "vendor": vendor,
        "model": model,
        "lines": {line.line: line for line in config.lines},
        "keys": [key for _, key in sorted(keys.items())],
        "slots": list(_slots(model, config, keys)),
        "modules": config.modules,
        "settings": dict(config.settings),
        "codecs": [codec for codec in str(config.settings.get("codecs", "")).split(",") if codec in model.codecs],
        "maps": tables(vendor, model),
        "quirks": quirks(model, config.firmware),
        "address": split_address(config.provisioning_url),
        "file_key": config.file_key,
        "is_emptied": config.is_emptied,
        "tz": zone or TimezoneRule("UTC0", 0, None, None, None),
        "label_of": _labeller(config),
        "raw": raw.chosen(vendor.raw, config.settings),
    }


def tables(vendor: Vendor, model: Model) -> Mapping[str, Mapping[str, str]]:
    """Returns the vendor's tables with the model's rows over them."""
    if not model.maps:
        return vendor.maps
    return {**vendor.maps, **{name: {**vendor.maps.get(name, {}), **rows} for name, rows in model.maps.items()}}


def quirks(model: Model, firmware: str) -> dict[str, SettingValue]:
    """Returns the model's quirks with those of its firmware on top; an unknown firmware has only the model's own."""
    values = dict(model.quirks)
    for when in model.when:
        if firmware and firmware_fits(firmware, when.firmware):
            values.update(when.quirks)
    return values


def firmware_fits(firmware: str, condition: str) -> bool:
    """Returns whether ``firmware`` (``108.86.0.90``) fits ``condition`` (``<x.84``, ``>=1.0.11``). ``x`` stands for any number."""
    match = re.match(r"(<=|>=|<|>|=)(.+)", condition)
    if match is None:
        return False
    wanted = match[2].split(".")
    have = re.findall(r"\d+", firmware)[: len(wanted)]
    pairs = [(int(number), int(want)) for number, want in zip(have, wanted, strict=False) if want != "x"]
    left, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right, "=": left == right}[match[1]]


def split_address(url: str) -> Address:
    """Returns the pieces of a provisioning address such as ``http://prov.example:8080/p/abc/``."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    shown = f"[{host}]" if ":" in host else host
    hostport = shown if port == (443 if parts.scheme == "https" else 80) else f"{shown}:{port}"
    return Address(url, parts.scheme, host, port, hostport, parts.path or "/")


def masked(vendor: Vendor, text: str) -> str:
    """Returns a rendered file with every secret shown as ``***``: for pages, logs and errors."""
    for mask in vendor.masks:
        text = mask.sub(_hide_secret, text)
    return text


def _hide_secret(match: re.Match[str]) -> str:
    begin, end = match.start("secret") - match.start(), match.end("secret") - match.start()
    return f"{match[0][:begin]}***{match[0][end:]}" if match["secret"] else match[0]


def _slots(model: Model, config: PhoneConfig, keys: Mapping[tuple[int, int], Key]) -> Iterator[Key]:
    """Yields every key position in order; one that nothing is on has type ``none``, so that the phone clears it."""
    laid = {**own_line_keys(model, config, keys), **keys}
    for number in range(1, model.keys + 1):
        yield laid.get((0, number)) or Key(0, number, "none")
    if model.expansion is None:
        return
    for module in range(1, min(config.modules, model.expansion.modules) + 1):
        for number in range(1, model.expansion.keys + 1):
            if number not in model.expansion.reserved:
                yield laid.get((module, number)) or Key(module, number, "none")


def own_line_keys(model: Model, config: PhoneConfig, keys: Mapping[tuple[int, int], Key]) -> dict[tuple[int, int], Key]:
    """Returns a key for every line that nobody gave one: at its own number where that is free, as the phones have it from the factory.

    Where the model's quirk ``lines_need_keys`` says that a line could not be used otherwise, the first free place will do too. A place
    that was laid out as ``none`` is not free: it stays dark.
    """
    keyed = {key.line for key in keys.values() if key.type in LINE_TYPES}
    free = [number for number in range(1, model.keys + 1) if (0, number) not in keys]
    found: dict[tuple[int, int], Key] = {}
    for line in sorted(line.line for line in config.lines if line.line not in keyed):
        number = line if line in free else free[0] if free and model.quirks.get("lines_need_keys") else 0
        if number:
            free.remove(number)
            found[0, number] = Key(0, number, "line", line=line)
    return found


def acting_key(key: Key, settings: Mapping[str, SettingValue]) -> Key:
    """Returns a key as it acts with these settings: without a group of its own it pages the one that the phone listens to, and a line that
    the PBX does not share is an ordinary one."""
    kind, value = key.type, clean_label(key.value)
    if kind == "paging":
        value = value or str(settings.get("paging_listen", ""))
        kind = kind if value else "none"
    elif kind == "shared_line" and settings.get("shared_lines", "off") == "off":
        kind = "line"
    return Key(key.module, key.key, kind, value, clean_label(key.label), key.line)


def _labeller(config: PhoneConfig) -> Callable[[Line], str]:
    by_name = config.settings.get("line_label") == "name"

    def label_of(line: Line) -> str:
        return clean_label(line.label or (line.display_name if by_name and line.display_name else line.extension))

    return label_of


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, with its verdict remembered where it is always the same: a file asks for some hundred attributes, and asking
    cost more than half of its rendering.

    The verdict rests on the type and the name alone. Remembered is what it allowed on types that never give out a bound ``str.format``,
    the one value that the sandbox wraps. Whatever it refuses is asked for anew each time.
    """

    _REMEMBERED = frozenset({Address, Key, Line, Model, Vendor, Expansion, TimezoneRule, Switch, LoopContext, Book, Contact, str, list})
    _WRAPPED = frozenset({"format", "format_map"})
    _DICT_NAMES = frozenset(dir(dict))

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._allowed: set[tuple[type, str]] = set()

    def getattr(self, obj: Any, attribute: str) -> Any:
        kind = type(obj)
        if (kind, attribute) in self._allowed:
            return getattr(obj, attribute)
        if kind is dict and attribute not in self._DICT_NAMES:
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        value = super().getattr(obj, attribute)
        if kind in self._REMEMBERED and attribute not in self._WRAPPED and not isinstance(value, Undefined):
            self._allowed.add((kind, attribute))
        return value


def _escapes(vendor: Vendor) -> set[EscapeName]:
    return {vendor.escape, *(rule.escape for rule in vendor.files if rule.escape)}


def _environment(vendor: Vendor, escape: EscapeName) -> ImmutableSandboxedEnvironment:
    # Autoescape is off because the finaliser escapes instead: it knows formats other than HTML and cannot be switched off by "|safe".
    environment = Sandbox(
        loader=FunctionLoader(_loaded_from(vendor)),
        undefined=StrictUndefined,
        finalize=ESCAPES[escape],
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.clear()
    environment.globals["range"] = _bounded_range
    return environment


def _loaded_from(vendor: Vendor) -> Callable[[str], tuple[str, str, None] | None]:
    # With its own name as file name, so that an error tells which of the parts of a file it is in.
    def load(name: str) -> tuple[str, str, None] | None:
        text = vendor.templates.get(name)
        return None if text is None else (text, f"{vendor.id}/templates/{name}", None)

    return load


def _bounded_range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > 4096:
        raise ValueError("a loop of more than 4096 rounds")
    return numbers


def _template_place(error: BaseException) -> tuple[str, int] | None:
    """Returns the template and the line that an error comes from: the innermost, which may be a part of the one that was asked for."""
    traceback, place = error.__traceback__, None
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if name.endswith(TEMPLATE_ENDING):
            place = name, traceback.tb_lineno
        traceback = traceback.tb_next
    return place


def _plain(error: BaseException) -> str:
    # Jinja's and Python's messages name attributes and types; a value could only appear in ValueError, so that one is not repeated.
    return "a value does not fit" if isinstance(error, ValueError) and not isinstance(error, UnicodeError) else str(error)

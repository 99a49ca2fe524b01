"""``provisioner explain``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from html import unescape
from typing import TYPE_CHECKING, NamedTuple

import click

from provisioner.commands.arguments import json_option, mac_argument
from provisioner.commands.looking import SHOWN_SECRET, Look, ShownFile, look_of
from provisioner.commands.output import harmless, print_json
from provisioner.commands.session import Session, pass_session
from provisioner.errors import NotFound

if TYPE_CHECKING:
    from provisioner.core.catalogue import Setting
    from provisioner.core.layers import Layer
    from provisioner.core.mac import Mac
    from provisioner.core.values import Key
    from provisioner.records import PhoneRecord

# The ways in which configuration files write "name is value"; formats, not vendors.
_SHAPES = (
    re.compile(r"^\s*(?P<name>[\w.\-]+)\s*=\s?(?P<value>[^\"'].*|)$"),
    re.compile(r"<(?:item|part|param)\s+name=\"(?P<name>[^\"]+)\"[^>]*>(?P<value>[^<]*)<"),
    re.compile(r"<(?P<name>[\w.\-]+)(?:\s[^>]*)?>(?P<value>[^<]*)</(?P=name)>"),
    re.compile(r"(?<![\w.\-])(?P<name>[\w.\-]+)=\"(?P<value>[^\"]*)\""),
)


_KEY = re.compile(r"key\.(?:(?P<module>\d{1,2})\.)?(?P<key>\d{1,3})")
_SOURCES = {"own": "the phone", "layout": "its layout {layout}", "slot": "a slot of its layout {layout} that the phone has not filled"}


class Place(NamedTuple):
    """Where a parameter stands. ``line`` counts from 1."""

    file: str
    line: int
    name: str
    value: str


@click.command()
@json_option
@mac_argument
@click.argument("parameter")
@pass_session
def explain(session: Session, mac: Mac, parameter: str, as_json: bool) -> None:
    """Say where a value of the phone MAC comes from.

    PARAMETER is a setting (timezone): then the layer that gives its value is named, and what that hides. Or it is a key (key.3, or key.1.3
    on module 1): then whether it is the phone's own or its layout's. Or it is a parameter as the maker writes it (linekey.3.value, P47):
    then file, line and value are.

    \b
    Examples:
      provisioner explain 80:5e:c0:aa:bb:cc timezone
      provisioner explain 80:5e:c0:aa:bb:cc key.3
      provisioner explain 80:5e:c0:aa:bb:cc linekey.3.value
    """
    from provisioner.commands.phone import found

    record, look = found(session, mac), look_of(session)
    if key := _KEY.fullmatch(parameter):
        _explain_key(look, record, int(key["module"] or 0), int(key["key"]), as_json)
        return
    if (row := look.setting(parameter)) is not None:
        _explain_setting(look, record, row, as_json)
        return
    files = look.files(mac)
    hits = [place for place in places(files) if place.name.lower() == parameter.lower()]
    if not hits:
        raise NotFound({"parameter": _not_found(look, mac, parameter, files)})
    if as_json:
        print_json([place._asdict() for place in hits])
        return
    for place in hits:
        click.echo(f"{place.file}, line {place.line}: {place.name} = {harmless(place.value)}")


def places(files: Iterable[ShownFile]) -> Iterator[Place]:
    """Yields every parameter of the files with its place."""
    for file in files:
        for number, text in enumerate(file.content.splitlines(), 1):
            for shape in _SHAPES:
                for match in shape.finditer(text):
                    if match["name"] != "name":
                        yield Place(file.name, number, match["name"], unescape(match["value"]).strip())


def _explain_setting(look: Look, record: PhoneRecord, row: Setting, as_json: bool) -> None:
    name = row.name
    origin, why_not = look.explain(record, name)
    if origin is None:
        raise NotFound({"parameter": f"nothing sets {name} for {record.mac.colons}"})

    def shown(value: object) -> str:
        is_hidden = row.type == "secret" and value != ""
        return SHOWN_SECRET if is_hidden else "yes" if value is True else "no" if value is False else harmless(value)

    if as_json:
        hidden = [{"layer": layer.kind, "name": layer.name, "value": shown(layer.values[name])} for layer in origin.overridden]
        told = {"setting": name, "value": shown(origin.value), "layer": origin.layer, "name": origin.name, "overridden": hidden}
        print_json(told | {"unsupported": why_not})
        return
    click.echo(f"{name} = {shown(origin.value) or '(empty)'}{f' {row.unit}' if row.unit else ''}")
    click.echo(f"  from   {_layer(origin.layer, origin.name)}")
    for layer in origin.overridden:
        click.echo(f"  hides  {shown(layer.values[name]) or '(empty)'} {_from(layer)}")
    if why_not:
        click.echo(f"  not on this phone: {why_not}")
    click.echo(f"  {row.help}")


def _explain_key(look: Look, record: PhoneRecord, module: int, key: int, as_json: bool) -> None:
    laid = next((row for row in look.laid_keys(record) if (row.key.module, row.key.key) == (module, key)), None)
    if laid is None:
        raise NotFound({"parameter": f"nothing is laid out on key {key}{f' of module {module}' if module else ''} of {record.mac.colons}"})
    if as_json:
        print_json({"key": laid.key, "source": laid.source, "layout": record.layout, "hidden": laid.hidden})
        return
    click.echo(_shown_key(laid.key))
    click.echo(f"  from   {_SOURCES[laid.source].format(layout=record.layout)}")
    if laid.hidden:
        click.echo(f"  hides  {_shown_key(laid.hidden)} of the phone")


def _shown_key(key: Key) -> str:
    return " ".join(harmless(text) for text in (key.type, key.value, key.label) if text)


def _layer(kind: str, name: str) -> str:
    return f"{kind} {name}" if name else "the installation" if kind == "installation" else "the default of the settings table"


def _from(layer: Layer) -> str:
    return f"from {_layer(layer.kind, layer.name)}"


def _not_found(look: Look, mac: Mac, parameter: str, files: list[ShownFile]) -> str:
    names = {place.name for place in places(files)}.union(look.setting_names())
    near = get_close_matches(parameter, names, n=3)
    return f"no file of {mac.colons} has '{parameter}', and it is no setting" + (f"; did you mean {', '.join(near)}?" if near else "")

"""The pages of ``docs/reference/``, made from the code, so that no fact of it is told twice.

Every page is a pure function of the code (and, for the time zones, of the installed rules): the same gives the same bytes everywhere.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from docs.catalogue_pages import models, phone_settings
from docs.coverage_page import coverage
from docs.markdown import code, first_sentence, table
from docs.peers_page import peers
from docs.zone_page import is_of_other_rules, zones

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
HEAD = "<!-- Written by docs/generate.py from the code. Do not edit: run 'make docs'. -->\n\n"

TEMPLATE_NAMES: Mapping[str, str] = {
    "mac": "The phone's MAC: twelve small hex digits.",
    "vendor": "The vendor (`Vendor`, below).",
    "model": "The model (`Model`, below).",
    "lines": "Number of the line -> `Line`. Only lines that are laid out are in it.",
    "keys": "Every key that was laid out (`Key`), in order.",
    "slots": "Every key position of the phone and of its attached modules (`Key`), in order. One that nobody laid out has the type `none`.",
    "modules": "How many expansion modules are attached.",
    "settings": "Every phone setting with the value that holds for this phone ([the list](phone-settings.md)).",
    "codecs": "The setting `codecs` as a list, without those that the model lacks.",
    "maps": "The tables `[maps.*]` of `vendor.toml`: name of the table -> word of the catalogue -> value of the phone.",
    "quirks": "The model's `[quirks]`, with those of its firmware (`[[when]]`) on top.",
    "address": "The phone's own provisioning address in pieces (`Address`, below).",
    "tz": "The rule of the phone's time zone (`TimezoneRule`, below).",
    "raw": "Parameters of the maker that somebody added by hand and that this vendor takes: pairs of name and value, in order of the name.",
    "file_key": "The key with which the phone opens what it fetches at `address` (setting `encrypt_files`); empty where its files go out in clear.",
    "is_emptied": "Whether the phone is taken out of service: then lines and keys are empty, and what a template leaves alone otherwise has to be cleared too.",
    "label_of": "Function: the text beside a line's key. Its own label, or the extension, or the name (setting `line_label`).",
}


# --- Pieces of Markdown -----------------------------------------------------------------------------------------------------


def attribute_docs(module: ModuleType) -> dict[str, str]:
    """Returns ``Class.attribute`` -> the text that stands below it in the source."""
    found: dict[str, str] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        body = node.body if isinstance(node, ast.ClassDef) else []
        for before, after in pairwise(body):
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
                targets = before.targets if isinstance(before, ast.Assign) else [getattr(before, "target", None)]
                for target in targets:
                    if isinstance(target, ast.Name) and isinstance(node, ast.ClassDef):
                        found[f"{node.name}.{target.id}"] = " ".join(after.value.value.split())
    return found


def fields_table(kind: type, docs: Mapping[str, str]) -> str:
    """Returns the fields of a dataclass as a table."""
    rows = [(code(field.name), code(field.type), docs.get(f"{kind.__name__}.{field.name}", "")) for field in dataclasses.fields(kind)]
    own = [
        (code(name), code(inspect.get_annotations(item.fget)["return"]), first_sentence(item.__doc__))
        for name, item in vars(kind).items()
        if isinstance(item, property) and item.fget
    ]
    return table(["name", "type", "meaning"], [*rows, *own])


# --- The pages --------------------------------------------------------------------------------------------------------------


def settings() -> str:
    from provisioner.settings import FILE, PREFIX, SETTINGS

    rows = [(code(PREFIX + row.name), code(row.default.removeprefix(f"{ROOT}/")) or "empty", row.help + _choices_of(row) + (f" Unit: {row.unit}." if row.unit else ""))
            for row in SETTINGS]  # fmt: skip
    return (
        "# Settings of the server\n\n"
        f"Each is given in the environment, or under the same name in `{FILE}` in the folder where the command is started "
        f"(there the prefix `{PREFIX}` may be left out). The environment wins. `provisioner settings` shows what holds.\n"
        "A value that cannot be used, or a name that is not here, stops the start; every mistake is listed at once.\n\n"
        + table(["name", "default", "meaning"], rows)
    )


def _choices_of(row: Any) -> str:
    choices = inspect.getclosurevars(row.parse).nonlocals.get("choices", ())
    return f" One of {', '.join(code(choice) for choice in choices)}." if choices else ""


def reasons() -> str:
    from provisioner.core import values
    from provisioner.transports import http_reply, tftp_packets

    docs = attribute_docs(values)
    wire = {code_: name for name, code_ in vars(tftp_packets).items() if name.isupper() and isinstance(code_, bytes)}
    rows = [
        (code(reason.value), docs[f"Reason.{reason.name}"], _status(reason, http_reply.STATUS), _tftp(reason, tftp_packets, wire))
        for reason in values.Reason
    ]
    return (
        "# Reasons\n\n"
        "Why a request of a phone was answered as it was. The set is closed. The reason is in the access log (`reason=`), in `provisioner fetches`, "
        "in the API (`/api/v1/phones/{mac}/fetches`) and, counted, in `/metrics`. The wire says less on purpose: what is unknown, switched off or "
        "forbidden looks the same ([why](../adr/0006-uniform-refusals.md)).\n\n"
        "Where the table says 404 or 401: it is 401, with a challenge, when the name carries a MAC and any site of the server uses `digest`; "
        "else it is 404.\n\n" + table(["reason", "meaning", "HTTP", "TFTP"], rows)
    )


def _status(reason: Any, statuses: Mapping[Any, int]) -> str:
    if reason.value == "aborted":
        return "-"
    return str(statuses.get(reason, "404" if reason.value in {"no_such_file", "unknown_name"} else "404 or 401"))


def _tftp(reason: Any, packets: ModuleType, wire: Mapping[bytes, str]) -> str:
    if reason.value == "served":
        return "DATA"
    if reason.value in {"not_modified", "stored", "bad_credentials", "bad_range", "too_large"}:
        return "-"
    if reason.value == "aborted":
        return "nothing"
    packet = packets.refusal(reason)
    return "nothing" if not packet else "ERROR " + str(int.from_bytes(packet[2:4], "big")) + f" ({wire[packet].lower().replace('_', ' ')})"


def stages() -> str:
    from provisioner.core import lockstep

    docs = attribute_docs(lockstep)
    rows = [(code(stage.value), docs[f"Stage.{stage.name}"]) for stage in lockstep.Stage]
    return (
        "# Stages\n\n"
        "Where a phone stands between a change and its proof. No column holds it: it is worked out from facts each time it is asked for "
        "([how](../explain/lockstep.md)). `provisioner lockstep` and `/api/v1/phones/{mac}/lockstep` show it.\n\n"
        + table(["stage", "meaning"], rows)
    )


def commands() -> str:
    from provisioner.__main__ import main

    context = click.Context(main, info_name="provisioner")
    rows = [(f"[`{name}`](#provisioner-{name})", line) for name, (_, line) in main.wiring.items()]
    text = "# Commands\n\n" + table(["command", "what it does"], rows)
    for command, path in _walk(main, context, "provisioner"):
        text += _command(command, path, context)
    return text + "Exit status: 0, or a sentence on standard error and another status (2 for wrong usage).\n"


def _walk(group: click.Group, context: click.Context, path: str) -> Iterator[tuple[click.Command, str]]:
    yield group, path
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _walk(command, context, f"{path} {name}")
        elif command is not None:
            yield command, f"{path} {name}"


def _command(command: click.Command, path: str, parent: click.Context) -> str:
    usage = " ".join([path, *command.collect_usage_pieces(click.Context(command, info_name=path, parent=parent))])
    options = [_option(parameter) for parameter in command.params if isinstance(parameter, click.Option)]
    text = f"## {path}\n\n    {usage}\n\n{_help(command.help or '')}"
    return text + (table(["option", "meaning"], options) if options else "")


def _option(option: click.Option) -> tuple[str, str]:
    choices = f"[{' / '.join(option.type.choices)}]" if isinstance(option.type, click.Choice) else option.type.name.upper()
    metavar = "" if option.is_flag else f" {option.metavar or choices}"
    return code(", ".join(option.opts) + metavar), (option.help or "") + (" Required." if option.required else "")


def _help(text: str) -> str:
    """Returns a command's help as Markdown; what click prints as it stands (after a line with a backspace) becomes code."""
    shown = ""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            title, *rest = paragraph[2:].split("\n")
            shown += f"{title}\n\n" + "".join(f"  {line}\n" for line in rest) + "\n"
        else:
            shown += " ".join(paragraph.split()).replace("***", "`***`").replace("<", "\\<") + "\n\n"
    return shown


def templates() -> str:
    from provisioner.core import catalogue, render, timezone, values
    from provisioner.core.escape import ESCAPES

    names = _context_names()
    unknown = names ^ TEMPLATE_NAMES.keys()
    if unknown:
        raise SystemExit(f"docs/generate.py: TEMPLATE_NAMES does not fit core.render.phone_context: {', '.join(sorted(unknown))}")
    docs = attribute_docs(values) | attribute_docs(catalogue) | attribute_docs(render) | attribute_docs(timezone)
    kinds = (values.Line, values.Key, render.Address, timezone.TimezoneRule, catalogue.Model, catalogue.Vendor)
    text = (
        "# What a template gets\n\n"
        "Templates are Jinja2 in a sandbox. A name that is not there is an error, never an empty text. Every printed value is escaped for the "
        "vendor's format (`escape` in `vendor.toml`); no template can switch that off. There is no clock, no network, no file and no global but "
        f"`range`, of at most 4096 numbers. A file has at most {render.MAX_FILE_BYTES // 1024} KiB.\n\n"
        "Files that belong to no phone (scope `model` or `vendor`) get `vendor` and `model` only.\n\n"
        + table(["name", "meaning"], [(code(name), meaning) for name, meaning in TEMPLATE_NAMES.items()])
        + "## Escapes\n\n"
        + table(["escape", "what it does"], [(code(name), first_sentence(escape.__doc__)) for name, escape in ESCAPES.items()])
    )
    return text + "".join(f"## {kind.__name__}\n\n{first_sentence(kind.__doc__)}\n\n{fields_table(kind, docs)}" for kind in kinds)


def _context_names() -> set[str]:
    from provisioner.catalog import load_catalogue
    from provisioner.core.mac import Mac
    from provisioner.core.render import phone_context
    from provisioner.core.values import PhoneConfig

    catalogue = load_catalogue()
    vendor = next(iter(catalogue.vendors.values()))
    model = next(iter(vendor.models.values()))
    config = PhoneConfig(Mac("020000000001"), model.id, (), (), {}, "http://192.0.2.1/p/x/")
    return set(phone_context(catalogue, vendor, model, config))


def schema() -> str:
    from provisioner import models

    for reader in ("store", "nodes"):  # whoever reads a table has it known: some stand in modules of their own
        import_module(f"provisioner.{reader}")

    text = f"# Tables of the database\n\n{inspect.cleandoc(models.__doc__ or '')}\n\nNothing but the server should write to them.\n\n"
    for _, each in sorted(models.metadata.tables.items()):
        rows = [(code(column.name), str(column.type), _key_of(column), column.comment or "") for column in each.columns]
        text += f"## {each.name}\n\n" + table(["column", "type", "", "meaning"], rows)
    return text


def _key_of(column: Any) -> str:
    parts = ["primary key"] if column.primary_key else [] if column.nullable else ["not null"]
    return ", ".join(parts + [f"-> {key.target_fullname}" for key in column.foreign_keys])


def errors() -> str:
    from provisioner import errors as module

    kinds = [kind for kind in vars(module).values() if inspect.isclass(kind) and issubclass(kind, module.ProvisionerError)]
    rows = [(code(kind.__name__), code(kind.reason), first_sentence(kind.__doc__)) for kind in kinds]
    tree = inspect.cleandoc(module.__doc__ or "").split("::\n\n")[1].split("\n\n")[0]
    return (
        "# Errors\n\nWhat a person is told. A command prints the sentence on standard error; the API answers with it as problem details, where "
        "`reason` is for programs and does not change.\n\n"
        f"```\n{inspect.cleandoc(tree)}\n```\n\n" + table(["error", "reason", "meaning"], rows)
    )


def api() -> str:
    document = openapi()
    text = (
        "# The API\n\n"
        "On the admin listener, as JSON, with `Authorization: Bearer TOKEN` (`provisioner token create NAME --role ROLE`). The whole document, with "
        "every schema and example, is at `/api/v1/openapi.json` of a running server.\n\n" + document["info"]["description"] + "\n\n"
    )
    groups: dict[str, list[tuple[str, ...]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in {"get", "put", "post", "patch", "delete"}:
                query = [code(item["name"]) for item in operation.get("parameters", []) if item.get("in") == "query"]
                does = operation["summary"].replace("***", "`***`")
                row = (code(f"{method.upper()} {path}"), operation.get("x-role") or "none", does, ", ".join(query))
                groups.setdefault((operation.get("tags") or ["health"])[0], []).append(row)
    for name, rows in groups.items():
        text += f"## {name}\n\n" + table(["request", "needs the role", "what it does", "query"], rows)
    return text


@cache
def openapi() -> Any:
    """Returns the OpenAPI document of an installation that is made for it."""
    from provisioner.api import create_admin_app
    from provisioner.api.document import text_of
    from provisioner.settings import load_settings
    from provisioner.wiring import open_installation

    with tempfile.TemporaryDirectory() as folder:
        given = {"PROVISIONER_DATA_DIR": f"{folder}/var", "PROVISIONER_PBX": "none"}
        installation = open_installation(load_settings(given, Path(folder) / "none.toml"), create=True)
        try:
            return json.loads(text_of(create_admin_app(installation)))
        finally:
            installation.database.dispose()


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings, "phone-settings.md": phone_settings, "reasons.md": reasons, "stages.md": stages, "commands.md": commands,
    "models.md": models, "coverage.md": coverage, "features.md": peers, "time-zones.md": zones, "templates.md": templates, "schema.md": schema, "errors.md": errors, "api.md": api,
}  # fmt: skip


def page(name: str) -> str:
    """Returns the whole text of one page of the reference."""
    return HEAD + PAGES[name]().rstrip("\n") + "\n"


def is_stale(name: str) -> bool:
    """Returns whether a page is not as the code says. One made from another release of the zone rules is no mistake."""
    path = REFERENCE / name
    if not path.exists():
        return True
    text = path.read_text("utf-8")
    return text != page(name) and not is_of_other_rules(text)


def stale_pages() -> list[str]:
    """Returns the pages that are not as the code says, and files that no page is."""
    return [name for name in PAGES if is_stale(name)] + sorted({path.name for path in REFERENCE.glob("*.md")} - PAGES.keys())

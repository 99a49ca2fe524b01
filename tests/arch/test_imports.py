"""Which part may import which: the tables here are the specification. ``docs/explain/architecture.md`` explains them."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.arch.sources import PACKAGES, imports, module_of, python_files, tree

ALLOWED: dict[str, set[str]] = {
    # Parts that stand on nothing of ours.
    "pbx_sync": set(),
    "client": set(),
    "errors": set(),
    "postgres": set(),
    "notices": set(),
    "db": {"notices", "postgres"},
    "bell": {"db"},
    "deadline": set(),
    "models": set(),
    "models_enrolment": {"models"},
    "models_layouts": {"models"},
    "models_changes": {"models"},
    "models_encryption": {"models"},
    "models_testcall": {"models"},
    "models_nodes": {"models"},
    "models_calls": {"models"},
    "models_seats": {"models"},
    "records_seats": {"core"},
    "models_accounts": {"models"},
    "models_install": {"models"},
    "models_second_factor": {"models"},
    "models_firmware": {"models"},
    "models_redirect": {"models"},
    "models_phonebook": {"models"},
    "models_sightings": {"models"},
    "models_api": {"models"},
    "models_backups": {"models"},
    "models_mail": {"models"},
    "records_api": set(),
    "records_mail": set(),
    "records_backups": set(),
    "logs": set(),
    "passwords": set(),
    "scope": {"errors"},
    "supervisor": set(),
    "heartbeat": set(),
    # Pure: values, rules, rendering.
    "kept": set(),
    "core": {"errors"},
    "records_install": {"core"},
    "records": {"core", "records_install"},
    "records_enrolment": {"core"},
    "records_changes": set(),
    "records_calls": set(),
    "records_rendering": {"core"},
    "places": {"records"},
    # Edges to files: settings, key, catalogue.
    "setting_values": set(),
    "setting_checks": set(),
    "settings": {"errors", "setting_checks", "setting_values"},
    "secrets": {"core", "errors"},
    "catalog": {"core", "errors"},
    "kept_catalogue": {"catalog", "core", "kept", "settings"},
    # The database.
    "migrations": {"models"},
    "migrate": {"db", "errors", "migrations"},
    "store": {
        "core", "db", "errors", "models", "models_accounts", "models_api", "models_calls", "models_changes", "models_encryption", "models_enrolment", "models_firmware", "models_install", "models_layouts",
        "models_backups", "models_phonebook", "models_redirect", "models_second_factor", "models_sightings", "models_testcall", "models_seats",
        "models_mail", "places", "records", "records_api", "records_backups", "records_calls", "records_changes", "records_enrolment", "records_install", "records_mail", "records_rendering", "scope", "secrets", "records_seats",
    },
    "changes": {
        "core", "errors", "models", "models_accounts", "models_api", "models_changes", "models_enrolment", "models_firmware", "models_install", "models_layouts", "models_calls",
        "models_backups", "models_redirect", "models_second_factor", "models_sightings", "models_testcall", "models_seats",
        "models_mail", "passwords", "places", "records", "records_backups", "records_changes", "records_enrolment", "records_install", "records_mail", "records_seats", "scope", "secrets", "setting_values", "settings", "store", "records_calls",
    },
    "dhcp": {"core", "errors"},
    "redirect": {"core", "deadline"},
    "redirecting": {"changes", "core", "errors", "redirect", "store"},
    "sheets": {"core", "errors", "store", "translating"},
    "enroll": {"core", "errors", "models", "records", "store"},
    # People who sign in.
    "oidc": {"deadline", "errors", "secrets", "setting_values"},
    "accounts": {"changes", "core", "errors", "oidc", "passwords", "records", "scope", "secrets", "setting_values", "settings", "store"},
    # Programs that are told of changes.
    "webhooks": {"changes", "db", "deadline", "errors", "records", "store"},
    "mailing": {"changes", "db", "errors", "records", "records_mail", "settings", "store", "translating"},
    "translating": set(),
    # Serving phones.
    "digest": {"core", "nonces", "secrets"},
    "nonces": {"core"},
    "serving_index": {"bell", "core", "db", "places", "records", "records_install", "store"},
    "static_files": set(),
    "bookshelf": {"core", "records"},
    "merging": {"core", "records"},
    "enciphering": {"core"},
    "images": {"core", "static_files", "store"},
    "grounds": {"core", "records", "serving_index"},
    "install_codes": {"core", "records", "records_install", "secrets", "serving_index"},
    "waiting_room": {"core", "errors", "serving_index", "store"},
    "serve": {
        "bookshelf", "core", "enciphering", "grounds", "images", "install_codes", "merging", "records", "records_install", "secrets", "serving_index", "static_files", "store", "waiting_room",
    },
    "seen": {"core", "models", "models_sightings"},
    "recorder": {"bootstrap_notes", "core", "db", "models", "models_install", "records_install", "seen"},
    "bootstrap_notes": {"core", "db", "models", "models_enrolment"},
    # Finding phones.
    "scans": {"db", "errors", "models_sightings"},
    "discovery": {"core", "db", "records", "scans", "seen", "settings", "store"},
    "uploads": {"core", "models", "store"},
    "transports": {"core", "digest", "grounds", "serve", "uploads"},
    # Draining changes.
    "pbxview": {"pbx_sync", "records"},
    "bundled": {"pbx_sync", "setting_values", "settings"},
    "recordings": set(),
    "pbxstatus": {"bundled", "pbx_sync", "settings"},
    "callsnow": {"bundled", "errors", "pbx_sync", "settings"},
    "pbxservice": {"bundled", "errors", "pbx_sync", "settings"},
    "worker": {
        "backup_folder", "backups",
        "bell", "bundled", "changes", "core", "db", "errors", "models", "models_calls", "models_encryption", "models_enrolment", "models_install", "models_phonebook", "models_testcall", "pbx_sync", "pbxview", "places",
        "recordings", "records", "records_enrolment", "records_install", "records_rendering", "records_seats", "redirect", "seen", "settings", "store",
    },
    # Wiring, and what people and programs use.
    "key_mark": {"db", "errors", "models", "secrets", "store"},
    "nodes": {"core", "db", "models_nodes", "settings", "worker"},
    "overlay": {"catalog", "core", "errors", "settings"},
    "trial": {"catalog", "core", "errors", "overlay", "records_rendering", "store", "wiring"},
    "wiring": {"accounts", "overlay", "changes", "core", "db", "kept_catalogue", "key_mark", "migrate", "scope", "secrets", "settings", "store"},
    "importing": {"changes", "core", "errors", "records", "store", "wiring"},
    "sealed_file": {"errors"},
    "backup_copy": {"errors"},
    "backups": {"backup_copy", "db", "errors", "migrate", "overlay", "secrets", "settings"},
    "backup_folder": {"backups", "setting_values", "settings"},
    "backup_standing": {"backup_folder", "records_backups", "settings", "store"},
    "api": {
        "backup_folder", "backup_standing", "backups", "records_backups", "sealed_file", "bundled", "callsnow", "recordings",
        "accounts", "changes", "core", "db", "dhcp", "errors", "heartbeat", "importing", "logs", "mailing", "migrate", "pbxservice", "pbxstatus", "records", "records_calls",
        "records_enrolment", "records_install", "records_mail", "redirect", "redirecting", "scans", "secrets", "setting_values", "settings", "sheets", "store", "wiring", "records_seats",
    },
    "web": {
        "kept", "kept_catalogue", "backup_folder", "backup_standing", "backups", "sealed_file", "overlay",
        "accounts", "api", "callsnow", "changes", "core", "db", "errors", "importing", "oidc", "pbxservice", "pbxstatus", "places", "records", "records_calls", "records_changes", "records_enrolment", "records_install", "records_mail", "redirect", "redirecting", "sheets", "wiring",
    },
    "admin": {"accounts", "api", "db", "store", "web", "wiring"},
    "parts": {
        "api", "bundled", "db", "digest", "discovery", "heartbeat", "logs", "pbx_sync", "recorder", "recordings", "scans", "serve", "serving_index", "setting_values", "settings", "supervisor", "transports", "uploads", "nodes",
        "admin", "mailing", "waiting_room", "webhooks", "wiring", "worker",
    },
    "commands": {
        "backup_folder", "backup_standing", "sealed_file", "overlay", "trial",
        "accounts", "api", "backups", "bundled", "callsnow", "catalog", "changes", "client", "core", "db", "dhcp", "discovery", "errors", "heartbeat", "importing", "key_mark", "nodes", "logs", "mailing", "migrate", "oidc", "parts", "passwords",
        "pbx_sync", "pbxstatus", "records", "records_calls", "recordings", "records_enrolment", "records_install", "records_mail", "records_seats", "redirect", "redirecting", "scans", "secrets", "setting_values", "settings", "sheets", "store", "supervisor", "wiring", "worker",
    },
    "__main__": {"commands"},
}  # fmt: skip
"""Part -> the parts that it may import, itself always included."""

ONLY: dict[str, tuple[str, ...]] = {
    "tftpy": ("provisioner.transports.tftp", "provisioner.transports.tftp_packets"),
    "scapy": ("provisioner.discovery.lean_scapy", "provisioner.discovery.packets"),
    "flask": ("provisioner.admin", "provisioner.api", "provisioner.transports", "web"),
    "werkzeug": ("provisioner.api", "provisioner.transports", "web"),
    "flask_smorest": ("provisioner.api",),
    "marshmallow": ("provisioner.api", "provisioner.catalog"),
    "prometheus_client": ("provisioner.api",),
    "granian": ("provisioner.parts.listeners",),
    "httptools": ("provisioner.transports.http_request",),
    "click": ("provisioner.__main__", "provisioner.commands"),
    "alembic": ("provisioner.migrate", "provisioner.migrations"),
    "cryptography": ("provisioner.secrets", "provisioner.enciphering", "provisioner.sealed_file", "provisioner.parts.certificate"),
    "jinja2": ("provisioner.core.render", "provisioner.dhcp", "provisioner.sheets", "web.compiled"),
    "weasyprint": ("provisioner.sheets.printing",),
    "segno": ("provisioner.sheets", "web.qr"),
    "joserfc": ("provisioner.oidc.provider", "provisioner.oidc.tokens"),
    "a2wsgi": ("provisioner.admin",),
    "babel": ("provisioner.sheets", "provisioner.translating", "web.i18n", "web.texts"),
    "argon2": ("provisioner.passwords",),
    "netaddr": ("provisioner.core.mac",),
    "psycopg": ("provisioner.notices", "provisioner.postgres"),
    "sqlalchemy": (
        "provisioner.db", "provisioner.models", "provisioner.migrations", "provisioner.store", "provisioner.changes", "provisioner.recorder",
        "provisioner.uploads", "provisioner.worker", "provisioner.backup_folder", "provisioner.backups", "provisioner.commands", "provisioner.models_backups", "provisioner.models_accounts", "provisioner.models_changes", "provisioner.models_encryption", "provisioner.models_enrolment", "provisioner.models_layouts",
        "provisioner.bootstrap_notes", "provisioner.models_firmware", "provisioner.models_install", "provisioner.models_phonebook", "provisioner.models_redirect", "provisioner.models_second_factor", "provisioner.models_sightings", "provisioner.scans", "provisioner.seen",
        "provisioner.models_api", "provisioner.models_calls", "provisioner.models_testcall", "provisioner.models_seats", "provisioner.models_nodes", "provisioner.models_mail", "provisioner.key_mark", "provisioner.nodes",
    ),
    "provisioner.models": (
        "provisioner.store", "provisioner.changes", "provisioner.enroll", "provisioner.worker", "provisioner.recorder", "provisioner.uploads",
        "provisioner.migrate", "provisioner.migrations", "provisioner.models_accounts", "provisioner.models_backups", "provisioner.models_changes", "provisioner.models_encryption", "provisioner.models_enrolment", "provisioner.models_layouts", "provisioner.bootstrap_notes",
        "provisioner.models_firmware", "provisioner.models_install", "provisioner.models_phonebook", "provisioner.models_redirect", "provisioner.models_second_factor", "provisioner.models_sightings", "provisioner.scans", "provisioner.seen",
        "provisioner.models_api", "provisioner.models_calls", "provisioner.models_testcall", "provisioner.models_seats", "provisioner.models_nodes", "provisioner.models_mail", "provisioner.key_mark",
    ),
    "provisioner.models_backups": ("provisioner.store", "provisioner.changes"),
    "provisioner.models_nodes": ("provisioner.nodes",),
    "provisioner.models_firmware": ("provisioner.store", "provisioner.changes"),
    "provisioner.models_phonebook": ("provisioner.store", "provisioner.worker"),
    "provisioner.models_enrolment": (
        "provisioner.store", "provisioner.changes", "provisioner.enroll", "provisioner.worker", "provisioner.bootstrap_notes", "provisioner.migrations",
    ),
    "provisioner.models_accounts": ("provisioner.store", "provisioner.changes"),
    "provisioner.models_second_factor": ("provisioner.store", "provisioner.changes"),
    "provisioner.models_api": ("provisioner.store", "provisioner.changes"),
    "provisioner.models_encryption": ("provisioner.store", "provisioner.worker"),
    "provisioner.models_layouts": ("provisioner.store", "provisioner.changes"),
    "provisioner.models_seats": ("provisioner.store", "provisioner.changes"),
    "provisioner.models_changes": ("provisioner.store", "provisioner.changes"),
    "provisioner.models_calls": ("provisioner.store", "provisioner.changes", "provisioner.worker"),
    "pbx_sync": (
        "pbx_sync", "provisioner.worker", "provisioner.pbxview", "provisioner.bundled", "provisioner.callsnow", "provisioner.pbxstatus", "provisioner.pbxservice", "provisioner.parts.pbx",
        "provisioner.commands.pbx", "provisioner.commands.remote_pbx", "provisioner.commands.doctor_pbx",
    ),
}  # fmt: skip
"""Library or module -> the only modules (and what is below them) that import it."""

CORE_MAY_USE = {"__future__", "collections", "contextlib", "dataclasses", "difflib", "enum", "functools", "hashlib", "ipaddress", "itertools", "math", "pathlib", "re", "typing", "urllib", "xml"}  # fmt: skip
"""Of the standard library. ``pathlib`` and ``urllib`` for their values (``Path`` as a type, ``urllib.parse``) only, ``xml`` to read what a phone sent."""
READS = {
    "open",
    "read_text",
    "read_bytes",
    "exists",
    "is_file",
    "is_dir",
    "iterdir",
    "glob",
    "rglob",
    "stat",
    "resolve",
    "cwd",
    "home",
    "urlopen",
}
ENVIRONMENT_READERS = {"provisioner.settings", "provisioner.parts.listeners"}
"""``settings`` reads it. ``parts.listeners`` only empties it, after start, so that no WSGI request copies it."""

FILES = python_files(*PACKAGES)


def part_of(module: str) -> str:
    """Returns the part that a module belongs to: ``core`` for ``provisioner.core.mac``."""
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] or first if first == "provisioner" else first


def below(module: str, tops: tuple[str, ...]) -> bool:
    return any(module == top or module.startswith(f"{top}.") for top in tops)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_point_the_allowed_way(path: Path) -> None:
    own = part_of(module_of(path))
    if own == "provisioner":  # the package itself: its version, nothing else
        assert list(imports(path)) == [("__future__", 1)] or not list(imports(path))
        return
    assert own in ALLOWED, f"{own} is a new part: say in ALLOWED what it may import"
    wrong = [
        f"{path}:{line} imports {module}"
        for module, line in imports(path)
        if module.partition(".")[0] in PACKAGES and module not in ("provisioner", "provisioner.__version__")
        if part_of(module) not in ALLOWED[own] | {own}
    ]
    assert wrong == []


@pytest.mark.parametrize("library", ONLY)
def test_library_is_imported_only_where_it_belongs(library: str) -> None:
    wrong = [
        f"{path}:{line}"
        for path in FILES
        for module, line in imports(path)
        if below(module, (library,)) and not below(module_of(path), ONLY[library])
    ]
    assert wrong == []


def test_table_of_parts_has_no_cycle() -> None:
    done: set[str] = set()
    while left := ALLOWED.keys() - done:
        ready = {part for part in left if ALLOWED[part] <= done}
        assert ready, f"a circle among {sorted(left)}"
        done |= ready


@pytest.mark.parametrize("path", python_files("provisioner/core"), ids=str)
def test_core_has_no_clock_no_socket_no_file(path: Path) -> None:
    used = {module.partition(".")[0] for module, _ in imports(path) if module.partition(".")[0] in sys.stdlib_module_names}
    assert used - CORE_MAY_USE == set()
    assert [module for module, _ in imports(path) if module.startswith("urllib") and module != "urllib.parse"] == []
    calls = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    names = {func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in calls}
    assert names & READS == set()


@pytest.mark.parametrize("path", FILES, ids=str)
def test_environment_is_read_by_settings_alone(path: Path) -> None:
    reads = [
        node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "putenv"} and ast.unparse(node.value) == "os"
    ]
    assert not reads or module_of(path) in ENVIRONMENT_READERS, f"{path}: lines {reads}"


def test_environment_is_only_emptied_by_the_listeners() -> None:
    path = Path("provisioner/parts/listeners.py")
    uses = [ast.unparse(node) for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute) and "os.environ" in ast.unparse(node)]
    assert set(uses) <= {"os.environ", "os.environ.clear"}

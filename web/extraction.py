"""The sentences of the server that a page can show, read out of its code, and the texts of its catalogue: what ``web.texts`` has translated.

The server says them in English, as strings and f-strings wherever it knows something; the pages translate them back (``sentences``). So
every string of the parts below that reads as a sentence is one, whoever raises, keeps or returns it, and none has to be marked. What
looks like one and is none stands in ``NO_SENTENCES``.
"""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "phone_templates"
SPOKEN: tuple[str, ...] = (
    "provisioner/accounts/*.py", "provisioner/backup_*.py", "provisioner/sealed_file.py", "provisioner/bundled.py", "provisioner/changes/*.py", "provisioner/core/*.py", "provisioner/errors.py",
    "provisioner/importing/*.py", "provisioner/mailing/*.py", "provisioner/webhooks/*.py", "provisioner/overlay/standing.py", "provisioner/importing/foreign/*.py", "provisioner/passwords.py", "provisioner/pbxservice.py", "provisioner/pbxstatus.py", "provisioner/redirect/*.py", "provisioner/redirecting.py", "provisioner/scope.py", "provisioner/sheets/*.py", "provisioner/store/*.py", "provisioner/worker/*.py",
    "provisioner/api/backups.py", "provisioner/api/lights.py", "provisioner/api/mail.py", "provisioner/api/webhooks.py", "provisioner/api/pbx.py", "provisioner/api/phone_state.py", "provisioner/api/phones.py", "provisioner/api/sightings.py",
    "pbx_sync/plan.py", "pbx_sync/reconcile.py", "pbx_sync/asterisk/ami.py", "pbx_sync/asterisk/astdb.py", "pbx_sync/asterisk/backend.py",
    "pbx_sync/asterisk/findings.py", "pbx_sync/asterisk/instance.py", "pbx_sync/asterisk/objects.py", "pbx_sync/asterisk/observer.py",
    "pbx_sync/asterisk/testcalls.py",
)  # fmt: skip
"""Of the API those modules whose functions the pages call; what only programs are told stays English."""
SILENT = frozenset({
    "provisioner/sheets/texts.py", "provisioner/core/languages.py", "provisioner/core/dhcp_servers.py", "provisioner/core/directories.py",
    "provisioner/core/sip_pnp.py", "provisioner/core/rollout.py", "provisioner/changes/firmware.py",
    "provisioner/changes/scans.py", "provisioner/mailing/composing.py", "provisioner/mailing/texts.py", "provisioner/worker/lane.py", "provisioner/accounts/vouched.py",
})  # fmt: skip
"""Files of those parts whose strings go elsewhere: onto sheets, into files of phones, onto the wire, into the log, or to programs alone."""
NO_SENTENCES = frozenset({
    # Names and bytes for other programs, and what only a command prints.
    "Sheet Mono", "Sheet Khmer", "libpangoft2-1.0-0 fonts-noto-core fonts-dejavu-core",
    "YMCS, RPS management", "Permission denied", "Invalid/unknown command", "Asterisk is shutting down",
    '@font-face { font-family: "{family}"; font-weight: {weight}; src: url("{as_uri}"); }',
    "core show channels count", "pjsip list contacts", "pjsip show transports", "core reload", "logger rotate", "no layout",
    "core stop now", "core stop gracefully", "runs and answers", "runs and does not answer", "does not run", "provisioner: Asterisk is started",
    "{pid}, for {uptime_s} h, {memory_bytes} MB", "phone {model} at {site}", "{extensions} extensions, {phones} phones", "the worker still had something to do after {limit} steps",
    "this is no sealed backup, or only the beginning of one", "this backup was sealed in a form that this version does not read",
    "the passphrase does not open this backup", "this backup is damaged, cut or changed in its part {number}: take another copy of it",
    # Differences between the PBX and what it should say: ``web.planned`` has them.
    "the mark", "the list of members", "{row} is missing", "{row} is there and should not be", "{row} is written otherwise than here",
    "{field} is not what it should be", "{field} is {quoted}, should be {quoted2}", "not set", "it is {kinds}", "something else", "{name} is another one",
    "an extension", "a ring group",
    # How somebody signed in, as the changes keep it (``words.SIGNED_IN_BY``), and parts of other sentences.
    "holds a line break", "holds half a character", "is {length} bytes long; {longest_value} are possible",
    "password and recovery code", "password and one-time code", "OpenID Connect",
})  # fmt: skip
"""What reads as a sentence, and stays as it is."""
_QUIET_CALLS = ("log.", "connection.execute", "write.execute", "re.", "sa.text", "cast", "Noun")
_QUIET_KEYWORDS = frozenset({"metadata", "help", "description", "example"})
_PART = re.compile(r"\{\w+\}")
_WORD = re.compile(r"[A-Za-z]{2,}")
_DULL = frozenset({"colons", "title", "strerror", "text", "join", "len", "str", "sorted", "type", "__name__", "getattr", "hostname", "get"})
"""Names that say nothing of a value where another one is near."""
Alternatives = list[str]


def spoken_sentences() -> Iterator[tuple[str, str]]:
    """Yields file and sentence of each that a page can show, its values as named parts: ``there is no extension {number}``."""
    seen: set[str] = set()
    for path in sorted({path for pattern in SPOKEN for path in ROOT.glob(pattern)}):
        where = str(path.relative_to(ROOT))
        for text in sentences_in(path.read_text("utf-8")) if where not in SILENT else ():
            alike = _PART.sub("{}", text)
            if alike not in seen and text not in NO_SENTENCES:
                seen.add(alike)
                yield where, text


def catalogue_texts() -> Iterator[tuple[str, str]]:
    """Yields file and text of what settings are called and do, and of why phones lack a setting or a kind of key, as shipped."""
    for path in sorted(SHIPPED.rglob("*.toml")):
        found = tomllib.loads(path.read_text("utf-8"))
        where = str(path.relative_to(SHIPPED))
        yield from ((where, text) for text in _of_table(found, where == "settings.toml") if text)


def _of_table(found: Mapping[str, Any], are_settings: bool) -> Iterator[str]:
    if are_settings:
        yield from (str(row.get(name, "")) for row in found.values() for name in ("label", "help"))
        return
    for table in ("unsupported", "missing_keys"):
        yield from (str(why) for why in found.get(table, {}).values())


def sentences_in(source: str) -> Iterator[str]:
    """Yields the sentences of a module in the order in which they stand there, with all their alternatives."""
    return (text for text in _of(ast.parse(source)) if _is_sentence(text))


def _is_sentence(text: str) -> bool:
    return " " in text.strip() and len(_WORD.findall(_PART.sub(" ", text))) > 1 and "\n" not in text


def _of(node: ast.AST) -> Iterator[str]:
    found = _alternatives(node)
    if found is not None:
        yield from found
        values = (value.value for value in ast.walk(node) if isinstance(value, ast.FormattedValue))
        for value in values:
            yield from _of(value) if _alternatives(value) is None else ()
        return
    for child in _speaking(node):
        yield from _of(child)


def _speaking(node: ast.AST) -> Iterable[ast.AST]:
    """Returns the parts of a node in which a sentence may stand: no annotation, key, index, default or comparison."""
    if _is_quiet(node):
        return ()
    if isinstance(node, ast.AnnAssign | ast.Subscript):
        return [node.value] if node.value is not None else []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.body
    return node.values if isinstance(node, ast.Dict) else ast.iter_child_nodes(node)


def _is_quiet(node: ast.AST) -> bool:
    """Returns whether nobody is spoken to in a node: a docstring, a call of a program, the description of a field."""
    return (
        isinstance(node, ast.Compare)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Call) and ast.unparse(node.func).startswith(_QUIET_CALLS))
        or (isinstance(node, ast.keyword) and node.arg in _QUIET_KEYWORDS)
    )


def _alternatives(node: ast.AST) -> Alternatives | None:
    """Returns the texts that an expression may be, or None where it is no text: one for each branch of what decides in it."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        names = _Names()
        return _joined([_piece(value, names) for value in node.values])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _alternatives(node.left), _alternatives(node.right)
        return _joined([left, right]) if left is not None and right is not None else None
    if isinstance(node, ast.IfExp):
        yes, no = _alternatives(node.body), _alternatives(node.orelse)
        return [*yes, *no] if yes is not None and no is not None else None
    return None


def _piece(value: ast.expr, names: _Names) -> Alternatives:
    if not isinstance(value, ast.FormattedValue):
        return _alternatives(value) or [""]
    decided = _alternatives(value.value) if isinstance(value.value, ast.IfExp) else None
    return decided if decided is not None else [f"{{{names.of(value.value)}}}"]


def _joined(pieces: list[Alternatives]) -> Alternatives:
    return ["".join(chosen) for chosen in itertools.product(*pieces)]


class _Names:
    """Names the parts of one sentence after what stands in them, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, value: ast.expr) -> str:
        """Returns the name of a value: the last that means something in it, ``extension`` for ``line.extension[:32]``."""
        found = [name for node in ast.walk(value) if (name := _named(node))]
        telling = [name for name in found if name not in _DULL] or found or ["value"]
        plain = telling[0].strip("_").lower()
        name = next(name for number in itertools.count(1) if (name := plain if number == 1 else f"{plain}{number}") not in self._taken)
        self._taken.add(name)
        return name


def _named(node: ast.AST) -> str:
    names: Mapping[type[ast.AST], str] = {ast.Name: "id", ast.Attribute: "attr"}
    field = names.get(type(node))
    return str(getattr(node, field)) if field else ""

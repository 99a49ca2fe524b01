"""Templates of pages as Jinja compiles them, kept where Python keeps compiled modules: compiling all takes more than the rest of the start.

As with modules nothing is kept where the folder may not be written, and ``python -m web`` makes all at once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tempfile
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache, nodes
from jinja2.bccache import Bucket
from jinja2.compiler import CodeGenerator

log = logging.getLogger("provisioner.admin")

FOLDER = Path(cache_from_source(__file__)).parent
_MADE_BY = hashlib.sha256(f"{metadata.version('jinja2')} {sys.version}".encode() + (Path(__file__).parent / "__init__.py").read_bytes())
"""What the compiled form hangs on besides the template: the compiler, and the module that says how templates are to be read."""
_DIGEST_BYTES = _MADE_BY.digest_size


def keep_compiled(app: Flask, folder: Path = FOLDER) -> None:
    """Has the application find its compiled templates in ``folder``, and keep there what it had to compile."""
    app.jinja_env.bytecode_cache = CompiledTemplates(folder)
    app.jinja_env.optimized = False
    app.jinja_env.code_generator_class = NothingDecided


def compile_all(app: Flask) -> None:
    """Compiles every template of the application that is not there in its compiled form."""
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)


class NothingDecided(CodeGenerator):
    """Leaves filters of constants for when the page is made: what they return is no matter of the template alone."""

    def _output_child_to_const(self, node: nodes.Expr, *more: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, *more)


class CompiledTemplates(BytecodeCache):
    """One file for each template: a digest, then what Jinja wrote. One that was cut short is made anew."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            kept = self._path(bucket).read_bytes()
        except OSError:
            return  # not there, or not for us to read: it is compiled then
        if kept[:_DIGEST_BYTES] == _digest(kept[_DIGEST_BYTES:]):
            bucket.bytecode_from_string(kept[_DIGEST_BYTES:])

    def dump_bytecode(self, bucket: Bucket) -> None:
        if sys.dont_write_bytecode:
            return
        compiled = bucket.bytecode_to_string()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(self._path(bucket), _digest(compiled) + compiled)
        except OSError as error:
            log.debug("event=template_not_kept detail=%s", error)

    def _path(self, bucket: Bucket) -> Path:
        return self._folder / f"{bucket.key}.{sys.implementation.cache_tag}.page"


def _digest(compiled: bytes) -> bytes:
    made = _MADE_BY.copy()
    made.update(compiled)
    return made.digest()


def _write(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all, for everybody to read as compiled modules are: root may install what another account runs."""
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        partial.chmod(0o644)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise

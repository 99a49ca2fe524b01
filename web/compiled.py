"""Templates of pages as Jinja compiles them, kept from start to start: compiling all takes more than the rest of it.

``python -m web`` makes all at once.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache, nodes
from jinja2.bccache import Bucket
from jinja2.compiler import CodeGenerator

from provisioner.kept import keep, kept_beside, read_kept

FOLDER = kept_beside(__file__)
_MADE_BY = f"{metadata.version('jinja2')} {sys.version}".encode() + (Path(__file__).parent / "__init__.py").read_bytes()
"""What the compiled form hangs on besides the template: the compiler, and the module that says how templates are to be read."""


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
    """One file for each template."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load_bytecode(self, bucket: Bucket) -> None:
        kept = read_kept(self._path(bucket), _MADE_BY)
        if kept is not None:
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        keep(self._path(bucket), _MADE_BY, bucket.bytecode_to_string())

    def _path(self, bucket: Bucket) -> Path:
        return self._folder / f"{bucket.key}.{sys.implementation.cache_tag}.page"

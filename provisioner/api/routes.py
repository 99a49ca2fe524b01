"""How the addresses of the admin listener are kept. Which there are, each noun and page says itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from werkzeug.routing import Rule


class LateRule(Rule):
    """A route that learns to write its address when that is first asked for.

    Werkzeug writes and compiles two functions for each route as it is added: for some three hundred routes seven eighths of the time
    that making the application takes, and most of them are only ever read.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = cache(super()._compile_builder)

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            return compiled(append_unknown)(rule, **values)

        return build

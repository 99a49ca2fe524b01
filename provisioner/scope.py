"""How far somebody sees: some sites, and for the role ``user`` only the phones of their own extensions. Closed by default.

``ScopedStore`` and ``ScopedChanges`` stand in for ``Store`` and ``Changes`` wherever such a caller asks. ``closed`` gives them a refusal
for every method that they do not define themselves: a read or write that is added one day is refused until somebody has thought about it.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from provisioner.errors import Forbidden

Kind = TypeVar("Kind", bound=type[Any])


@dataclass(frozen=True, slots=True)
class Scope:
    """``sites``: those that are seen, None all. ``extensions``: only phones with one of them on a line are seen, None all."""

    sites: tuple[str, ...] | None
    extensions: tuple[str, ...] | None = None

    def has_site(self, name: str) -> bool:
        return self.sites is None or name in self.sites


def closed(base: type[Any], *, but: Container[str] = ()) -> Callable[[Kind], Kind]:
    """Makes every public method of ``base`` that a class, or one between the two, does not define itself refuse.

    ``but`` names those that hold nothing of a site.
    """

    def decorate(kind: Kind) -> Kind:
        thought_of = {name for each in kind.__mro__[: kind.__mro__.index(base)] for name in vars(each)}
        for name in dir(base):
            if not name.startswith("_") and name not in thought_of and name not in but and callable(getattr(base, name)):
                setattr(kind, name, _refusal(name))
        return kind

    return decorate


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refused(*_: object, **__: object) -> NoReturn:
        raise Forbidden("this is of the whole installation: it needs the right to all sites")

    refused.__name__ = name
    return refused

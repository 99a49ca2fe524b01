"""The client: ``client.NOUN.VERB(what the address names, body, query)``."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

from .errors import ClientError, Conflict, Problem
from .wire import Document, Documents, Request, Wire, content

TIMEOUT_S = 30.0
PAGE = 500
_TABLE = Path(__file__).with_name("operations.json")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document. ``takes`` are the content types of its body, ``page`` the parameter that asks for the next page."""

    noun: str
    verb: str
    method: str
    path: str
    names: tuple[str, ...]
    query: tuple[str, ...]
    takes: tuple[str, ...]
    page: str
    is_conditional: bool
    is_keyed: bool
    does: str

    @property
    def title(self) -> str:
        return f"{self.noun}.{self.verb}"


@cache
def operations() -> dict[str, dict[str, Operation]]:
    """Returns noun -> verb -> operation, in the order of the document."""
    found: dict[str, dict[str, Operation]] = {}
    for row in json.loads(_TABLE.read_text("utf-8")):
        values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
        made = Operation(**values)
        found.setdefault(made.noun, {})[made.verb] = made
    return found


class Client:
    """A server's API. ``timeout_s`` bounds every single request; ``ca_file`` names the authority of a certificate of one's own."""

    def __init__(self, url: str, token: str, *, timeout_s: float = TIMEOUT_S, ca_file: str | None = None) -> None:
        self._wire = Wire(url, token, timeout_s=timeout_s, ca_file=ca_file)

    def __repr__(self) -> str:
        return f"Client({self._wire.url!r})"

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *operations()]

    def __getattr__(self, noun: str) -> Noun:
        if noun.startswith("_") or noun not in operations():
            raise AttributeError(f"the API has no noun {noun!r}; it has {', '.join(operations())}")
        return Noun(self._wire, noun)


class Noun:
    """The operations of one noun, as methods: ``dir()`` lists them, ``help()`` says what each does and takes."""

    def __init__(self, wire: Wire, name: str) -> None:
        self._wire = wire
        self._name = name
        self.__doc__ = "\n".join(f"{verb}: {each.does}" for verb, each in operations()[name].items())

    def __repr__(self) -> str:
        return f"Noun({self._name!r})"

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *operations()[self._name]]

    def __getattr__(self, verb: str) -> Verb:
        known = operations()[self._name]
        if verb not in known:
            raise AttributeError(f"{self._name} has no verb {verb!r}; it has {', '.join(known)}")
        return Verb(self._wire, known[verb])


class Verb:
    """One operation, to be called.

    The positional arguments are what the address names, in its order, then the body. A body is what becomes JSON; text where the
    operation takes a file. ``read`` is what a change was made from: it is refused where somebody changed that meanwhile. ``key`` is the
    Idempotency-Key of a script that remembers its own; one is made for each call where it is left out. Other keywords are the query.
    """

    def __init__(self, wire: Wire, operation: Operation) -> None:
        self._wire = wire
        self.operation = operation
        wanted = [*operation.names, *(["body"] if operation.takes else []), *(f"{name}=" for name in operation.query)]
        self.__doc__ = f"{operation.title}({', '.join(wanted)}): {operation.does}"

    def __repr__(self) -> str:
        return f"Verb({self.operation.title!r})"

    def __call__(self, *given: Any, read: Document | Documents | None = None, key: str = "", accept: str = "", **query: Any) -> Any:
        body = self._body(given)
        headers = {"Accept": accept} if accept else {}
        if key and not self.operation.is_keyed:
            raise TypeError(f"{self.operation.title} takes no Idempotency-Key: it is never sent twice")
        if read is not None:
            headers["If-Match"] = self._etag(read)
        if self.operation.page:
            return self._pages(given, headers, query)
        if self.operation.is_keyed:
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        encoded, kind = self._encoded(body)
        headers |= {"Content-Type": kind} if kind else {}
        try:
            return self._ask(self._path(given, query), headers, encoded)
        except Conflict as error:
            self._tell(error, given, read)

    def _pages(self, given: tuple[Any, ...], headers: Mapping[str, str], query: dict[str, Any]) -> Iterator[Any]:
        """Yields every entry; pages are asked for as they are needed."""
        asked = {"limit": PAGE, **query}
        self._path(given, asked)  # a mistake is told where the call stands, not where its result is read
        return self._walk(given, headers, asked)

    def _walk(self, given: tuple[Any, ...], headers: Mapping[str, str], asked: dict[str, Any]) -> Iterator[Any]:
        while True:
            page = self._ask(self._path(given, asked), headers, None)
            yield from page["items"]
            if page["next"] is None:
                return
            asked = {**asked, self.operation.page: page["next"]}

    def _ask(self, path: str, headers: Mapping[str, str], body: bytes | None) -> Any:
        operation = self.operation
        repeatable = operation.method == "GET" or (operation.method == "POST" and operation.is_keyed)
        answer = self._wire.ask(Request(operation.title, operation.method, path, headers, body, repeatable))
        return content(operation.title, answer)

    def _tell(self, error: Conflict, given: tuple[Any, ...], read: Any) -> NoReturn:
        """Raises the conflict with both states: what the change was made from, and what is there now."""
        error.read = read
        if error.status == 412:
            shows = next(
                (each for each in operations()[self.operation.noun].values() if (each.method, each.path) == ("GET", self.operation.path)),
                None,
            )
            if shows is not None:
                try:
                    error.now = Verb(self._wire, shows)(*given[: len(shows.names)])
                except Problem as gone:
                    raise error from gone
        raise error

    def _body(self, given: tuple[Any, ...]) -> Any:
        names, more = self.operation.names, len(given) - len(self.operation.names)
        if more < 0 or more > (1 if self.operation.takes else 0):
            raise TypeError(f"{self.operation.title} takes {', '.join([*names, *(['body'] if self.operation.takes else [])]) or 'nothing'}")
        return given[-1] if more else None

    def _encoded(self, body: Any) -> tuple[bytes | None, str]:
        takes = self.operation.takes
        if not takes:
            return None, ""
        if isinstance(body, (str, bytes)):
            kind = next((kind for kind in takes if kind != "application/json"), None)
            if kind is None:
                raise TypeError(f"the body of {self.operation.title} is an object or a list, which becomes JSON")
            return body.encode() if isinstance(body, str) else body, kind
        if "application/json" not in takes:
            raise TypeError(f"the body of {self.operation.title} is the text of a file")
        return json.dumps({} if body is None else body).encode(), "application/json"

    def _path(self, given: tuple[Any, ...], query: Mapping[str, Any]) -> str:
        unknown = sorted(query.keys() - set(self.operation.query))
        if unknown:
            raise TypeError(f"{self.operation.title} has no {', '.join(unknown)}; it has {', '.join(self.operation.query) or 'no query'}")
        path = self.operation.path
        for name, value in zip(self.operation.names, given, strict=False):
            if not str(value):
                raise ClientError(f"{self.operation.title}: {name} is empty")
            path = path.replace(f"{{{name}}}", quote(str(value), safe="@/" if name == "target" else ""))
        asked = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items() if value is not None}
        return f"{path}?{urlencode(asked, doseq=True)}" if asked else path

    def _etag(self, read: Any) -> str:
        if not self.operation.is_conditional:
            raise TypeError(f"{self.operation.title} cannot be made to depend on what was read")
        etag = str(getattr(read, "etag", ""))
        if not etag:
            raise TypeError("read is what a verb such as show returned: this has no ETag")
        return etag

"""Asking a server elsewhere: what the client says, as the records and the errors of ours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from provisioner.client import ClientError, Problem
from provisioner.errors import AlreadyExists, InputError, NotFound, RemoteError

TIMEOUT_S = 120.0
"""Reading ten thousand rows, and comparing a whole PBX, take a server seconds."""
PAGE = 500
_FIELD_ERRORS = {"invalid_input": InputError, "not_found": NotFound, "already_exists": AlreadyExists}


def asked(verb: Any, *given: Any, **more: Any) -> Any:
    """Returns what a verb of the client does. Raises our own errors for its."""
    try:
        return verb(*given, **more)
    except ClientError as error:
        raise told(error) from error


def listed(rows: Iterator[Any], limit: int | None = None) -> list[Any]:
    """Returns the first rows of a list, or all of them. Raises our own errors."""
    try:
        return list(islice(rows, limit))
    except ClientError as error:
        raise told(error) from error


def each(rows: Iterator[Any]) -> Iterator[Any]:
    """Yields the rows of a list as they come. Raises our own errors."""
    try:
        yield from rows
    except ClientError as error:
        raise told(error) from error


def told(error: ClientError) -> InputError | RemoteError:
    """Returns an error of the client as the one that the server had, so that a person reads the same sentence."""
    if not isinstance(error, Problem):
        return RemoteError(str(error))
    kind = _FIELD_ERRORS.get(error.reason)
    return kind(error.fields) if kind is not None and error.fields else RemoteError(error.sentence)


def seconds(text: str) -> float:
    """Returns a time of the API as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def time_of(text: str | None) -> float | None:
    """Returns a time of the API as seconds since the epoch; None for never."""
    return None if text is None else seconds(text)

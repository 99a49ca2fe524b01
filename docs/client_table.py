"""The table of the client, ``provisioner/client/operations.json``: every operation of the OpenAPI document with its noun and its verb.

The noun is the first part of the address. On a whole list the verbs are ``list`` and ``create``, on one of it ``show``, ``change``, ``put``
and ``delete``. What stands behind that in the address names the verb (``phones.resync``, ``phones.keys_laid``), with ``create_``, ``put_``,
``change_`` or ``delete_`` before it where reading it has that name already, and ``show_`` for one of several (``phones.show_upload``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parent.parent / "provisioner" / "client" / "operations.json"
PREFIX = "/api/v1/"
METHODS = {"get": "show", "post": "create", "put": "put", "patch": "change", "delete": "delete"}
_NAME = re.compile(r"\{(\w+)\}")


def text(document: Any) -> str:
    """Returns the file: one operation a line, so that differences can be read."""
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows(document)) + "\n]\n"


def stale(document: Any) -> list[str]:
    """Returns the name of the file where it is not as the document says."""
    return [] if PATH.exists() and PATH.read_text("utf-8") == text(document) else [PATH.name]


def rows(document: Any) -> Iterator[dict[str, Any]]:
    """Yields every operation of the document in its order."""
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method in (each for each in METHODS if each in item):
            yield _row(path, method, item[method], [*shared, *item[method].get("parameters", [])], is_read="get" in item)


def _row(path: str, method: str, operation: Any, parameters: list[Any], *, is_read: bool) -> dict[str, Any]:
    query = [each["name"] for each in parameters if each["in"] == "query"]
    headers = {each["name"] for each in parameters if each["in"] == "header"}
    page = next((name for name in ("after", "before") if name in query and "limit" in query), "")
    noun, verb = _called(path, method, is_list=operation["summary"].startswith("List ") and method == "get", is_read=is_read)
    return {
        "noun": noun, "verb": verb, "method": method.upper(), "path": path, "names": _NAME.findall(path), "query": query,
        "takes": list(operation.get("requestBody", {}).get("content", {})), "page": page,
        "is_conditional": "If-Match" in headers, "is_keyed": "Idempotency-Key" in headers, "does": operation["summary"],
    }  # fmt: skip


def _called(path: str, method: str, *, is_list: bool, is_read: bool) -> tuple[str, str]:
    parts = [_identifier(part) for part in path.removeprefix(PREFIX).strip("/").split("/") if not _NAME.fullmatch(part)]
    noun, behind = parts[0], "_".join(parts[1:])
    if not behind:
        return noun, "list" if is_list else METHODS[method]
    if _NAME.search(path.rpartition("/")[2]) and behind.endswith("s"):  # one of several, such as a file that a phone sent
        return noun, f"{METHODS[method]}_{behind.removesuffix('s')}"
    if method == "get" or (method == "post" and not is_read):
        return noun, behind
    return noun, f"{METHODS[method]}_{behind}"


def _identifier(part: str) -> str:
    return re.sub(r"\W", "_", part.partition(".")[0])

"""A client of the API, for scripts: nouns and verbs as the OpenAPI document has them.

    with open("token") as file:
        client = Client("https://pbx.example.org", file.read().strip())
    for phone in client.phones.list(site="Utrecht"):
        client.phones.resync(phone["mac"], {"reboot": False})

Needs the standard library alone, and nothing else of the server: the folder may be copied. ``operations.json`` beside it is made from
the document by ``docs/generate.py``.
"""

from __future__ import annotations

from .client import Client, Noun
from .errors import Busy, ClientError, Conflict, Invalid, NotAllowed, NotFound, NotOurAnswer, Problem, Unreachable
from .wire import Document, Documents

__all__ = [
    "Busy", "Client", "ClientError", "Conflict", "Document", "Documents", "Invalid", "NotAllowed", "NotFound", "NotOurAnswer", "Noun", "Problem", "Unreachable",
]  # fmt: skip

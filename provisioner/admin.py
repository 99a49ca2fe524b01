"""The admin listener as a whole: API and pages in one application, and the streams of open pages in front of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from flask import Flask

import web
from provisioner.accounts.cookies import COOKIE
from provisioner.api import create_admin_app
from provisioner.db import DatabaseError, Watcher
from provisioner.store import Store
from provisioner.wiring import Installation
from web.bodies import WholeBodies
from web.compiled import compile_all
from web.leaving import PatientSending
from web.live import App, Board, LiveApp

THREADS = 16
"""Requests that are answered at once. A stream of an open page takes none."""


def create_app(installation: Installation) -> tuple[Flask, Board]:
    """Returns the application with its pages, and the board that their streams hang on."""
    board = Board(lambda: DatabaseWatch(installation.store, installation.database.watcher()))

    def marks() -> Mapping[str, str]:
        """What a page is made with is read before the page's own rows: a change between the two costs one refresh, and is never missed."""
        return board.marks if board.is_known else installation.store.marks()

    app = create_admin_app(installation)
    web.attach_pages(app, marks)
    return app, board


def create_asgi(installation: Installation) -> LiveApp:
    """Returns the ASGI application of the admin listener."""
    app, board = create_app(installation)
    compile_all(app)  # now: the first person to look waits for none
    bridge = cast("App", WSGIMiddleware(cast("Any", app), workers=THREADS))
    return LiveApp(WholeBodies(PatientSending(bridge)), board, lambda cookie: _knows(installation, cookie), COOKIE)


def _knows(installation: Installation, cookie: str) -> bool:
    try:
        return installation.accounts.session(cookie, is_use=False) is not None
    except DatabaseError:
        return False


@dataclass
class DatabaseWatch:
    """Watches an installation's database for the board."""

    store: Store
    watcher: Watcher

    def changed(self) -> bool:
        return self.watcher.changed()

    def marks(self) -> Mapping[str, str]:
        return self.store.marks()

    def close(self) -> None:
        self.watcher.close()

"""An installation behind a real HTTP server, and clients of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from provisioner.api import create_admin_app
from provisioner.client import Client
from provisioner.wiring import Installation
from tests.installations import API_TOKEN, fresh_installation

MAC = "02:ac:de:00:00:01"


@contextmanager
def listening(app: Callable[..., Any]) -> Iterator[str]:
    """Yields the URL at which a WSGI application answers."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with fresh_installation(tmp_path) as fresh:
        yield fresh


@pytest.fixture
def url(installation: Installation) -> Iterator[str]:
    with listening(create_admin_app(installation)) as address:
        yield address


@pytest.fixture
def client(url: str) -> Client:
    return Client(url, API_TOKEN)


@pytest.fixture
def phone(client: Client) -> dict[str, Any]:
    client.extensions.create({"number": "1001", "display_name": "Alice"})
    made: dict[str, Any] = client.phones.create({"mac": MAC, "model": "acme/a1", "lines": [{"line": 1, "extension": "1001"}]})
    return made

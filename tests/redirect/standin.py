"""A stand-in for a redirect service on loopback: it expects the requests of one recorded exchange, in their order, and gives its answers."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

EXCHANGES = Path(__file__).parent / "exchanges"
PATTERNS = {"<number>": r"\d{13}", "<hex>": r"[0-9a-f]{32}", "<sha256>": r"[0-9a-f]{64}", "<signed>": r"[0-9a-f]{64}"}


class StandIn:
    """What came, and how it differed from what was expected."""

    def __init__(self, exchanges: list[dict[str, Any]]) -> None:
        self.left = list(exchanges)
        self.wrong: list[str] = []
        self.address = ""

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if not self.left:
            self.wrong.append(f"{method} {target} was not expected any more")
            return 500, b""
        exchange = self.left.pop(0)
        wanted, parts = exchange["request"], urlsplit(target)
        self._same("request", f"{wanted['method']} {wanted['path']}", f"{method} {parts.path}")
        for name, value in wanted.get("headers", {}).items():
            self._same(name, value, headers.get(name, ""))
        query = dict(parse_qsl(parts.query))
        for name, value in wanted.get("query", {}).items():
            self._same(name, value, query.get(name, ""))
        if "<signed>" in wanted.get("query", {}).values():
            self._same("signature", signed(query, body), query["signature"])
        if "json" in wanted:
            self._same("body", json.dumps(wanted["json"], sort_keys=True), json.dumps(json.loads(body), sort_keys=True))
        form = dict(parse_qsl(body.decode())) if "form" in wanted else {}
        for name, value in wanted.get("form", {}).items():
            self._same(name, value, form.get(name, ""))
        told = exchange["answer"]
        return told["status"], json.dumps(told["json"]).encode() if "json" in told else b""

    def _same(self, what: str, wanted: str, came: str) -> None:
        pattern = PATTERNS.get(wanted)
        if not (re.fullmatch(pattern, came) if pattern else wanted == came):
            self.wrong.append(f"{what}: wanted {wanted!r}, came {came!r}")


def signed(query: dict[str, str], body: bytes) -> str:
    """Returns the signature worked out a second time, word for word as the vendor's guide describes it."""
    text = f"&access_token={query['access_token']}&client_id=client-1&client_secret=client-secret-1&timestamp={query['timestamp']}&"
    return hashlib.sha256(f"{text}{hashlib.sha256(body).hexdigest()}&".encode()).hexdigest()


@contextmanager
def playing(*names: str) -> Iterator[StandIn]:
    """Plays the exchanges of the files named, one after the other; at the end all were made, as they stand there."""
    rows = [row for name in names for row in json.loads((EXCHANGES / f"{name}.json").read_text("utf-8"))["exchanges"]]
    made = StandIn(rows)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = made.answer(self.command, self.path, headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self.do_POST()

        def do_DELETE(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join(20)
    assert made.wrong == []
    assert made.left == [], "requests that were expected and did not come"

"""A small OpenID Connect provider that keeps the rules, and breaks the one that a test names."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from provisioner.oidc.flow import challenge

CLIENT_ID, CLIENT_SECRET = "provisioner here", "s3cret/of:ours"
KEY, OTHER_KEY = (RSAKey.generate_key(2048, {"kid": "one"}) for _ in range(2))


Answer = Callable[[BaseHTTPRequestHandler], None]
Key = RSAKey | ECKey


class Standin:
    """What it knows, and how it deviates. ``claims`` is given the ID token's claims and returns those that are signed."""

    def __init__(self) -> None:
        self.issuer = ""
        self.person: dict[str, Any] = {"sub": "subject-1", "email": "alice", "email_verified": True}
        self.claims: Callable[[dict[str, Any]], dict[str, Any]] = dict
        self.key: Key = KEY
        self.algorithm = "RS256"
        self.published: Sequence[Key] = [KEY]
        self.token: Callable[[str], str] = str
        self.metadata: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.answers: dict[str, Answer] = {}
        """Path -> what answers in place of the provider."""
        self.is_generous = False
        """Takes a code again and again, with any verifier."""
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}

    def authorize(self, address: str, **more: str) -> str:
        """The person says yes: returns the query that the browser comes back with."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        back = {"code": code, "state": query["state"], **more}
        return "&".join(f"{name}={value}" for name, value in back.items())

    def discovery(self) -> dict[str, Any]:
        found = {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize", "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys", "userinfo_endpoint": f"{self.issuer}/userinfo", "code_challenge_methods_supported": ["S256"],
        }  # fmt: skip
        return {**found, **self.metadata}

    def tokens(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        pair = "Basic " + base64.b64encode(b"provisioner+here:s3cret%2Fof%3Aours").decode()
        if authorization != pair:
            return 401, {"error": "invalid_client"}
        begun = self.codes.get(form["code"]) if self.is_generous else self.codes.pop(form["code"], None)
        if begun is None or begun["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant", "error_description": form["code"]}
        if challenge(form["code_verifier"]) != begun["code_challenge"] and not self.is_generous:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = self.claims({"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": begun["nonce"], **self.person})
        return 200, {"access_token": "access-token-1", "token_type": "Bearer", "id_token": self.token(self.signed(claims))}

    def signed(self, claims: dict[str, Any]) -> str:
        if self.algorithm == "HS256":  # keyed with what everybody can read: the public key
            head, body = (packed(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "one"}, claims))
            return f"{head}.{body}.{packed(hmac.digest(KEY.as_pem(private=False), f'{head}.{body}'.encode(), 'sha256'))}"
        return jwt.encode({"alg": self.algorithm, "kid": "one"}, claims, self.key, algorithms=[self.algorithm])

    def answer(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        if path == "/.well-known/openid-configuration":
            return 200, self.discovery()
        if path == "/keys":
            return 200, {"keys": [key.as_dict(private=False) for key in self.published]}
        if path == "/token":
            return self.tokens(form, authorization)
        return 200, {"sub": self.person["sub"], **self.userinfo} if authorization == "Bearer access-token-1" else {}


def packed(raw: bytes) -> str:
    """Returns bytes as a token carries them."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unsigned(token: str) -> str:
    """Returns the token with the algorithm ``none`` and no signature."""
    head = packed(b'{"alg":"none","kid":"one"}')
    return f"{head}.{token.split('.')[1]}."


def huge(handler: BaseHTTPRequestHandler) -> None:
    """Answers with JSON that does not end soon."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b'{"issuer": "' + b"x" * 1_000_000 + b'"}')


def slow(handler: BaseHTTPRequestHandler) -> None:
    """Answers with a byte now and then, for as long as anybody listens."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def saying(status: int, body: bytes) -> Answer:
    """Returns what answers with ``status`` and ``body``."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Location", "http://127.0.0.1:1/elsewhere")
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@contextmanager
def running(standin: Standin) -> Iterator[Standin]:
    """Runs it on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer({name: values[0] for name, values in parse_qs(body).items()})

        def _answer(self, form: dict[str, str]) -> None:
            standin.asked.append(self.path)
            try:
                if own := standin.answers.get(self.path):
                    return own(self)
                status, value = standin.answer(self.path, form, self.headers.get("Authorization", ""))
                saying(status, json.dumps(value).encode())(self)
            except OSError:  # the other side had enough
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        standin.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield standin
        finally:
            server.shutdown()
            thread.join(10)

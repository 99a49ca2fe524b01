"""The two HTTP listeners, on granian: phones (RSGI, in front of Flask) and admin (Flask)."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import Interfaces, Loops

from provisioner.parts.running import Beating, beat_for_ever, die_with_parent
from provisioner.parts.serving import open_serving
from provisioner.settings import Bind, Settings

log = logging.getLogger("provisioner.parts")

BACKLOG = 4096
"""Phones that connect in the same moment; the servers' usual 1024 turns half a second into three."""
ADMIN_THREADS = 16
STOP_S = 5
"""What a download under way gets to end when the server stops: less than the supervisor waits for the part."""

_settings: Settings | None = None
"""Set before granian forks its worker, which finds it here: settings may come from the command line, not only from the environment."""


def run_phones(settings: Settings, *, tls: bool = False) -> None:
    """Serves phones over HTTP, or HTTPS, until told to stop."""
    bind = settings.phones_tls_bind if tls else settings.phones_bind
    if bind is None:
        return
    _check_backlog()
    certificate = _certificate(settings) if tls else {}
    _serve(settings, "phones_app_tls" if tls else "phones_app", Interfaces.RSGI, bind, 1, certificate)


def run_admin(settings: Settings) -> None:
    """Serves pages and API until told to stop."""
    _serve(settings, "admin_app", Interfaces.WSGI, settings.admin_bind, ADMIN_THREADS, {})


def phones_app() -> Any:
    """Returns the RSGI application of the phones listener; called in granian's worker."""
    return _phones("phones")


def phones_app_tls() -> Any:
    return _phones("phones-tls")


def admin_app() -> Any:
    """Returns the WSGI application of the admin listener; called in granian's worker."""
    from provisioner.api import create_admin_app
    from provisioner.wiring import open_installation

    die_with_parent()
    settings = _given()
    _forget_environment()
    app = create_admin_app(open_installation(settings))
    beat_for_ever(Beating(settings, "admin"))
    return app


def _phones(part: str) -> Any:
    from provisioner.transports.http import PhonesHTTP, create_phones_app
    from provisioner.transports.http_fast import FastPhones

    die_with_parent()
    settings = _given()
    _forget_environment()
    serving = open_serving(settings, part)
    serving.start()
    http = PhonesHTTP(serving.server, serving.credentials, serving.uploads, settings.trusted_proxies)
    return ClosingApp(FastPhones(http, create_phones_app(http)), serving.close)


class ClosingApp:
    """An RSGI application that closes what it stands on when the server stops."""

    def __init__(self, app: Any, close: Any) -> None:
        self._close = close
        self.__rsgi__ = app.__rsgi__

    def __rsgi_del__(self, _loop: Any) -> None:
        self._close()


def _serve(settings: Settings, factory: str, interface: Interfaces, bind: Bind, threads: int, tls: dict[str, Any]) -> None:
    global _settings  # noqa: PLW0603 - see there
    _settings = settings
    die_with_parent()
    Granian(
        f"provisioner.parts.listeners:{factory}",
        factory=True,
        address=bind.host,
        port=bind.port,
        interface=interface,
        loop=Loops.uvloop,
        workers=1,
        blocking_threads=threads,
        backlog=BACKLOG,
        websockets=False,
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_S,
        **tls,
    ).serve()


def _given() -> Settings:
    from provisioner.settings import load_settings

    return _settings if _settings is not None else load_settings()


def _forget_environment() -> None:
    # Every WSGI request copies the environment into its own dictionary, and nothing of ours reads it after start.
    os.environ.clear()


def _check_backlog() -> None:
    path = Path("/proc/sys/net/core/somaxconn")
    if path.exists() and int(path.read_text()) < BACKLOG:
        log.warning("event=small_backlog somaxconn=%s mend='sysctl net.core.somaxconn=%d'", path.read_text().strip(), BACKLOG)


def _certificate(settings: Settings) -> dict[str, Any]:
    from provisioner.parts.certificate import own_certificate

    if settings.tls_certificate and settings.tls_key:
        return {"ssl_cert": settings.tls_certificate, "ssl_key": settings.tls_key, "ssl_protocol_min": "tls1.2"}
    certificate, key = own_certificate(settings.data_dir, settings.host)
    return {"ssl_cert": certificate, "ssl_key": key, "ssl_protocol_min": "tls1.2"}

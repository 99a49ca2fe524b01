"""The two HTTP listeners: phones, on a loop of our own (``transports/http_listener.py``), and admin, Flask on granian with the streams of open pages in front."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from granian.constants import Interfaces
from granian.server.embed import Server

from provisioner.parts.running import Beating, beating_meanwhile, die_with_parent
from provisioner.parts.serving import open_serving
from provisioner.setting_values import Bind
from provisioner.settings import Settings

if TYPE_CHECKING:
    from provisioner.transports.http_listener import Listener
    from web.live import LiveApp

log = logging.getLogger("provisioner.parts")

BACKLOG = 4096
"""Connections that wait to be accepted; the servers' usual 1024 turns half a second of a boot storm into three."""
STOP_S = 5
"""What a download under way gets to end when the server stops: less than the supervisor waits for the part."""


def run_phones(settings: Settings, *, tls: bool = False) -> None:
    """Serves phones over HTTP, or HTTPS, until told to stop."""
    from provisioner.transports.http_listener import Listener

    bind = settings.phones_tls_bind if tls else settings.phones_bind
    if bind is None:
        return
    die_with_parent()
    _check_backlog()
    listener = Listener(bind, BACKLOG, _tls(settings) if tls else None)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: listener.stop(STOP_S))
    _serve_phones(settings, listener, "phones-tls" if tls else "phones")


def _serve_phones(settings: Settings, listener: Listener, part: str) -> None:
    from provisioner.transports.http import PhonesHTTP, create_phones_app
    from provisioner.transports.http_service import Service
    from provisioner.transports.http_uploads import Uploads

    serving = open_serving(settings, part)
    http = PhonesHTTP(serving.server, serving.credentials, serving.uploads, settings.trusted_proxies)
    uploads = Uploads(create_phones_app(http), listener.call)
    serving.start()
    log.info("event=listening part=%s port=%d phones=%d", part, listener.port, len(serving.index.phones))
    try:
        listener.serve(Service(http, uploads))
    finally:
        uploads.close()
        listener.close()
        serving.close()


def run_admin(settings: Settings) -> None:
    """Serves pages and API until told to stop."""
    die_with_parent()
    app = _admin_app(settings)
    with beating_meanwhile(Beating(settings, "admin")):
        # Not asyncio.run, which waits in the end for what STOP_S was enough for.
        asyncio.new_event_loop().run_until_complete(_serve_admin(app, settings.admin_bind))


def _admin_app(settings: Settings) -> LiveApp:
    from provisioner.admin import create_asgi
    from provisioner.wiring import open_installation

    os.environ.clear()  # Nothing of ours reads it after start, and a secret of the settings need not stay in it.
    return create_asgi(open_installation(settings))


async def _serve_admin(app: LiveApp, bind: Bind) -> None:
    """Serves ``app`` in this process: granian's usual server forks a worker and stays to watch it, as our supervisor does already (docs/adr/0016)."""
    server: Any = Server(  # without types of its own
        app,
        address=bind.host,
        port=bind.port,
        interface=Interfaces.ASGI,
        backlog=BACKLOG,
        websockets=False,
        log_enabled=False,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving, stopping = asyncio.create_task(server.serve()), asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    app.end_streams()
    server.stop()
    await asyncio.wait({serving}, timeout=STOP_S)
    if serving.done():
        serving.result()  # raises what it failed with, as where the port is taken


def _check_backlog() -> None:
    path = Path("/proc/sys/net/core/somaxconn")
    if path.exists() and int(path.read_text()) < BACKLOG:
        log.warning("event=small_backlog somaxconn=%s mend='sysctl net.core.somaxconn=%d'", path.read_text().strip(), BACKLOG)


def _tls(settings: Settings) -> ssl.SSLContext:
    from provisioner.parts.certificate import own_certificate
    from provisioner.transports.http_wire import tls_context

    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        certificate, key = own_certificate(settings.data_dir, settings.host)
    return tls_context(certificate, key, settings.tls_client_ca)

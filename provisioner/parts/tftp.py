"""The TFTP process."""

from __future__ import annotations

import logging
import signal

from provisioner.parts.running import die_with_parent
from provisioner.parts.serving import open_serving
from provisioner.setting_values import Bind
from provisioner.settings import Settings
from provisioner.transports.tftp import TFTPServer

log = logging.getLogger("provisioner.parts")

UNPRIVILEGED_PORT = 6969


def run_tftp(settings: Settings) -> None:
    """Serves phones over TFTP until told to stop. Where port 69 is not allowed, 6969 is used and said."""
    if settings.tftp_bind is None:
        return
    die_with_parent()
    serving = open_serving(settings, "tftp")
    server = TFTPServer(serving.server.answer, serving.server.finished)
    bind = _bound(server, settings.tftp_bind)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    serving.start()
    log.info("event=listening part=tftp address=%s", bind)
    try:
        server.listen()
    finally:
        serving.close()


def _bound(server: TFTPServer, bind: Bind) -> Bind:
    try:
        return Bind(bind.host, server.bind(bind.host, bind.port))
    except PermissionError:
        if bind.port != 69:
            raise
        log.warning("event=port_not_allowed port=69 used=%d mend='run as root, or setcap cap_net_bind_service=+ep'", UNPRIVILEGED_PORT)
        return Bind(bind.host, server.bind(bind.host, UNPRIVILEGED_PORT))

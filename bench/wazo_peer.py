"""wazo-provd as a peer: its own HTTP, processing and database services in one process, without the rest of a Wazo platform.

Run with the Python that wazo-provd is installed for, not with the project's: ``wazo_peer.py HOME STATE PORT PHONES``. ``HOME`` holds the
two checkouts, ``STATE`` the plugin and nothing else, ``PHONES`` has a line ``MAC TAB MODEL`` for each. What asks other
daemons of the platform (authentication, message bus, package downloads) is replaced by empty classes: a phone's request never reaches it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import json
import logging
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

ABSENT = ("xivo", "xivo_fetchfw", "wazo_bus", "wazo_auth_client", "wazo_amid_client")
PLUGIN = "wazo-yealink-v86"
READY = "ready"


class _Empty(types.ModuleType):
    """A module of the platform that is not here: a name with a capital is a class without anything, any other a module like this.

    Called, as a decorator that takes arguments is, it changes nothing.
    """

    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (Exception,), {}) if name[0].isupper() else importlib.import_module(f"{self.__name__}.{name}")
        setattr(self, name, made)
        return made

    def __call__(self, *_args: object, **_kwargs: object) -> Any:
        return lambda function: function


class _Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None) -> Any:
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in ABSENT else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Empty(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing is in it until it is asked for."""


def configuration(home: Path, state: Path, port: int) -> dict[str, Any]:
    """Returns wazo-provd's own defaults with folders and ports of this run; no proxy stands before it, which flatters it."""
    config: dict[str, Any] = json.loads(json.dumps(importlib.import_module("wazo_provd.config")._DEFAULT_CONFIG))
    raw = {"ip": "127.0.0.1", "http_port": port, "tftp_port": 69, "http_base_url": f"http://127.0.0.1:{port}", "locale": "en_US"}
    raw |= {"ntp_enabled": True, "ntp_ip": "127.0.0.1", "timezone": "Europe/Helsinki", "admin_username": "admin", "admin_password": "bench"}
    config["general"] |= {
        "base_raw_config": raw, "request_config_dir": str(home / "wazo-provd/etc/wazo-provd"), "cache_dir": str(state / "cache"),
        "base_storage_dir": str(state), "http_proxied_listen_port": port, "http_proxied_trusted_proxies_count": 0,
    }  # fmt: skip
    config["database"]["json_db_dir"] = str(state / "jsondb")
    return config


def phone_documents(number: int, mac: str, model: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns a phone's configuration and its device, as Wazo's own daemon would hand them over: one line, one BLF key."""
    line = {
        "proxy_ip": "127.0.0.1", "registrar_ip": "127.0.0.1", "username": f"u{number}", "password": f"secret{number}",
        "auth_username": f"u{number}", "display_name": f"Bench {number}", "number": str(100000 + number),
    }  # fmt: skip
    key = {"type": "blf", "value": "100001", "label": "Desk", "line": 1}
    raw = {"protocol": "SIP", "exten_voicemail": "*98", "sip_lines": {"1": line}, "funckeys": {"3": key}}
    config = {"id": f"c{number}", "parent_ids": ["base"], "raw_config": raw}
    device = {
        "id": f"d{number}", "mac": mac, "vendor": "Yealink", "model": model, "version": "108.86.0.90", "plugin": PLUGIN,
        "config": f"c{number}", "tenant_uuid": "bench",
    }  # fmt: skip
    return config, device


def insert(app: Any, base: dict[str, Any], phones: list[tuple[str, str]]) -> Iterator[Any]:
    """Yields what each step of the seeding gives, for Twisted to wait on."""
    yield app.cfg_insert({"id": "base", "parent_ids": [], "deletable": False, "raw_config": base})
    for number, (mac, model) in enumerate(phones):
        config, device = phone_documents(number, mac, model)
        yield app.cfg_insert(config)
        yield app.dev_insert(device)


def main(home: Path, state: Path, port: int, listed: Path) -> None:
    """Serves until told to stop; writes ``STATE/ready`` once every phone is there."""
    from twisted.internet import defer, epollreactor

    epollreactor.install()
    from twisted.internet import reactor

    wazo, localization = importlib.import_module("wazo_provd.main"), importlib.import_module("wazo_provd.localization")
    logging.basicConfig(filename=state / "wazo-provd.log", level=logging.INFO)  # its own default: every request, to a file
    localization.register_localization_service(localization.LocalizationService())
    config = configuration(home, state, port)
    provisioning = wazo.ProvisioningService(config)
    provisioning.startService()
    provisioning.app.set_tenant_uuid("bench")
    processing = wazo.ProcessService(provisioning, config)
    processing.startService()
    wazo.HTTPProxiedProcessService(provisioning, processing, config).startService()
    provisioning.app._pg_configure_pg(PLUGIN)  # as an installation of the plugin does: the files that all phones share
    phones = [(mac, model) for mac, model in (row.split("\t") for row in listed.read_text().splitlines())]
    seeding = insert(provisioning.app, config["general"]["base_raw_config"], phones)
    begun = defer.inlineCallbacks(lambda: (yield from seeding))()
    begun.addCallbacks(lambda _done: (state / READY).touch(), lambda failure: (failure.printTraceback(), reactor.stop()))
    reactor.run()


if __name__ == "__main__":
    home_folder, state_folder = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path.insert(0, str(home_folder / "wazo-provd"))
    sys.meta_path.append(_Absent())
    main(home_folder, state_folder, int(sys.argv[3]), Path(sys.argv[4]))

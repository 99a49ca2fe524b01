"""What one run of a command shares: its settings and its installation, opened when first asked for and closed at the end."""

from __future__ import annotations

import os
import pwd
import time
from functools import cached_property
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from provisioner.settings import Settings
    from provisioner.wiring import Installation


class Session:
    """Made once for each run; a context manager."""

    def __init__(self, data_dir: str | None = None, *, verbose: bool = False) -> None:
        self._data_dir = data_dir
        self._verbose = verbose

    @property
    def overrides(self) -> dict[str, str]:
        """Settings that the command line itself gives, by name."""
        return {"DATA_DIR": self._data_dir} if self._data_dir else {}

    @cached_property
    def settings(self) -> Settings:
        from provisioner.logs import register_secret, setup_logging
        from provisioner.settings import load_settings

        settings = load_settings(overrides=self.overrides)
        setup_logging("DEBUG" if self._verbose else "WARNING")
        for secret in (settings.api_token, settings.admin_password, settings.pbx_ami_password):
            register_secret(secret)
        return settings

    @cached_property
    def installation(self) -> Installation:
        from provisioner.wiring import open_installation

        return open_installation(self.settings)

    @property
    def has_pbx(self) -> bool:
        """Whether a PBX is kept in lockstep: what the running worker says, where one runs; it may have been told otherwise than we are."""
        from provisioner.heartbeat import HAS_PBX, STALE_AFTER_S, read_heartbeats

        beat = read_heartbeats(self.settings.data_dir).get("worker")
        is_running = beat is not None and beat.age_s(time.time()) <= STALE_AFTER_S
        return bool(beat.counters[HAS_PBX]) if beat and is_running and HAS_PBX in beat.counters else self.settings.has_pbx

    @property
    def actor(self) -> str:
        """Who is to be named in the change log: the person at this machine."""
        try:
            return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"[:64]
        except KeyError:
            return f"cli:{os.getuid()}"

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        if "installation" in self.__dict__:
            self.installation.database.dispose()


pass_session = click.make_pass_decorator(Session)

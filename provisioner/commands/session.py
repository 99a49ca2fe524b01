"""What one run of a command shares: its settings and its installation, opened when first asked for and closed at the end."""

from __future__ import annotations

import os
import pwd
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
        for secret in (settings.api_token, settings.admin_password):
            register_secret(secret)
        return settings

    @cached_property
    def installation(self) -> Installation:
        from provisioner.wiring import open_installation

        return open_installation(self.settings)

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

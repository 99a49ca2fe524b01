"""What one run of a command shares: its settings and its installation, opened when first asked for and closed at the end.

``desk`` is the one seam between a server of this machine and one elsewhere (``--server``): commands that read and write by it work with both.
"""

from __future__ import annotations

import os
import pwd
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from provisioner.commands.remote import RemoteDesk
    from provisioner.settings import Settings
    from provisioner.wiring import Installation


class Session:
    """Made once for each run; a context manager."""

    def __init__(
        self, data_dir: str | None = None, *, verbose: bool = False, server: str | None = None, token_file: str | None = None
    ) -> None:
        self._data_dir = data_dir
        self._verbose = verbose
        self._server = server
        self._token_file = token_file

    @cached_property
    def _remote(self) -> dict[str, str]:
        """Where a server elsewhere is and how it is asked, from the command line before the environment."""
        from provisioner.settings import remote_given

        said = {"SERVER": self._server, "TOKEN_FILE": self._token_file}
        return {**remote_given(), **{name: text for name, text in said.items() if text}}

    @property
    def is_remote(self) -> bool:
        """Whether this run is to work on a server elsewhere."""
        return bool(self._remote.get("SERVER"))

    def must_be_local(self) -> None:
        """Raises a usage error where a server elsewhere was named, and the command is of this machine only."""
        if self.is_remote:
            raise click.UsageError(
                "this command works on the machine of the server itself: go there, or leave out --server and PROVISIONER_SERVER"
            )

    @cached_property
    def desk(self) -> Installation | RemoteDesk:
        """What a command reads and writes by: the installation of this machine, or a server elsewhere."""
        return self.remote or self.installation

    @cached_property
    def remote(self) -> RemoteDesk | None:
        """The server elsewhere that was named; None where the commands work on this machine."""
        if not self.is_remote:
            return None
        from provisioner.commands.remote import RemoteDesk

        return RemoteDesk(self._remote["SERVER"], self._token(), self._remote.get("CA_FILE"))

    def _token(self) -> str:
        if path := self._remote.get("TOKEN_FILE"):
            return Path(path).read_text("utf-8").strip()
        if token := self._remote.get("TOKEN"):
            return token
        raise click.UsageError(
            "a server elsewhere wants a token: --token-file FILE, or PROVISIONER_TOKEN ('provisioner token create' makes one there)"
        )

    @property
    def overrides(self) -> dict[str, str]:
        """Settings that the command line itself gives, by name."""
        return {"DATA_DIR": self._data_dir} if self._data_dir else {}

    @cached_property
    def settings(self) -> Settings:
        self.must_be_local()
        from provisioner.logs import register_secret, setup_logging
        from provisioner.settings import load_settings

        settings = load_settings(overrides=self.overrides)
        setup_logging("DEBUG" if self._verbose else "WARNING")
        for secret in (
            settings.api_token,
            settings.admin_password,
            settings.pbx_ami_password,
            settings.oidc_client_secret,
            settings.mail_password,
        ):
            register_secret(secret)
        return settings

    @cached_property
    def installation(self) -> Installation:
        from provisioner.wiring import open_installation

        return open_installation(self.settings)

    @property
    def has_pbx(self) -> bool:
        """Whether a PBX is kept in lockstep: what the running worker says, where one runs; it may have been told otherwise than we are.

        A server elsewhere tells it with its facts.
        """
        if self.is_remote:
            return True
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

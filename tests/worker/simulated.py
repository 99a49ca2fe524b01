"""A phone as far as lockstep sees it: takes its live files, keeps the secrets in them, registers with what it has."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pbx_sync.state import Contact, Endpoint
from provisioner.core.mac import Mac
from provisioner.models import served_file
from tests.engines import World


@dataclass
class SimulatedPhone:
    """``secrets``: extension -> what it would register with, from the files it last took."""

    world: World
    mac: Mac
    secrets: dict[str, str] = field(default_factory=dict)

    def fetch(self) -> None:
        files = list(self.world.store.live_files([self.mac]))
        with self.world.installation.database.write() as connection:
            connection.execute(served_file.delete().where(served_file.c.mac == self.mac))
            for file in files:
                now = self.world.clock.now
                row = {"mac": self.mac, "name": file.name, "sha256": file.sha256, "at": now, "since": now}
                connection.execute(served_file.insert().values(**row))
        if files:
            self.secrets = secrets_in("".join(file.body.decode() for file in files))

    def is_accepted(self, number: str) -> bool:
        """Returns whether the PBX takes what the phone has."""
        item = self.world.pbx.objects.get(number)
        return isinstance(item, Endpoint) and self.secrets.get(number) in (item.secret, *item.former_secrets)

    def register(self) -> None:
        """Registers every line with which the PBX lets it in."""
        for number in self.secrets:
            if self.is_accepted(number):
                contact = Contact(number, f"sip:{number}@{self.mac}", f"Acme A1 1.0 {self.mac}", self.world.clock.now, "192.0.2.1")
                others = [item for item in self.world.pbx.registrations if item.uri != contact.uri]
                self.world.pbx.registrations = [*others, contact]

    def boot(self) -> None:
        self.fetch()
        self.register()

    def leave(self) -> None:
        """It is switched off, and its registrations run out."""
        self.world.pbx.registrations = [item for item in self.world.pbx.registrations if not item.uri.endswith(f"@{self.mac}")]


def secrets_in(text: str) -> dict[str, str]:
    """Returns extension -> secret of a toy vendor's file."""
    users = dict(re.findall(r"^line\.(\d+)\.user = (.*)$", text, re.MULTILINE))
    secrets = dict(re.findall(r"^line\.(\d+)\.secret = (.*)$", text, re.MULTILINE))
    return {users[line]: secrets[line] for line in users}

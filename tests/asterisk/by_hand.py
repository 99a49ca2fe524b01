"""The real Asterisk under the stories of ``tests/contract``: its backend, and what a person does to it behind our back."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.ami import AMI, Action, Reply
from pbx_sync.asterisk.backend import AsteriskBackend
from pbx_sync.asterisk.instance import Instance
from pbx_sync.asterisk.mailboxes import SQLiteMailboxes
from pbx_sync.asterisk.objects import AUTH, ENDPOINT, Key, Profile, keys_of, rows_of
from pbx_sync.state import PBXObject
from tests.contract.world import wait_until
from tests.phones.network import Network
from tests.phones.sip import Account, UserAgent

PATIENCE_S = 60.0


def address_of(instance: Instance, at: tuple[str, int] | None = None, password: str = "") -> AsteriskAddress:
    """Returns where the instance's manager interface is; what is given wins."""
    return AsteriskAddress(*(at or instance.facts.ami), instance.user, password or instance.passwords.ami)


@contextmanager
def backend_of(instance: Instance, at: tuple[str, int] | None = None) -> Iterator[AsteriskBackend]:
    """Yields a backend of the instance, reached at ``at`` where that is given, and closes it."""
    backend = AsteriskBackend(address_of(instance, at), SQLiteMailboxes(instance.mailboxes))
    try:
        yield backend
    finally:
        backend.close()


@contextmanager
def hand_at(instance: Instance) -> Iterator[Hand]:
    """Yields a person at the instance, with a network for phones."""
    with Network() as network:
        hand = Hand(instance, network)
        try:
            yield hand
        finally:
            network.all([phone.close() for phone in hand.phones])
            hand.ami.close()


class Hand:
    """A person at the Asterisk: changes its database, its file, its process; a phone beside it."""

    def __init__(self, instance: Instance, network: Network) -> None:
        self.instance = instance
        self.network = network
        self.ami = AMI(address_of(instance))
        self.phones: list[UserAgent] = []

    def ask(self, name: str, **fields: str) -> Reply:
        return self.ami.ask_all([Action(name, fields)])[0]

    def put(self, rows: Mapping[Key, str]) -> None:
        for (family, name), value in rows.items():
            assert self.ask("DBPut", Family=family, Key=name, Val=value).is_success

    def get(self, family: str, name: str) -> str | None:
        items = self.ask("DBGet", Family=family, Key=name).items
        return items[0]["Val"] if items else None

    def secret(self, number: str) -> str:
        return str(json.loads(self.get(AUTH, number) or "{}").get("password", ""))

    def delete(self, family: str, name: str) -> None:
        assert self.ask("DBDel", Family=family, Key=name).is_success

    def make(self, item: PBXObject) -> None:
        """Writes every row of an object that carries our mark."""
        self.put(rows_of(item, Profile()))

    def delete_all(self, number: str) -> None:
        """Deletes every row of a number, the mark as well."""
        for family, name in keys_of(number):
            self.ask("DBDel", Family=family, Key=name)

    def occupy(self, number: str) -> None:
        self.put({(ENDPOINT, number): '{"context":"internal","allow":"ulaw"}'})

    def wipe(self) -> None:
        """Empties the database of everything that is ours or a phone's."""
        for family in ("provisioner", "provisioner-group", "ps_endpoint", "ps_auth", "ps_aor", "registrar"):
            if self.ask("DBGetTree", Family=family).items:
                self.ask("DBDelTree", Family=family)

    def spoil(self, number: str, text: str = "") -> None:
        """From now on an endpoint of the number that holds the text is stored as what Asterisk cannot load. Restarts it."""
        self.instance.stop()
        spoilt = 'UPDATE astdb SET value = \'{"dtmf_mode":"there-is-no-such"}\' WHERE key = NEW.key;'
        with closing(sqlite3.connect(self.instance.folder / "db" / "astdb.sqlite3", timeout=PATIENCE_S)) as database:
            when = f"NEW.key = '/{ENDPOINT}/{number}' AND instr(NEW.value, '{text}')"
            database.execute(f"CREATE TRIGGER spoilt AFTER INSERT ON astdb WHEN {when} BEGIN {spoilt} END")
            database.commit()
        self.start()

    def phone(self, number: str, secret: str = "", **account: str) -> UserAgent:
        """Returns a phone that knows the number's secret, or the one given; it is not registered yet."""
        stored = secret or self.secret(number)
        self.phones.append(self.network.run(UserAgent(Account(number, stored, *self.instance.facts.sip, **account)).open()))
        return self.phones[-1]

    def register(self, backend: AsteriskBackend, number: str) -> UserAgent:
        """Has a phone register as the number and waits until the backend has seen it."""
        agent = self.phone(number)
        self.network.run(agent.register())
        uri = f"sip:{agent.account.number}@{agent.link.host}:{agent.link.port}"
        wait_until(lambda: any(contact.uri == uri for contact in backend.contacts()), PATIENCE_S, "the registration")
        return agent

    def kill(self) -> None:
        """Ends Asterisk without a word, and returns when it is gone."""
        assert self.instance.process is not None
        self.instance.process.kill()
        self.instance.process.wait()

    def start(self) -> None:
        self.instance.start()
        self.instance.wait_until_ready()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Asterisk hangs: its ports are open, nothing answers."""
        assert self.instance.process is not None
        os.kill(self.instance.process.pid, signal.SIGSTOP)
        tasks = Path(f"/proc/{self.instance.process.pid}/task")
        wait_until(lambda: all((task / "stat").read_text().rpartition(") ")[2][0] == "T" for task in tasks.iterdir()), what="a standstill")
        try:
            yield
        finally:
            os.kill(self.instance.process.pid, signal.SIGCONT)

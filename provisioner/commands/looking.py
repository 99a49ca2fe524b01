"""What ``explain`` and ``render`` look at: the facts and files of a phone, of this machine or of a server elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from provisioner.core.layers import Layer, Origin

if TYPE_CHECKING:
    from provisioner.client import Client
    from provisioner.commands.session import Session
    from provisioner.core.catalogue import Setting
    from provisioner.core.laying import LaidKey
    from provisioner.core.mac import Mac
    from provisioner.records import PhoneRecord
    from provisioner.wiring import Installation

SHOWN_SECRET = "***"


class ShownFile(NamedTuple):
    """One file of a phone as a person may see it."""

    name: str
    sha256: str
    size: int
    content_type: str
    content: str


class Look(Protocol):
    """What is so of a phone, read only."""

    def setting(self, name: str) -> Setting | None:
        """Returns the row of a phone setting, or None where there is no such setting."""

    def setting_names(self) -> Collection[str]:
        """Returns the names of all phone settings."""

    def explain(self, record: PhoneRecord, name: str) -> tuple[Origin | None, str]:
        """Returns where a setting of a phone comes from, and why the phone does not follow it (empty where it does)."""

    def laid_keys(self, record: PhoneRecord) -> list[LaidKey]:
        """Returns every key of a phone with where it comes from."""

    def files(self, mac: Mac, *, live: bool = False, show_secrets: bool = False) -> list[ShownFile]:
        """Returns the files of a phone, masked unless ``show_secrets``."""


def look_of(session: Session) -> Look:
    """Returns what is looked at by this run."""
    return LookHere(session) if session.remote is None else LookElsewhere(session.remote.client)


class LookHere:
    """The installation of this machine."""

    def __init__(self, session: Session) -> None:
        self._place: Installation = session.installation
        self._actor = session.actor

    def setting(self, name: str) -> Setting | None:
        return self._place.catalogue.settings.get(name)

    def setting_names(self) -> Collection[str]:
        return set(self._place.catalogue.settings)

    def explain(self, record: PhoneRecord, name: str) -> tuple[Origin | None, str]:
        model = self._place.catalogue.model(record.model)
        return self._place.store.explain(record.mac, name), model.unsupported.get(name, "") if model else ""

    def laid_keys(self, record: PhoneRecord) -> list[LaidKey]:
        return self._place.store.laid_keys(record)

    def files(self, mac: Mac, *, live: bool = False, show_secrets: bool = False) -> list[ShownFile]:
        """As the present facts make them, or as they are served. Raises ``RenderError``."""
        from provisioner.api.shown import masked_content, secrets_of

        config = self._place.store.render_jobs([mac])[0].config
        vendor = self._place.catalogue.vendors.get(config.model.partition("/")[0])
        if live:
            stored = [(record, body) for record, body in self._place.store.files(mac) if record.state == "live"]
            raw = [(record.name, record.sha256, record.content_type, body) for record, body in stored]
        else:
            raw = [(file.name, str(file.sha256), file.content_type, file.body) for file in self._place.renderer.phone_files(config)]
            raw.sort()
        if show_secrets:
            self._place.changes.note_secrets_shown(self._actor, "phone.files_with_secrets", mac)
        secrets = secrets_of(config, self._place.catalogue.settings)
        texts = [(name, sha256, len(body), kind, body.decode("utf-8", "replace")) for name, sha256, kind, body in raw]
        return [
            ShownFile(name, sha256, size, kind, text if show_secrets else masked_content(vendor, text, secrets))
            for name, sha256, size, kind, text in texts
        ]


class LookElsewhere:
    """A server elsewhere."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def setting(self, name: str) -> Setting | None:
        from provisioner.commands.asking import asked
        from provisioner.core.catalogue import Setting
        from provisioner.errors import NotFound

        try:
            row = asked(self._client.settings.show, name)
        except NotFound:
            return None
        return Setting(**{**row, "choices": tuple(row["choices"])})

    def setting_names(self) -> Collection[str]:
        from provisioner.commands.asking import listed

        return {row["name"] for row in listed(self._client.settings.list())}

    def explain(self, record: PhoneRecord, name: str) -> tuple[Origin | None, str]:
        from provisioner.commands.asking import asked

        row = asked(self._client.phones.explain, record.mac, name)
        hidden = tuple(_layer(layer, name) for layer in row["overridden"])
        told = _layer(row, name)
        return Origin(row["value"], told.kind, told.name, hidden), row["unsupported"]

    def laid_keys(self, record: PhoneRecord) -> list[LaidKey]:
        from provisioner.commands.asking import asked
        from provisioner.core.laying import LaidKey
        from provisioner.core.values import Key

        own = {(key.module, key.key): key for key in record.keys}
        rows = [(row, row.pop("source"), row.pop("hides")) for row in asked(self._client.phones.keys_laid, record.mac)["keys"]]
        return [LaidKey(Key(**row), source, own.get((row["module"], row["key"])) if hides else None) for row, source, hides in rows]

    def files(self, mac: Mac, *, live: bool = False, show_secrets: bool = False) -> list[ShownFile]:
        """As the server made them last, or as it serves them. Who may not see secrets is refused instead of being shown none."""
        from provisioner.commands.asking import asked

        if show_secrets:
            must_be_admin(self._client, "seeing secrets")
        rows = asked(self._client.phones.files, mac, secrets=show_secrets or None)
        wanted = {row["name"]: row for state in (("live",) if live else ("live", "next")) for row in rows if row["state"] == state}
        return [ShownFile(*(row[name] for name in ShownFile._fields)) for row in wanted.values()]


def must_be_admin(client: Client, what: str) -> None:
    """Raises ``RemoteError`` where the token is not of an admin: the server would leave the secrets out without a word."""
    from provisioner.commands.asking import asked
    from provisioner.errors import RemoteError

    role = asked(client.session.show)["role"]
    if role != "admin":
        raise RemoteError(f"{what} needs the role admin; that of the token is {role}")


def _layer(row: dict[str, Any], name: str) -> Layer:
    from provisioner.core.mac import Mac

    return Layer(row["layer"], str(Mac.parse(row["name"])) if row["layer"] == "phone" else row["name"], {name: row["value"]})

"""Sites, people and tokens of a server elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.client import Client
from provisioner.commands.asking import asked, listed, seconds, time_of
from provisioner.records import SiteRecord, TokenRecord, UserRecord
from provisioner.records_mail import MailRecipient


class PeopleReads:
    """Reads of sites, people and tokens."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def sites(self) -> list[SiteRecord]:
        return [site_of(row) for row in listed(self._client.sites.list())]

    def users(self) -> list[UserRecord]:
        return [user_of(row) for row in listed(self._client.users.list())]

    def api_tokens(self) -> list[TokenRecord]:
        return [token_of(row) for row in listed(self._client.tokens.list())]

    def mail_recipients(self) -> list[MailRecipient]:
        return [recipient_of(row) for row in listed(self._client.mail_recipients.list())]


class PeopleWrites:
    """Writes of sites, people and tokens."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create_site(self, actor: str, name: str, given: Mapping[str, Any]) -> SiteRecord:
        return site_of(asked(self._client.sites.create, {"name": name, **given}))

    def create_user(self, actor: str, name: str, given: Mapping[str, Any]) -> UserRecord:
        return user_of(asked(self._client.users.create, {"name": name, **given}))

    def update_user(self, actor: str, name: str, given: Mapping[str, Any]) -> UserRecord:
        return user_of(asked(self._client.users.change, name, dict(given)))

    def set_user_password(self, actor: str, name: str, password: str) -> None:
        asked(self._client.users.put_password, name, {"password": password})

    def set_user_totp(self, actor: str, name: str, secret: None) -> None:
        """Takes one-time codes away; only their owner can set some up."""
        asked(self._client.users.delete_totp, name)

    def delete_user(self, actor: str, name: str) -> None:
        asked(self._client.users.delete, name)

    def create_token(self, actor: str, name: str, role: str, *, sites: list[str] | None = None) -> str:
        return str(asked(self._client.tokens.create, {"name": name, "role": role, "sites": sites})["token"])

    def delete_token(self, actor: str, name: str) -> None:
        asked(self._client.tokens.delete, name)

    def create_mail_recipient(self, actor: str, given: Mapping[str, Any]) -> MailRecipient:
        return recipient_of(asked(self._client.mail_recipients.create, dict(given)))

    def delete_mail_recipient(self, actor: str, number: int) -> None:
        asked(self._client.mail_recipients.delete, str(number))


def site_of(row: Mapping[str, Any]) -> SiteRecord:
    names = ("name", "access", "enrolment", "settings", "revision", "pool")
    return SiteRecord(trusted_networks=tuple(row["trusted_networks"]), **{name: row[name] for name in names})


def user_of(row: Mapping[str, Any]) -> UserRecord:
    names = ("name", "role", "language", "disabled", "has_password", "has_totp", "subject", "revision")
    return UserRecord(
        sites=_sites(row), extensions=tuple(row["extensions"]), created_at=seconds(row["created_at"]), **{name: row[name] for name in names}
    )


def token_of(row: Mapping[str, Any]) -> TokenRecord:
    return TokenRecord(row["name"], row["role"], seconds(row["created_at"]), time_of(row["last_used_at"]), _sites(row))


def recipient_of(row: Mapping[str, Any]) -> MailRecipient:
    names = ("id", "address", "site", "language", "enabled", "revision", "position", "tries", "error")
    sent_at, due_at = time_of(row["sent_at"]), time_of(row["due_at"])
    return MailRecipient(events=tuple(row["events"]), sent_at=sent_at, due_at=due_at, **{name: row[name] for name in names})


def _sites(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    return None if row["sites"] is None else tuple(row["sites"])

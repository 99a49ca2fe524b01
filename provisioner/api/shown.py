"""Records as the API shows them: MACs with colons, secrets as ``***``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from provisioner.changes.phones import SHOWN_SECRET
from provisioner.core.catalogue import Setting, Vendor
from provisioner.core.escape import ESCAPES
from provisioner.core.mac import Mac, try_parse
from provisioner.core.render import masked
from provisioner.core.values import PhoneConfig
from provisioner.records import ChangeRecord, FileRecord, LineRecord, PhoneRecord, SiteRecord

_TOKEN_IN_PATH = re.compile(r"(/p/)[a-z2-7]{16,}")
_OF_PHONES = ("phone.", "layout.assign", "layout.undo", "import.")
"""Changes whose subject is, or can be, a phone's MAC."""
_SHORTEST_SECRET = 4
"""Shorter ones are left to the vendor's masks: replacing them wherever they appear would leave nothing readable."""


def shown_phone(record: PhoneRecord) -> dict[str, Any]:
    return {
        "mac": record.mac,
        "model": record.model,
        "site": record.site,
        "group": record.group,
        "layout": record.layout,
        "enabled": record.enabled,
        "modules": record.modules,
        "firmware": record.firmware,
        "lines": record.lines,
        "keys": record.keys,
        "settings": shown_settings(record),
        "created_at": record.created_at,
        "opened_at": record.opened_at,
        "first_success_at": record.first_success_at,
        "retired_at": record.retired_at,
        "revision": record.revision,
    }


def shown_settings(record: PhoneRecord) -> dict[str, Any]:
    """Returns a phone's own settings, each secret as ``***``."""
    return {**record.settings, **dict.fromkeys(record.secret_names, SHOWN_SECRET)}


def shown_lines(lines: Iterable[LineRecord]) -> list[dict[str, Any]]:
    return [{"line": line.line, "extension": line.extension, "label": line.label} for line in lines]


def shown_site(record: SiteRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "access": record.access,
        "trusted_networks": list(record.trusted_networks),
        "enrolment": record.enrolment,
        "pool": record.pool,
        "timezone": record.settings.get("timezone"),
        "language": record.settings.get("language"),
        "settings": dict(record.settings),
        "revision": record.revision,
    }


def shown_change(record: ChangeRecord) -> dict[str, Any]:
    mac = try_parse(record.subject) if record.action.startswith(_OF_PHONES) else None
    return {
        "id": record.id,
        "at": record.at,
        "actor": record.actor,
        "action": record.action,
        "subject": mac.colons if mac else record.subject,
        "before": record.before,
        "after": record.after,
        "phones": record.phones,
    }


def shown_file(record: FileRecord, content: str) -> dict[str, Any]:
    return {
        "name": record.name,
        "state": record.state,
        "sha256": record.sha256,
        "size": record.size,
        "content_type": record.content_type,
        "content": content,
    }


def masked_content(vendor: Vendor | None, text: str, secrets: Iterable[str]) -> str:
    """Returns a file's text without secrets: the vendor's masks first, then each known secret wherever else it appears.

    Without a vendor nobody knows where its files carry secrets: then nothing is shown.
    """
    if vendor is None:
        return SHOWN_SECRET
    text = masked(vendor, text)
    for secret in sorted(secrets, key=len, reverse=True):
        for spelt in {secret, ESCAPES[vendor.escape](secret)}:
            text = text.replace(spelt, SHOWN_SECRET)
    return _TOKEN_IN_PATH.sub(rf"\1{SHOWN_SECRET}", text)


def secrets_of(config: PhoneConfig, rows: Mapping[str, Setting], more: Iterable[str] = ()) -> set[str]:
    """Returns every secret that a phone's present facts hold, for masking."""
    settings = {str(value) for name, value in config.settings.items() if name in rows and rows[name].type == "secret"}
    found = {line.secret for line in config.lines} | settings | {config.file_key} | set(more)
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


def subject_of(text: str) -> str:
    """Returns a change's subject as it is stored: a MAC in any usual form becomes the stored one."""
    mac = try_parse(text)
    return str(mac) if isinstance(mac, Mac) else text

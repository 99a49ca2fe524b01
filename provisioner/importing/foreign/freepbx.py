"""Reads the extensions that FreePBX exports in its Bulk Handler. It knows no phones: which phone has an extension is told elsewhere.

Sources: FreePBX/core, Core.class.php (``bulkhandlerGetHeaders``, ``bulkhandlerExport``: users and devices in one row);
FreePBX/bulkhandler, "tools/sample bulk handler output.csv" (the columns of a whole export) and utests/extensions.csv (in capitals).
"""

from __future__ import annotations

from provisioner.importing.foreign.facts import LineFacts, Rows, listed
from provisioner.importing.foreign.sheets import Sheet
from provisioner.importing.values import ParsedFile

_ALL = frozenset({"extension", "name", "tech"})
_ONE = frozenset({"devicetype", "dial", "sipdriver", "outboundcid", "voicemail_enable", "findmefollow_enabled"})
_TAKEN = frozenset({"", "sip", "pjsip"})
"""Technologies of a SIP phone."""


def are_extensions(names: list[str]) -> bool:
    """Returns whether these are the columns of a Bulk Handler export of extensions."""
    return _ALL.issubset(names) and bool(_ONE.intersection(names))


def extensions(sheet: Sheet) -> ParsedFile:
    """Returns the rows that an export of extensions says."""
    rows, others = Rows(), list[str]()
    for row in sheet.rows():
        number, tech = row.first("extension"), row.first("tech").lower()
        if tech not in _TAKEN:
            others.append(f"{number} ({tech})")
            continue
        email = row.first("voicemail_email").partition(",")[0].strip()
        rows.add_extension(row.line, LineFacts(1, number, row.first("name", "description"), row.first("secret"), email=email))
    if others:
        rows.notes.append(f"extensions that are not of SIP phones are left out: {listed(others)}")
    return ParsedFile(tuple(rows.rows), (), (*sheet.notes, *rows.notes), left=sheet.left())

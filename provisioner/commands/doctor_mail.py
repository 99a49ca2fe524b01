"""The doctor's check of e-mail notices: does the mail server let us in, and is anybody told?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from provisioner.commands.findings import Finding, failure, fine, warning
from provisioner.settings import Settings

if TYPE_CHECKING:
    from provisioner.store import Store

NAME = "e-mail notices"


def mail_findings(settings: Settings) -> Iterator[Finding]:
    """Yields whether the mail server can be used; nothing where none is set."""
    from provisioner.mailing import mail_server, tried

    server = mail_server(settings)
    if server is None:
        return
    if trouble := tried(server):
        yield failure("mail server", trouble, "mend what it names, then: provisioner mail test ADDRESS")
    else:
        yield fine("mail server", f"{server.where} answers" + (f" and knows {server.user}" if server.user else ""))


def recipients_finding(settings: Settings, store: Store) -> Finding | None:
    """Returns whether somebody is told; None where neither a server nor a recipient is set."""
    rows = store.mail_recipients()
    if settings.mail_server is None:
        return warning(NAME, f"{len(rows)} recipients, and no mail server", "set PROVISIONER_MAIL_SERVER, or remove them") if rows else None
    if not any(row.enabled for row in rows):
        return warning(NAME, "there is a mail server, and nobody is told", "provisioner mail add ADDRESS")
    if late := [row for row in rows if row.enabled and row.tries]:
        return warning(
            NAME,
            f"{late[0].address} was not told, {late[0].tries} times: {late[0].error}",
            "mend what it names; it is tried again by itself",
        )
    return fine(NAME, f"{sum(row.enabled for row in rows)} recipients")

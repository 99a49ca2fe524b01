"""People who are told of trouble by e-mail, and whether that works."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.etags import expected_revision, tagged
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.paging import BIGGEST_ID, PageQuery, page_of, sliced
from provisioner.api.schemas import Flag, Rows, Strict, Text, Time, Whole
from provisioner.changes.mail import DEFAULT_EVENTS
from provisioner.core.languages import LANGUAGES
from provisioner.errors import NotFound
from provisioner.mailing import NotTaken, mail_server, send
from provisioner.mailing.composing import test_message
from provisioner.records_mail import MailRecipient

noun = Noun(
    "mail_recipients",
    "People who are told by e-mail: of emergency calls at once, of everything else gathered. The mail server is in the settings "
    "(PROVISIONER_MAIL_SERVER). All of it needs the role admin.",
)
NO_SERVER = "no mail server is set: PROVISIONER_MAIL_SERVER names one"
EXAMPLE = {"address": "office@example.com", "site": "branch", "language": "en"}


class MailRecipientPatch(Strict):
    """What may be changed of a recipient; what is absent stays."""

    address = Text(longest=254, metadata={"example": EXAMPLE["address"]})
    site = Text(
        longest=64,
        allow_none=True,
        metadata={"description": "Told of what happens at this site alone; null: of everything", "example": "branch"},
    )
    language = Text(longest=8, metadata={"enum": list(LANGUAGES)})
    events = Rows(
        Text(longest=64),
        longest=50,
        metadata={"description": f"Actions of changes; pbx.* for all of the PBX, * for all. Without: {', '.join(DEFAULT_EVENTS)}"},
    )
    enabled = Flag()


class MailRecipientNew(MailRecipientPatch):
    """A recipient to be made; without events told of trouble and its end."""

    address = Text(required=True, longest=254, metadata={"example": EXAMPLE["address"]})


class MailRecipientShown(MailRecipientNew):
    """A recipient, and what came of the last notice."""

    id = Whole(dump_only=True)
    revision = Whole(dump_only=True)
    position = Whole(dump_only=True, metadata={"description": "Number of the last change that was told, or is not to be"})
    sent_at = Time(allow_none=True, dump_only=True, metadata={"description": "When the last notice was taken by the mail server"})
    tries = Whole(dump_only=True, metadata={"description": "In vain since then"})
    due_at = Time(allow_none=True, dump_only=True, metadata={"description": "When it is tried next, after one in vain"})
    error = fields.String(dump_only=True, metadata={"description": "Why the last try was in vain"})


class MailTested(Schema):
    """What came of a test."""

    is_taken = fields.Boolean(metadata={"description": "Whether the mail server took it; whether it arrives shows in the mailbox"})
    error = fields.String(metadata={"description": "What is wrong, and what to mend"})


@noun.route("/mail-recipients")
class MailRecipients(MethodView):
    """All recipients."""

    @allowed("admin")
    @noun.takes(PageQuery, location="query")
    @noun.gives(200, page_of(MailRecipientShown, "MailRecipientPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List who is told by e-mail."""
        return sliced(installation().store.mail_recipients(), query["after"], query["limit"], lambda row: f"{row.id:012}")

    @noun.takes(MailRecipientNew, example=EXAMPLE)
    @noun.gives(201, MailRecipientShown, headers={**ETAG, "Location": {"schema": {"type": "string"}}})
    def post(self, given: dict[str, Any]) -> tuple[MailRecipient, int, dict[str, str]]:
        """Add somebody who is told of what happens from now on."""
        record = installation().changes.create_mail_recipient(actor(), given)
        return record, 201, {**tagged(record.revision), "Location": url_for("mail_recipients.MailRecipientView", number=record.id)}


@noun.route("/mail-recipients/<int:number>")
class MailRecipientView(MethodView):
    """One recipient."""

    @allowed("admin")
    @conditional
    @noun.gives(200, MailRecipientShown, headers=ETAG)
    def get(self, number: int) -> tuple[MailRecipient, int, dict[str, str]]:
        """Show a recipient."""
        record = found_recipient(number)
        return record, 200, tagged(record.revision)

    @conditional
    @noun.takes(MailRecipientPatch, example={"enabled": False})
    @noun.gives(200, MailRecipientShown, headers=ETAG)
    def patch(self, given: dict[str, Any], number: int) -> tuple[MailRecipient, int, dict[str, str]]:
        """Change what is given of a recipient."""
        record = installation().changes.update_mail_recipient(actor(), number, given, expected_revision(found_recipient(number).revision))
        return record, 200, tagged(record.revision)

    @conditional
    @noun.gives(204)
    def delete(self, number: int) -> Response:
        """Tell somebody no more."""
        installation().changes.delete_mail_recipient(actor(), number, expected_revision(found_recipient(number).revision))
        return Response(status=204)


@noun.route("/mail-recipients/<int:number>/test")
class MailRecipientTest(MethodView):
    """A message that tells of nothing."""

    @noun.gives(200, MailTested)
    def post(self, number: int) -> dict[str, Any]:
        """Send somebody a test, at once; says what is wrong where the mail server does not take it."""
        error = send_test(found_recipient(number))
        return {"is_taken": not error, "error": error}


def send_test(row: MailRecipient) -> str:
    """Sends somebody a test, at once. Returns why the mail server did not take it; empty where it did."""
    settings = installation().settings
    server = mail_server(settings)
    if server is None:
        return NO_SERVER
    try:
        send(server, test_message(row.address, row.language, server.sender, settings.admin_url, installation().changes.clock()))
    except NotTaken as error:
        return str(error)
    return ""


def found_recipient(number: int) -> MailRecipient:
    """Returns a recipient. Raises ``NotFound``."""
    record = installation().store.mail_recipient(number) if number <= BIGGEST_ID else None
    if record is None:
        raise NotFound({"id": f"there is no recipient of e-mail {min(number, BIGGEST_ID)}"})
    return record

"""What people and programs can be told of, in plain words: for the forms of e-mail notices and webhooks, and summed up for their lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from werkzeug.datastructures import MultiDict

from provisioner.changes.mail import DEFAULT_EVENTS
from provisioner.errors import InputError
from web.i18n import _, mark, ngettext
from web.words import action_word

EVERYTHING = "*"
TROUBLES: Mapping[str, str] = {
    "call.emergency": mark("An emergency number is dialled: told at once"),
    "backup.failed": mark("A backup could not be made"),
    "pbx.lost": mark("The PBX does not answer for long"),
    "pbx.back": mark("The PBX answers again"),
    "lockstep.behind": mark("Phones that were in use are behind for long"),
    "lockstep.again": mark("No phone of a site is behind any more"),
    "certificate.ending": mark("The certificate that phones are shown ends soon"),
    "disk.low": mark("The disk is nearly full"),
    "recordings.full": mark("Recordings take all the room that they may"),
    "bootstrap.alarm": mark("Somebody goes through MAC addresses"),
    "claim_code.use": mark("A phone was claimed by code"),
}
"""Action -> when it is told: what somebody is told of who asks for nothing in particular."""
KINDS: Mapping[str, str] = {
    "phone.*": mark("Phones: listed, changed, swapped, taken off"),
    "extension.*": mark("Extensions: made, changed, deleted"),
    "department.*": mark("Departments"),
    "site.*": mark("Sites"),
    "group.*": mark("Groups of phones"),
    "layout.*": mark("Key layouts"),
    "import.*": mark("Imports"),
    "export.*": mark("Exports with secrets"),
    "firmware.*": mark("Firmware: pinned, rolled out"),
    "window.*": mark("Windows for new phones: opened, closed"),
    "claim_code.*": mark("Claim codes: made, used"),
    "warehouse.*": mark("The warehouse"),
    "scan.*": mark("Scans of a network"),
    "redirect_account.*": mark("Accounts at redirect services"),
    "redirect_removal.*": mark("Removals from redirect services"),
    "pbx.*": mark("The PBX: put right, restarted, away and back"),
    "recording.*": mark("Recordings: listened to, deleted"),
    "backup.*": mark("Backups: made, failed, downloaded, deleted"),
    "catalogue.*": mark("Own files over the catalogue"),
    "user.*": mark("People who sign in: made, changed, deleted"),
    "session.*": mark("Signing in and out"),
    "token.*": mark("Tokens of programs"),
    "mail_recipient.*": mark("Recipients of e-mail notices"),
    "webhook.*": mark("Webhooks"),
}
"""All actions of one noun -> what they are about."""
NAMED = 2
"""Events that a list names; the others it counts."""


def event_word(event: str) -> str:
    """Returns an event, or all of a noun, in words; what has none as it is."""
    if event == EVERYTHING:
        return _("Everything")
    if event == "webhook.test":
        return _("A test")
    if text := TROUBLES.get(event) or KINDS.get(event):
        return _(text)
    of_noun = [text for action, text in TROUBLES.items() if event.endswith(".*") and action.startswith(event[:-1])]
    return " · ".join(_(text) for text in of_noun) or action_word(event)


def told_of(events: Sequence[str]) -> str:
    """Returns in one line what somebody is told of."""
    if EVERYTHING in events:
        return event_word(EVERYTHING)
    if set(events) == set(DEFAULT_EVENTS):
        return _("Trouble, and its end")
    text = " · ".join(event_word(event) for event in events[:NAMED])
    more = len(events) - NAMED
    return text if more <= 0 else ngettext("%(first)s, and %(num)s more", "%(first)s, and %(num)s more", more, first=text)


def not_offered(events: Iterable[str]) -> list[str]:
    """Returns the events that somebody has by a command or the API and for which forms have no box of their own."""
    return [event for event in dict.fromkeys(events) if event != EVERYTHING and event not in TROUBLES and event not in KINDS]


def ticked(form: MultiDict[str, Any]) -> list[str]:
    """Returns the events that are ticked on a form. Raises ``InputError`` where none is."""
    events = form.getlist("events")
    if not events:
        raise InputError({"events": _("Tick at least one.")})
    return events

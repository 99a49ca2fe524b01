"""How things are called on the pages: stages, reasons, actions, layers; and the filters by which templates write values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import current_app, g, request
from markupsafe import Markup

from provisioner.api.context import caller, has_pbx, installation
from provisioner.changes.restoring import UNDONE_BY
from provisioner.changes.undoing import is_undoable, role_to_undo
from provisioner.core.mac import Mac, try_parse
from provisioner.core.values import Reason
from provisioner.records import ChangeRecord, LineRecord
from web.i18n import _, ago_text, iso_text, mark, number_text, time_text
from web.keys import unpacked
from web.outcomes import OUTCOMES, talk_text
from web.planned import planned
from web.sentences import catalogued, full_sentence, translated

STAGES: Mapping[str, str] = {
    "in_lockstep": mark("In lockstep"),
    "rendering": mark("Making files"),
    "pushing": mark("Telling the PBX"),
    "promoting": mark("Going live"),
    "notified": mark("Told to fetch"),
    "waiting_for_phone": mark("Waiting for the phone"),
    "waiting_for_registration": mark("Waiting for registration"),
    "held": mark("Held"),
    "retiring": mark("Being emptied"),
    "retired": mark("Out of service"),
}
TONES: Mapping[str, str] = {"in_lockstep": "good", "held": "bad", "waiting_for_phone": "warn", "retired": "good"}
"""Stage -> tone of its badge; all others are on their way."""

REASONS: Mapping[str, str] = {
    Reason.SERVED: mark("Sent"),
    Reason.NOT_MODIFIED: mark("It had them already"),
    Reason.STORED: mark("Upload kept"),
    Reason.NO_SUCH_FILE: mark("No such file, which is usual"),
    Reason.UNKNOWN_NAME: mark("Unknown name"),
    Reason.UNKNOWN_PHONE: mark("Phone not listed"),
    Reason.DISABLED: mark("Phone switched off here"),
    Reason.UNPROVEN: mark("Did not prove who it is"),
    Reason.BOOTSTRAP_CLOSED: mark("First fetch is closed"),
    Reason.BAD_TOKEN: mark("Old or wrong address"),
    Reason.BAD_CREDENTIALS: mark("Wrong password"),
    Reason.CONFLICT: mark("Evidence contradicts the list"),
    Reason.NOT_A_PHONE: mark("Not a phone of this maker"),
    Reason.NOT_RENDERED: mark("Files not ready yet"),
    Reason.BAD_REQUEST: mark("Malformed request"),
    Reason.METHOD_NOT_ALLOWED: mark("Method not allowed"),
    Reason.TOO_LARGE: mark("Upload too large"),
    Reason.BAD_RANGE: mark("Part that is not there"),
    Reason.TOO_MANY_GUESSES: mark("Too many wrong codes"),
    Reason.CODE_SPENT: mark("Install code was used already"),
    Reason.REPLAYED: mark("First fetch from another address"),
    Reason.WAITING: mark("Given the file of the waiting room"),
    Reason.FROZEN: mark("Frozen while somebody scans for MACs"),
    Reason.OVERLOADED: mark("Too busy, told to come back"),
    Reason.ABORTED: mark("Broken off"),
    Reason.FAILED: mark("A fault of ours"),
}
GOOD_REASONS = frozenset({Reason.SERVED, Reason.NOT_MODIFIED, Reason.STORED})
QUIET_REASONS = frozenset({Reason.NO_SUCH_FILE})

LAYERS: Mapping[str, str] = {
    "default": mark("Default"),
    "installation": mark("This installation"),
    "vendor": mark("Vendor"),
    "site": mark("Site"),
    "group": mark("Group"),
    "model": mark("Model"),
    "phone": mark("This phone"),
}
ROLES: Mapping[str, str] = {"admin": mark("Admin"), "technician": mark("Technician"), "viewer": mark("Viewer"), "user": mark("User")}
SIGNED_IN_BY: Mapping[str, str] = {
    "password": mark("Password"), "password and one-time code": mark("Password and one-time code"),
    "password and recovery code": mark("Password and recovery code"), "OpenID Connect": mark("OpenID Connect"),
}  # fmt: skip
"""As the changes keep it."""
ACTIONS: Mapping[str, str] = {
    "phone.create": mark("Listed phone"), "phone.update": mark("Changed phone"), "phone.delete": mark("Took off phone"), "phone.swap": mark("Swapped phone"),
    "phone.retire": mark("Took out of service"), "phone.reinstate": mark("Took back into service"),
    "phone.reboot": mark("Restarted phone"), "phone.resync": mark("Resynced phone"), "phone.reopen": mark("Opened first fetch of"),
    "phone.renew_token": mark("New address for"), "phone.revoke_token": mark("Revoked address of"), "phone.token_shown": mark("Looked at address of"),
    "phone.files_with_secrets": mark("Looked at secrets of"), "extension.create": mark("Made extension"), "extension.update": mark("Changed extension"),
    "extension.delete": mark("Deleted extension"), "extension.rotated": mark("New secret in use by"), "extension.rolled_back": mark("Secret put back of"),
    "department.put": mark("Set department"), "department.delete": mark("Deleted department"), "site.create": mark("Made site"),
    "site.update": mark("Changed site"), "site.delete": mark("Deleted site"), "group.put": mark("Set group"), "group.delete": mark("Deleted group"),
    "layout.put": mark("Set layout"), "layout.delete": mark("Deleted layout"), "layout.assign": mark("Gave layout"),
    "layout.undo": mark("Took back layout"), "import.commit": mark("Imported"), "import.undo": mark("Took back import of"), "pbx.sync": mark("Put right"), "pbx.restart": mark("Restarted"), "pbx.reload": mark("Reloaded"),
    "token.create": mark("Made token"), "token.delete": mark("Revoked token"), "user.create": mark("Made user"), "user.update": mark("Changed user"),
    "user.delete": mark("Deleted user"), "user.password": mark("New password for"), "user.totp": mark("One-time codes of"), "user.recovery_codes": mark("New recovery codes of"),
    "claim_code.use": mark("Claimed by code"),
    "session.open": mark("Signed in"), "session.end": mark("Signed out"),
    "phone.install_link": mark("Made install link for"), "phone.install_link_withdrawn": mark("Withdrew install link of"),
    "phone.seat_in": mark("Logged somebody in at"), "phone.seat_out": mark("Logged somebody out at"),
    "phone.delete_upload": mark("Deleted upload of"), "phone.test_call": mark("Asked for test call to"),
    "phone.redirect_asked": mark("Asked redirect service for"), "phone.redirect": mark("Redirect service answered for"),
    "redirect_removal.forgotten": mark("Gave up removal from redirect service of"),
    "redirect_account.set": mark("Set redirect account of"), "redirect_account.removed": mark("Removed redirect account of"),
    "scan.start": mark("Started scan of"), "scan.cancel": mark("Stopped scan of"), "window.open": mark("Opened window at"),
    "window.close": mark("Closed window at"), "warehouse.add": mark("Put in warehouse"), "warehouse.remove": mark("Took out of warehouse"),
    "claim_code.make": mark("Made claim code for"), "firmware.pin": mark("Pinned firmware of"), "firmware.unpin": mark("Unpinned firmware of"),
    "firmware.resume": mark("Resumed firmware roll-out of"), "firmware.step": mark("Firmware roll-out went on for"),
    "webhook.create": mark("Made webhook"), "webhook.update": mark("Changed webhook"), "webhook.delete": mark("Deleted webhook"),
    "mail_recipient.create": mark("Added recipient of e-mail"), "mail_recipient.update": mark("Changed recipient of e-mail"),
    "mail_recipient.delete": mark("Removed recipient of e-mail"), "call.emergency": mark("Emergency call"), "pbx.lost": mark("No answer for long"),
    "pbx.back": mark("Answers again"), "lockstep.behind": mark("Phones are behind at"), "lockstep.again": mark("All in lockstep again at"),
    "certificate.ending": mark("Ends soon"), "disk.low": mark("Nearly full"), "recordings.full": mark("Full"), "bootstrap.alarm": mark("Somebody looks for MACs"),
    "backup.ask": mark("Asked for backup"), "backup.made": mark("Made backup"), "backup.failed": mark("Could not make backup"),
    "catalogue.apply": mark("Took into use"),
    "backup.download": mark("Downloaded backup"), "backup.delete": mark("Deleted backup"),
    "export.with_secrets": mark("Exported with secrets"),
    "recording.listen": mark("Listened to recording of"), "recording.remove": mark("Deleted recording of"),
}  # fmt: skip
ACCESS: Mapping[str, str] = {
    "open": mark("Open: whoever asks in a trusted network gets a phone's files"),
    "first-fetch": mark("First fetch: open once for each phone, then by its own address"),
    "token": mark("Address: only by the phone's own address"),
    "digest": mark("Password: by user and password of the phone"),
    "mtls": mark("Certificate: by the certificate that the phone was made with"),
}
ACCESS_SHORT: Mapping[str, str] = {
    "open": mark("Open"), "first-fetch": mark("First fetch"), "token": mark("Address"), "digest": mark("Password"), "mtls": mark("Certificate"),
}  # fmt: skip
"""For tables: a language may have no colon to cut the long words at."""
ENROLMENT_SHORT: Mapping[str, str] = {"never": mark("Never"), "listed": mark("Listed"), "window": mark("Window"), "claim": mark("Claim")}
ENROLMENT: Mapping[str, str] = {
    "never": mark("Never: unlisted phones are not even noted"),
    "listed": mark("Listed: unlisted phones are shown as seen, and taken on by hand"),
    "window": mark("Window: taken on by themselves while a window is open"),
    "claim": mark("Claim: taken on with a code"),
}
KEY_TYPES: Mapping[str, str] = {
    "line": mark("Line"), "blf": mark("BLF"), "speed_dial": mark("Speed dial"), "park": mark("Park"), "pickup": mark("Pickup"), "intercom": mark("Intercom"),
    "dtmf": mark("DTMF"), "transfer": mark("Transfer"), "voicemail": mark("Voicemail"), "dnd": mark("Do not disturb"), "forward": mark("Forward"),
    "group_pickup": mark("Group pickup"), "paging": mark("Multicast paging"), "shared_line": mark("Shared line"),
    "conference": mark("Conference"), "ldap": mark("LDAP directory"), "phonebook": mark("Phone book"), "url": mark("URL"),
    "none": mark("Empty"),
}  # fmt: skip


def stage_word(name: str) -> str:
    return _(STAGES.get(name, name))


def moment(at: float | None) -> Markup:
    """Returns a time as people read it: how long ago, with the full time beside it for whoever points at it."""
    if at is None:
        return Markup('<span class="quiet">–</span>')
    now = installation().changes.clock()
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso_text(at), time_text(at), ago_text(at, now))


def mac_text(mac: str) -> str:
    """Returns a MAC with colons; any other text as it is."""
    parsed = try_parse(mac)
    return parsed.colons if isinstance(parsed, Mac) else mac


def vendor_title(vendor: str) -> str:
    found = installation().catalogue.vendors.get(vendor)
    return found.name if found else vendor


def action_word(name: str) -> str:
    """Returns what was done, in words; the name of an action without words as it is."""
    return _(ACTIONS[name]) if name in ACTIONS else name


def actor_text(name: str) -> str:
    """Returns who did something: people by their bare name, programs and parts as they are."""
    return name.removeprefix("user:")


def model_title(model: str) -> str:
    """Returns a model as its maker writes it, ``Yealink T46U``."""
    found = installation().catalogue.model(model)
    return found.title if found else model


def short_hash(value: str | None) -> str:
    return value[:10] if value else "–"


def may(role: str) -> bool:
    """Returns whether the person may do what needs ``role``."""
    who = caller()
    return who is not None and who.may(role)


def may_all(role: str) -> bool:
    """Returns whether the person may do what needs ``role`` and the right to all sites."""
    who = caller()
    return who is not None and who.may(role) and who.scope is None


def may_undo(row: ChangeRecord) -> bool:
    """Returns whether the person may undo a change, as far as that can be told without trying."""
    if row.id <= 0 or not is_undoable(row) or not may(role_to_undo(row)):
        return False
    if row.action in UNDONE_BY and row.action.startswith("layout."):
        return may_all("technician") or installation().store.change(row.id) is not None  # it was of phones that are seen, and of no other
    return row.action.startswith(("phone.", "extension.", "site.")) or may_all("technician")


def here() -> str:
    """Returns the address of the page that is being made, with its query."""
    return request.full_path.rstrip("?")


def way_back() -> str:
    """Returns where the form of language and colours leads back to: here, or the first page where nobody can open this address again."""
    if g.get("is_plain"):
        return here()
    routes = current_app.create_url_adapter(request)
    return here() if routes is not None and routes.test(request.path, "GET") else "/"


def pair(name: str) -> tuple[str, str]:
    """Returns a choice that is called what it is."""
    return name, name


def place_words(place: str) -> str:
    """Returns the place ``1.3`` in words: the key, and the module where it is on one."""
    module, _dot, key = place.partition(".")
    return key if module == "0" else _("%(key)s of module %(module)s", key=key, module=module)


def key_words(text: str) -> str:
    """Returns keys as a form carries them in words; nothing stands for no key."""
    rows = list(unpacked(text).values()) if text else []
    return ", ".join(" ".join(part for part in (_(KEY_TYPES.get(row.type, row.type)), row.value, row.label) if part) for row in rows) or _(
        "empty"
    )


def types_in_words() -> dict[str, str]:
    return {name: _(word) for name, word in KEY_TYPES.items()}


def line_choices(lines: Iterable[LineRecord]) -> list[tuple[int, str]]:
    """Returns the lines that a key may use, with what they are called."""
    named = [(line.line, line.label or line.extension) for line in lines]
    return named if any(line == 1 for line, _text in named) else [(1, ""), *named]


def joined(*classes: str | bool) -> str:
    return " ".join(name for name in classes if isinstance(name, str) and name)


def marks() -> Mapping[str, str]:
    """Returns what the page is made with, for the live updates."""
    read: Callable[[], Mapping[str, str]] = current_app.extensions["provisioner.marks"]
    return read()


def marked(text: str) -> str:
    """Returns a text that was marked before, in the language of the page."""
    return _(text) if text else ""


def _bytes(size: float) -> str:
    if size < 1024:
        return f"{number_text(size)} B"
    return f"{number_text(round(size / 1024, 1))} KiB" if size < 1024**2 else f"{number_text(round(size / 1024**2, 1))} MiB"


FILTERS: dict[str, Callable[..., Any]] = {
    "moment": moment, "mac": mac_text, "model": model_title, "vendor": vendor_title, "stage": stage_word, "short": short_hash, "number": number_text,
    "marked": marked, "bytes": _bytes, "action": action_word, "actor": actor_text, "pair": pair, "place": place_words,
    "key_words": key_words, "translated": translated, "full_sentence": full_sentence, "catalogued": catalogued, "planned": planned, "talk": talk_text, "full_time": time_text,
}  # fmt: skip
GLOBALS: dict[str, Any] = {
    "may": may, "may_all": may_all, "may_undo": may_undo, "here": here, "way_back": way_back, "marks": marks, "caller": caller, "has_pbx": has_pbx, "joined": joined, "types_in_words": types_in_words, "line_choices": line_choices,
    "STAGES": STAGES, "TONES": TONES, "REASONS": REASONS, "LAYERS": LAYERS, "ROLES": ROLES, "KEY_TYPES": KEY_TYPES, "OUTCOMES": OUTCOMES,
    "GOOD_REASONS": GOOD_REASONS, "QUIET_REASONS": QUIET_REASONS,
}  # fmt: skip

"""Extensions and ring groups as rows of Asterisk's own database (AstDB), and back. Pure.

An extension is a PJSIP endpoint, its address of record (AOR) and its credentials (auth); a ring group is a list of members that the
dialplan reads. Beside each stands a mark, ``/provisioner/<number>``: it says that the object is ours and what was pushed, without a
secret. Reading back builds from mark and secrets what should stand there; what stands there instead is a deviation.
Source: docs.asterisk.org, res_pjsip configuration; docs/adr/0009 for why AstDB.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pbx_sync.asterisk.ami import LONGEST_VALUE
from pbx_sync.asterisk.configuration import RECORD_FAMILY as RECORD
from pbx_sync.state import OTHER_FORM, Endpoint, PBXObject, RingGroup

MARK = "provisioner"
GROUP = "provisioner-group"
ENDPOINT = "ps_endpoint/endpoint"
AOR = "ps_aor/aor"
AUTH = "ps_auth/auth"
FAMILIES = (MARK, GROUP, ENDPOINT, AOR, AUTH, RECORD)

Key = tuple[str, str]
"""A row's family and key."""
Rows = Mapping[Key, str]

FORM = "2"
"""Which rows an object is made of, and which fields they have. The mark says it, so that a later version knows what an earlier one wrote."""
REGISTRATION_S = 600
"""The one interval that every registration gets, whatever the phone asks for: so a contact's expiry says when it registered."""
MOST_CONTACTS = 10
"""Phones that share an extension. One more, and the registration that expires first goes."""
MOST_FORMER = 3
LONGEST_NAME = 79
"""Bytes of a caller's name that Asterisk keeps; it cuts in the middle of a character."""

NOWHERE = "nowhere"
"""Where an endpoint's text messages go: without a context of their own they run what a call to the same number runs."""
NOTIFIER = "default_outbound_endpoint"
"""The endpoint that Asterisk takes where a NOTIFY goes to an address instead of an endpoint; this is the name that it looks for."""
NOTIFIER_ROW = ((ENDPOINT, NOTIFIER), '{"context":"none","identify_by":"ip","allow":"!all,ulaw","allow_subscribe":"no"}')
"""Identified by address, and no address is: nobody can call in as this endpoint, which has no password."""

_LONGEST_GROUP = 48
_AUTH_SUFFIXES = (
    "",
    *(f"~former{place}" for place in range(1, MOST_FORMER + 1)),
    *(f"~kept{place}" for place in range(1, MOST_FORMER + 2)),
)
"""A number's credentials: the secret, the former ones, and what ``bridge_of`` needs for a moment."""
_NUMBER = re.compile(r"^[0-9A-Za-z*#+][0-9A-Za-z*#+._\-]{0,31}\Z")
_RESERVED = frozenset({NOTIFIER, "anonymous"})
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Profile:
    """What all extensions of one Asterisk have in common. ``hints`` is the context that lamps are looked up in."""

    context: str = "internal"
    hints: str = "internal"
    codecs: str = "g722,ulaw,alaw,opus"
    """In the order of preference. Opus last: it is passed through between two phones, and Asterisk itself need not speak it."""


def problem(item: PBXObject, profile: Profile) -> str:
    """Returns why Asterisk cannot hold the object, as a sentence, or an empty string."""
    if not _NUMBER.match(item.number):
        return "a number has 1 to 32 letters, digits or the signs * # + . _ -"
    if item.number in _RESERVED:
        return f"{item.number} means something else to Asterisk"
    own = _secret_problem(item) if isinstance(item, Endpoint) else _member_problem(item)
    return own or _length_problem(item, profile)


def rows_of(item: PBXObject, profile: Profile) -> dict[Key, str]:
    """Returns the rows that make the object, the mark first and the endpoint last: whatever is referred to stands there before."""
    mark = _json(_described(item))
    if isinstance(item, RingGroup):
        return {(MARK, item.number): mark, (GROUP, item.number): ",".join(item.members)}
    number = item.number
    secrets = dict(zip(_auth_names(item), (item.secret, *item.former_secrets), strict=True))
    return {
        (MARK, number): mark,
        **{(AUTH, name): _json(_auth(number, secret)) for name, secret in secrets.items()},
        (AOR, number): _json(_aor(number)),
        **({(RECORD, number): "1"} if item.record_calls else {}),
        (ENDPOINT, number): _json(_endpoint(item, profile)),
    }


def keys_of(number: str) -> tuple[Key, ...]:
    """Returns the keys of every row that a number may have, in the order in which ``rows_of`` makes them."""
    auths = tuple((AUTH, f"{number}{suffix}") for suffix in _AUTH_SUFFIXES)
    return ((MARK, number), (GROUP, number), *auths, (AOR, number), (RECORD, number), (ENDPOINT, number))


def bridge_of(number: str, before: Rows, after: Rows) -> dict[Key, str]:
    """Returns rows that stand between the two, so that a secret which both take is taken all the time although its row changes.

    They are the credentials that move into a row which another one leaves, under names of their own, and an endpoint that takes them
    besides; empty where nothing moves so.
    """
    then, now = ({key: value for key, value in rows.items() if key[0] == AUTH} for rows in (before, after))
    moving = sorted({now[key] for key in now.keys() & then.keys() if now[key] != then[key] and now[key] in then.values()})
    if not moving or (ENDPOINT, number) not in before or (ENDPOINT, number) not in after:
        return {}
    kept = {(AUTH, f"{number}~kept{place}"): value for place, value in enumerate(moving, 1)}
    wanted = json.loads(after[ENDPOINT, number])
    bridge = _json({**wanted, "auth": ",".join([wanted["auth"], *(name for _, name in kept)])})
    return {**kept, (ENDPOINT, number): bridge} if len(bridge.encode()) <= LONGEST_VALUE else {}


def number_of(key: Key) -> str:
    """Returns the number that a row belongs to."""
    return key[1].partition("~")[0] if key[0] == AUTH else key[1]


def read_back(number: str, rows: Rows, profile: Profile) -> PBXObject | None:
    """Returns the object that the number's rows make, with what is not as it should be; None where it does not carry our mark."""
    if (MARK, number) not in rows:
        return None
    said = _parsed(rows[MARK, number])
    item = _claimed(number, said, rows)
    expected = rows_of(item, profile)
    found = [line for key in keys_of(number) for line in _deviations(key, expected.get(key), rows.get(key))]
    return replace(item, deviations=tuple(found))


def caller_id(name: str, number: str) -> str:
    """Returns the caller id as Asterisk parses it: quotes and backslashes escaped, no control characters, cut where a character ends."""
    text = _CONTROL.sub(" ", name)
    short = text.encode()[:LONGEST_NAME].decode(errors="ignore")
    escaped = short.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{number}>'


def _claimed(number: str, said: Mapping[str, object], rows: Rows) -> PBXObject:
    """Returns the object that the mark describes, its secrets and members being what stands in Asterisk."""

    def text(name: str) -> str:
        value = said.get(name, "")
        return value if isinstance(value, str) else ""

    if said.get("kind") == "group":
        members = rows.get((GROUP, number), "")
        return RingGroup(number, text("name"), tuple(members.split(",")) if members else ())
    names = [name for family, name in keys_of(number) if family == AUTH][: 1 + MOST_FORMER]
    secrets = [str(_parsed(rows[AUTH, name]).get("password", "")) if (AUTH, name) in rows else "" for name in names]
    return Endpoint(number, text("name"), secrets[0], text("email"), text("department"), tuple(filter(None, secrets[1:])), "record" in said)


def _deviations(key: Key, expected: str | None, actual: str | None) -> list[str]:
    """Returns what is not as it should be in one row. A secret is never in it."""
    if expected == actual:
        return []
    family, name = key
    what = {
        MARK: "the mark",
        GROUP: "the list of members",
        ENDPOINT: "endpoint",
        AOR: "aor",
        AUTH: "auth",
        RECORD: "the mark of recording",
    }[family]
    row = what if family in (MARK, GROUP, RECORD) else f"{what} {name}"
    if actual is None or expected is None:
        return [f"{row} is {'missing' if actual is None else 'there and should not be'}"]
    wanted, found = _parsed(expected), _parsed(actual)
    if family == MARK and found and found.get("form") != FORM:
        return [OTHER_FORM]
    lines = [_difference(f"{what}.{field}", found.get(field), wanted.get(field)) for field in sorted({*wanted, *found})]
    return [line for line in lines if line] or [f"{row} is written otherwise than here"]


def _difference(field: str, found: object, wanted: object) -> str:
    if found == wanted:
        return ""
    if field in ("auth.password", "auth.md5_cred"):
        return f"{field} is not what it should be"
    return f"{field} is {_quoted(found)}, should be {_quoted(wanted)}"


def _quoted(value: object) -> str:
    return "not set" if value is None else repr(value)[:200]


def _described(item: PBXObject) -> dict[str, str]:
    if isinstance(item, RingGroup):
        return {"form": FORM, "kind": "group", "name": item.name}
    said = {"form": FORM, "kind": "extension", "name": item.display_name, "email": item.email, "department": item.department}
    return {**said, "record": "1"} if item.record_calls else said  # one that is not recorded is as it was before there were recordings


def _auth_names(item: Endpoint) -> list[str]:
    # A number never has "~" in it: no other extension can be called as one of these is.
    return [item.number, *(f"{item.number}~former{place}" for place in range(1, len(item.former_secrets) + 1))]


def _auth(number: str, secret: str) -> dict[str, str]:
    return {"auth_type": "userpass", "username": number, "password": secret}  # "digest" is unknown to Asterisk 20


def _aor(number: str) -> dict[str, str]:
    interval = str(REGISTRATION_S)
    return {
        "max_contacts": str(MOST_CONTACTS),
        "remove_existing": "yes",
        "minimum_expiration": interval,
        "default_expiration": interval,
        "maximum_expiration": interval,
        "mailboxes": f"{number}@default",  # for phones that subscribe to their lamp; the endpoint's is for those that do not
    }


def _endpoint(item: Endpoint, profile: Profile) -> dict[str, str]:
    group = _pickup_group(item.department)
    pickup = {"named_call_group": group, "named_pickup_group": group} if group else {}
    return {
        "context": profile.context,
        "message_context": NOWHERE,
        "subscribe_context": profile.hints,
        "allow": f"!all,{profile.codecs}",
        "auth": ",".join(_auth_names(item)),
        "aors": item.number,
        "callerid": caller_id(item.display_name, item.number),
        "identify_by": "username",
        "mailboxes": f"{item.number}@default",
        "mwi_subscribe_replaces_unsolicited": "yes",
        **pickup,
        # Behind NAT the address that a phone writes of itself is wrong: answer, send and call to where it speaks from.
        "force_rport": "yes",
        "rewrite_contact": "yes",
        "rtp_symmetric": "yes",
        "direct_media": "no",
        "media_encryption": "sdes",  # encrypted where the phone asks for it, plain where it does not
        "media_encryption_optimistic": "yes",
        "send_pai": "yes",
        "notify_early_inuse_ringing": "yes",  # a lamp blinks, and picks up, although the other phone is in a call already
        # A phone that lost its power in a call would be "in a call" for ever, and never be told of a change.
        "rtp_timeout": "900",
        "rtp_timeout_hold": "14400",
    }


def _pickup_group(department: str) -> str:
    """Returns the named group of a department. Commas separate groups; and the row has to fit into one line, the name twice."""
    name = department.strip().replace("%", "%25").replace(",", "%2C")
    return name if len(name.encode(errors="replace")) <= _LONGEST_GROUP else f"%{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _secret_problem(item: Endpoint) -> str:
    if len(item.former_secrets) > MOST_FORMER:
        return f"it has {len(item.former_secrets)} former secrets; {MOST_FORMER} are possible"
    if any(not secret or not secret.isascii() or not secret.isprintable() for secret in (item.secret, *item.former_secrets)):
        return "its secret is empty or holds what is no printable ASCII character"
    return ""


def _member_problem(item: RingGroup) -> str:
    return "" if all(map(_NUMBER.match, item.members)) else "one of its members has no number"


def _length_problem(item: PBXObject, profile: Profile) -> str:
    try:
        longest, family = max((len(value.encode()), key[0]) for key, value in rows_of(item, profile).items())
    except UnicodeEncodeError:
        return "its name, e-mail address or department holds half a character"
    if longest <= LONGEST_VALUE:
        return ""
    if family == GROUP:
        return f"its members are too long for Asterisk: {longest} bytes, {LONGEST_VALUE} are possible"
    return f"its name, e-mail address and department together are too long for Asterisk: {longest} bytes, {LONGEST_VALUE} are possible"


_json: Callable[[Mapping[str, str]], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Compact, and with the letters as they are: a row has to fit into one line."""


def _parsed(text: str) -> Mapping[str, object]:
    """Returns the object that a row holds; an empty one where it is damaged, which then deviates in every field."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

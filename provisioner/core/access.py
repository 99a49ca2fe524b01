"""Which stage a request has proven, and whether its site accepts that: the one place where secrets are let out.

Pure: the clock, the network test and the credentials' verdict come in as arguments.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, Protocol

from provisioner.core.mac import Mac, try_parse
from provisioner.core.values import Reason

Credentials = Literal["none", "good", "bad", "stale"]
"""``stale``: of Digest alone; right, but with a nonce that is not to be used, or not again."""
_COMMON_NAME = re.compile(r"(?:^|(?<!\\),)CN=([^,\\]*)")


class Proof(NamedTuple):
    """What a request brings along. A tuple, for one is made for every request of a storm."""

    token: Credentials = "none"
    """Whether the path carried a capability token, and whether it is this phone's."""
    trusted_network: bool = False
    credentials: Credentials = "none"
    """Digest or Basic."""
    looks_like_vendor: bool = False
    """The User-Agent is that of a phone of the listed vendor and names a model (or the wire has none, as TFTP)."""
    conflict: str = ""
    """In words, what contradicts the record."""
    frozen: bool = False
    """The bootstrap is shut for this address: a scan for MACs goes on."""
    another_address: bool = False
    """Another address took the file since the first fetch was opened."""
    certificate: Credentials = "none"
    """Of the client, verified: ``good`` names this phone's MAC, ``bad`` another one's; one without a MAC says nothing."""


class Standing(NamedTuple):
    """What the record says of the phone. Times in seconds since the epoch."""

    enabled: bool
    access: str
    """``open``, ``first-fetch``, ``token``, ``digest`` or ``mtls``: the site's."""
    opened_at: float
    first_success_at: float | None
    has_key: bool = False
    """Its files are encrypted, and it is proven to have the key: it came by the address that it read together with the key."""


RUN_S = 600.0
"""How long a phone may go on fetching by an install code after its first file: with a restart into the telephone software in between."""


class CodeStanding(Protocol):
    """What is known of an install link (``records.InstallLink``)."""

    @property
    def expires_at(self) -> float: ...
    @property
    def started_at(self) -> float | None: ...
    @property
    def peer(self) -> str: ...
    @property
    def closed_at(self) -> float | None: ...


def code_verdict(link: CodeStanding, peer: str, now: float) -> Reason:
    """Returns SERVED where a right code still opens the phone's files for ``peer``, else CODE_SPENT.

    One phone's one run of fetching: it begins in time, stays with the address that it began at, ends after ``RUN_S`` or as soon as the
    phone was served at its own address.
    """
    if link.closed_at is not None:
        return Reason.CODE_SPENT
    if link.started_at is None:
        return Reason.SERVED if now <= link.expires_at else Reason.CODE_SPENT
    is_same_run = peer == link.peer and 0 <= now - link.started_at <= RUN_S
    return Reason.SERVED if is_same_run else Reason.CODE_SPENT


def link_state(link: CodeStanding, now: float) -> Literal["open", "running", "used", "expired"]:
    """Returns where a link is: not used yet, being used, used, or never used in time."""
    if link.started_at is None:
        return "open" if now <= link.expires_at else "expired"
    return "running" if code_verdict(link, link.peer, now) is Reason.SERVED else "used"


def decide(standing: Standing, proof: Proof, *, now: float, first_fetch_s: float) -> Reason:
    """Returns SERVED where the phone may have its files, else the reason why not.

    A token, good digest credentials or a certificate of its own prove the phone wherever it is. Without, ``open`` and ``first-fetch`` accept a trusted
    network; a first fetch, besides, only a phone of the listed vendor and model, only until its first success at its own address, only for
    ``first_fetch_s`` seconds, and only to the one address that took it first. Nothing helps against a conflict, nor, without a token or
    credentials, against a frozen bootstrap. What is asked for without a token goes out in clear: not to a phone that has its key.
    """
    if not standing.enabled:
        return Reason.DISABLED
    reason = _proven(standing, proof, now, first_fetch_s)
    if reason is not Reason.SERVED:
        return reason
    if proof.conflict or proof.certificate == "bad":
        return Reason.CONFLICT
    # The certificate is the phone's alone, and came over TLS: nobody on the way reads what it gets.
    in_clear = standing.has_key and proof.token == "none" and proof.certificate != "good"
    return Reason.BOOTSTRAP_CLOSED if in_clear else Reason.SERVED


def _proven(standing: Standing, proof: Proof, now: float, first_fetch_s: float) -> Reason:
    if proof.token != "none":
        return Reason.SERVED if proof.token == "good" else Reason.BAD_TOKEN
    if standing.access == "digest":
        return {"good": Reason.SERVED, "bad": Reason.BAD_CREDENTIALS}.get(proof.credentials, Reason.UNPROVEN)
    if standing.access == "mtls":
        return Reason.SERVED if proof.certificate == "good" else Reason.UNPROVEN
    if standing.access not in {"open", "first-fetch"} or not proof.trusted_network:
        return Reason.UNPROVEN
    if proof.frozen:
        return Reason.FROZEN
    return Reason.SERVED if standing.access == "open" else _first_fetch(standing, proof, now, first_fetch_s)


def certificate_of(subject: str, mac: Mac) -> Credentials:
    """Returns what a verified client certificate says of the phone ``mac``; ``subject`` as ``CN=805EC0AABBCC,O=Maker``.

    The makers write the MAC as the common name (sources: ``docs/explain/access-and-secrets.md``), with or without separators, in any case.
    """
    names = _COMMON_NAME.findall(subject)
    named = try_parse(names[0].strip()) if len(names) == 1 else None
    return "none" if named is None else "good" if named == mac else "bad"


def _first_fetch(standing: Standing, proof: Proof, now: float, first_fetch_s: float) -> Reason:
    """Who asks is judged before whether it is open: what a phone that was reset asks for is told from what a stranger does."""
    if not proof.looks_like_vendor:
        return Reason.NOT_A_PHONE
    if proof.conflict:
        return Reason.CONFLICT
    if standing.first_success_at is not None or now - standing.opened_at > first_fetch_s:
        return Reason.BOOTSTRAP_CLOSED
    return Reason.REPLAYED if proof.another_address else Reason.SERVED

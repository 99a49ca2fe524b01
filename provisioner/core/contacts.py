"""Which phone a registration is of: the PBX knows numbers and contacts, not phones.

Evidence, the strongest first: the MAC that a User-Agent names, its vendor, its model, the address that a phone last fetched from. Where
it does not tell several phones apart, all of them may be meant: then a wake goes to each contact, and a registration proves only what
holds whichever phone made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from provisioner.core.mac import Mac
from provisioner.core.values import UserAgent


@dataclass(frozen=True, slots=True)
class LinePhone:
    """A phone with the extension on a line. ``address``: where it last fetched from; empty where that is not known."""

    mac: Mac
    vendor: str
    ua_models: frozenset[str]
    address: str = ""


@dataclass(frozen=True, slots=True)
class LineContact:
    """A registration of the extension. ``agent`` is what its User-Agent says; None where it is none of our vendors'."""

    uri: str
    registered_at: float
    address: str
    user_agent: str
    agent: UserAgent | None


def owners(contacts: Iterable[LineContact], phones: Sequence[LinePhone]) -> dict[LineContact, tuple[Mac, ...]]:
    """Returns the phones that each contact of one extension may be of; none for one that is certainly of another device.

    A User-Agent of nobody we know (a soft phone, or a phone that was given another name) counts only while no contact has a known one.
    """
    found = list(contacts)
    has_known = any(contact.agent for contact in found)
    return {contact: () if has_known and contact.agent is None and contact.user_agent else _owners(contact, phones) for contact in found}


def wake_uris(mac: Mac, contacts: Iterable[LineContact], phones: Sequence[LinePhone]) -> tuple[str, ...]:
    """Returns the contacts that a NOTIFY for the phone has to go to: its own, or all that may be."""
    return tuple(contact.uri for contact, macs in owners(contacts, phones).items() if mac in macs)


def proven(contacts: Iterable[LineContact], phones: Sequence[LinePhone]) -> dict[Mac, LineContact]:
    """Returns the newest registration that each phone is proven to have made; phones without are left out.

    Where phones cannot be told apart, at least as many contacts as phones are needed, and the oldest of them is what each has at least.
    """
    newest: dict[Mac, LineContact] = {}
    shared: dict[tuple[Mac, ...], list[LineContact]] = {}
    for contact, macs in owners(contacts, phones).items():
        if len(macs) == 1:
            known = newest.get(macs[0])
            newest[macs[0]] = contact if known is None or known.registered_at < contact.registered_at else known
        elif macs:
            shared.setdefault(macs, []).append(contact)
    return {**_of_all(shared), **newest}


def _of_all(shared: Mapping[tuple[Mac, ...], Sequence[LineContact]]) -> dict[Mac, LineContact]:
    return {
        mac: min(contacts, key=lambda contact: contact.registered_at)
        for macs, contacts in shared.items()
        if len(contacts) >= len(macs)
        for mac in macs
    }


def _owners(contact: LineContact, phones: Sequence[LinePhone]) -> tuple[Mac, ...]:
    agent, left = contact.agent, list(phones)
    if agent is not None:
        if agent.mac is not None:
            return tuple(phone.mac for phone in left if phone.mac == agent.mac)
        left = [phone for phone in left if phone.vendor == agent.vendor]
        left = [phone for phone in left if agent.model in phone.ua_models] or left
    left = [phone for phone in left if contact.address and phone.address == contact.address] or left
    return tuple(phone.mac for phone in left)

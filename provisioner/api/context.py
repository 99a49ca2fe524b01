"""What a view needs of its application and of the request: the installation, who asks, the request's id."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from flask import Flask, current_app, g, request

from provisioner.accounts import Caller
from provisioner.changes.rehearsing import Rehearsal
from provisioner.wiring import Installation, within

_KEY = "provisioner"
REHEARSAL = "provisioner.rehearsal"
"""In the environment of a request whose changes are taken back; no header comes to such a name."""


def attach(app: Flask, installation: Installation) -> None:
    app.extensions[_KEY] = installation


def installation() -> Installation:
    """Returns the installation as far as who asks sees it; all of it where nobody (yet) proved to be asking."""
    whole, who = _whole(), caller()
    if who is None or who.scope is None:
        return whole
    if "seen" not in g:
        g.seen = within(whole, who.scope)
    return cast("Installation", g.seen)


def everything() -> Installation:
    """Returns all of the installation, whoever asks: for what is kept of the request itself, not for what it asks about."""
    return cast("Installation", current_app.extensions[_KEY])


def rehearsing() -> Installation:
    """Returns the installation as far as who asks sees it, with changes that are taken back at their end."""
    who = caller()
    scope = who.scope if who else None
    whole = _taken_back()
    return whole if scope is None else within(whole, scope)


def _whole() -> Installation:
    """Returns all of the installation; in a rehearsal one whose changes are taken back."""
    return _taken_back() if REHEARSAL in request.environ else everything()


def _taken_back() -> Installation:
    whole, who = everything(), caller()
    return replace(whole, changes=Rehearsal(whole.changes, who.scope if who else None))


def has_pbx() -> bool:
    """Returns whether a PBX is kept in lockstep at all."""
    return installation().settings.has_pbx


def set_caller(caller: Caller) -> None:
    g.caller = caller


def caller() -> Caller | None:
    """Returns who proved to be asking, or None where nobody did (yet)."""
    return cast("Caller | None", g.get("caller"))


def actor() -> str:
    """Returns the name under which a change is kept."""
    return cast("Caller", g.caller).name


def is_admin() -> bool:
    return cast("Caller", g.caller).role == "admin"

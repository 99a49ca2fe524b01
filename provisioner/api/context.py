"""What a view needs of its application and of the request: the installation, who asks, the request's id."""

from __future__ import annotations

from typing import cast

from flask import Flask, current_app, g

from provisioner.accounts import Caller
from provisioner.wiring import Installation

_KEY = "provisioner"


def attach(app: Flask, installation: Installation) -> None:
    app.extensions[_KEY] = installation


def installation() -> Installation:
    return cast("Installation", current_app.extensions[_KEY])


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

"""The sentences of instruction sheets and their translations.

A text stands here in English, marked with ``mark``; ``translations/*.po`` hold the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup, escape

from provisioner.translating import translations

FOLDER = Path(__file__).parent / "translations"


def mark(text: str) -> str:
    """Returns the text as it is: it is put into a language later."""
    return text


STEPS: Mapping[str, str] = {
    "address_key": mark("Press the key %(key)s on the phone. Write down the IP address that it shows; it looks like 192.168.1.50."),
    "address_menu": mark("Open %(path)s on the phone. Write down the IP address that it shows; it looks like 192.168.1.50."),
    "address_voice": mark(
        "Pick up the telephone that is connected to the adapter and dial %(key)s. Write down the IP address that a voice tells; "
        "it looks like 192.168.1.50."
    ),
    "browse": mark("Open a web browser on the computer and type http:// and then the IP address of the phone."),
    "login": mark("Log in as %(user)s with the password %(password)s."),
    "login_label": mark("Log in as %(user)s. The password is on the label at the back of the phone; on older phones it is %(password)s."),
    "open": mark("Open %(path)s."),
    "password": mark("Enter the password %(password)s."),
    "choose": mark("Choose %(value)s in the field %(field)s."),
    "enter": mark("Type %(value)s into the field %(field)s."),
    "press": mark("Press %(key)s."),
}
"""What a step is in words; its keys are those of ``core.catalogue.STEP_FIELDS``."""

PARTS: Mapping[str, str] = {
    "title": mark("Set up your telephone"),
    "phone": mark("Phone"),
    "mac": mark("MAC address"),
    "number": mark("Your number"),
    "address": mark("Address of the server"),
    "exactly": mark("Type it exactly as it is here. The last part has small letters and the digits 2 to 7 only."),
    "once": mark("The address works once, and until %(until)s. Do not open it in a web browser."),
    "local": mark("The address works only in the network of your organisation."),
    "before": mark("Before you begin"),
    "connect": mark(
        "Connect the phone to your router with a network cable. Connect the power supply, unless the network cable brings power."
    ),
    "wait": mark("Wait until the phone has started. This takes up to three minutes."),
    "either": mark("There are two ways. Choose one of them."),
    "computer": mark("With a computer in the same network"),
    "at_phone": mark("At the phone itself"),
    "after": mark("Afterwards"),
    "fetches": mark("The phone fetches its settings and may restart twice. Leave it connected for ten minutes."),
    "ready": mark("It is ready when it shows your number."),
    "trouble": mark("If it does not work"),
    "compare": mark("Compare every character of the address. If all are right, ask whoever gave you this sheet for a new address."),
}
"""Everything else that is printed."""


def said(language: str, text: str, **values: str) -> Markup:
    """Returns a marked text in a language, with ``values``, escaped and in bold, put in."""
    bold = {name: Markup("<b>%s</b>") % value for name, value in values.items()}
    translated = escape(translations(FOLDER, language).gettext(text))
    return translated % bold if values else translated

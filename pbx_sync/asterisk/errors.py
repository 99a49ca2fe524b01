"""What can go wrong with the bundled Asterisk, each with the sentence that a person reads."""

from __future__ import annotations


class AsteriskError(Exception):
    """The bundled Asterisk cannot be installed, set up or run. The message says why and what mends it."""


class InstallError(AsteriskError):
    """Asterisk could not be brought onto this machine; what was there before is untouched."""


class StartError(AsteriskError):
    """Asterisk did not come up, or does not answer."""

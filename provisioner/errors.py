"""Every error of ours, in one tree.

::

    ProvisionerError                 something that a person has to be told
    ├── SettingsError                the environment or provisioner.toml is wrong: every bad value listed at once
    ├── CatalogueError               phone_templates/ is wrong: every mistake listed, each with its file
    ├── RenderError                  a template failed for one phone: file, line, variable
    ├── InputError                   a field that a person sent is wrong: one entry per field
    │   ├── NotFound                 the thing named is not there
    │   └── AlreadyExists            the thing named is there already
    ├── StaleWrite                   somebody else changed it since it was read (If-Match)
    ├── Forbidden                    beyond the sites or the role of who asks
    ├── NeedsConfirmation            a plan over the blast-radius guard
    ├── RemoteError                  a server elsewhere refused a command, or did not answer
    └── SecretError                  the key beside the database is missing or does not fit

Each class has ``reason`` (stable, for programs) and a message that says what is wrong and how to mend it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class ProvisionerError(Exception):
    """Something that a person has to be told."""

    reason: ClassVar[str] = "error"


class SettingsError(ProvisionerError):
    """The settings are wrong; ``mistakes`` lists every one."""

    reason = "bad_settings"

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("Settings that cannot be used:\n" + "\n".join(f"  {mistake}" for mistake in mistakes))


class CatalogueError(ProvisionerError):
    """The catalogue is wrong; ``mistakes`` lists every one, each beginning with its file."""

    reason = "bad_catalogue"

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(f"{len(self.mistakes)} mistake(s) in the catalogue:\n" + "\n".join(f"  {mistake}" for mistake in mistakes))


class RenderError(ProvisionerError):
    """A template failed for one phone. The message names template, line and variable, and never a value."""

    reason = "render_failed"

    def __init__(self, message: str, *, template: str, line: int | None = None) -> None:
        self.template = template
        self.line = line
        super().__init__(f"{template}{f' line {line}' if line else ''}: {message}")


class InputError(ProvisionerError):
    """Fields that a person sent are wrong. ``fields`` maps the field's path (``lines.0.extension``) to a sentence."""

    reason = "invalid_input"

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__("; ".join(f"{name}: {sentence}" for name, sentence in fields.items()))


class NotFound(InputError):
    """The thing named is not there."""

    reason = "not_found"


class AlreadyExists(InputError):
    """The thing named is there already."""

    reason = "already_exists"


class StaleWrite(ProvisionerError):
    """Somebody else changed it since it was read."""

    reason = "changed_meanwhile"


class Forbidden(ProvisionerError):
    """Somebody asks for what their sites or their role do not reach."""

    reason = "forbidden"


class NeedsConfirmation(ProvisionerError):
    """A plan that touches too much to be applied unasked."""

    reason = "needs_confirmation"


class RemoteError(ProvisionerError):
    """A server elsewhere, which the command line was pointed to, refused something or did not answer."""

    reason = "remote"


class SecretError(ProvisionerError):
    """The key beside the database is missing or does not fit its contents."""

    reason = "bad_secret_key"

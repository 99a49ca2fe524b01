"""The forms that an import is taken in, and which of them a file has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.importing.foreign import archive, freepbx, fusionpbx
from provisioner.importing.foreign.phone_files import PhoneFiles
from provisioner.importing.foreign.sheets import Sheet
from provisioner.importing.reading import MAX_BYTES, UnreadableFileError, parsed_file, refused
from provisioner.importing.values import ParsedFile

OWN = "csv"
FORMATS: Mapping[str, str] = {
    OWN: "",
    "phone-files": "read as files that another system wrote for its phones",
    "fusionpbx-devices": "read as a FusionPBX device export",
    "fusionpbx-extensions": "read as a FusionPBX extension export",
    "freepbx": "read as a FreePBX Bulk Handler export of extensions",
}
"""Format -> how the preview names it; our own needs no name."""
KnownModels = Callable[[list[Mac]], Mapping[Mac, str]]
"""Returns the models of those phones that are listed."""


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody said of a file besides the file itself."""

    form: str = ""
    """One of ``FORMATS``; empty: it is recognised."""
    model: str = ""
    """Of phones whose files tell none."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads files in any of the formats; what of a file is there already, ``known`` tells."""

    renderer: Renderer
    known: KnownModels

    def parsed(self, content: bytes | str, told: Told) -> ParsedFile:
        """Returns the rows of a file, or why it cannot be read. Never raises for content."""
        form = told.form or _recognised(content)
        if form == OWN:
            return parsed_file(content)
        try:
            found = self._read(content, form, told.model)
        except UnreadableFileError as error:
            return ParsedFile(mistakes=tuple(error.mistakes), is_unreadable=True, form=form)
        return replace(found, form=form, notes=(FORMATS[form], *found.notes))

    def _read(self, content: bytes | str, form: str, model: str) -> ParsedFile:
        if form == "phone-files":
            return self._phone_files(content, model)
        if form == "fusionpbx-devices":
            return fusionpbx.devices(Sheet(content), self.renderer.catalogue, model, self.known)
        if form == "fusionpbx-extensions":
            return fusionpbx.extensions(Sheet(content))
        if form == "freepbx":
            return freepbx.extensions(Sheet(content))
        raise refused(1, f"there is no format {form[:40]}", f"name one of {', '.join(FORMATS)}")

    def _phone_files(self, content: bytes | str, model: str) -> ParsedFile:
        raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        if len(raw) > MAX_BYTES:
            raise refused(1, f"the file has {len(raw)} bytes; at most {MAX_BYTES} are taken", "import it in parts")
        members, large = archive.members(raw)
        read = PhoneFiles(self.renderer).parsed(members, model, self.known)
        return replace(read, notes=(*read.notes, *(f"not read, because it is too large: {name[:80]}" for name in large[:20])))


def _recognised(content: bytes | str) -> str:
    """Returns the format that a file has by its looks; what looks like nothing is a spreadsheet, whose reader says what is wrong."""
    if isinstance(content, bytes) and content.startswith(archive.MAGIC):
        return "phone-files"
    try:
        names = Sheet(content).names
    except UnreadableFileError:
        return OWN
    looks = {
        "fusionpbx-devices": fusionpbx.are_devices,
        "fusionpbx-extensions": fusionpbx.are_extensions,
        "freepbx": freepbx.are_extensions,
    }
    return next((form for form, are_its in looks.items() if are_its(names)), OWN)

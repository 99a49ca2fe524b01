"""Reads the files that another system wrote for its phones, one phone or more: lines, keys and passwords, as the catalogue's own templates
hold them. Which vendor a file is of, and which model, is told by its name and its parameters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from provisioner.changes.keys import KeyInput, key_inputs
from provisioner.core.catalogue import Model, Vendor
from provisioner.core.mac import Mac, try_parse
from provisioner.core.parameters import parameters_of
from provisioner.core.probing import Form, learned
from provisioner.core.readback import ReadPhone, read_phone
from provisioner.core.render import Renderer
from provisioner.importing.foreign.archive import Member
from provisioner.importing.foreign.facts import LineFacts, PhoneFacts, Rows, keys_left_out, listed, shown_name
from provisioner.importing.reading import refused
from provisioner.importing.values import ImportMistake, Left, ParsedFile
from provisioner.importing.world import model_names, named_model

_MAC = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{12}|[0-9A-Fa-f]{2}(?:[-_:][0-9A-Fa-f]{2}){5})(?![0-9A-Za-z])")
_LOOKED_AT = 65_536
"""Characters of a file in which its model is looked for."""
_MOST_LEFT = 500
"""Parameters that are told as not taken over."""
FORMS_KEPT = 16
"""What was learned of a model with all its modules holds half a megabyte."""
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]{1,15}")


@dataclass(slots=True)
class _Phone:
    mac: Mac
    vendor: Vendor
    names: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)


class PhoneFiles:
    """Reads files with one catalogue."""

    def __init__(self, renderer: Renderer) -> None:
        self._catalogue, self._renderer = renderer.catalogue, renderer
        self._models = model_names(self._catalogue)
        self._words = {vendor.id: _model_words(vendor) for vendor in self._catalogue.vendors.values()}

    def _phones(self, files: Sequence[Member]) -> tuple[list[_Phone], list[str]]:
        """Returns the phones that the files are of, in the order of the files, and the names of those that are of none."""
        found: dict[Mac, _Phone] = {}
        unread: list[str] = []
        for file in files:
            mac, text = self._mac(file.name), _text(file.content)
            vendor, parameters = self._vendor(text, mac) if mac and text else (None, {})
            phone = found.get(mac) if mac else None
            if mac is None or vendor is None or (phone is not None and phone.vendor is not vendor):
                unread.append(file.name)
                continue
            phone = found.setdefault(mac, _Phone(mac, vendor))
            phone.names.append(file.name)
            phone.texts.append(text)
            phone.parameters |= parameters  # what a phone's user changed has the longer name, comes later and holds
        return list(found.values()), unread

    def parsed(self, files: Sequence[Member], model: str, known_models: Callable[[list[Mac]], Mapping[Mac, str]]) -> ParsedFile:
        """Returns the rows that the files say. ``model`` is that of phones whose files tell none. Raises ``UnreadableFileError``."""
        phones, unread = self._phones(files)
        if not phones:
            mend = "the name of each file holds the MAC of its phone, for example 805ec0aabbcc.cfg"
            raise refused(1, "no file of the ZIP is the file of one phone", mend)
        known = known_models([phone.mac for phone in phones])
        rows, mistakes, left = Rows(), list[ImportMistake](), _LeftOut()
        for at, phone in enumerate(phones, start=1):
            source = shown_name(phone.names[0])
            found = self._model(phone, model, known)
            if isinstance(found, Model):
                read = self._read(found, phone.parameters)
                left.add(read, form_of(self._renderer, found.id, with_modules=False))
                rows.notes += [keys_left_out(source, read.strange)] if read.strange else []
                rows.add(PhoneFacts(at, source, phone.mac, found.id, tuple(_lines(read)), keys_of(read)))
            else:
                mistakes.append(ImportMistake(at, "model", *found, source))
        if unread:
            rows.notes.append(f"not read, because nothing of one phone is in them: {listed(unread)}")
        return ParsedFile(tuple(rows.rows), tuple(mistakes), tuple(rows.notes), left=left.rows())

    def _mac(self, name: str) -> Mac | None:
        """Returns the MAC in the name of a file: as its vendor's phones ask for it, or standing by itself."""
        last = re.split(r"[/\\]", name)[-1]
        for vendor in self._catalogue.vendors.values():
            for rule in vendor.files:
                match = rule.regex.match(last) if rule.scope == "phone" else None
                if match and (text := match.groupdict().get("mac")):
                    return try_parse(text)
        found = _MAC.search(last)
        return try_parse(found[0]) if found else None

    def _vendor(self, text: str, mac: Mac) -> tuple[Vendor | None, dict[str, str]]:
        """Returns the vendor most of whose parameters the file has, and these."""
        best: tuple[int, bool, Vendor | None, dict[str, str]] = (0, False, None, {})
        for vendor in self._catalogue.vendors.values():
            if vendor.reading is None:
                continue
            parameters = parameters_of(vendor.reading, text)
            known = sum(1 for name in parameters if vendor.raw is None or vendor.raw.knows(name))
            if known and (known, mac.oui in vendor.ouis) > best[:2]:
                best = (known, mac.oui in vendor.ouis, vendor, parameters)
        return best[2], best[3]

    def _model(self, phone: _Phone, model: str, known: Mapping[Mac, str]) -> Model | tuple[str, str]:
        """Returns the phone's model, or what is wrong and its mend."""
        told = known.get(phone.mac) or self._in_words(phone) or model
        if not told:
            return (
                "the file does not tell which model the phone is",
                "name the model for all such files, or put them into a folder of its name",
            )
        found = self._catalogue.model(named_model(self._models, told) or told)
        if found is None or found.vendor != phone.vendor.id:
            return f"'{told[:60]}' is no model of {phone.vendor.name}", "name one of the models that the catalogue lists"
        return found

    def _in_words(self, phone: _Phone) -> str:
        """Returns the one model that the files name, in a folder, a comment or an address; nothing where there are several."""
        words = self._words[phone.vendor.id]
        for text in (*phone.names, *phone.texts):
            found = {words[word.upper()] for word in _WORD.findall(text[:_LOOKED_AT]) if word.upper() in words}
            if len(found) == 1:
                return found.pop()
        return ""

    def _read(self, model: Model, parameters: Mapping[str, str]) -> ReadPhone:
        form = form_of(self._renderer, model.id, with_modules=False)
        if any(parameters.get(name) for name in form.on_modules):
            form = form_of(self._renderer, model.id, with_modules=True)
        return read_phone(form, parameters)


@lru_cache(maxsize=FORMS_KEPT)
def form_of(renderer: Renderer, model_id: str, *, with_modules: bool) -> Form:
    """Returns where files of a model of the renderer's catalogue hold its lines and keys; kept, since learning it takes a second."""
    model = renderer.catalogue.model(model_id)
    if model is None:
        raise LookupError(model_id)
    return learned(renderer, model, with_modules=with_modules)


class _LeftOut:
    """Counts the parameters that were not taken over."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._ours: set[str] = set()

    def add(self, read: ReadPhone, form: Form) -> None:
        self._counts.update(read.left)
        keys = {name for names in form.keys.values() for name in names.every()}
        self._ours |= (form.written & set(read.left)) - keys

    def rows(self) -> tuple[Left, ...]:
        return tuple(Left(name, count, name in self._ours) for name, count in self._counts.most_common(_MOST_LEFT))


def keys_of(read: ReadPhone) -> tuple[KeyInput, ...] | None:
    """Returns the keys to lay out; None where the files say nothing of keys."""
    return key_inputs(read.keys) or None


def _lines(read: ReadPhone) -> Iterator[LineFacts]:
    for line in read.lines:
        yield LineFacts(line.line, line.extension, line.display_name or line.label, line.secret, line.label)


def _model_words(vendor: Vendor) -> dict[str, str]:
    """Returns what a file may call a model, in capitals -> its id."""
    return {word.upper(): model.id for model in vendor.models.values() for word in (model.name, *model.ua_models)}


def _text(content: bytes) -> str:
    """Returns the text of a file, or nothing where it is none."""
    if b"\x00" in content:
        return ""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")

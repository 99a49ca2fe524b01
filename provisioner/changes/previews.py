"""What other keys would make of a phone's files, without writing anything: both sides are rendered, and compared where they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from provisioner.changes.keys import KeyInput
from provisioner.changes.layouts import LayoutWrites
from provisioner.changes.phones import PhoneInput
from provisioner.changes.unit import Unit
from provisioner.core.laying import LayoutKey, effective_keys
from provisioner.core.mac import Mac
from provisioner.core.values import Key, PhoneConfig, RenderedFile
from provisioner.store import CHUNK


@dataclass(frozen=True, slots=True)
class KeyPreview:
    """A phone with the keys that it has and with other ones. The files hold secrets: mask them before they are shown."""

    before: PhoneConfig = field(repr=False)
    after: PhoneConfig = field(repr=False)
    files_before: tuple[RenderedFile, ...] = field(repr=False)
    files_after: tuple[RenderedFile, ...] = field(repr=False)


class PreviewReads(LayoutWrites):
    """Previews of keys."""

    def preview_keys(self, mac: Mac, keys: Sequence[KeyInput]) -> KeyPreview:
        """Returns what the keys would make of the phone. Raises as ``update_phone`` would, with every key that cannot be."""
        with self.store.database.read() as connection:
            unit = Unit(connection, self.store, self.renderer, "preview", self.clock())
            record = self._phone(unit, mac)
            self._check(unit, PhoneInput(keys=keys), record.model, record)
            own = [Key(key.module, key.key, key.type, key.value, key.label, key.line) for key in keys]
            layout = self.store.layout_keys(record.layout, connection)
            return self._previewed(unit, mac, own, layout)

    def _previewed(self, unit: Unit, mac: Mac, own: Iterable[Key], layout: Iterable[LayoutKey]) -> KeyPreview:
        before = self.store.render_jobs([mac], unit.connection)[0].config
        keys = self._named(effective_keys(own, layout))
        after = replace(before, keys=keys, modules=max([before.modules, *(key.module for key in keys)]))
        return KeyPreview(before, after, *(tuple(self.renderer.phone_files(config)) for config in (before, after)))

    def _named(self, keys: Sequence[Key]) -> tuple[Key, ...]:
        """Returns the keys as phones show them: one without a label has the name of the extension that it watches."""
        values = sorted({key.value for key in keys if key.value and not key.label})
        chunks = (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))
        names = {row.number: row.display_name for chunk in chunks for row in self.store.extensions(numbers=chunk, limit=len(chunk))}
        return tuple(replace(key, label=names.get(key.value, "")) if not key.label else key for key in keys)

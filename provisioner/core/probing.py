"""Learns where a model's files hold its lines and keys, by rendering phones of made-up facts and looking where these come out.

So nothing has to be told twice: what a vendor's templates write can be read back, on every model that they are for, with the tables of the
model. What does not live here: keys (``probing_keys``), and reading a file with what was learned (``readback``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from provisioner.core.catalogue import Model
from provisioner.core.mac import Mac
from provisioner.core.parameters import ReadingRule, parameters_of
from provisioner.core.probing_keys import KeyNames, Place, dark_keys, key_names, key_places, made_up_keys
from provisioner.core.render import Renderer
from provisioner.core.values import Key, Line, PhoneConfig, SettingValue

_MAC = Mac("020000000001")
_ADDRESS = "http://192.0.2.1/p/x/"
_INSTALLATION: Mapping[str, SettingValue] = {
    "sip_server": "192.0.2.1",
    "sip_port": 5060,
    "admin_password": "x",
    "user_password": "x",
    "shared_lines": "sca",
}
_ON, _OFF = frozenset({"1", "Yes"}), frozenset({"0", "No"})
_SWITCH_WITHIN = 8
"""A line's switch stands so close before its number."""


@dataclass(frozen=True, slots=True)
class LineNames:
    """The parameters that hold one line; the first that has a value is believed."""

    numbers: tuple[str, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    secrets: tuple[str, ...]
    switch: str = ""
    """Tells whether the line is on; empty where lines have no switch."""

    def every(self) -> Iterator[str]:
        yield from (*self.numbers, *self.names, *self.labels, *self.secrets, *([self.switch] if self.switch else []))


@dataclass(frozen=True, slots=True)
class Form:
    """Where the files of a model hold its lines and keys."""

    model: Model
    rule: ReadingRule
    lines: Mapping[int, LineNames]
    keys: Mapping[Place, KeyNames]
    written: frozenset[str] = field(repr=False)
    """Every parameter that our files of the model set."""
    on_modules: frozenset[str] = field(default=frozenset(), repr=False)
    """Parameters of keys on expansion modules, where ``keys`` has those of the phone alone."""


def learned(renderer: Renderer, model: Model, *, with_modules: bool) -> Form:
    """Returns where files of ``model`` hold its lines and keys. Raises ``RenderError``; ``LookupError`` where its vendor's files are not read."""
    rule = renderer.catalogue.vendors[model.vendor].reading
    if rule is None:
        raise LookupError(model.vendor)
    probe = _Probe(renderer, model, rule, with_modules=with_modules)
    lines, keys = probe.lines(), key_names(model, probe.places, probe.rendered)
    on_modules: frozenset[str] = frozenset()
    if model.expansion is not None and keys and not with_modules:
        full = _Probe(renderer, model, rule, with_modules=True)
        full.rendered(keys=made_up_keys(model, full.places, "speed_dial"))
        on_modules = frozenset(full.seen - probe.seen)
    return Form(model, rule, lines, keys, frozenset(probe.seen), on_modules)


class _Probe:
    """Phones of one model, with facts made up so that they are found again."""

    def __init__(self, renderer: Renderer, model: Model, rule: ReadingRule, *, with_modules: bool) -> None:
        catalogue = renderer.catalogue
        defaults = {name: row.default for name, row in catalogue.settings.items()}
        settings = {**defaults, **catalogue.vendors[model.vendor].settings, **model.settings, **_INSTALLATION}
        self.model, self.renderer, self.rule = model, renderer, rule
        self.places = key_places(model, with_modules=with_modules)
        modules = model.expansion.modules if model.expansion and with_modules else 0
        self.blank = PhoneConfig(_MAC, model.id, (), (), settings, _ADDRESS, modules)
        self.seen: set[str] = set()

    def lines(self) -> dict[int, LineNames]:
        numbers = range(1, self.model.lines + 1)
        given = tuple(Line(at, f"71{at:03}93", f"Qn{at:03}x", f"Qs{at:03}x", f"Ql{at:03}x") for at in numbers)
        full, bare = self.rendered(given, dark_keys(self.places)), self.rendered((), dark_keys(self.places))
        holders: dict[str, list[str]] = {}
        for name, value in full.items():
            holders.setdefault(value, []).append(name)
        return {line.line: self._line(line, holders, full, bare) for line in given if line.extension in holders}

    def _line(self, line: Line, holders: Mapping[str, Sequence[str]], full: Mapping[str, str], bare: Mapping[str, str]) -> LineNames:
        numbers = sorted(holders[line.extension], key=lambda name: bool(self.rule.login.search(name)))
        order = list(full)
        before = order[: min(order.index(name) for name in numbers)][-_SWITCH_WITHIN:]
        switches = [name for name in before if full[name] in _ON and bare.get(name) in _OFF]
        return LineNames(
            tuple(numbers),
            tuple(holders.get(line.display_name, ())),
            tuple(holders.get(line.label, ())),
            tuple(holders.get(line.secret, ())),
            switches[-1] if switches else "",
        )

    def rendered(self, lines: tuple[Line, ...] = (), keys: tuple[Key, ...] = ()) -> dict[str, str]:
        """Returns the parameters of a phone with these lines and keys."""
        found: dict[str, str] = {}
        for file in self.renderer.phone_files(replace(self.blank, lines=lines, keys=keys)):
            found |= parameters_of(self.rule, file.body.decode("utf-8"))
        self.seen |= found.keys()
        return found

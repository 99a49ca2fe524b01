"""Learns which parameters hold each key of a model, and how every type of key is written there (``probing`` tells how)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from provisioner.core.catalogue import Model
from provisioner.core.values import LINE_TYPES, Key, Line

Place = tuple[int, int]
"""(module, key); module 0 is the phone itself."""
Rendered = Callable[[tuple[Line, ...], tuple[Key, ...]], dict[str, str]]
"""Returns the parameters of a phone with these lines and keys."""

EXAMPLES = ("speed_dial", "blf")
"""Types that show where a key's value, label and line stand: every place that can be laid out at all takes one of them."""
_COUNTED = re.compile(r"(\D*)(\d{1,4})(\D*)")
_WITHIN = 6
"""A key's type and line stand so close before its value."""


@dataclass(frozen=True, slots=True)
class KeyNames:
    """The parameters that hold one key, and what they mean."""

    type: str
    value: str
    label: str
    line: str
    """Empty where keys are of no line."""
    first_line: str
    """How line 1 is written."""
    codes: Mapping[str, str]
    """Key type -> how it is written."""
    prefixes: Mapping[str, str]
    """Key type -> what stands before its value (the code that is dialled first); types without a value are absent."""
    empty: Mapping[str, str]
    """Key type -> what is written where a key has no value of its own."""

    def every(self) -> Iterator[str]:
        yield from (name for name in (self.type, self.value, self.label, self.line) if name)

    def line_number(self, text: str) -> int:
        """Returns the line that ``text`` means in the way that the model counts lines; 1 where it means none."""
        ours, theirs = _COUNTED.fullmatch(self.first_line), _COUNTED.fullmatch(text)
        return max(1, int(theirs[2]) - int(ours[2]) + 1) if ours and theirs else 1


@dataclass(frozen=True, slots=True)
class _Shown:
    """What came out: phones with one type of key everywhere, one with keys of all types that have no value, one that is dark."""

    of_type: Mapping[str, Mapping[str, str]]
    bare: Mapping[str, str]
    bare_types: Mapping[Place, str]
    dark: Mapping[str, str]


def key_places(model: Model, *, with_modules: bool) -> list[Place]:
    """Returns every place of a key, in order: the phone's own, then those of all modules that it takes."""
    found = [(0, key) for key in range(1, model.keys + 1)]
    if model.expansion is not None and with_modules:
        usable = [key for key in range(1, model.expansion.keys + 1) if key not in model.expansion.reserved]
        found += [(module, key) for module in range(1, model.expansion.modules + 1) for key in usable]
    return found


def dark_keys(places: Sequence[Place]) -> tuple[Key, ...]:
    return tuple(Key(*place, "none") for place in places)


def made_up_keys(model: Model, places: Sequence[Place], kind: str, line: int = 1) -> tuple[Key, ...]:
    """Returns a key of type ``kind`` wherever one can be."""
    return tuple(
        Key(*place, kind, _value(place), _label(place), line) if model.takes(kind, *place) else Key(*place, "none") for place in places
    )


def key_names(model: Model, places: Sequence[Place], rendered: Rendered) -> dict[Place, KeyNames]:
    """Returns the parameters of each key; nothing where the phones' keys do not hold their numbers themselves."""
    lines = tuple(Line(at, f"71{at:03}93", f"Qn{at:03}x", f"Qs{at:03}x") for at in range(1, min(model.lines, 2) + 1))
    examples = {kind: rendered(lines, made_up_keys(model, places, kind)) for kind in EXAMPLES if kind in model.key_types}
    if not any(_value(place) in text for texts in list(examples.values())[:1] for text in texts.values() for place in places[:1]):
        return {}
    dark = rendered(lines, dark_keys(places))
    second = {kind: rendered(lines, made_up_keys(model, places, kind, len(lines))) for kind in examples}
    types = sorted(model.key_types - {"none"})
    of_type = {
        kind: examples.get(kind) or rendered(lines[:1] if kind in LINE_TYPES else lines, made_up_keys(model, places, kind))
        for kind in types
    }
    bare_types = _cycled(model, places, types)
    bare = rendered(lines, tuple(Key(*place, bare_types.get(place, "none")) for place in places))
    shown = _Shown(of_type, bare, bare_types, dark)
    found: dict[Place, KeyNames] = {}
    for kind in examples:
        named = _placed(places, {**of_type, "none": dark}, kind, second[kind])
        empty = _empty(shown, named)
        found = {**{place: _key(model, place, names, shown, empty) for place, names in named.items()}, **found}
    return {place: found[place] for place in places if place in found}


def _placed(
    places: Sequence[Place], of_type: Mapping[str, Mapping[str, str]], example: str, second: Mapping[str, str]
) -> dict[Place, tuple[str, str, str, str]]:
    """Returns place -> (type, value, label, line): the parameters of each key that the example shows."""
    shown = of_type[example]
    order = list(shown)
    values = {value[-8:]: at for at, value in enumerate(shown.values())}
    labels = {value: name for name, value in shown.items()}
    varying = {name for name in order if len({texts[name] for texts in of_type.values() if name in texts}) > 1}
    lined = {name for name in order if second.get(name) != shown[name]}
    found: dict[Place, tuple[str, str, str, str]] = {}
    for place in places:
        at, label = values.get(_value(place)), labels.get(_label(place), "")
        if at is None:
            continue
        before = [name for name in order[max(0, at - _WITHIN) : at][::-1] if name != label]
        line = next((name for name in before if name in lined), "")
        kind = next((name for name in before if name in varying and name != line), "")
        if kind and of_type["none"].get(kind):  # where a dark key is not written as such, a type tells of no place
            found[place] = (kind, order[at], label, line)
    return found


def _key(model: Model, place: Place, names: tuple[str, str, str, str], shown: _Shown, empty: Mapping[str, str]) -> KeyNames:
    kind, value, _, line = names
    able = {key_type: texts for key_type, texts in shown.of_type.items() if model.takes(key_type, *place)}
    written = {key_type: texts.get(value, "") for key_type, texts in able.items()}
    return KeyNames(
        *names,
        first_line=next((texts[line] for texts in able.values() if line in texts), ""),
        codes={"none": shown.dark[kind], **{key_type: texts.get(kind, "") for key_type, texts in able.items()}},
        prefixes={key_type: text[: -len(_value(place))] for key_type, text in written.items() if text.endswith(_value(place))},
        empty=empty,
    )


def _empty(shown: _Shown, named: Mapping[Place, tuple[str, str, str, str]]) -> dict[str, str]:
    """Returns type -> what stands for its value where it has none."""
    return {kind: shown.bare.get(named[place][1], "") for place, kind in shown.bare_types.items() if place in named}


def _cycled(model: Model, places: Sequence[Place], types: Sequence[str]) -> dict[Place, str]:
    """Returns place -> a type, so that as many types as there is room for have a place."""
    found: dict[Place, str] = {}
    waiting = list(types)
    for place in places:
        kind = next((each for each in waiting if model.takes(each, *place)), None)
        if kind is not None:
            found[place] = kind
            waiting.remove(kind)
    return found


def _value(place: Place) -> str:
    return f"83{place[0]:02}{place[1]:03}7"


def _label(place: Place) -> str:
    return f"Kq{place[0]:02}{place[1]:03}x"

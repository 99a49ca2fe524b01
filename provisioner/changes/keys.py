"""Judges the keys of a phone before they are written: what does not fit, and where it would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from provisioner.core.catalogue import Model
from provisioner.core.laying import LayoutRecord, kept_places
from provisioner.core.multicast import multicast_mistake
from provisioner.core.settings_check import text_mistakes
from provisioner.core.values import Key


@dataclass(frozen=True, slots=True)
class KeyInput:
    key: int
    type: str
    value: str = ""
    label: str = ""
    module: int = 0
    line: int = 1


def key_mistakes(model: Model, keys: Sequence[KeyInput], modules: int | None, lines: Iterable[int] = ()) -> dict[str, str]:
    """Returns what is wrong with the keys of a phone of ``model``: ``keys.<at>.<field>`` -> sentence.

    A key that does not fit is told a place that is free: not one where a key of ``lines``, the phone's lines, stands by itself.
    """
    mistakes: dict[str, str] = {}
    most = model.expansion.modules if model.expansion else 0
    if modules is not None and not 0 <= modules <= most:
        mistakes["modules"] = f"the {model.title} takes {most} expansion modules"
    room = places(model)
    free = iter(sorted(room - {(key.module, key.key) for key in keys} - {(0, line) for line in lines}))
    seen: set[tuple[int, int]] = set()
    for at, key in enumerate(keys):
        if (key.module, key.key) in seen:
            mistakes[f"keys.{at}.key"] = f"key {key.key} is there twice"
        elif (key.module, key.key) not in room:
            field, sentence = _misplaced(model, key)
            mistakes[f"keys.{at}.{field}"] = f"{sentence}; {_would_go(next(free, None))}" if room else sentence
        seen.add((key.module, key.key))
        mistakes |= {f"keys.{at}.{field}": sentence for field, sentence in _content(model, key)}
    return mistakes


def places(model: Model) -> set[tuple[int, int]]:
    """Returns every place that a key can be laid on: (module, key), module 0 being the phone, with all modules that it takes."""
    found = {(0, key) for key in range(1, model.keys + 1)}
    if model.expansion is not None:
        usable = set(range(1, model.expansion.keys + 1)) - set(model.expansion.reserved)
        found |= {(module, key) for module in range(1, model.expansion.modules + 1) for key in usable}
    return found


def _misplaced(model: Model, key: KeyInput) -> tuple[str, str]:
    if key.module == 0 and model.keys == 0:
        return "module", f"the {model.title} has no keys of its own"
    if key.module == 0:
        return "key", f"there are keys 1 to {model.keys} here"
    if model.expansion is None or not 1 <= key.module <= model.expansion.modules:
        return "module", f"the {model.title} has no module {key.module}"
    if key.key in model.expansion.reserved:
        return "key", f"key {key.key} of the {model.expansion.module} turns its pages"
    return "key", f"there are keys 1 to {model.expansion.keys} here"


def _could_be(model: Model, key_type: str) -> str:
    able = [place for place in sorted(places(model)) if model.takes(key_type, *place)]
    return f"{_named(*able[0])} can" if able else "none of its keys can"


def _named(module: int, key: int) -> str:
    return f"key {key} of module {module}" if module else f"key {key} of the phone"


def _would_go(place: tuple[int, int] | None) -> str:
    if place is None:
        return "no place is left on the phone or its modules"
    return f"free is {_named(*place)}"


def _content(model: Model, key: KeyInput) -> Iterator[tuple[str, str]]:
    if key.type != "none" and key.type not in model.key_types:
        key_types, why = ", ".join(sorted(model.key_types)), model.missing_keys.get(key.type)
        if why:
            yield "type", f"the {model.title} lacks the key type '{key.type}', because {why}; it has {key_types}"
        else:
            yield "type", f"the {model.title} has no key type '{key.type[:20]}'; it has {key_types}"
    elif not model.takes(key.type, key.module, key.key):
        yield "type", f"{_named(key.module, key.key)} cannot be of type '{key.type}'; {_could_be(model, key.type)}"
    if not 1 <= key.line <= model.lines:
        yield "line", f"the {model.title} has lines 1 to {model.lines}"
    yield from value_mistakes(key.type, key.value).items()
    yield from text_mistakes("label", key.label, 64).items()


def value_mistakes(key_type: str, value: str) -> dict[str, str]:
    """Returns ``value`` -> what is wrong with the value of a key of this type, or nothing."""
    mistakes = text_mistakes("value", value, 255)
    if key_type == "paging" and value and not mistakes and (why := multicast_mistake(value)):
        mistakes["value"] = f"{why}, or nothing: then it pages the group of the setting paging_listen"
    return mistakes


def key_inputs(keys: Iterable[Key]) -> tuple[KeyInput, ...]:
    """Returns keys as somebody would write them."""
    return tuple(KeyInput(key.key, key.type, key.value, key.label, key.module, key.line) for key in keys)


def layout_mistake(model: Model, layout: LayoutRecord) -> str:
    """Returns why a phone of ``model`` cannot have the layout, key by key; empty where it can."""
    keys = key_inputs(row.key for row in layout.keys)
    found = key_mistakes(model, keys, None)
    told = ((layout.keys[int(path.split(".")[1])].key, sentence) for path, sentence in found.items())
    return "; ".join(f"{_named(key.module, key.key)}: {sentence}" for key, sentence in told)


def kept_mistakes(keys: Sequence[KeyInput], before: Iterable[Key], layout: LayoutRecord | None) -> dict[str, str]:
    """Returns which keys cannot be laid out because the phone's layout has the place. One that was there before may stay: it is hidden."""
    if layout is None:
        return {}
    kept, known = kept_places(layout.keys), set(key_inputs(before))
    return {
        f"keys.{at}.key": f"{_named(key.module, key.key)} is laid out by the layout {layout.name}: change it there"
        for at, key in enumerate(keys)
        if (key.module, key.key) in kept and key not in known
    }

"""Descriptions of differences from the plan, without content of people or models.

Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from migration_app.contracts import JsonObject
from migration_app.conversion.text import as_object, label, labels, same_json, shape_of

_FIELDS_FIRST = ("type", "role", "status")  # named before any other difference, with their values
_ABSENT = object()


def counted(missing: int, extra: int) -> str:
    """How many planned items are missing, and how many others are there."""
    text = ((missing, "missing"), (extra, "not planned"))
    return ", ".join(f"{count} {word}" for count, word in text if count)


def numbered(count: int) -> str:
    """How many items."""
    return "1 item" if count == 1 else f"{count} items"


def described(item: JsonObject) -> str:
    """What kind of item it is."""
    kind = label(item.get("type", "no type"))
    return f"message by {label(item.get('role', 'nobody'))}" if kind == "message" else kind


def first_difference(expected: object, actual: object, path: str) -> str:
    """The place where two canonical values differ, without their content."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = dict.fromkeys([*_FIELDS_FIRST, *sorted(expected), *sorted(actual)])
        name = next(
            name for name in names if not same_json(expected.get(name, _ABSENT), actual.get(name, _ABSENT))
        )
        return first_difference(
            expected.get(name, _ABSENT), actual.get(name, _ABSENT), f"{path} {name}".strip()
        )
    if isinstance(expected, list) and isinstance(actual, list):
        pairs = enumerate(zip(expected, actual, strict=False), start=1)
        number = next((number for number, (left, right) in pairs if not same_json(left, right)), None)
        if number is None:
            return f"{path} differs in number (planned {_listed(expected)}, found {_listed(actual)})"
        entry = f"{path} {number}{_kind_text(expected[number - 1])}"
        return first_difference(expected[number - 1], actual[number - 1], entry)
    if path.rpartition(" ")[2] in _FIELDS_FIRST:
        named = [
            label(value) if isinstance(value, str) else _value_text(value) for value in (actual, expected)
        ]
        return f"{path} is {named[0]}, planned was {named[1]}"
    if isinstance(expected, str) and isinstance(actual, str):
        same = sum(
            1
            for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(expected, actual, strict=False))
        )
        lengths = f"planned {len(expected)} characters, found {len(actual)}"
        return f"{path} differs at character {same} ({lengths})"
    return f"{path} differs (planned {_value_text(expected)}, found {_value_text(actual)})"


def _kind_text(value: object) -> str:
    """The type of a content part, annotation or output, in brackets."""
    kind = as_object(value).get("type")
    return f" ({label(kind)})" if isinstance(kind, str) else ""


def _listed(values: Sequence[object]) -> str:
    """How many entries, and of which types."""
    kinds = [as_object(value).get("type") for value in values]
    named = labels(dict.fromkeys(kind for kind in kinds if isinstance(kind, str)))
    return f"{len(values)}: {named}" if named else str(len(values))


def _value_text(value: object) -> str:
    if value is _ABSENT:
        return "nothing"
    if isinstance(value, list):
        return _listed(value)
    return str(value) if type(value) in (int, float, bool) else shape_of(value)

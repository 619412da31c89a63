"""One form for a planned item and for what a server gives back, so that the two can be compared.

Tolerated, because servers are documented or recorded to do it: an item's id and created_by; null fields;
status completed or absent; plain string content instead of parts; a part type ``text`` instead of the
role's own; ``annotations``, ``logprobs`` and ``detail`` added with their empty or default values; a
filename added to a file given by id; an output as one text part. Nothing else. Imports only ``contracts``
and this package.
"""

from __future__ import annotations

import collections
import hashlib
import itertools
import json
from collections.abc import Sequence
from typing import Any

from migration_app.contracts import Difference, JsonObject
from migration_app.conversion.text import as_list, as_object, copy_json, label, labels, shape_of

_IGNORED_ITEM_FIELDS = frozenset({"id", "created_by", "object", "created_at"})
_IGNORED_PART_FIELDS = frozenset({"logprobs", "parsed"})
_TEXT_TYPES = {"assistant": "output_text"}
_FIELDS_FIRST = ("type", "role", "status")  # named before any other difference, with their values
_ABSENT = object()


def canonical_item(item: JsonObject) -> JsonObject:
    """The item without what servers may add or leave out."""
    fields = _present(copy_json(item, set()), _IGNORED_ITEM_FIELDS)
    if fields.get("status") == "completed":
        del fields["status"]
    if "type" not in fields and "role" in fields:
        fields["type"] = "message"
    if fields.get("type") == "message":
        fields["content"] = _content(fields.get("content"), str(fields.get("role")))
    if fields.get("type") == "function_call_output":
        fields["output"] = _output(fields.get("output"))
    return fields


def read_back_includes(items: Sequence[JsonObject]) -> tuple[str, ...]:
    """What a server must be asked for so that it gives these items back whole (official, schema IncludeEnum)."""
    wanted = set()
    for item in items:
        if item.get("type") == "code_interpreter_call":
            wanted.add("code_interpreter_call.outputs")
        if item.get("type") == "file_search_call":
            wanted.add("file_search_call.results")
        if any(as_object(part).get("image_url") for part in as_list(item.get("content"))):
            wanted.add("message.input_image.image_url")
    return tuple(sorted(wanted))


def items_digest(items: Sequence[JsonObject]) -> str:
    """SHA-256 in hexadecimal over canonical items, one line of JSON each."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(_canonical_json(item).encode() + b"\n")
    return digest.hexdigest()


def fingerprint(items: Sequence[JsonObject]) -> str:
    """Digest of the canonical forms of items as planned or as a server gave them."""
    return items_digest([canonical_item(item) for item in items])


def common_prefix(planned: Sequence[JsonObject], found: Sequence[JsonObject]) -> int:
    """How many items at the start are the same in both."""
    pairs = zip(planned, found, strict=False)
    return sum(
        1 for _ in itertools.takewhile(lambda pair: canonical_item(pair[0]) == canonical_item(pair[1]), pairs)
    )


def compare_items(planned: Sequence[JsonObject], found: Sequence[JsonObject]) -> Difference | None:
    """The first difference, in words without content; items are counted from 1 in the words.

    The words say first whether everything is there in another order, and how many items are missing or too many.
    """
    position = common_prefix(planned, found)
    expected = [canonical_item(item) for item in planned[position:]]
    actual = [canonical_item(item) for item in found[position:]]
    if not expected and not actual:
        return None
    return Difference(
        position,
        _difference_words(expected, actual, position),
        expected[0] if expected else None,
        actual[0] if actual else None,
    )


def _difference_words(expected: Sequence[JsonObject], actual: Sequence[JsonObject], position: int) -> str:
    """The words for canonical items from the first difference on; ``position`` items before it are the same."""
    wanted, there = [[_canonical_json(item) for item in items] for items in (expected, actual)]
    missing = collections.Counter(wanted) - collections.Counter(there)
    extra = collections.Counter(there) - collections.Counter(wanted)
    number = position + 1
    lengths = f"planned {_items(position + len(expected))}, found {position + len(actual)}"
    counts = _counts(missing.total(), extra.total())
    if not missing and not extra:
        place = number + there.index(wanted[0])
        return (
            f"all {_items(position + len(expected))} are there, in another order; "
            f"first: item {number} ({_describe(expected[0])}) stands as item {place}"
        )
    if expected and wanted[0] in missing and not extra:
        return f"item {number} ({_describe(expected[0])}) is missing: {lengths}; {counts}"
    if actual and there[0] in extra and not missing:
        return f"item {number} ({_describe(actual[0])}) was not planned: {lengths}; {counts}"
    first = f"item {number} ({_describe(expected[0])}): {_first_difference(expected[0], actual[0], '')}"
    # One item against another in its place is told by the first difference alone.
    return first if missing.total() == extra.total() == 1 else f"{first}; {lengths}; {counts}"


def _counts(missing: int, extra: int) -> str:
    """How many planned items are not there as they were planned, and how many others are there."""
    words = ((missing, "missing"), (extra, "not planned"))
    return ", ".join(f"{count} {word}" for count, word in words if count)


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _canonical_json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _present(value: Any, ignored: frozenset[str]) -> JsonObject:
    return {key: entry for key, entry in as_object(value).items() if entry is not None and key not in ignored}


def _content(content: object, role: str) -> list[Any]:
    text_type = _TEXT_TYPES.get(role, "input_text")
    parts = [content] if isinstance(content, str) else as_list(content)
    return [
        _part({"type": text_type, "text": part} if isinstance(part, str) else part, text_type)
        for part in parts
    ]


def _part(part: object, text_type: str) -> JsonObject:
    fields = _present(part, _IGNORED_PART_FIELDS)
    if fields.get("type") == "text":
        fields["type"] = text_type
    if fields.get("annotations") == []:
        del fields["annotations"]
    if isinstance(fields.get("annotations"), list):
        fields["annotations"] = [_present(annotation, frozenset()) for annotation in fields["annotations"]]
    if fields.get("type") == "input_image":
        fields.setdefault("detail", "auto")
    if fields.get("type") == "input_file":
        if fields.get("detail") == "auto":
            del fields["detail"]
        if "file_id" in fields:
            fields.pop("filename", None)
    return fields


def _output(output: object) -> object:
    """A string as it is; a list of one text part as that text."""
    parts = as_list(output)
    if len(parts) == 1 and as_object(parts[0]).get("type") in ("input_text", "output_text", "text"):
        return as_object(parts[0]).get("text")
    return output


def _describe(item: JsonObject) -> str:
    kind = label(item.get("type", "no type"))
    return f"message by {label(item.get('role', 'nobody'))}" if kind == "message" else kind


def _first_difference(expected: object, actual: object, path: str) -> str:
    """Where two different canonical values part, without showing what stands there."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = dict.fromkeys([*_FIELDS_FIRST, *sorted(expected), *sorted(actual)])
        name = next(name for name in names if expected.get(name, _ABSENT) != actual.get(name, _ABSENT))
        return _first_difference(
            expected.get(name, _ABSENT), actual.get(name, _ABSENT), f"{path} {name}".strip()
        )
    if isinstance(expected, list) and isinstance(actual, list):
        pairs = enumerate(zip(expected, actual, strict=False), start=1)
        number = next((number for number, (left, right) in pairs if left != right), None)
        if number is None:
            return f"{path} differs in number (planned {_listed(expected)}, found {_listed(actual)})"
        entry = f"{path} {number}{_kind_words(expected[number - 1])}"
        return _first_difference(expected[number - 1], actual[number - 1], entry)
    if path.rpartition(" ")[2] in _FIELDS_FIRST:
        named = [
            label(value) if isinstance(value, str) else _value_words(value) for value in (actual, expected)
        ]
        return f"{path} is {named[0]}, planned was {named[1]}"
    if isinstance(expected, str) and isinstance(actual, str):
        same = sum(
            1
            for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(expected, actual, strict=False))
        )
        lengths = f"planned {len(expected)} characters, found {len(actual)}"
        return f"{path} differs at character {same} ({lengths})"
    return f"{path} differs (planned {_value_words(expected)}, found {_value_words(actual)})"


def _kind_words(value: object) -> str:
    """The type of a content part, annotation or output, in brackets."""
    kind = as_object(value).get("type")
    return f" ({label(kind)})" if isinstance(kind, str) else ""


def _listed(values: Sequence[object]) -> str:
    """How many entries, and of which types."""
    kinds = [as_object(value).get("type") for value in values]
    named = labels(dict.fromkeys(kind for kind in kinds if isinstance(kind, str)))
    return f"{len(values)}: {named}" if named else str(len(values))


def _value_words(value: object) -> str:
    if value is _ABSENT:
        return "nothing"
    if isinstance(value, list):
        return _listed(value)
    return str(value) if type(value) in (int, float, bool) else shape_of(value)

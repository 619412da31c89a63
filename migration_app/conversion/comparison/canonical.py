"""The canonical form of planned items and of items that a server returns, for comparison.

Tolerated, because servers are documented or recorded to do it: an item's id and created_by; null fields;
status completed or absent; plain string content instead of parts; a part type ``text`` instead of the
role's own; ``annotations``, ``logprobs`` and ``detail`` added with their empty or default values; a
filename added to a file given by id; an output as one text part that says nothing else; a whole number
written as 1.0. Nothing else. Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import collections
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from migration_app.contracts import Difference, JsonObject
from migration_app.conversion.comparison.differences import (
    counted,
    described,
    first_difference,
    numbered,
)
from migration_app.conversion.text import as_list, as_object, copy_json, is_clean, same_json
from migration_app.json_codec import json_string

_IGNORED_ITEM_FIELDS = frozenset({"id", "created_by", "object", "created_at"})
_EMPTY_WHEN_ADDED = ("annotations", "logprobs")
_MAX_WHOLE = 2.0**53
"""Up to here a float holds every whole number, so that 1.0 is 1 to any reader."""
_TEXT_TYPES = {"assistant": "output_text"}
_ROLES = ("user", "assistant", "developer", "system")
_MESSAGE_FIELDS = _IGNORED_ITEM_FIELDS | {"type", "role", "status", "content"}
_TEXT_FIELDS = frozenset({"type", "text", *_EMPTY_WHEN_ADDED})
_ONLY_TEXT = len(("type", "text"))
_sorted_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def canonical_item(item: JsonObject) -> JsonObject:
    """The item without fields that servers may add or leave out."""
    plain = _plain_message(item)
    if plain is not None:
        role, kind, texts = plain
        content = [{"type": kind, "text": text} for text in texts]
        return {"type": "message", "role": role, "content": content}
    return _canonical(item)


def _canonical(item: JsonObject) -> JsonObject:
    fields = _present(_numbers_alike(copy_json(item, set())), _IGNORED_ITEM_FIELDS)
    if fields.get("status") == "completed":
        del fields["status"]
    if "type" not in fields and "role" in fields:
        fields["type"] = "message"
    if fields.get("type") == "message":
        fields["content"] = _content(fields.get("content"), str(fields.get("role")))
    if fields.get("type") == "function_call_output":
        fields["output"] = _output(fields.get("output"))
    return fields


def read_back_includes(items: Iterable[JsonObject]) -> tuple[str, ...]:
    """The ``include`` values by which a server returns these items whole (official, schema IncludeEnum)."""
    wanted = set()
    for item in items:
        if item.get("type") == "code_interpreter_call":
            wanted.add("code_interpreter_call.outputs")
        if item.get("type") == "file_search_call":
            wanted.add("file_search_call.results")
        if any(as_object(part).get("image_url") for part in as_list(item.get("content"))):
            wanted.add("message.input_image.image_url")
    return tuple(sorted(wanted))


def canonical_line(item: JsonObject) -> bytes:
    """What one item adds to a fingerprint."""
    return (_canonical_text(item) + "\n").encode()


def fingerprint(items: Iterable[JsonObject]) -> str:
    """Digest of the canonical forms of items, planned or returned by a server."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(canonical_line(item))
    return digest.hexdigest()


class Fingerprinting:
    """A fingerprint of many items, taken part by part as they are sent."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()

    def copy(self) -> Fingerprinting:
        """A copy that continues separately: a part that is not sent must not count."""
        other = Fingerprinting()
        other._whole = self._whole.copy()
        return other

    def add(self, items: Iterable[JsonObject]) -> str:
        """Count the next items in; returns the fingerprint of these alone."""
        lines = "".join([_canonical_text(item) + "\n" for item in items]).encode()
        self._whole.update(lines)
        return hashlib.sha256(lines).hexdigest()

    @property
    def whole(self) -> str:
        """The fingerprint of all items so far."""
        return self._whole.hexdigest()


class ItemsComparison:
    """Compares a plan with a conversation that is read page by page, in constant memory.

    The difference reports whether everything is there in another order, and how many items are missing or too many;
    then the first one, without content, counted from 1.

    Equal items cost nothing. From the first difference on, a digest is kept of each item that only one side has
    had so far; a plan that misses one item in its middle keeps a few.
    """

    def __init__(self, planned: Iterable[JsonObject]) -> None:
        """``planned``: the items as planned, in their order; read once, never further than was found."""
        self._planned = iter(planned)
        self._planned_count = 0
        self._first: tuple[JsonObject | None, JsonObject | None] | None = None
        self._first_digests: tuple[bytes | None, bytes | None] = (None, None)
        self._moved_to: int | None = None  # where the first item that differs was found, counted from 0
        self._balance: collections.Counter[bytes] = collections.Counter()  # how often more planned than found
        self._found_count = 0
        self._same = 0
        self._extra: collections.Counter[bytes] = collections.Counter()  # found and not planned, at the end
        self._difference: Difference | None = None
        self._only_missing = False
        self._ended = False

    @property
    def same(self) -> int:
        """How many items from the start are as planned."""
        return self._same

    @property
    def seen(self) -> int:
        """How many items were found."""
        return self._found_count

    @property
    def only_missing(self) -> bool:
        """Whether all that was found is planned, and something planned was not found; known with the difference."""
        return self._only_missing

    def see(self, found: Iterable[JsonObject]) -> None:
        """Add the next page, oldest item first."""
        for item in found:
            expected = self._next_planned()
            if self._first is None and expected is not None and _is_same(expected, item):
                self._same += 1
                self._found_count += 1
            else:
                self._pair(expected, item)

    def difference(self) -> Difference | None:
        """The first difference, once the last page was seen; None when all is as planned."""
        if not self._ended:
            while (expected := self._next_planned()) is not None:
                self._pair(expected, None)
            self._extra.subtract(self._balance)
            self._extra = +self._extra
            self._difference = self._in_text()
            self._only_missing = bool(self._balance) and min(self._balance.values()) > 0
            self._ended = True
            self._balance.clear()
        return self._difference

    def repeated(self, planned: Iterable[JsonObject]) -> int:
        """How many of the unplanned items repeat a planned one, once the last page was seen."""
        self.difference()
        if not self._extra:
            return 0
        digests = (_item_digest(canonical_item(item)) for item in planned)
        return sum(self._extra[digest] for digest in {digest for digest in digests if digest in self._extra})

    def _next_planned(self) -> JsonObject | None:
        expected = next(self._planned, None)
        self._planned_count += expected is not None
        return expected

    def _pair(self, planned: JsonObject | None, found: JsonObject | None) -> None:
        """The items in one place of the plan and of the conversation, from the first difference on."""
        position = self._found_count
        self._found_count += found is not None
        expected = None if planned is None else canonical_item(planned)
        actual = None if found is None else canonical_item(found)
        if self._first is None:
            self._first = (expected, actual)
            self._first_digests = (_digest(expected), _digest(actual))
        if expected is not None:
            self._count(expected, 1)
        if actual is not None and self._count(actual, -1) == self._first_digests[0]:
            self._moved_to = position if self._moved_to is None else self._moved_to

    def _count(self, item: JsonObject, by: int) -> bytes:
        digest = _item_digest(item)
        self._balance[digest] += by
        if not self._balance[digest]:
            del self._balance[digest]
        return digest

    def _in_text(self) -> Difference | None:
        if self._first is None:
            return None
        expected, actual = self._first
        return Difference(self._same, self._words(expected, actual), expected, actual)

    def _words(self, expected: JsonObject | None, actual: JsonObject | None) -> str:
        missing, extra = +self._balance, self._extra
        number = self._same + 1
        lengths = f"planned {numbered(self._planned_count)}, found {self._found_count}"
        counts = counted(missing.total(), extra.total())
        if expected is not None and self._moved_to is not None and not missing and not extra:
            return (
                f"all {numbered(self._planned_count)} are there, in another order; "
                f"first: item {number} ({described(expected)}) stands as item {self._moved_to + 1}"
            )
        wanted, there = self._first_digests
        if expected is not None and wanted in missing and not extra:
            return f"item {number} ({described(expected)}) is missing: {lengths}; {counts}"
        if actual is not None and there in extra and not missing:
            return f"item {number} ({described(actual)}) was not planned: {lengths}; {counts}"
        first = f"item {number} ({described(expected or {})}): {first_difference(expected, actual, '')}"
        # For one item replaced by another the first difference is enough.
        return first if missing.total() == extra.total() == 1 else f"{first}; {lengths}; {counts}"


def _is_same(planned: JsonObject, found: JsonObject) -> bool:
    first, second = _plain_message(planned), _plain_message(found)
    if first is not None and second is not None:
        return first == second
    return same_json(canonical_item(planned), canonical_item(found))


def _plain_message(item: object) -> tuple[str, str, list[str]] | None:
    """Role, type of part and texts of a message that says nothing else once it is canonical; None for any other.

    Nearly all items are such messages, and each is compared several times. The result must equal that of the
    general path: tests verify it.
    """
    if not isinstance(item, dict) or item.get("type") != "message" or item.get("role") not in _ROLES:
        return None
    status, content = item.get("status"), item.get("content")
    if not isinstance(content, list) or not (status is None or status == "completed"):
        return None
    if not item.keys() <= _MESSAGE_FIELDS and _says_more(item, _MESSAGE_FIELDS):
        return None
    role: str = item["role"]
    kind = _TEXT_TYPES.get(role, "input_text")
    texts: list[str] = []
    for part in content:
        text = _plain_text(part, kind)
        if text is None:
            return None
        texts.append(text)
    return role, kind, texts


def _plain_text(part: object, kind: str) -> str | None:
    """The text of a part that says nothing else once it is canonical; None for any other."""
    if not isinstance(part, dict):
        return None
    text, named = part.get("text"), part.get("type")
    if not isinstance(text, str) or not is_clean(text) or named not in (kind, "text"):
        return None
    if len(part) == _ONLY_TEXT:  # and both were found
        return text
    for name in _EMPTY_WHEN_ADDED:
        added = part.get(name)
        if not (added is None or added == []):
            return None
    return None if not part.keys() <= _TEXT_FIELDS and _says_more(part, _TEXT_FIELDS) else text


def _says_more(value: JsonObject, known: frozenset[str]) -> bool:
    """Whether any other field than these has a value."""
    return any(value[name] is not None for name in value.keys() - known)


def _canonical_text(item: JsonObject) -> str:
    """The JSON, keys sorted, of the canonical item."""
    plain = _plain_message(item)
    if plain is None:
        return _sorted_json(_canonical(item))
    role, kind, texts = plain
    parts = ",".join([f'{{"text":{json_string(text)},"type":"{kind}"}}' for text in texts])
    return f'{{"content":[{parts}],"role":"{role}","type":"message"}}'


def _digest(item: JsonObject | None) -> bytes | None:
    return None if item is None else _item_digest(item)


def _item_digest(item: JsonObject) -> bytes:
    return hashlib.sha256(_sorted_json(item).encode()).digest()


def _numbers_alike(value: Any) -> Any:
    """The value with whole numbers as such: decoding and encoding JSON may turn 1.0 into 1, or the reverse."""
    if isinstance(value, dict):
        return {name: _numbers_alike(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_numbers_alike(entry) for entry in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= _MAX_WHOLE:
        return int(value)
    return value


def _present(value: Any, ignored: frozenset[str] = frozenset()) -> JsonObject:
    return {key: entry for key, entry in as_object(value).items() if entry is not None and key not in ignored}


def _content(content: object, role: str) -> object:
    """The parts of a message in canonical form; what is neither text nor a list of parts stays as it is."""
    text_type = _TEXT_TYPES.get(role, "input_text")
    parts = [content] if isinstance(content, str) else [] if content is None else content
    if not isinstance(parts, list):
        return parts
    return [
        _part({"type": text_type, "text": part} if isinstance(part, str) else part, text_type)
        for part in parts
    ]


def _part(part: object, text_type: str) -> object:
    if not isinstance(part, dict):
        return part
    fields = _present(part)
    if fields.get("type") == "text":
        fields["type"] = text_type
    for name in _EMPTY_WHEN_ADDED:
        if fields.get(name) == []:
            del fields[name]
    if isinstance(fields.get("annotations"), list):
        fields["annotations"] = [
            _present(entry) if isinstance(entry, dict) else entry for entry in fields["annotations"]
        ]
    if fields.get("type") == "input_image":
        fields.setdefault("detail", "auto")
    if fields.get("type") == "input_file":
        if fields.get("detail") == "auto":
            del fields["detail"]
        if "file_id" in fields:
            fields.pop("filename", None)
    return fields


def _output(output: object) -> object:
    """A string as it is, and so a list of one text part that says nothing else; any other list in canonical parts.

    A ``text`` or ``output_text`` part is text as well here: servers differ in what they call it.
    """
    if not isinstance(output, list):
        return output
    parts = [_part(part, "input_text") for part in output]
    only = as_object(parts[0]) if len(parts) == 1 else {}
    if only.keys() == {"type", "text"} and only["type"] in ("input_text", "output_text"):
        return only["text"]
    return parts

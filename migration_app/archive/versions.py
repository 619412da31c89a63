"""One object seen more than once: the same, another state of the same, or a conflict.

Dumps of polling and of event streams hold one id many times; SDK print-outs write absent fields as null; the
same thread answers ``{}`` once and empty lists another time. None of that is a conflict. Imports only ``contracts``,
``spill`` and this package.
"""

from __future__ import annotations

import collections
import enum
import hashlib
import json
from array import array
from typing import Any

from migration_app.archive.numbering import Numbering
from migration_app.archive.states import UNITED, united
from migration_app.archive.times import seconds_of
from migration_app.archive.transcripts import plain_text
from migration_app.contracts import MAX_JSON_DEPTH, JsonObject, SourceKind
from migration_app.spill import JSON, Gathering

# Fields that the source itself changes over time. Objects of these types that differ elsewhere are in conflict.
_CHANGING: dict[str, frozenset[str]] = {
    "file": frozenset({"status", "status_details", "expires_at"}),
    "vector_store": frozenset(
        {"status", "file_counts", "usage_bytes", "bytes", "last_active_at", "last_used_at", "expires_at"}
    ),
}
_CONTAINERS = (dict, list)  # a tuple: a union would be made at every question
# Which of two states is the later one. A store goes back to in_progress when a file is added: time before status.
_CLOCKS = ("last_active_at", "last_used_at")
_FINISHED = 9
_RANKS: dict[str, dict[object, int]] = {
    "message": {"in_progress": 0},
    # Between polls a run returns from requires_action to queued: all three have the same rank.
    "run": {"queued": 0, "in_progress": 0, "requires_action": 0, "cancelling": 1},
    "step": {"in_progress": 0},
    "file": {"uploaded": 0, "pending": 0, "running": 0},
    "vector_store": {"in_progress": 0, "expired": _FINISHED + 1},
}


class NestedTooDeeplyError(ValueError):
    """The object is nested deeper than any API object."""


class Verdict(enum.Enum):
    """How a second occurrence of an object relates to the known one."""

    NEW = "new"
    SAME = "same"
    STATE = "state"
    CONFLICT = "conflict"


def pruned(value: JsonObject | list[Any], depth: int = 0) -> Any:
    """The value without nulls and empty objects and lists.

    List elements stay, so that places keep their numbers. Raises NestedTooDeeplyError.
    """
    if depth > MAX_JSON_DEPTH:
        raise NestedTooDeeplyError(f"The object is nested more than {MAX_JSON_DEPTH} levels deep.")
    if isinstance(value, dict):
        kept = {}
        for name, part in value.items():
            slim = pruned(part, depth + 1) if isinstance(part, dict | list) else part
            if slim is not None and slim not in ({}, []):
                kept[name] = slim
        return kept
    return [pruned(part, depth + 1) if isinstance(part, dict | list) else part for part in value]


def depth_check(value: JsonObject) -> None:
    """Raise NestedTooDeeplyError where ``digest_of`` would."""
    level: list[Any] = [value]
    for _depth in range(MAX_JSON_DEPTH + 1):
        level = [
            part
            for container in level
            for part in (container.values() if isinstance(container, dict) else container)
            if isinstance(part, _CONTAINERS)
        ]
        if not level:
            return
    raise NestedTooDeeplyError(f"The object is nested more than {MAX_JSON_DEPTH} levels deep.")


def digest_of(value: JsonObject) -> bytes:
    """A short digest of the object, regardless of the order of its keys. Raises NestedTooDeeplyError."""
    text = json.dumps(pruned(value), sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def merged(kind: SourceKind, known: JsonObject, other: JsonObject) -> tuple[JsonObject, Verdict]:
    """Merge a later occurrence of an object with the known one: the result, and their relation.

    If one only has more than the other, the result has both. Of two states of one object the later wins:
    the finished one, the one that was active last, or else the one seen last; of a message, run or step it keeps what
    only the earlier one has (``states``). Otherwise the known one stays, and it is a conflict; a step's calls are
    merged even then. The known object itself is returned (``is known``) if the other adds nothing.
    """
    value, verdict, _disagreements = merged_states(kind, known, other)
    return value, verdict


def merged_states(
    kind: SourceKind, known: JsonObject, other: JsonObject
) -> tuple[JsonObject, Verdict, list[str]]:
    """The same, and the places where two states of one object differ: there the later one counts."""
    first, second = pruned(known), pruned(other)
    differing = {name for name in first.keys() & second.keys() if not _alike(name, first[name], second[name])}
    added = second.keys() - first.keys()
    if not differing:
        if not added:
            return known, Verdict.SAME, []
        return {**known, **{name: other[name] for name in added}}, Verdict.STATE, []
    if kind in _CHANGING:
        if not differing <= _CHANGING[kind]:
            return known, Verdict.CONFLICT, []
        if _is_earlier(kind, other, known):
            return known, Verdict.STATE, []
        return {**known, **{name: other[name] for name in second}}, Verdict.STATE, []
    before, after = rank_of(kind, known), rank_of(kind, other)
    if before == after >= _FINISHED:
        return _both_finished(kind, known, other, differing)
    earlier, later = (known, other) if after >= before else (other, known)
    final = max(before, after) >= _FINISHED
    value, disagreements = united(kind, earlier, later, final=final, growing=True)
    return (known if value == known else value), Verdict.STATE, disagreements


def _both_finished(
    kind: SourceKind, known: JsonObject, other: JsonObject, differing: set[str]
) -> tuple[JsonObject, Verdict, list[str]]:
    """Two occurrences that can't be states of each other. No calls of a step or run may be missing in the result."""
    if kind not in {"run", "step"}:
        return known, Verdict.CONFLICT, []
    shared = {name: other[name] for name in UNITED[kind] & other.keys()}
    value, disagreements = united(kind, shared, known, final=True, growing=False)
    if disagreements or not differing <= UNITED[kind]:
        return (known if value == known else value), Verdict.CONFLICT, []
    value, _none = united(kind, other, value, final=True, growing=False)
    return (known if value == known else value), Verdict.STATE, []


def contradicts(known: JsonObject, other: JsonObject) -> bool:
    """Whether two occurrences have different values of one field; empty is a value too.

    Stricter than ``merged``: an assistant whose tools were removed is another assistant.
    """
    shared = known.keys() & other.keys()
    first, second = (pruned({name: value[name] for name in shared}) for value in (known, other))
    return any(not _alike(name, first.get(name), second.get(name)) for name in shared)


def _alike(name: str, one: Any, other: Any) -> bool:
    """Equal values, or other notations of the same time or text: seconds as ISO 8601, a text part as its text."""
    if name == "content":
        return bool(plain_text(one) == plain_text(other))
    if one == other or not name.endswith("_at"):
        return bool(one == other)
    seconds = seconds_of(one)
    return seconds is not None and seconds == seconds_of(other)


def _is_earlier(kind: SourceKind, value: JsonObject, than: JsonObject) -> bool:
    times = _clock(value), _clock(than)
    if 0.0 in times or times[0] == times[1]:
        return rank_of(kind, value) < rank_of(kind, than)
    return times[0] < times[1]


def _clock(value: JsonObject) -> float:
    return max(seconds_of(value.get(name)) or 0.0 for name in _CLOCKS)


class KnownObjects:
    """The stored objects of a thread, to find what another document adds.

    Large states go to a file (``spill``); of what is seen in more than one state, a digest of each stays in memory.
    """

    def __init__(self) -> None:
        self._values: Gathering[JsonObject] = Gathering(JSON)
        self._first: dict[SourceKind, _FirstValues] = collections.defaultdict(
            lambda: _FirstValues(self._values)
        )
        self._latest: dict[int, int] = {}  # by the first one's: number of the value that replaced it
        self._repeated: set[int] = set()
        self._sights: set[bytes] = set()  # of those that were seen in more than one state

    def grow(self, weight: int) -> None:
        """Say how many bytes of JSON come, or came."""
        self._values.grow(weight)

    def see(self, kind: SourceKind, object_id: str, value: JsonObject) -> Verdict:
        """Add an object, and return how it relates: SAME if it adds nothing.

        Raises NestedTooDeeplyError, of one that is new too only where ``depth_check`` is asked before.
        """
        first = self._first[kind].get(object_id)
        if first is None:
            self._first[kind].add(object_id, self._values.append(value))
            return Verdict.NEW
        if first not in self._repeated and self._values[first] == value:
            return Verdict.SAME
        sight = self._sight(first, value)
        if sight in self._sights:
            return Verdict.SAME
        self._sights.add(sight)
        known = self._values[self._latest.get(first, first)]
        latest, verdict = merged(kind, known, value)
        if latest is not known:
            self._latest[first] = self._values.append(latest)
        return verdict

    def would_contradict(self, kind: SourceKind, object_id: str, value: JsonObject) -> bool:
        """Whether ``see`` would find a conflict. Adds nothing."""
        first = self._first[kind].get(object_id)
        if first is None or self._sight(first, value) in self._sights:
            return False
        known = self._values[self._latest.get(first, first)]
        return merged(kind, known, value)[1] is Verdict.CONFLICT

    def _sight(self, first: int, value: JsonObject) -> bytes:
        """An occurrence of a known object. Most are seen in one state, and then nothing needs their digest."""
        number = first.to_bytes(6)
        if first not in self._repeated:
            self._repeated.add(first)
            self._sights.add(number + digest_of(self._values[first]))
        return number + digest_of(value)


class _FirstValues:
    """The objects of one kind by their ids: the number of the first value of each."""

    def __init__(self, values: Gathering[JsonObject]) -> None:
        self._values = values
        self._numbers = array("I")
        self._numbering = Numbering(lambda number: str(self._values[self._numbers[number]].get("id")))

    def get(self, object_id: str) -> int | None:
        """The number of its first value; None if it is not known."""
        number = self._numbering.find(object_id)
        return None if number is None else self._numbers[number]

    def add(self, object_id: str, first: int) -> None:
        """Add an object that is not known."""
        self._numbering.add(object_id)
        self._numbers.append(first)


def rank_of(kind: SourceKind, value: JsonObject) -> int:
    """The rank of an object's state: of two states the one of the higher rank is the later."""
    status = value.get("status")
    return _RANKS.get(kind, {}).get(status, _FINISHED) if isinstance(status, str) else _FINISHED

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
from typing import Any

from migration_app.archive.states import UNITED, united
from migration_app.archive.times import seconds_of
from migration_app.archive.transcripts import plain_text
from migration_app.contracts import MAX_JSON_DEPTH, JsonObject, SourceKind
from migration_app.spill import JSON, Gathering

# What the source itself changes as time goes by. Objects of these kinds that differ elsewhere are in conflict.
_CHANGING: dict[str, frozenset[str]] = {
    "file": frozenset({"status", "status_details", "expires_at"}),
    "vector_store": frozenset(
        {"status", "file_counts", "usage_bytes", "bytes", "last_active_at", "last_used_at", "expires_at"}
    ),
}
# Which of two states is the later one. A store goes back to in_progress when a file is added: time before status.
_CLOCKS = ("last_active_at", "last_used_at")
_FINISHED = 9
_RANKS: dict[str, dict[object, int]] = {
    "message": {"in_progress": 0},
    # Between polls a run goes back from requires_action to queued: all three weigh the same.
    "run": {"queued": 0, "in_progress": 0, "requires_action": 0, "cancelling": 1},
    "step": {"in_progress": 0},
    "file": {"uploaded": 0, "pending": 0, "running": 0},
    "vector_store": {"in_progress": 0, "expired": _FINISHED + 1},
}


class NestedTooDeeplyError(ValueError):
    """The object is nested deeper than any API object."""


class Verdict(enum.Enum):
    """What a second sight of an object is, compared with what is known of it."""

    NEW = "new"
    SAME = "same"
    STATE = "state"
    CONFLICT = "conflict"


def pruned(value: JsonObject | list[Any], depth: int = 0) -> Any:
    """The value without what says nothing: nulls, and objects and lists that hold nothing.

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


def digest_of(value: JsonObject) -> bytes:
    """A short digest of what the object says, whatever the order of its keys. Raises NestedTooDeeplyError."""
    text = json.dumps(pruned(value), sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def merged(kind: SourceKind, known: JsonObject, other: JsonObject) -> tuple[JsonObject, Verdict]:
    """Bring a later sight of an object together with what is known of it: the result, and what it was.

    Where one only says more than the other, the result says both. Of two states of one object the later wins:
    the finished one, the one that was active last, or else the one seen last; of a message, run or step it keeps what
    only the earlier one says (``states``). Otherwise what is known stays, and it is a conflict; a step's calls are
    united even then. What is known comes back as it is (``is known``) where the other sight adds nothing to it.
    """
    value, verdict, _disagreements = merged_states(kind, known, other)
    return value, verdict


def merged_states(
    kind: SourceKind, known: JsonObject, other: JsonObject
) -> tuple[JsonObject, Verdict, list[str]]:
    """The same, and the places where two states of one object say different things: there the later one counts."""
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
    """Two sights that can't be states of each other. Of a step or run neither may name calls that the result lacks."""
    if kind not in {"run", "step"}:
        return known, Verdict.CONFLICT, []
    shared = {name: other[name] for name in UNITED[kind] & other.keys()}
    value, disagreements = united(kind, shared, known, final=True, growing=False)
    if disagreements or not differing <= UNITED[kind]:
        return (known if value == known else value), Verdict.CONFLICT, []
    value, _none = united(kind, other, value, final=True, growing=False)
    return (known if value == known else value), Verdict.STATE, []


def contradicts(known: JsonObject, other: JsonObject) -> bool:
    """Whether two sights name one field and say different things of it, nothing being a thing to say too.

    Stricter than ``merged``: an assistant whose tools were taken away is another assistant.
    """
    shared = known.keys() & other.keys()
    first, second = (pruned({name: value[name] for name in shared}) for value in (known, other))
    return any(not _alike(name, first.get(name), second.get(name)) for name in shared)


def _alike(name: str, one: Any, other: Any) -> bool:
    """The same value, or the same moment or words written otherwise: seconds as ISO 8601, a text part as its text."""
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
    """What is stored of a thread, to tell what another document adds to it.

    The states themselves go to a file once they are much (``spill``); a digest of each sight stays in memory.
    """

    def __init__(self) -> None:
        self._values: Gathering[JsonObject] = Gathering(JSON)
        self._first: dict[SourceKind, dict[str, int]] = collections.defaultdict(
            dict
        )  # by id: number of a value
        self._latest: dict[int, int] = {}  # by the first one's: number of the value that took its place
        self._sights: set[bytes] = set()

    def grow(self, weight: int) -> None:
        """Say how many bytes of JSON come, or came."""
        self._values.grow(weight)

    def see(self, kind: SourceKind, object_id: str, value: JsonObject, digest: bytes = b"") -> Verdict:
        """Take an object in, and tell what it is: SAME if it adds nothing. Raises NestedTooDeeplyError.

        ``digest`` is that of ``value`` where the caller has it already.
        """
        digest = digest or digest_of(value)
        first = self._first[kind].get(object_id)
        if first is None:
            first = self._first[kind][object_id] = self._values.append(value)
            self._sights.add(_sight(first, digest))
            return Verdict.NEW
        sight = _sight(first, digest)
        if sight in self._sights:
            return Verdict.SAME
        self._sights.add(sight)
        known = self._values[self._latest.get(first, first)]
        latest, verdict = merged(kind, known, value)
        if latest is not known:
            self._latest[first] = self._values.append(latest)
        return verdict

    def would_contradict(self, kind: SourceKind, object_id: str, value: JsonObject, digest: bytes) -> bool:
        """Whether ``see`` would find a conflict. Nothing is taken in."""
        first = self._first[kind].get(object_id)
        if first is None or _sight(first, digest) in self._sights:
            return False
        known = self._values[self._latest.get(first, first)]
        return merged(kind, known, value)[1] is Verdict.CONFLICT


def _sight(number: int, digest: bytes) -> bytes:
    return number.to_bytes(6) + digest


def rank_of(kind: SourceKind, value: JsonObject) -> int:
    """How far an object's state is: of two states the one of the higher rank is the later."""
    status = value.get("status")
    return _RANKS.get(kind, {}).get(status, _FINISHED) if isinstance(status, str) else _FINISHED

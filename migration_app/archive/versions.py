"""One object seen more than once: the same, another state of the same, or a conflict.

Dumps of polling and of event streams hold one id many times; SDK print-outs write absent fields as null; the
same thread answers ``{}`` once and empty lists another time. None of that is a conflict. Standard library only.
"""

from __future__ import annotations

import enum
import hashlib
import json
from typing import Any

from migration_app.contracts import JsonObject, SourceKind

MAX_DEPTH = 100

# What the source itself changes as time goes by; a later value takes the place of an earlier one.
_CHANGING = {
    "vector_store": frozenset({"last_active_at", "last_used_at", "expires_at", "usage_bytes", "bytes"})
}
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


def pruned(value: Any, depth: int = 0) -> Any:
    """The value without what says nothing: nulls, and objects and lists that hold nothing.

    List elements stay, so that places keep their numbers. Raises NestedTooDeeplyError.
    """
    if depth > MAX_DEPTH:
        raise NestedTooDeeplyError(f"The object is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, dict):
        kept = {}
        for name, part in value.items():
            slim = pruned(part, depth + 1) if isinstance(part, dict | list) else part
            if slim is not None and slim not in ({}, []):
                kept[name] = slim
        return kept
    if isinstance(value, list):
        return [pruned(part, depth + 1) if isinstance(part, dict | list) else part for part in value]
    return value


def digest_of(value: JsonObject) -> bytes:
    """A short digest of what the object says, whatever the order of its keys. Raises NestedTooDeeplyError."""
    text = json.dumps(pruned(value), sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def merged(kind: SourceKind, known: JsonObject, other: JsonObject) -> tuple[JsonObject, Verdict]:
    """Bring a later sight of an object together with what is known of it: the result, and what it was.

    Where one only says more than the other, the result says both. Of two states of one object the later wins:
    the finished one, or the one seen last while it was not finished. Otherwise what is known stays, and it is
    a conflict.
    """
    first, second = pruned(known), pruned(other)
    changing = _CHANGING.get(kind, frozenset())
    if all(first[name] == second[name] for name in first.keys() & second.keys() if name not in changing):
        news = {
            name for name in second if name not in first or (name in changing and first[name] != second[name])
        }
        if not news:
            return known, Verdict.SAME
        return {**known, **{name: other[name] for name in other if name in news}}, Verdict.STATE
    before, after = _rank(kind, known), _rank(kind, other)
    if before == after >= _FINISHED:
        return known, Verdict.CONFLICT
    return (other if after >= before else known), Verdict.STATE


class KnownObjects:
    """What is stored of a thread, to tell what another document adds to it."""

    def __init__(self) -> None:
        self._values: dict[tuple[SourceKind, str], JsonObject] = {}
        self._digests: set[tuple[SourceKind, str, bytes]] = set()

    def see(self, kind: SourceKind, object_id: str, value: JsonObject, digest: bytes = b"") -> Verdict:
        """Take an object in, and tell what it is: SAME if it adds nothing. Raises NestedTooDeeplyError.

        ``digest`` is that of ``value`` where the caller has it already.
        """
        sight = (kind, object_id, digest or digest_of(value))
        if sight in self._digests:
            return Verdict.SAME
        self._digests.add(sight)
        known = self._values.get((kind, object_id))
        if known is None:
            self._values[kind, object_id] = value
            return Verdict.NEW
        self._values[kind, object_id], verdict = merged(kind, known, value)
        return verdict


def _rank(kind: SourceKind, value: JsonObject) -> int:
    status = value.get("status")
    return _RANKS.get(kind, {}).get(status, _FINISHED) if isinstance(status, str) else _FINISHED

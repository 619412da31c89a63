"""Marks: what an import rejected of a thread, kept with the thread until a later import brings it.

A mark holds what identifies the object, and no content. Imports only this package, contracts and the
standard library.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

from migration_app.archive.expanded import Refused
from migration_app.archive.ids import id_fault, storable_text
from migration_app.archive.times import seconds_of
from migration_app.archive.versions import NestedTooDeeplyError, digest_of, pruned, rank_of
from migration_app.contracts import JsonObject, SourceKind

_REASON_CHARACTERS = 1000
_TOLD_BY: tuple[SourceKind, ...] = ("message", "run", "step")
# Known from its place, or fixed: the rest is equal in both files.
_NOT_ITS_OWN = frozenset(
    {"id", "message_id", "object", "thread_id", "run_id", "role", "user_ref", "created_at"}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """A rejected part of a thread: in which line of which import, why, and what identifies it.

    ``name`` is the same whenever the same file is imported. ``likes``: what identifies each rejected object without
    an id. ``place``, from 0: that of one message of a transcript whose others were accepted. ``rank``: the rank of its
    state. ``kind`` is ``thread`` if it is unknown. ``is_note``: nothing was rejected; ``reason`` has the
    names of unknown fields.
    """

    kind: SourceKind
    id: str
    reason: str
    line_number: int
    name: str
    likes: tuple[str, ...] = ()
    place: int = -1
    rank: int = 0
    is_note: bool = False

    def written(self) -> bytes:
        """The mark as a stored document."""
        return json.dumps(dataclasses.asdict(self)).encode()

    def without_first(self, count: int) -> Mark:
        """The same mark of a transcript whose first messages are known; of a repeated one all may be others."""
        return dataclasses.replace(self, likes=self.likes[count:] or self.likes)


@dataclasses.dataclass(frozen=True, slots=True)
class Filled:
    """A later transcript has the message that the mark of this name stands for."""

    name: str

    def written(self) -> bytes:
        """As a stored document."""
        return json.dumps({"filled": self.name}).encode()


def mark_read(document: JsonObject) -> Mark | Filled:
    """Decode a stored document of a page of rejects."""
    if "filled" in document:
        return Filled(document["filled"])
    return Mark(**{**document, "likes": tuple(document["likes"])})


class MarkMaker:
    """Makes the marks of one import, and numbers equal ones."""

    def __init__(self) -> None:
        self._seen: collections.Counter[bytes] = collections.Counter()

    def mark_of(self, refused: Refused, line_number: int = 0) -> Mark:
        """The mark of a refusal that names its thread; ``line_number`` is 0 where there is no file."""
        only = refused.values[0] if len(refused.values) == 1 and not refused.is_talk else None
        known = only if isinstance(only, dict) else {}
        object_id = "" if id_fault(known.get("id")) else str(known["id"])
        likes = tuple(likeness(value) for value in refused.values)
        note = json.dumps([refused.thread_id, refused.kind, object_id, likes, refused.place])
        if refused.is_note:
            note = json.dumps([refused.thread_id, refused.reason])  # one note, however often it occurs
        digest = hashlib.blake2b(note.encode(), digest_size=16).digest()
        self._seen[digest] += not refused.is_note
        return Mark(
            kind=refused.kind or "thread",
            id=object_id,
            reason=storable_text(refused.reason, _REASON_CHARACTERS),
            line_number=line_number,
            name=f"{digest.hex()}-{self._seen[digest]}",
            likes=likes,
            place=refused.place,
            rank=rank_of(refused.kind, known) if refused.kind else 0,
            is_note=refused.is_note,
        )


def likeness(value: Any) -> str:
    """What identifies an object with another id, or none: a digest of the rest. Empty if there is none."""
    if not isinstance(value, dict):
        return ""
    try:
        rest = pruned({name: part for name, part in value.items() if name not in _NOT_ITS_OWN})
        return digest_of({**rest, "created_at": seconds_of(value.get("created_at"))}).hex() if rest else ""
    except (NestedTooDeeplyError, RecursionError):
        return ""


class OpenMarks:
    """The marks of one thread while its pages are read, and which of them are resolved."""

    def __init__(self) -> None:
        self._marks: dict[str, Mark] = {}
        self._origins: dict[str, str] = {}
        self._missing: dict[str, int] = {}  # how many of its objects are still missing
        self._waiting: dict[tuple[SourceKind, str], list[str]] = {}
        self._filled: set[str] = set()

    def add(self, mark: Mark, origin: str) -> None:
        """Add a mark that ``origin`` left."""
        if mark.name in self._marks:
            return
        self._marks[mark.name] = mark
        self._origins[mark.name] = origin
        self._missing[mark.name] = len(mark.likes)
        for like in filter(None, mark.likes):
            for kind in _TOLD_BY if mark.kind == "thread" else (mark.kind,):
                self._waiting.setdefault((kind, like), []).append(mark.name)

    def filled(self, name: str) -> None:
        """A later transcript has the object of a mark."""
        self._filled.add(name)

    def came(self, kind: SourceKind, value: JsonObject, origin: str) -> None:
        """An unknown object arrived: it may be the one that another import rejected."""
        if not self._waiting:
            return
        like = (kind, likeness(value))
        waiting = self._waiting.get(like, [])
        name = next((name for name in waiting if self._origins[name] != origin), None)
        if name is not None:
            waiting.remove(name)
            self._missing[name] -= 1
            if not waiting:
                del self._waiting[like]

    def unresolved(self, known: Callable[[SourceKind, str], JsonObject | None]) -> Iterable[Mark]:
        """Marks whose objects are missing. ``known``: the latest state of an object, None if missing."""
        for name, mark in self._marks.items():
            if name in self._filled or (mark.likes and self._missing[name] <= 0):
                continue
            if not mark.id or not _is_here(mark, known):
                yield mark


def _is_here(mark: Mark, known: Callable[[SourceKind, str], JsonObject | None]) -> bool:
    """Whether the object of a mark with an id is known. Without its kind its content must be equal too."""
    if mark.kind == "thread":
        found = (known(kind, mark.id) for kind in _TOLD_BY)
        return any(value is not None and (likeness(value),) == mark.likes for value in found)
    value = known(mark.kind, mark.id)
    return value is not None and rank_of(mark.kind, value) >= mark.rank

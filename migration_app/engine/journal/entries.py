"""Many threads' steps, written down together.

A worker has dozens of threads in flight, and each must have its intent durable before a call and the answer
durable before the next one. Written one by one that costs a transaction each; so every thread hands in an
*entry*, and waiting entries are applied together. Each entry is applied whole, or, when its worker no
longer holds the thread's lease, not at all. The edges are those of ``threads.statuses``.

Knows nothing of asyncio (``engine.journal.commits`` collects the entries). Must not import jobs or rq.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import DataError, IntegrityError

from migration_app.archive.ids import storable_text
from migration_app.audit.actions import action_of
from migration_app.contracts import Actor, JsonObject
from migration_app.engine.journal.statement import documents_apply
from migration_app.engine.places import ThreadPlaces
from migration_app.json_codec import json_encode
from migration_app.models import Thread
from migration_app.threads.statuses import edge_check

_LONGEST_REASON = 2_000


@dataclasses.dataclass(frozen=True, slots=True)
class Announcement:
    """A call that is to be announced by an entry, as soon as it has a place: ``add_to`` says how."""

    places: ThreadPlaces
    add_to: Callable[[Entry], object]


@dataclasses.dataclass(slots=True)
class Entry:
    """What one thread's worker writes down at once. ``thread.status`` is what the row holds until it is applied.

    Texts are cut and cleaned of what PostgreSQL can't hold here, so that no entry can spoil the others.
    """

    thread: Thread
    parts: JsonObject = dataclasses.field(default_factory=dict)
    events: list[JsonObject] = dataclasses.field(default_factory=list)
    announcement: Announcement | None = None
    grown: bool = False
    """Once applied: whether the row has been assessed from a newer snapshot than the ``snapshot_seen`` named here."""

    @property
    def status(self) -> str:
        """The thread's status once this entry is applied."""
        return str(self.parts.get("set", {}).get("status", self.thread.status))

    def set(self, **columns: Any) -> None:
        """Change columns of the thread's row; ``release=True`` gives the lease back, ``due_in`` is in seconds."""
        self.parts.setdefault("set", {}).update(columns)

    def conversation(self, **columns: Any) -> None:
        """Change columns of the conversation's row; ``created``, ``completed``, ``verified`` mean the time now."""
        self.parts.setdefault("conversation", {}).update(columns)

    def event(
        self, verb: str, *, before: str = "", after: str = "", reason: str = "", request_id: str = ""
    ) -> None:
        """Add a row to the audit trail; without ``after`` it says that the status stays."""
        self.events.append(
            {
                "verb": action_of(verb).verb,
                "before": before if after else self.status,
                "after": (after or self.status)[:64],
                "reason": storable_text(reason, _LONGEST_REASON),
                "request_id": request_id[:128],
            }
        )

    def quote(self, text: str, *, code: str, status: int, request_id: str = "", item: int = 0) -> None:
        """Store a server's message with the thread: no other part of an entry may hold it."""
        if not text:
            return
        quoted = {
            "code": code[:64],
            "item": item,
            "status": status,
            "request_id": request_id[:128],
            "text": storable_text(text, _LONGEST_REASON),
        }
        others = [
            other
            for other in self.parts.get("quoted", ())
            if (other["code"], other["item"]) != (quoted["code"], item)
        ]
        self.parts["quoted"] = [*others, quoted]

    def keep_reading(self, columns: Mapping[str, Any]) -> None:
        """Store what was read of the conversation with the thread in review (``engine.reading``)."""
        payload = base64.b64encode(columns["payload"]).decode()
        self.parts["reading"] = {**columns, "payload": payload}

    def transition(
        self, to: str, verb: str, *, reason: str = "", request_id: str = "", **columns: Any
    ) -> None:
        """Take an edge, with its audit row. EdgeRefusedError if the table has no such edge."""
        before = self.status
        edge_check(before, to)
        self.event(verb, before=before, after=to, reason=reason, request_id=request_id)
        self.set(status=str(to), **columns)

    def result(self, result: str = "") -> None:
        """The thread's work in its batch is over: what its batch keeps of it, by default the status."""
        self.parts["result"] = str(result or self.status)

    def document(self) -> JsonObject:
        """The entry as the statement reads it."""
        return {
            "thread": self.thread.pk,
            "token": str(self.thread.lease_token),
            "seen": str(self.thread.status),
            "events": self.events,
            **self.parts,
        }


def entries_apply(entries: Sequence[Entry], actor: Actor) -> frozenset[int]:
    """Apply entries of different threads, all in one transaction; returns the threads that were still held.

    An entry that the database refuses never costs the others: then each is tried by itself, and the refused
    one's error is raised when the rest is written.
    """
    try:
        return _apply(entries, actor)
    except (DataError, IntegrityError):
        if len(entries) == 1:
            raise
    held: frozenset[int] = frozenset()
    refused: list[EntryRefusedError] = []
    for entry in entries:
        try:
            held |= _apply([entry], actor)
        except (DataError, IntegrityError) as error:
            refused.append(EntryRefusedError(entry.thread.pk, error))
    raise EntriesRefusedError(held, refused)


class EntryRefusedError(Exception):
    """The database refused one entry: a fault of the console."""

    def __init__(self, thread_pk: int, cause: Exception) -> None:
        super().__init__(f"The database refused what was to be written of thread {thread_pk}.")
        self.thread_pk = thread_pk
        self.__cause__ = cause


class EntriesRefusedError(Exception):
    """Some entries of a group were refused; ``held`` are the threads of those that were applied."""

    def __init__(self, held: frozenset[int], refused: Sequence[EntryRefusedError]) -> None:
        super().__init__(f"The database refused {len(refused)} entries.")
        self.held = held
        self.refused = {error.thread_pk: error for error in refused}


def _apply(entries: Sequence[Entry], actor: Actor) -> frozenset[int]:
    documents = [entry.document() for entry in entries]
    asked = frozenset().union(*documents)
    held = documents_apply(json_encode(documents, _in_ascii).decode(), asked, actor)
    for entry in entries:
        entry.grown = held.get(entry.thread.pk, False)
    return frozenset(held)


def _in_ascii(documents: object) -> bytes:
    """As the standard library writes it: what PostgreSQL can't store is then refused by that, with its own error."""
    return json.dumps(documents, separators=(",", ":")).encode()


def applied_to(thread: Thread, parts: Mapping[str, Any]) -> None:
    """Bring the object in memory to what an applied entry made of its row."""
    for name, value in parts.get("set", {}).items():
        if name == "release":
            thread.lease_token = thread.lease_until = None
        elif name != "due_in":
            setattr(thread, name, value)

"""One API object: its kind, its id and its thread, and what its surroundings say of it where it says nothing itself.

Standard library only.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

from migration_app.archive.expanded import Deletion, Expanded, Refused, Skipped, SourceObject
from migration_app.archive.ids import MessageIds, id_fault
from migration_app.archive.list_pages import ListPage, has_more_of, said_yes
from migration_app.archive.transcripts import TranscriptLines, derived_id
from migration_app.contracts import JsonObject, SourceKind

KINDS: Final[dict[str, SourceKind]] = {
    "assistant": "assistant",
    "thread": "thread",
    "thread.message": "message",
    "thread.run": "run",
    "thread.run.step": "step",
    "file": "file",
    "vector_store": "vector_store",
}
OBJECT_NAMES: Final[dict[SourceKind, str]] = {kind: name for name, kind in KINDS.items()}

OF_THREADS = frozenset({"message", "run", "step"})
_BESIDE = {
    "assistant.file": "an attachment of a file to an assistant (the assistant names it itself)",
    "thread.message.file": "an attachment of a file to a message (the message names it itself)",
    "vector_store.file": "a file's place in a vector store",
    "vector_store.file_batch": "a batch of files put into a vector store",
    "vector_store.files_batch": "a batch of files put into a vector store",
    "vector_store.file_content.page": "the content of a file in a vector store",
}
DELETED = ".deleted"
# Deleted threads and messages with more fields than these were kept by their dump, and marked.
_BARE = frozenset({"id", "object", "thread_id", "deleted"})
_MARKED = frozenset({"thread", "thread.message"})


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """What an object's place implies about it."""

    kind: SourceKind | None = None
    thread_id: str = ""
    bundle: str = ""  # the thread that the bundle around it is about
    run_id: str = ""
    ids: MessageIds | None = None
    depth: int = 0
    lines: TranscriptLines | None = None
    line_number: int = 0
    page: ListPage | None = None
    numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count)
    beside: Sequence[Any] = ()  # the elements of the list that it stands in

    def thread_of(self, value: Any) -> str:
        """The thread of something rejected here, empty if neither it nor its place names one."""
        own = value.get("thread_id") if isinstance(value, dict) else None
        said = (own, self.thread_id)
        return next((str(name) for name in said if not id_fault(name)), "") or only_thread(self.beside)

    def refused(
        self, reason: str, value: Any, kind: SourceKind | None = None, *, by_file: bool = False
    ) -> Refused:
        """The rejection of an object here."""
        return Refused(reason, by_file, self.thread_of(value), kind or self.kind, (value,))

    def inside(self, part: Any, continues: bool | None) -> Surroundings:
        """The place of a list's elements; ``part`` may be the list itself or a page that holds it."""
        said = has_more_of(part) if isinstance(part, dict) else continues
        elements = part["data"] if isinstance(part, dict) else part
        return dataclasses.replace(self, page=ListPage(next(self.numbers), said), beside=elements)

    def told_before(self, thread_id: str, messages: list[Any]) -> str:
        """Why messages without ids contradict what the file has of their thread, if so."""
        return "" if self.lines is None else self.lines.fault(thread_id, messages, self.line_number)


def only_thread(elements: Iterable[Any]) -> str:
    """The one thread that these objects name, empty if they name none or several."""
    named = [
        element["thread_id"] for element in elements if isinstance(element, dict) and element.get("thread_id")
    ]
    only = named[0] if named and all(other == named[0] for other in named) else None
    return "" if id_fault(only) else str(only)


def identified_or_deleted(value: JsonObject, place: Surroundings) -> Iterator[Expanded]:
    """One object, a deletion, or both: some dumps mark deleted objects and keep them."""
    found = _identified(value, place)
    yield found
    if isinstance(found, SourceObject) and said_yes(value.get("deleted")):
        if found.kind == "message":
            yield Deletion("message", found.id, found.thread_id)
        elif found.kind == "thread":
            yield Deletion("thread", found.id, found.id)


def _identified(value: JsonObject, place: Surroundings) -> Expanded:
    """One object with its kind, id and thread; or why it is rejected."""
    name = value.get("object")
    if not isinstance(name, str) or not name:
        if place.kind is None:
            return place.refused('It has no "object" that says what it is.', value)
        name = OBJECT_NAMES[place.kind]
    if (deleted := _deleted(name, value)) is not None:
        return _deletion(deleted, value, place)
    if left_out := _left_out(name, value):
        return Skipped(left_out)
    kind = KINDS.get(name)
    if kind is None:
        return place.refused(f"Unknown kind of object: {name[:80]!r}.", value)
    filled = _filled(kind, {**value, "object": name}, place)
    if fault := id_fault(filled.get("id")):
        return place.refused(f"The id of a {name} {fault}.", value, kind)
    thread_id = ""
    if kind in OF_THREADS:
        thread_id = filled["thread_id"]
        if fault := id_fault(thread_id):
            reason = f"The {name} {filled['id']} can't be placed: its thread_id {fault}."
            return place.refused(reason, value, kind)
        if place.bundle not in {"", thread_id}:
            reason = (
                f"The {name} {filled['id']} is in the bundle of thread {place.bundle} and names thread {thread_id}: "
                "fix its thread_id, or import it by itself."
            )
            return dataclasses.replace(place.refused(reason, value, kind, by_file=True), beside=place.bundle)
    elif kind == "thread":
        thread_id = filled["id"]
    is_counted = kind == "message" and place.ids is not None and not value.get("id")
    return SourceObject(kind, filled["id"], thread_id, filled, page=place.page, is_counted=is_counted)


def _deleted(name: str, value: JsonObject) -> Literal["thread", "message"] | None:
    """Whether an object only says that a thread or a message was deleted, and which of the two."""
    kind = KINDS.get(name.removesuffix(DELETED))
    says_so = name.endswith(DELETED) or (said_yes(value.get("deleted")) and value.keys() <= _BARE)
    if not says_so or said_yes(value.get("deleted")) is False:
        return None
    return "thread" if kind == "thread" else "message" if kind == "message" else None


def _deletion(
    kind: Literal["thread", "message"], value: JsonObject, place: Surroundings
) -> Deletion | Refused:
    if fault := id_fault(value.get("id")):
        return place.refused(f"The id of a deleted {kind} {fault}.", value, kind)
    if kind == "thread":
        return Deletion(kind, value["id"], value["id"])
    own = value.get("thread_id")
    return Deletion(kind, value["id"], place.thread_id if id_fault(own) else str(own))


def _left_out(name: str, value: JsonObject) -> str:
    """Why an object is skipped on purpose, empty if it isn't."""
    # DELETE of a file answers as "file" with nothing but id and deleted.
    is_marked = said_yes(value.get("deleted")) and "created_at" not in value
    if name.endswith(DELETED) or (is_marked and name not in _MARKED):
        return f"The answer to a deletion ({name})."
    if name.endswith(".delta"):
        return f"A part of a stream ({name}): only complete objects are read."
    return f"{name}: {_BESIDE[name]}, not part of a thread." if name in _BESIDE else ""


def _filled(kind: SourceKind, filled: JsonObject, place: Surroundings) -> JsonObject:
    """Fields that the object lacks, from its place."""
    if kind == "message" and not filled.get("id") and place.ids is not None:
        filled["id"] = derived_id(place.thread_id, filled, place.ids)
    if kind == "thread" and not filled.get("id"):
        filled["id"] = place.thread_id
    if kind in OF_THREADS and not filled.get("thread_id"):
        filled["thread_id"] = place.thread_id
    if kind == "step" and place.run_id and not filled.get("run_id"):
        filled["run_id"] = place.run_id
    return filled

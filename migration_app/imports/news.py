"""What the buffer of an import holds about a thread, before it is stored."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Sequence
from typing import NamedTuple

from migration_app.archive.expanded import SourceObject
from migration_app.archive.ids import storable_text
from migration_app.archive.marks import Mark
from migration_app.contracts import JsonObject


class ThreadEntry(NamedTuple):
    """One document, or row, as far as it is about one thread; or the mark of what was rejected of it.

    ``said``: ids of the messages of a whole transcript that was rejected. ``places``: those of a transcript's messages
    that could be taken.
    """

    kind: str
    raw: bytes
    redacted: bool
    objects: tuple[SourceObject, ...] = ()
    lists: frozenset[bytes] = frozenset()
    """Digests of its lists (``list_marks``)."""
    continues: bool = False
    """Whether one of its lists has_more."""
    line_number: int = 0
    mark: Mark | None = None
    said: tuple[str, ...] = ()
    places: Collection[int] = ()


@dataclasses.dataclass(slots=True)
class ThreadNews:
    """What the buffer holds about one thread."""

    thread_id: str
    entries: list[ThreadEntry] = dataclasses.field(default_factory=list)
    size: int = 0

    def add(self, entry: ThreadEntry) -> None:
        """Put a document behind the others."""
        self.entries.append(entry)
        self.size += len(entry.raw)

    @property
    def names(self) -> set[tuple[str, str]]:
        """Kinds and ids of all that came."""
        return {(found.kind, found.id) for entry in self.entries for found in entry.objects}

    @property
    def message_ids(self) -> set[str]:
        """Ids of the messages that came."""
        return {found.id for entry in self.entries for found in entry.objects if found.kind == "message"}

    @property
    def user_ref(self) -> str:
        """The first reference to a user that came with the thread."""
        named = (found.user_ref for entry in self.entries for found in entry.objects if found.user_ref)
        return storable_text(next(named, ""), 512)


def documents_written(values: Sequence[JsonObject]) -> bytes:
    """Objects as one document."""
    return json.dumps(values[0] if len(values) == 1 else {"object": "list", "data": values}).encode()

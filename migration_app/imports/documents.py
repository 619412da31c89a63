"""A document's objects, sorted by threads, and encoded again where a thread's part is stored separately."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Collection

from migration_app.archive.expanded import Deletion, EmptyPage, OtherList, Refused, Skipped
from migration_app.archive.expanded import SourceObject as Found
from migration_app.archive.objects import expand, is_last_page
from migration_app.archive.order.seen_lists import list_marks
from migration_app.archive.transcripts import TranscriptLines
from migration_app.archive.versions import NestedTooDeeplyError, depth_check
from migration_app.contracts import MAX_JSON_DEPTH, JsonObject
from migration_app.imports.news import ThreadEntry

_ESCAPED_BRACKETS = (b"\\u005", b"\\u007")

TOO_DEEP = "The object is nested too deeply to be an API object."
_EMPTY_PAGE = (
    "The list page holds nothing that could be taken, says that more follow (has_more), and names no thread that "
    "lacks them."
)


@dataclasses.dataclass(slots=True)
class ThreadPart:
    """What a document holds of one thread: objects, and unfinished empty lists."""

    objects: list[Found] = dataclasses.field(default_factory=list)
    empty: list[EmptyPage] = dataclasses.field(default_factory=list)

    @property
    def continues(self) -> bool:
        """Whether one of its lists has_more."""
        return bool(self.empty) or any(
            found.page is not None and bool(found.page.continues) for found in self.objects
        )

    def entry(
        self, kind: str, raw: bytes, *, redacted: bool, line_number: int, places: Collection[int]
    ) -> ThreadEntry:
        """What is to be stored of it; ``places`` are those of a transcript's messages that are taken."""
        sights: list[Found | EmptyPage] = [*self.objects, *self.empty]
        return ThreadEntry(
            kind,
            raw,
            redacted,
            tuple(self.objects),
            list_marks(sights),
            self.continues,
            line_number,
            places=places,
        )

    def written(self, thread_id: str) -> bytes:
        """A document of its own, in which every list says what it said."""
        parts: list[JsonObject] = []
        for _key, group in itertools.groupby(self.objects, lambda one: id(one.page)):
            found = list(group)
            page, values = found[0].page, [one.value for one in found]
            if page is None:
                parts += values
            else:
                said = {} if page.continues is None else {"has_more": page.continues}
                parts.append({"object": "list", "data": values, **said})
        for empty in self.empty:
            name = f"{empty.kind or 'message'}s"
            parts.append({"thread_id": thread_id, name: {"object": "list", "data": [], "has_more": True}})
        return json.dumps(parts[0] if len(parts) == 1 else {"object": "list", "data": parts}).encode()


@dataclasses.dataclass(slots=True)
class DocumentParts:
    """A document's objects by thread, those of no thread, and what is left out."""

    by_thread: dict[str, ThreadPart] = dataclasses.field(default_factory=dict)
    loose: list[Found] = dataclasses.field(default_factory=list)
    refused: list[Refused] = dataclasses.field(default_factory=list)
    deletions: list[Deletion] = dataclasses.field(default_factory=list)
    others: list[OtherList] = dataclasses.field(default_factory=list)
    skipped: int = 0
    is_whole: bool = True
    too_deep: list[Found] = dataclasses.field(default_factory=list)  # in unfinished lists

    @property
    def is_of_one_thread(self) -> bool:
        """Whether it may be stored as it came: for one thread, and nothing is refused that read alone would be taken,
        or that is nested too deeply to be read at all.
        """
        return self.is_whole and len(self.by_thread) == 1

    def going_on(self) -> tuple[str, Found | EmptyPage] | None:
        """The thread and the last object of an unfinished list, if that is all that the document holds; or the list
        itself, if nothing of it could be taken.
        """
        if len(self.by_thread) != 1:
            return None
        ((thread_id, part),) = self.by_thread.items()
        if not part.continues:
            return None
        return thread_id, part.objects[-1] if part.objects else part.empty[-1]

    def refuse_too_deep(self, found: Found) -> None:
        """Leave an object out that is nested too deeply; a list of nothing else may still have has_more."""
        self.is_whole = False
        self.refused.append(Refused(TOO_DEEP, False, found.thread_id, found.kind, (found.value,)))
        if found.thread_id and found.page is not None and found.page.continues:
            self.too_deep.append(found)

    def close(self) -> None:
        """Report unfinished lists without usable objects."""
        for found in self.too_deep:
            part = self.by_thread.setdefault(found.thread_id, ThreadPart())
            if not any(one.page is found.page and one.kind == found.kind for one in part.objects):
                part.empty.append(EmptyPage(found.kind, found.thread_id, ""))


class OtherLists:
    """Lists of threads, assistants or files in a file: of which kinds one is unfinished and none ends."""

    def __init__(self) -> None:
        self._going_on: set[str] = set()
        self._ended: set[str] = set()
        self._last = ""

    def see(self, value: JsonObject, parts: DocumentParts) -> None:
        """Add a document; an empty last page belongs to the list right before it."""
        if self._last and is_last_page(value):
            self._ended.add(self._last)
        self._last = ""
        for other in parts.others:
            (self._going_on if other.continues else self._ended).add(other.kind)
            self._last = other.kind

    def pass_by(self) -> None:
        """Skip a document that holds no list."""
        self._last = ""

    @property
    def left_open(self) -> int:
        """How many kinds lack the end of their list."""
        return len(self._going_on - self._ended)


def is_shallow(raw: bytes) -> bool:
    """Whether nothing in a document can be nested too deeply: too few brackets, and none written as escapes."""
    if raw.count(b"{") + raw.count(b"[") > MAX_JSON_DEPTH:
        return False
    return b"\\u00" not in raw or not any(escaped in raw for escaped in _ESCAPED_BRACKETS)


def document_parts(
    value: JsonObject, lines: TranscriptLines, line_number: int, *, is_shallow: bool = False
) -> DocumentParts:
    """Sort out a document; ``is_shallow``: see the function of that name."""
    parts = DocumentParts()
    for found in expand(value, lines=lines, line_number=line_number):
        if isinstance(found, Skipped):
            parts.skipped += 1
        elif isinstance(found, Refused):
            parts.is_whole &= not found.by_file
            parts.refused.append(found)
        elif isinstance(found, Deletion):
            parts.deletions.append(found)
        elif isinstance(found, OtherList):
            parts.others.append(found)
        elif isinstance(found, EmptyPage):
            if found.thread_id:
                parts.by_thread.setdefault(found.thread_id, ThreadPart()).empty.append(found)
            else:
                parts.refused.append(Refused(_EMPTY_PAGE))
        elif not is_shallow and _is_too_deep(found):
            parts.refuse_too_deep(found)
        elif found.thread_id:
            parts.by_thread.setdefault(found.thread_id, ThreadPart()).objects.append(found)
        else:
            parts.loose.append(found)
    parts.close()
    return parts


def _is_too_deep(found: Found) -> bool:
    """Whether an object is nested too deeply to be compared with others."""
    try:
        depth_check(found.value)
    except NestedTooDeeplyError:
        return True
    return False

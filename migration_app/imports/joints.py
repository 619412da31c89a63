"""Repeated single objects that say where others belong: they are stored again beside what is new.

A file of one object a line is a list too. Of a repeated one only its order matters: an
object beside one that is new shows where that belongs, and one beside the end of a list page shows what continues that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from migration_app.archive.expanded import SourceObject
from migration_app.archive.order.seen_lists import LISTED
from migration_app.imports.news import ThreadEntry
from migration_app.models import SnapshotPage

Name = tuple[str, str]
"""Kind and id."""


@dataclasses.dataclass(slots=True)
class _Single:
    """A document of one object outside of lists."""

    entry: ThreadEntry | None  # none where an earlier buffer held it
    name: Name
    is_new: bool
    is_kept: bool


class KnownJoints:
    """What a thread's stored pages show about single objects and the ends of list pages. Ids only.

    Of single objects only those in the current buffer.
    """

    def __init__(self) -> None:
        self.pairs: set[tuple[Name, Name]] = set()
        self.singles: set[Name] = set()
        self._ends: set[Name] = set()
        self._reading: SourceObject | None = None  # the last object so far of the current page
        self._last: dict[tuple[str, str], Name] = {}

    def see(self, found: SourceObject, origin: str, *, is_wanted: bool) -> None:
        """Add a stored object."""
        self.note_end(found)
        if found.kind not in LISTED or found.page is not None:
            return
        name, before = (found.kind, found.id), self._last.get((origin, found.kind))
        if is_wanted:
            self.singles.add(name)
            if before is not None:
                self.pairs.add((before, name))
        self._last[origin, found.kind] = name

    def note_end(self, found: SourceObject) -> None:
        """Add an object that may end an unfinished list page."""
        last = self._reading
        if last is not None and (last.page is not found.page or last.kind != found.kind):
            self._ends.add((last.kind, last.id))
            self._reading = None
        if found.page is not None and found.page.continues and found.kind in LISTED:
            self._reading = found

    def is_end(self, name: Name) -> bool:
        """Whether a list page continues from this object."""
        last = self._reading
        return name in self._ends or (last is not None and (last.kind, last.id) == name)


class Joints:
    """Which documents of a buffer about one thread are stored: those that are new, and the joints between them.

    ``passed``, one for an import: by thread and kind, the last single object, where it is the end of a page.
    """

    def __init__(self, known: KnownJoints, passed: dict[tuple[str, str], Name]) -> None:
        self._known = known
        self._passed = passed
        self._last: dict[str, _Single] = {}

    def kept(self, entry: ThreadEntry, *, is_new: bool) -> Iterator[ThreadEntry]:
        """What is to be stored when this document comes: itself, the one before it, both or neither."""
        for found in entry.objects:
            self._known.note_end(found)
        one = _single(entry)
        if one is None:
            if is_new:
                yield entry
            return
        before = self._before(one)
        is_lone = self._known.is_end((one.kind, one.id)) and (one.kind, one.id) not in self._known.singles
        single = _Single(entry, (one.kind, one.id), is_new, is_new or is_lone)
        if before is not None and self._joins(before, single):
            if before.entry is not None and not before.is_kept:
                yield before.entry
            before.is_kept = single.is_kept = True
            self._known.pairs.add((before.name, single.name))
        if single.is_kept:
            self._known.singles.add(single.name)
            yield entry
        self._remember(one, single)

    def _before(self, found: SourceObject) -> _Single | None:
        """The single object before this one in the file, as far as it is known."""
        name = self._passed.get((found.thread_id, found.kind))
        if found.kind not in self._last and name is not None:
            return _Single(None, name, is_new=False, is_kept=True)
        return self._last.get(found.kind)

    def _remember(self, found: SourceObject, single: _Single) -> None:
        self._last[found.kind] = single
        if self._known.is_end(single.name):
            self._passed[found.thread_id, found.kind] = single.name
        else:
            self._passed.pop((found.thread_id, found.kind), None)

    def _joins(self, one: _Single, other: _Single) -> bool:
        """Whether it is new that these two are adjacent, and shows where something belongs."""
        if one.name == other.name or (one.name, other.name) in self._known.pairs:
            return False
        return one.is_new or other.is_new or self._known.is_end(one.name) or self._known.is_end(other.name)


def _single(entry: ThreadEntry) -> SourceObject | None:
    """The object of a document that holds nothing else."""
    if len(entry.objects) != 1 or entry.kind != SnapshotPage.Kind.ARCHIVE:
        return None
    (found,) = entry.objects
    return found if found.page is None and found.kind in LISTED else None

"""Storing what an import found about threads: rows, pages, conflicts. One transaction a group of threads.

Nothing is stored twice: what a thread's pages hold already is skipped, from any import. Of what is
stored only the objects are kept in memory that the buffer speaks of too, so a thread may be of any length.

An import that was killed, or met a full disk, is read again from its first line. What its earlier try stored is
then counted as that try counted it, so that the counts at the end say what the import brought. (Only a line that
stands in the file twice, further apart than a buffer, is then counted as new both times.)
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from django.db import connection, transaction

from migration_app.archive.expanded import Deletion, EmptyPage, LastPage, SourceObject
from migration_app.archive.files.reader import Reject
from migration_app.archive.files.streams import REJECT_BYTES
from migration_app.archive.ids import MessageIds
from migration_app.archive.marks import Filled, Mark
from migration_app.archive.order.assemble import page_sights
from migration_app.archive.order.seen_lists import list_marks
from migration_app.archive.order.talk import KnownTalk, other_talk
from migration_app.archive.versions import KnownObjects, Verdict, digest_of
from migration_app.audit.trail import audit_event
from migration_app.contracts import Actor, ListingOrder
from migration_app.imports.joints import Joints, KnownJoints
from migration_app.imports.news import ThreadEntry, ThreadNews, documents_written
from migration_app.imports.talks import Talks, of_talk, other_mark, row_differs, talk_differs
from migration_app.models import AuditEvent, SnapshotPage, SourceImport, Thread
from migration_app.snapshots.deletions import deletion_document, deletions_are_kept, deletions_of
from migration_app.snapshots.page_writing import snapshot_pages_write
from migration_app.snapshots.pages import page_content, pages_by_thread, pages_made
from migration_app.statements import statements_of

_GROUP_THREADS = 500
_GROUP_BYTES = 32 << 20

_SQL = statements_of(__name__)
# Sights of objects: kind, id, digest.
_Sight = tuple[str, str, bytes]
# By kind of page: documents to be stored, and whether secrets were redacted.
_Fresh = dict[str, list[tuple[bytes, bool]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """Primary keys of threads: those that need an assessment, those that an earlier try of the import stored, and
    those with an unfinished list. ``rejects``: documents that contradict what is known.
    """

    touched: set[int] = dataclasses.field(default_factory=set)
    earlier: set[int] = dataclasses.field(default_factory=set)
    going_on: set[int] = dataclasses.field(default_factory=set)
    rejects: list[Reject] = dataclasses.field(default_factory=list)


def newest_page_pk() -> int:
    """The newest page of all. Pages of an import up to the one that was there when it began are of an earlier try."""
    return SnapshotPage.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def threads_store(
    *,
    news: Mapping[str, ThreadNews],
    source_import: SourceImport,
    earlier_until: int,
    order: ListingOrder,
    csv_header: bytes,
    talks: Talks,
    actor: Actor,
    counts: collections.Counter[str],
    fence: Callable[[], None],
) -> Stored:
    """Store what is new about these threads; ``earlier_until`` is what newest_page_pk said when the import began.

    ``fence`` is called first in each transaction, and raises if the import is not this reader's any more.
    """
    stored = Stored()
    for group in _groups(news):
        with transaction.atomic():
            fence()
            store = _GroupStore(
                source_import,
                earlier_until,
                order,
                csv_header,
                talks,
                actor,
                collections.Counter(),
                Stored(),
            )
            store.run(group)
        counts.update(store.counts)
        stored.touched.update(store.stored.touched)
        stored.earlier.update(store.stored.earlier)
        stored.going_on.update(store.stored.going_on)
        stored.rejects.extend(store.stored.rejects)
    return stored


def _groups(news: Mapping[str, ThreadNews]) -> Iterator[list[ThreadNews]]:
    group: list[ThreadNews] = []
    size = 0
    # Sorted, so that two imports at once take the same rows in the same order.
    for thread_id in sorted(news):
        if group and (size + news[thread_id].size > _GROUP_BYTES or len(group) >= _GROUP_THREADS):
            yield group
            group, size = [], 0
        group.append(news[thread_id])
        size += news[thread_id].size
    if group:
        yield group


@dataclasses.dataclass(slots=True)
class _Known:
    """What is stored of one thread, as far as the buffer speaks of it."""

    objects: KnownObjects = dataclasses.field(default_factory=KnownObjects)
    earlier: dict[_Sight, Verdict] = dataclasses.field(default_factory=dict)
    lists: set[bytes] = dataclasses.field(default_factory=set)
    joints: KnownJoints = dataclasses.field(default_factory=KnownJoints)
    talk: KnownTalk = dataclasses.field(default_factory=KnownTalk)
    marks: set[str] = dataclasses.field(default_factory=set)
    gaps: dict[str, int] = dataclasses.field(default_factory=dict)  # marks of places where nothing came yet
    deleted: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    row_ids: set[str] = dataclasses.field(default_factory=set)  # of the messages of stored rows
    next_sequence: int = 0
    last_sequence: int | None = None
    has_earlier_pages: bool = False

    def note(self, found: Deletion | Mark | Filled) -> None:
        """Add a deletion, or what imports rejected."""
        if isinstance(found, Deletion):
            self.deleted.add((found.kind, found.id))
        elif isinstance(found, Filled):
            self.gaps.pop(found.name, None)
        else:
            self.marks.add(found.name)
            if found.place >= 0:
                self.talk.gaps += 1
                self.gaps[found.name] = found.place

    def note_talk(self, kind: str, found: SourceObject) -> None:
        """Add a message of a transcript, of a page of this kind."""
        if of_talk(kind, found):
            self.talk.add(found.id)
            if kind == SnapshotPage.Kind.TRANSCRIPT_CSV:
                self.row_ids.add(found.id)


@dataclasses.dataclass(slots=True)
class _GroupStore:
    """The work of one transaction. Its counts are handed on only when it has been committed."""

    source_import: SourceImport
    earlier_until: int
    order: ListingOrder
    csv_header: bytes
    talks: Talks
    actor: Actor
    counts: collections.Counter[str]
    stored: Stored
    audit: list[AuditEvent] = dataclasses.field(default_factory=list)

    def run(self, group: Sequence[ThreadNews]) -> None:
        rows = self._rows(group)
        by_id = {news.thread_id: news for news in group}
        deletions: Mapping[str, Sequence[Deletion]] = {}
        if deletions_are_kept():
            deletions = deletions_of({news.thread_id: news.message_ids for news in group})
        made: list[SnapshotPage] = []
        for thread, pages in pages_by_thread(sorted(rows.values(), key=lambda row: row.pk)):
            known = self._known(thread, by_id[thread.thread_id], pages)
            deleted = deletions.get(thread.thread_id, ())
            fresh = self._pages(thread, by_id[thread.thread_id], known, deleted)
            made += fresh
            # Pages that an import stored before it was killed are still to be assessed.
            behind = known.last_sequence is not None and (
                thread.snapshot_sequence is None or thread.snapshot_sequence < known.last_sequence
            )
            if fresh or behind:
                self.stored.touched.add(thread.pk)
            if known.has_earlier_pages:
                self.stored.earlier.add(thread.pk)
            if any(entry.continues for entry in by_id[thread.thread_id].entries):
                self.stored.going_on.add(thread.pk)
        snapshot_pages_write(made)
        AuditEvent.objects.bulk_create(self.audit, batch_size=1000)

    def _rows(self, group: Sequence[ThreadNews]) -> dict[str, Thread]:
        """The threads' rows, locked; those that are new are made."""
        ids = [news.thread_id for news in group]
        with connection.cursor() as cursor:
            cursor.execute(
                _SQL["register"],
                {
                    "registered": Thread.Status.REGISTERED,
                    "ids": ids,
                    "user_refs": [news.user_ref for news in group],
                    "actor": self.actor.name,
                    "user_id": self.actor.user_id,
                    "job_id": self.actor.job_id,
                    "reason": registered_reason(self.source_import),
                },
            )
            self.counts["threads_new"] += cursor.rowcount
        locked = Thread.objects.select_for_update(of=("self",), no_key=True).filter(thread_id__in=ids)
        rows = {thread.thread_id: thread for thread in locked.order_by("pk")}
        for news in group:
            thread = rows[news.thread_id]
            if news.user_ref and not thread.user_ref:
                thread.user_ref = news.user_ref
                thread.save(update_fields=["user_ref", "updated_at"])
        return rows

    def _known(self, thread: Thread, news: ThreadNews, pages: Iterable[SnapshotPage]) -> _Known:
        """Read a thread's pages, one after the other, for the objects that the buffer speaks of."""
        wanted: set[tuple[str, str]] = set()
        has_lists = any(entry.lists for entry in news.entries)
        known, ids = _Known(), MessageIds()
        for page in pages:
            wanted = wanted or news.names
            known.next_sequence = page.sequence + 1
            known.last_sequence = page.sequence
            is_earlier = page.source_import_id == self.source_import.pk and page.pk <= self.earlier_until
            known.has_earlier_pages |= is_earlier
            sights = page_sights(thread.thread_id, page_content(page), ids)
            if has_lists:
                sights = iter(held := list(sights))
                known.lists.update(
                    list_marks(
                        found for found in held if isinstance(found, SourceObject | EmptyPage | LastPage)
                    )
                )
            for found in sights:
                if isinstance(found, Deletion | Mark | Filled):
                    known.note(found)
                if not isinstance(found, SourceObject):
                    continue
                known.note_talk(page.kind, found)
                is_wanted = (found.kind, found.id) in wanted
                known.joints.see(found, page.origin, is_wanted=is_wanted)
                if not is_wanted:
                    continue
                verdict = known.objects.see(found.kind, found.id, found.value)
                if is_earlier and verdict is not Verdict.SAME:
                    known.earlier[_sight(found)] = verdict
        return known

    def _pages(
        self, thread: Thread, news: ThreadNews, known: _Known, deletions: Iterable[Deletion]
    ) -> list[SnapshotPage]:
        """Pages of the documents that say something new, in their order, one kind at a time."""
        fresh: _Fresh = collections.defaultdict(list)
        conflicts: list[str] = []
        joints = Joints(known.joints, self.talks.ends_passed)
        for entry in news.entries:
            if entry.mark is not None:
                self._mark(entry.mark.without_first(known.talk.repeated(entry.said)), known, fresh)
                continue
            fitting = self._fitting(entry, known, fresh)
            if fitting is None:
                continue
            gaps = known.gaps.items() if known.gaps else ()
            for name in [name for name, place in gaps if place in entry.places]:
                known.note(Filled(name))
                fresh[SnapshotPage.Kind.REJECTS].append((Filled(name).written(), False))
            is_new = self._says_more(fitting, known, conflicts)
            for kept in joints.kept(fitting, is_new=is_new):
                fresh[kept.kind].append((kept.raw, kept.redacted))
        for deletion in deletions:
            if (deletion.kind, deletion.id) not in known.deleted:
                fresh[SnapshotPage.Kind.ARCHIVE].append((deletion_document(deletion), False))
        if conflicts:
            named = ", ".join(dict.fromkeys(conflicts[:20]))
            self._record(
                "thread.conflict", thread.thread_id, reason=f"Other content under a known id: {named}"
            )
        pages: list[SnapshotPage] = []
        for kind, documents in fresh.items():
            # A transcript is written in the order of the talk; archives are as their lists were.
            order: ListingOrder = "asc" if kind != SnapshotPage.Kind.ARCHIVE else self.order
            pages += pages_made(
                thread=thread,
                first_sequence=known.next_sequence + len(pages),
                kind=kind,
                origin=f"import-{self.source_import.pk}",
                order=order,
                documents=documents,
                csv_header=self.csv_header,
                source_import=self.source_import,
            )
        return pages

    def _says_more(self, entry: ThreadEntry, known: _Known, conflicts: list[str]) -> bool:
        """Count a document's objects; whether it says what is not known. ``conflicts`` gains the names of those.

        Where lists end is said by lists alone: one that names known objects may still be the missing page.
        """
        says_more = False
        if entry.lists:
            says_more = not entry.lists <= known.lists
            known.lists |= entry.lists
        for found in entry.objects:
            verdict = known.objects.see(found.kind, found.id, found.value)
            says_more |= verdict is not Verdict.SAME
            if found.is_counted and entry.kind == SnapshotPage.Kind.TRANSCRIPT_CSV:
                # Rows without ids are counted where they are stored: one that is known from elsewhere counts too.
                says_more |= found.id not in known.row_ids
                known.row_ids.add(found.id)
            counted = known.earlier.pop(_sight(found), verdict) if known.earlier else verdict
            if (
                found.kind != "thread"
                or entry.kind == SnapshotPage.Kind.ARCHIVE
                or counted is not Verdict.SAME
            ):
                self._count(found, counted)
            if verdict is Verdict.CONFLICT:
                conflicts.append(f"{found.kind} {found.id}")
        return says_more

    def _fitting(self, entry: ThreadEntry, known: _Known, fresh: _Fresh) -> ThreadEntry | None:
        """The document without what contradicts the known transcript, which is rejected; None if nothing is left."""
        said = [sighted for sighted in entry.objects if of_talk(entry.kind, sighted)]
        if not said:
            return entry
        count = len(known.talk)
        if entry.kind == SnapshotPage.Kind.TRANSCRIPT_CSV:
            place = row_differs(self.talks, known.talk, known.objects, said[0])
        else:
            place = talk_differs(known.talk, known.objects, said)
        if place is None:
            return entry
        thread_id = said[0].thread_id
        reason = other_talk(thread_id, count, place)
        self.stored.rejects.append(Reject(entry.line_number, reason, entry.raw[:REJECT_BYTES]))
        values = [found.value for found in said]
        mark = other_mark(self.talks, values, reason, thread_id, entry.line_number)
        self._mark(mark.without_first(0 if len(said) == 1 else place), known, fresh)
        rest = tuple(sighted for sighted in entry.objects if sighted not in said)
        if entry.kind != SnapshotPage.Kind.ARCHIVE or not rest:
            return None
        raw = documents_written([found.value for found in rest])
        return entry._replace(raw=raw, objects=rest, lists=frozenset())

    def _mark(self, mark: Mark, known: _Known, fresh: _Fresh) -> None:
        """Keep with the thread that something of it was rejected."""
        self.counts["marks"] += 1
        if mark.name not in known.marks:
            known.note(mark)
            fresh[SnapshotPage.Kind.REJECTS].append((mark.written(), False))

    def _count(self, found: SourceObject, verdict: Verdict) -> None:
        if verdict is Verdict.NEW:
            self.counts[f"{found.kind}s"] += 1
        elif verdict is Verdict.SAME:
            self.counts["unchanged"] += 1
        elif verdict is Verdict.STATE:
            self.counts["states"] += 1
        else:
            self.counts["conflicts"] += 1

    def _record(self, verb: str, thread_id: str, *, reason: str) -> None:
        self.audit.append(
            audit_event(
                actor=self.actor,
                verb=verb,
                subject_kind="thread",
                subject_id=thread_id,
                reason=reason,
            )
        )


def _sight(found: SourceObject) -> _Sight:
    return found.kind, found.id, digest_of(found.value)


def registered_reason(source_import: SourceImport) -> str:
    """Why an archive's threads were registered, as the audit trail has it."""
    return f"Import {source_import.pk}."

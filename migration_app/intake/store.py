"""Storing what an import found about threads: rows, pages, conflicts. One transaction a group of threads.

Nothing is stored twice: what a thread's pages hold already is passed over, whatever import brought it.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from django.db import connection, transaction
from django.db.models import Sum

from migration_app.archive.ids import storable_text
from migration_app.archive.objects import SourceObject
from migration_app.archive.versions import KnownObjects, Verdict
from migration_app.contracts import Actor, ListingOrder
from migration_app.models import AuditEvent, SnapshotPage, SourceImport, Thread
from migration_app.services.audit import audit_event
from migration_app.services.pages import known_objects, pages_made, threads_with_pages

_GROUP_THREADS = 500
_GROUP_BYTES = 32 << 20

# In SQL, for RETURNING: of two imports at once only the one that made a row may say that it did.
_REGISTER = """
    INSERT INTO migration_app_thread
        (thread_id, user_ref, status, fidelity, message_count, run_count, item_count, chunk_count,
         payload_bytes, finding_counts, error_code, error_text, attempts, pending_work, created_at, updated_at)
    SELECT r.thread_id, r.user_ref, %s, '', 0, 0, 0, 0, 0, '{}'::jsonb, '', '', 0, '', now(), now()
    FROM unnest(%s::text[], %s::text[]) AS r(thread_id, user_ref)
    ON CONFLICT (thread_id) DO NOTHING RETURNING thread_id
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One document, or row, as far as it is about one thread."""

    kind: str
    raw: bytes
    redacted: bool
    objects: tuple[tuple[SourceObject, bytes], ...]  # each with its digest


@dataclasses.dataclass(slots=True)
class ThreadNews:
    """What the buffer holds about one thread."""

    thread_id: str
    entries: list[Entry] = dataclasses.field(default_factory=list)
    size: int = 0

    def add(self, entry: Entry) -> None:
        """Put a document behind the others."""
        self.entries.append(entry)
        self.size += len(entry.raw)

    @property
    def user_ref(self) -> str:
        """The first reference to a user that came with the thread."""
        named = (
            found.user_ref for entry in self.entries for found, _digest in entry.objects if found.user_ref
        )
        return storable_text(next(named, ""), 512)


def threads_store(
    *,
    news: Mapping[str, ThreadNews],
    source_import: SourceImport,
    order: ListingOrder,
    csv_header: bytes,
    actor: Actor,
    counts: collections.Counter[str],
) -> set[int]:
    """Store what is new about these threads. Returns the primary keys of those that need an assessment."""
    touched: set[int] = set()
    for group in _groups(news):
        with transaction.atomic():
            store = _GroupStore(source_import, order, csv_header, actor, collections.Counter())
            touched |= store.run(group)
        counts.update(store.counts)
    return touched


def _groups(news: Mapping[str, ThreadNews]) -> Iterator[list[ThreadNews]]:
    """Groups that fit into memory together with what is stored of their threads already."""
    stored: dict[str, int] = dict(
        SnapshotPage.objects.filter(thread__thread_id__in=list(news))
        .order_by()
        .values_list("thread__thread_id")
        .annotate(total=Sum("raw_bytes"))
    )
    group: list[ThreadNews] = []
    size = 0
    # Sorted, so that two imports at once take the same rows in the same order.
    for thread_id in sorted(news):
        weight = news[thread_id].size + stored.get(thread_id, 0)
        if group and (size + weight > _GROUP_BYTES or len(group) >= _GROUP_THREADS):
            yield group
            group, size = [], 0
        group.append(news[thread_id])
        size += weight
    if group:
        yield group


@dataclasses.dataclass(slots=True)
class _GroupStore:
    """The work of one transaction. Its counts are handed on only when it has been committed."""

    source_import: SourceImport
    order: ListingOrder
    csv_header: bytes
    actor: Actor
    counts: collections.Counter[str]
    audit: list[AuditEvent] = dataclasses.field(default_factory=list)

    def run(self, group: Sequence[ThreadNews]) -> set[int]:
        rows = self._rows(group)
        by_id = {news.thread_id: news for news in group}
        pages: list[SnapshotPage] = []
        touched: set[int] = set()
        for thread, stored in threads_with_pages(list(rows.values())):
            first = stored[-1].sequence + 1 if stored else 0
            made = self._pages(thread, by_id[thread.thread_id], known_objects(thread, stored), first)
            pages += made
            # Pages that an import stored before it was killed are still to be assessed.
            received_at = max((page.received_at for page in stored), default=None)
            behind = received_at is not None and (
                thread.snapshot_at is None or thread.snapshot_at < received_at
            )
            if made or behind:
                touched.add(thread.pk)
        SnapshotPage.objects.bulk_create(pages, batch_size=200)
        AuditEvent.objects.bulk_create(self.audit, batch_size=1000)
        return touched

    def _rows(self, group: Sequence[ThreadNews]) -> dict[str, Thread]:
        """The threads' rows, locked; those that are new are made."""
        ids = [news.thread_id for news in group]
        with connection.cursor() as cursor:
            refs = [news.user_ref for news in group]
            cursor.execute(_REGISTER, [Thread.Status.REGISTERED, ids, refs])
            registered = sorted(row[0] for row in cursor.fetchall())
        self.counts["threads_new"] += len(registered)
        for thread_id in registered:
            self._record("thread.registered", thread_id, after=Thread.Status.REGISTERED)
        locked = Thread.objects.select_for_update(of=("self",), no_key=True).filter(thread_id__in=ids)
        rows = {thread.thread_id: thread for thread in locked.order_by("pk")}
        for news in group:
            thread = rows[news.thread_id]
            if news.user_ref and not thread.user_ref:
                thread.user_ref = news.user_ref
                thread.save(update_fields=["user_ref", "updated_at"])
        return rows

    def _pages(self, thread: Thread, news: ThreadNews, known: KnownObjects, first: int) -> list[SnapshotPage]:
        """Pages of the documents that say something new, in their order, one kind at a time."""
        fresh: dict[str, list[tuple[bytes, bool]]] = {}
        conflicts: list[str] = []
        for entry in news.entries:
            says_more = False
            for found, digest in entry.objects:
                verdict = known.see(found.kind, found.id, found.value, digest)
                says_more |= verdict is not Verdict.SAME
                if (
                    found.kind != "thread"
                    or entry.kind == SnapshotPage.Kind.ARCHIVE
                    or verdict is not Verdict.SAME
                ):
                    self._count(found, verdict)
                if verdict is Verdict.CONFLICT:
                    conflicts.append(f"{found.kind} {found.id}")
            if says_more:
                fresh.setdefault(entry.kind, []).append((entry.raw, entry.redacted))
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
                first_sequence=first + len(pages),
                kind=kind,
                origin=f"import-{self.source_import.pk}",
                order=order,
                documents=documents,
                csv_header=self.csv_header,
                source_import=self.source_import,
            )
        return pages

    def _count(self, found: SourceObject, verdict: Verdict) -> None:
        if verdict is Verdict.NEW:
            self.counts[f"{found.kind}s"] += 1
        elif verdict is Verdict.SAME:
            self.counts["unchanged"] += 1
        elif verdict is Verdict.STATE:
            self.counts["states"] += 1
        else:
            self.counts["conflicts"] += 1

    def _record(self, verb: str, thread_id: str, *, after: str = "", reason: str = "") -> None:
        self.audit.append(
            audit_event(
                actor=self.actor,
                verb=verb,
                subject_kind="thread",
                subject_id=thread_id,
                after=after,
                reason=reason or f"Import {self.source_import.pk}.",
            )
        )

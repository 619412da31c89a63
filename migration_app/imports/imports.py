"""Imports from the first byte to the last: received as an upload, claimed by a worker, read, ended.

An upload lies in the database in parts until it was read: the worker may run on another machine. Its lifecycle is that
of every task (``tasks.lifecycle``), with a heartbeat beside the reading (``tasks.holding``).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from migration_app.archive.files.streams import ArchiveUnreadableError, ByteReader
from migration_app.archive.ids import storable_text
from migration_app.audit.trail import audit_record
from migration_app.collecting import seldom_collecting
from migration_app.contracts import Actor
from migration_app.imports.archives import archive_import
from migration_app.imports.disk import AGAIN_TEXT, DiskFullError, disk_full_text
from migration_app.imports.tally import Progress, RejectSink
from migration_app.imports.thread_ids import thread_ids_import
from migration_app.models import ImportPart, ImportReject, SnapshotPage, SourceImport
from migration_app.snapshots.deletions import deletions_search
from migration_app.tasks.holding import Hold
from migration_app.tasks.lifecycle import Lifecycle, TaskLostError, WorkerStopError, fault_text, token_kept
from migration_app.threads.assessments import threads_assess

logger = logging.getLogger(__name__)

PART_BYTES = 4 << 20
ABANDONED = dt.timedelta(hours=1)
"""A command without a heartbeat for so long was killed. Nobody else can read its file: it is ended, so not in haste."""

_S = SourceImport.State
PARTS = ImportPart.objects.filter(source_import=OuterRef("pk"))
OPEN = (_S.WAITING, _S.RUNNING)
_ENDED_EARLY = (_S.FAILED, _S.CANCELLED)


def _with_work() -> Q:
    """Imports with something left to do: an upload to be read, or threads to be assessed once they ended early."""
    to_be_read = Q(state=_S.WAITING) | (Q(state=_S.RUNNING) & Exists(PARTS))
    # One whose upload is kept waits for somebody to start it again, or to cancel it.
    ended = Q(state__in=_ENDED_EARLY, unassessed=True, attempts__lt=settings.IMPORT_MAX_ATTEMPTS)
    return to_be_read | (ended & ~Exists(PARTS))


IMPORTS = Lifecycle(
    model=SourceImport,
    subject="import",
    stale=dt.timedelta(minutes=2),
    queued=_S.WAITING,
    stopped=_S.CANCELLED,
    held=frozenset({_S.RUNNING, *_ENDED_EARLY}),
    narrowed=_with_work,
    verbs={
        _S.FINISHED: "import.finished",
        _S.FAILED: "import.failed",
        _S.CANCELLED: "import.cancelled",
        _S.WAITING: "import.restarted",
    },
)


def import_receive(
    *, kind: str, file_name: str, chunks: Iterable[bytes], actor: Actor, reason: str = ""
) -> SourceImport:
    """Keep an upload, whole or not at all, waiting for a worker. Enqueuing it is the caller's business.

    Raises DiskFullError if there is no room for it.
    """
    try:
        return _received(kind=kind, file_name=file_name, chunks=chunks, actor=actor, reason=reason)
    except (OperationalError, OSError) as error:
        if text := disk_full_text(error):
            raise DiskFullError(text) from error
        raise


def _received(
    *, kind: str, file_name: str, chunks: Iterable[bytes], actor: Actor, reason: str
) -> SourceImport:
    with transaction.atomic():
        source_import = import_create(
            kind=kind, file_name=file_name, file_bytes=0, actor=actor, reason=reason, state=_S.WAITING
        )
        size = 0
        for sequence, part in enumerate(_parts(chunks)):
            ImportPart.objects.create(source_import=source_import, sequence=sequence, data=part)
            size += len(part)
        source_import.file_bytes = size
        source_import.save(update_fields=["file_bytes"])
    return source_import


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= PART_BYTES:
            yield bytes(held[:PART_BYTES])
            del held[:PART_BYTES]
    if held:
        yield bytes(held)


def import_create(
    *,
    kind: str,
    file_name: str,
    file_bytes: int,
    actor: Actor,
    reason: str = "",
    state: str = SourceImport.State.RUNNING,
) -> SourceImport:
    """Record an import: waiting for a worker, or running in the caller's hands."""
    running = state == _S.RUNNING
    with transaction.atomic():
        source_import = SourceImport.objects.create(
            kind=kind,
            state=state,
            file_name=storable_text(file_name, 512),
            file_bytes=file_bytes,
            reason=reason,
            created_by_id=actor.user_id,
            created_by_name=actor.name,
            started_at=Now() if running else None,
            heartbeat_at=Now() if running else None,
            claim_token=uuid.uuid4() if running else None,
            attempts=1 if running else 0,
        )
        audit_record(
            actor=actor,
            verb="import.created",
            subject_kind="import",
            subject_id=str(source_import.pk),
            reason=reason,
        )
    source_import.refresh_from_db()
    return source_import


def imports_tidy(*, actor: Actor) -> int:
    """End the imports whose command was killed, and say how many: their files lie where no worker can read them."""
    lost = Q(state=_S.RUNNING, heartbeat_at__lt=Now() - ABANDONED) & ~Exists(PARTS)
    with transaction.atomic():
        # Locked by its writer in a long transaction: that one lives.
        rows = list(SourceImport.objects.select_for_update(skip_locked=True).filter(lost))
        for row in rows:
            IMPORTS.fail(
                row,
                actor=actor,
                error_text="The command that read this file was ended before it was done. Run it again: what it has "
                "stored stays, and is skipped.",
                attempts=0,
            )
    return len(rows)


def import_work(*, source_import_pk: int, actor: Actor, stop: Callable[[], bool] = bool) -> bool:
    """Claim an import and read its upload, until ``stop``. False if there is nothing to claim, or it was lost.

    What is wrong with the file ends as *failed* with a reason. So does a full disk, and the upload is kept, to be
    started again. A bug too, and is raised again; a lost database leaves the import to the next worker. An import that
    ended early with threads that are not assessed has them assessed.
    """
    source_import = _claimed(source_import_pk, actor)
    if source_import is None:
        return False
    author = Actor(source_import.created_by_name or actor.name, source_import.created_by_id, actor.job_id)
    try:
        if source_import.state == _S.RUNNING:
            import_read(
                source_import=source_import, stream=_PartStream(source_import_pk), actor=author, stop=stop
            )
        else:
            _rest_assess(source_import, actor=author, stop=stop)
    except ArchiveUnreadableError:
        logger.info("import %s can't be read", source_import_pk)
    except DiskFullError as error:
        logger.error("import %s: %s", source_import_pk, error)  # noqa: TRY400 - the text says all; no traceback
    except TaskLostError as error:
        logger.warning("import %s was stopped: %s", source_import_pk, error)
        return False
    except WorkerStopError:
        with contextlib.suppress(TaskLostError):
            IMPORTS.hand_back(source_import, attempts=F("attempts") - 1)
    return True


def _claimed(source_import_pk: int, actor: Actor) -> SourceImport | None:
    """Take an import, or None.

    One that was begun too often is ended: whatever takes its workers down would take down this one too.
    """
    with transaction.atomic():
        source_import = IMPORTS.claim(source_import_pk, attempts=F("attempts") + 1)
        if source_import is None or source_import.state != _S.RUNNING:
            return source_import
        if source_import.attempts > settings.IMPORT_MAX_ATTEMPTS:
            text = _given_up_text(source_import.attempts - 1)
            IMPORTS.fail(source_import, actor=actor, error_text=text, attempts=0)
            return None
        IMPORTS.write(source_import, started_at=Now())
        ImportReject.objects.filter(source_import=source_import).delete()
    return source_import


def _given_up_text(attempts: int) -> str:
    return (
        f"The worker that read this file ended {attempts} times before it was done: it was killed, perhaps because it "
        "ran out of memory (its log and the system's say so), or its machine stopped. What was stored stays. Fix the "
        "cause or split the file, then start the import again."
    )


def _rest_assess(source_import: SourceImport, *, actor: Actor, stop: Callable[[], bool]) -> None:
    """Assess the threads that an import which was not read to its end has stored pages of, or deletions."""
    pages = SnapshotPage.objects.filter(source_import=source_import)
    behind = Q(thread__snapshot_sequence=None) | Q(thread__snapshot_sequence__lt=F("sequence"))
    with Hold(IMPORTS, source_import, stop=stop).running() as hold:
        search = deletions_search(fence=hold.write, beat=hold.check)
        pks = search.touched | set(pages.filter(behind).values_list("thread_id", flat=True))
        threads_assess(
            thread_pks=sorted(pks),
            actor=actor,
            reason=f"Import {source_import.pk}, which ended early.",
            progress=lambda _done: hold.check(),
            fence=hold.write,
        )
        search.settle()
        hold.write(unassessed=False, claim_token=None)


def import_read(
    *,
    source_import: SourceImport,
    stream: ByteReader,
    actor: Actor,
    reject_sink: RejectSink | None = None,
    progress: Progress | None = None,
    stop: Callable[[], bool] = bool,
) -> None:
    """Read a running import to its end, and record how it ended.

    Raises ArchiveUnreadableError and DiskFullError (recorded as failed), TaskLostError (cancelled, or somebody
    else has it), and WorkerStopError after ``stop``.
    """
    with Hold(IMPORTS, source_import, stop=stop).running() as hold:
        try:
            with token_kept(source_import), seldom_collecting():
                _read(hold, stream, actor, reject_sink, progress)
        except ArchiveUnreadableError as error:
            _end_without_parts(source_import, _S.FAILED, actor=actor, error_text=str(error))
            raise
        except (TaskLostError, WorkerStopError):
            raise
        except Exception as error:
            if hold.is_lost:
                hold.check()  # it was a statement that was ended with the import
            if text := disk_full_text(error):
                text = f"{text} {AGAIN_TEXT}"
                _end_without_room(source_import, actor, text)
                raise DiskFullError(text) from error
            if isinstance(error, OperationalError | InterfaceError):
                raise
            IMPORTS.fail(source_import, actor=actor, error_text=fault_text(error), attempts=0)
            raise


def _read(
    hold: Hold[SourceImport],
    stream: ByteReader,
    actor: Actor,
    reject_sink: RejectSink | None,
    progress: Progress | None,
) -> None:
    def finish() -> None:
        _end_without_parts(hold.row, _S.FINISHED, actor=actor)

    if hold.row.kind == SourceImport.Kind.THREAD_IDS:
        # In its one transaction: were they two, a worker killed between them would leave the counts to a
        # second reading, which finds everything known.
        thread_ids_import(
            hold=hold, stream=stream, actor=actor, reject_sink=reject_sink, progress=progress, finish=finish
        )
    else:
        archive_import(hold=hold, stream=stream, actor=actor, reject_sink=reject_sink, progress=progress)
        finish()


def _end_without_room(source_import: SourceImport, actor: Actor, text: str) -> None:
    """Record why it failed, if there is space for that; else it seems abandoned, and the next worker takes it."""
    try:
        IMPORTS.fail(source_import, actor=actor, error_text=text, attempts=0)
    except DatabaseError as error:
        logger.warning("import %s could not be ended: %s", source_import.pk, type(error).__name__)


def _end_without_parts(
    source_import: SourceImport, state: str, *, actor: Actor, error_text: str = ""
) -> None:
    """End an import whose upload is not needed any more. TaskLostError if it is not in this reader's hands."""
    with transaction.atomic():
        IMPORTS.end(source_import, state, actor=actor, error_text=error_text, attempts=0)
        ImportPart.objects.filter(source_import=source_import).delete()


class _PartStream:
    """An upload as a stream, one part in memory at a time."""

    def __init__(self, source_import_pk: int) -> None:
        self._pk = source_import_pk
        self._next = 0
        self._held = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Read on."""
        if not self._held:
            rows = ImportPart.objects.filter(source_import_id=self._pk, sequence=self._next)
            data = rows.values_list("data", flat=True).first()
            if data is None:
                return b""
            self._held = memoryview(bytes(data))
            self._next += 1
        piece, self._held = bytes(self._held[:size]), self._held[size:]
        return piece

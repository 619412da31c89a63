"""Imports from the first byte to the last: received as an upload, claimed by a worker, read, ended.

An upload lies in the database in parts until it was read: the worker may run on another machine. Who reads it, and
how anybody else ends that, is the business of ``imports.holding``.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from migration_app.archive.files.streams import ArchiveUnreadableError, ByteReader
from migration_app.archive.ids import storable_text
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.imports.archives import archive_import
from migration_app.imports.disk import AGAIN_WORDS, DiskFullError, disk_full_words
from migration_app.imports.holding import Hold, ImportHandedBackError, ImportStoppedError
from migration_app.imports.tally import Progress, RejectSink
from migration_app.imports.thread_ids import thread_ids_import
from migration_app.models import ImportPart, ImportReject, SnapshotPage, SourceImport
from migration_app.snapshots.deletions import deletions_search
from migration_app.threads.assessments import threads_assess

logger = logging.getLogger(__name__)

PART_BYTES = 4 << 20
STALE = dt.timedelta(minutes=2)
"""An import without a heartbeat for so long has lost its worker."""
ABANDONED = dt.timedelta(hours=1)
"""The same for a command, whose file nobody else can read: it is ended, so nothing is hurried."""

_S = SourceImport.State
PARTS = ImportPart.objects.filter(source_import=OuterRef("pk"))
OPEN = (_S.WAITING, _S.RUNNING)
_ENDED_EARLY = (_S.FAILED, _S.CANCELLED)


def import_receive(
    *, kind: str, file_name: str, chunks: Iterable[bytes], actor: Actor, reason: str = ""
) -> SourceImport:
    """Keep an upload, whole or not at all, waiting for a worker. Enqueuing it is the caller's business.

    Raises DiskFullError if there is no room for it.
    """
    try:
        return _received(kind=kind, file_name=file_name, chunks=chunks, actor=actor, reason=reason)
    except (OperationalError, OSError) as error:
        if words := disk_full_words(error):
            raise DiskFullError(words) from error
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
            run_token=uuid.uuid4() if running else None,
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


def imports_waiting() -> list[int]:
    """Primary keys of imports that a worker should take: waiting, left by a worker that died, or to be assessed."""
    return list(_claimable().order_by("pk").values_list("pk", flat=True))


def imports_tidy(*, actor: Actor) -> int:
    """End the imports whose command was killed, and say how many: their files lie where no worker can read them."""
    lost = Q(state=_S.RUNNING, heartbeat_at__lt=Now() - ABANDONED) & ~Exists(PARTS)
    with transaction.atomic():
        # Locked by whoever writes to it in a long transaction: that one lives.
        rows = list(SourceImport.objects.select_for_update(skip_locked=True).filter(lost))
        for row in rows:
            _end(
                row,
                _S.FAILED,
                actor=actor,
                error_text="The command that read this file was ended before it was done. Run it again: what it has "
                "stored stays, and is passed over.",
            )
    return len(rows)


def import_run(*, source_import_pk: int, actor: Actor, stop: Callable[[], bool] = bool) -> bool:
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
    except ImportStoppedError as error:
        logger.warning("import %s was stopped: %s", source_import_pk, error)
        return False
    except ImportHandedBackError:
        _hand_back(source_import)
    return True


def _claimed(source_import_pk: int, actor: Actor) -> SourceImport | None:
    """Take an import, or None. One that is locked is alive, however old the heartbeat that others see.

    One that was begun too often is ended: whatever takes its workers down would take down this one too.
    """
    with transaction.atomic():
        rows = _claimable().select_for_update(skip_locked=True, no_key=True).filter(pk=source_import_pk)
        source_import = rows.first()
        if source_import is None:
            return None
        is_to_be_read = source_import.state in OPEN
        if is_to_be_read and source_import.attempts >= settings.IMPORT_MAX_ATTEMPTS:
            _end(source_import, _S.FAILED, actor=actor, error_text=_given_up_text(source_import.attempts))
            return None
        own = SourceImport.objects.filter(pk=source_import.pk)
        own.update(run_token=uuid.uuid4(), heartbeat_at=Now(), attempts=F("attempts") + 1)
        if is_to_be_read:
            own.update(state=_S.RUNNING, started_at=Now())
            ImportReject.objects.filter(source_import=source_import).delete()
        source_import.refresh_from_db()
    return source_import


def _given_up_text(attempts: int) -> str:
    return (
        f"The worker that read this file ended {attempts} times before it was done: it was killed, perhaps because it "
        "ran out of memory (its log and the system's say so), or its machine stopped. What was stored stays. Mend the "
        "cause or split the file, then start the import again."
    )


def _hand_back(source_import: SourceImport) -> None:
    """Leave an import to the next worker; this one was told to stop, which is no fault of the file."""
    state = _S.WAITING if source_import.state == _S.RUNNING else source_import.state
    SourceImport.objects.filter(pk=source_import.pk, run_token=source_import.run_token).update(
        state=state, run_token=None, attempts=F("attempts") - 1
    )


def _rest_assess(source_import: SourceImport, *, actor: Actor, stop: Callable[[], bool]) -> None:
    """Assess the threads that an import which was not read to its end has stored pages of, or deletions."""
    pages = SnapshotPage.objects.filter(source_import=source_import)
    behind = Q(thread__snapshot_sequence=None) | Q(thread__snapshot_sequence__lt=F("sequence"))
    with Hold(source_import, stop=stop).running() as hold:
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
        hold.write(unassessed=False, run_token=None)


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

    Raises ArchiveUnreadableError and DiskFullError (recorded as failed), ImportStoppedError (cancelled, or somebody
    else has it), and ImportHandedBackError after ``stop``.
    """
    with Hold(source_import, stop=stop).running() as hold:
        try:
            _read(hold, stream, actor, reject_sink, progress)
        except ArchiveUnreadableError as error:
            _end(source_import, _S.FAILED, actor=actor, error_text=str(error), keep_parts=False)
            raise
        except (ImportStoppedError, ImportHandedBackError):
            raise
        except Exception as error:
            if hold.is_lost:
                hold.check()  # it was a statement that was ended with the import
            if words := disk_full_words(error):
                words = f"{words} {AGAIN_WORDS}"
                _end_without_room(source_import, actor, words)
                raise DiskFullError(words) from error
            if isinstance(error, OperationalError | InterfaceError):
                raise
            _end(
                source_import,
                _S.FAILED,
                actor=actor,
                error_text=f"A bug in the console: {type(error).__name__}. See its log.",
            )
            raise


def _read(
    hold: Hold,
    stream: ByteReader,
    actor: Actor,
    reject_sink: RejectSink | None,
    progress: Progress | None,
) -> None:
    def finish() -> None:
        _end(hold.source_import, _S.FINISHED, actor=actor, keep_parts=False)

    if hold.source_import.kind == SourceImport.Kind.THREAD_IDS:
        # In its one transaction: were they two, a worker killed between them would leave the counts to a
        # second reading, which finds everything known.
        thread_ids_import(
            hold=hold, stream=stream, actor=actor, reject_sink=reject_sink, progress=progress, finish=finish
        )
    else:
        archive_import(hold=hold, stream=stream, actor=actor, reject_sink=reject_sink, progress=progress)
        finish()


def _end_without_room(source_import: SourceImport, actor: Actor, words: str) -> None:
    """Record why it failed, if there is room for that; else it looks abandoned, and the next worker takes it up."""
    try:
        _end(source_import, _S.FAILED, actor=actor, error_text=words)
    except DatabaseError as error:
        logger.warning("import %s could not be ended: %s", source_import.pk, type(error).__name__)


def _claimable() -> QuerySet[SourceImport]:
    is_silent = Q(heartbeat_at__lt=Now() - STALE)
    to_be_read = Q(state=_S.WAITING) | (Q(state=_S.RUNNING) & is_silent & Exists(PARTS))
    # One whose upload is kept waits for somebody to start it again, or to cancel it.
    ended = Q(state__in=_ENDED_EARLY, unassessed=True, attempts__lt=settings.IMPORT_MAX_ATTEMPTS)
    to_be_assessed = ended & ~Exists(PARTS) & (Q(run_token=None) | is_silent)
    return SourceImport.objects.filter(to_be_read | to_be_assessed)


def _end(
    source_import: SourceImport, state: str, *, actor: Actor, error_text: str = "", keep_parts: bool = True
) -> None:
    """End an import in this reader's hands. ImportStoppedError if it is not."""
    with transaction.atomic():
        Hold(source_import).write(
            state=state,
            run_token=None,
            attempts=0,
            error_text=storable_text(error_text, 4000),
            finished_at=Now(),
        )
        if not keep_parts:
            ImportPart.objects.filter(source_import=source_import).delete()
        audit_record(
            actor=actor,
            verb=f"import.{state}",
            subject_kind="import",
            subject_id=str(source_import.pk),
            reason=storable_text(error_text, 4000),
        )
    source_import.refresh_from_db()


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

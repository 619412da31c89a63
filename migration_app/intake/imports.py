"""Imports from the first byte to the last: received as an upload, claimed by a worker, read, ended.

An upload lies in the database in parts until it was read: the worker may run on another machine.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Iterator

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from migration_app.archive.ids import storable_text
from migration_app.archive.streams import ArchiveUnreadableError, ByteReader
from migration_app.contracts import Actor
from migration_app.intake.archives import archive_import
from migration_app.intake.disk import AGAIN_WORDS, DiskFullError, disk_full_words
from migration_app.intake.tally import ImportStoppedError, Progress, RejectSink
from migration_app.intake.thread_ids import thread_ids_import
from migration_app.models import ImportPart, ImportReject, SourceImport
from migration_app.services.audit import audit_record

logger = logging.getLogger(__name__)

PART_BYTES = 4 << 20
STALE = dt.timedelta(minutes=2)
"""An import that gave no sign of life for so long has lost its worker."""
ABANDONED = dt.timedelta(hours=1)
"""The same for a command, whose file nobody else can read: it is ended, so nothing is hurried."""

_S = SourceImport.State
_PARTS = ImportPart.objects.filter(source_import=OuterRef("pk"))


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
    """Write down an import: waiting for a worker, or running in the caller's hands."""
    now = timezone.now() if state == _S.RUNNING else None
    with transaction.atomic():
        source_import = SourceImport.objects.create(
            kind=kind,
            state=state,
            file_name=storable_text(file_name, 512),
            file_bytes=file_bytes,
            reason=reason,
            created_by_id=actor.user_id,
            created_by_name=actor.name,
            started_at=now,
            heartbeat_at=now,
        )
        audit_record(
            actor=actor,
            verb="import.created",
            subject_kind="import",
            subject_id=str(source_import.pk),
            reason=reason,
        )
    return source_import


def imports_waiting() -> list[int]:
    """Primary keys of uploads that a worker should read: waiting, or left by a worker that died."""
    return list(_claimable().order_by("pk").values_list("pk", flat=True))


def imports_tidy(*, actor: Actor) -> int:
    """End the imports whose command was killed, and say how many: their files lie where no worker can read them.

    Also takes away what a worker that was killed at the very end has left of an upload.
    """
    ImportPart.objects.filter(source_import__state=_S.FINISHED).delete()
    lost = Q(state=_S.RUNNING, heartbeat_at__lt=Now() - ABANDONED) & ~Exists(_PARTS)
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


def import_restart(*, source_import_pk: int, actor: Actor, reason: str) -> bool:
    """Let a failed upload wait for a worker again. False if it did not fail, or its file is no longer kept."""
    with transaction.atomic():
        rows = SourceImport.objects.filter(Exists(_PARTS), pk=source_import_pk, state=_S.FAILED)
        if rows.update(state=_S.WAITING, error_text="", finished_at=None) != 1:
            return False
        audit_record(
            actor=actor,
            verb="import.restarted",
            subject_kind="import",
            subject_id=str(source_import_pk),
            reason=reason,
        )
    return True


def import_restartable(source_import: SourceImport) -> bool:
    """Whether ``import_restart`` would take it."""
    return source_import.state == _S.FAILED and source_import.parts.exists()


def import_run(*, source_import_pk: int, actor: Actor) -> bool:
    """Claim an upload and read it. False if there is nothing to claim: somebody else has it, or it is done.

    What is wrong with the file ends as *failed* with a reason. So does a full disk, and the upload is kept, to be
    started again. A bug too, and is raised again; a lost database leaves the import to the next worker.
    """
    source_import = _claimed(source_import_pk)
    if source_import is None:
        return False
    ImportReject.objects.filter(source_import=source_import).delete()
    author = Actor(source_import.created_by_name or actor.name, source_import.created_by_id, actor.job_id)
    try:
        import_read(source_import=source_import, stream=_PartStream(source_import_pk), actor=author)
    except ArchiveUnreadableError:
        logger.info("import %s can't be read", source_import_pk)
    except DiskFullError as error:
        logger.error("import %s: %s", source_import_pk, error)  # noqa: TRY400 - the text says all; no traceback
        return True
    except ImportStoppedError:
        logger.warning("import %s was taken over by another worker", source_import_pk)
        return False
    ImportPart.objects.filter(source_import_id=source_import_pk).delete()
    return True


def _claimed(source_import_pk: int) -> SourceImport | None:
    """Take an upload, or None. One that is locked is alive, however old the sign of life that others see."""
    now = timezone.now()
    with transaction.atomic():
        rows = _claimable().select_for_update(skip_locked=True).filter(pk=source_import_pk)
        source_import = rows.first()
        if source_import is not None:
            source_import.state = _S.RUNNING
            source_import.started_at = source_import.heartbeat_at = now
            source_import.save(update_fields=["state", "started_at", "heartbeat_at"])
    return source_import


def import_read(
    *,
    source_import: SourceImport,
    stream: ByteReader,
    actor: Actor,
    reject_sink: RejectSink | None = None,
    progress: Progress | None = None,
) -> None:
    """Read a running import to its end, and write down how it ended.

    Raises ArchiveUnreadableError and DiskFullError (recorded as failed), and ImportStoppedError (somebody else has it).
    """

    def finish() -> None:
        _end(source_import, _S.FINISHED, actor=actor)

    try:
        if source_import.kind == SourceImport.Kind.THREAD_IDS:
            # In its one transaction: were they two, a worker killed between them would leave the counts to a
            # second reading, which finds everything known.
            thread_ids_import(
                source_import=source_import,
                stream=stream,
                actor=actor,
                reject_sink=reject_sink,
                progress=progress,
                finish=finish,
            )
        else:
            archive_import(
                source_import=source_import,
                stream=stream,
                actor=actor,
                reject_sink=reject_sink,
                progress=progress,
            )
            finish()
    except ArchiveUnreadableError as error:
        _end(source_import, _S.FAILED, actor=actor, error_text=str(error))
        raise
    except ImportStoppedError:
        raise
    except Exception as error:
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


def _end_without_room(source_import: SourceImport, actor: Actor, words: str) -> None:
    """Record why it failed, if there is room for that; else it looks abandoned, and the next worker takes it up."""
    try:
        _end(source_import, _S.FAILED, actor=actor, error_text=words)
    except DatabaseError as error:
        logger.warning("import %s could not be ended: %s", source_import.pk, type(error).__name__)


def _claimable() -> QuerySet[SourceImport]:
    stale = Q(state=_S.RUNNING, heartbeat_at__lt=Now() - STALE) & Exists(_PARTS)
    return SourceImport.objects.filter(Q(state=_S.WAITING) | stale)


def _end(source_import: SourceImport, state: str, *, actor: Actor, error_text: str = "") -> None:
    with transaction.atomic():
        changed = SourceImport.objects.filter(
            pk=source_import.pk, state=_S.RUNNING, started_at=source_import.started_at
        ).update(
            state=state,
            error_text=storable_text(error_text, 4000),
            finished_at=timezone.now(),
            heartbeat_at=timezone.now(),
        )
        if changed != 1:
            raise ImportStoppedError("Another worker has taken over this import, or it was deleted.")
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

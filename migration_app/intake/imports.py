"""Imports from the first byte to the last: received as an upload, claimed by a worker, read, ended.

An upload lies in the database in parts until it was read: the worker may run on another machine.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Iterator
from typing import Protocol

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from migration_app.archive.ids import storable_text
from migration_app.archive.streams import ArchiveUnreadableError, ByteReader
from migration_app.contracts import Actor
from migration_app.intake.archives import archive_import
from migration_app.intake.tally import ImportStoppedError, Progress, RejectSink
from migration_app.intake.thread_ids import thread_ids_import
from migration_app.models import ImportPart, ImportReject, SourceImport
from migration_app.services.audit import audit_record

logger = logging.getLogger(__name__)

PART_BYTES = 4 << 20
STALE = dt.timedelta(minutes=2)
"""An import that gave no sign of life for so long has lost its worker."""

_S = SourceImport.State


class _Reading(Protocol):
    def __call__(
        self,
        *,
        source_import: SourceImport,
        stream: ByteReader,
        actor: Actor,
        reject_sink: RejectSink | None,
        progress: Progress | None,
    ) -> None: ...


def import_receive(
    *, kind: str, file_name: str, chunks: Iterable[bytes], actor: Actor, reason: str = ""
) -> SourceImport:
    """Keep an upload, whole or not at all, waiting for a worker. Enqueuing it is the caller's business."""
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


def import_run(*, source_import_pk: int, actor: Actor) -> bool:
    """Claim an upload and read it. False if there is nothing to claim: somebody else has it, or it is done.

    What is wrong with the file ends as *failed* with a reason. A bug too, and is raised again; a lost
    database leaves the import to the next worker.
    """
    now = timezone.now()
    if (
        _claimable().filter(pk=source_import_pk).update(state=_S.RUNNING, started_at=now, heartbeat_at=now)
        != 1
    ):
        return False
    source_import = SourceImport.objects.get(pk=source_import_pk)
    ImportReject.objects.filter(source_import=source_import).delete()
    author = Actor(source_import.created_by_name or actor.name, source_import.created_by_id, actor.job_id)
    try:
        import_read(source_import=source_import, stream=_PartStream(source_import_pk), actor=author)
    except ArchiveUnreadableError:
        logger.info("import %s can't be read", source_import_pk)
    except ImportStoppedError:
        logger.warning("import %s was taken over by another worker", source_import_pk)
        return False
    ImportPart.objects.filter(source_import_id=source_import_pk).delete()
    return True


def import_read(
    *,
    source_import: SourceImport,
    stream: ByteReader,
    actor: Actor,
    reject_sink: RejectSink | None = None,
    progress: Progress | None = None,
) -> None:
    """Read a running import to its end, and write down how it ended.

    Raises ArchiveUnreadableError (recorded as failed) and ImportStoppedError (somebody else has it).
    """
    reading: _Reading = (
        thread_ids_import if source_import.kind == SourceImport.Kind.THREAD_IDS else archive_import
    )
    try:
        reading(
            source_import=source_import,
            stream=stream,
            actor=actor,
            reject_sink=reject_sink,
            progress=progress,
        )
    except ArchiveUnreadableError as error:
        _end(source_import, _S.FAILED, actor=actor, error_text=str(error))
        raise
    except (ImportStoppedError, OperationalError, InterfaceError):
        raise
    except Exception as bug:
        _end(
            source_import,
            _S.FAILED,
            actor=actor,
            error_text=f"A bug in the console: {type(bug).__name__}. See its log.",
        )
        raise
    _end(source_import, _S.FINISHED, actor=actor)


def _claimable() -> QuerySet[SourceImport]:
    stale = Q(state=_S.RUNNING, heartbeat_at__lt=Now() - STALE, parts__isnull=False)
    pks = SourceImport.objects.filter(Q(state=_S.WAITING) | stale).values("pk")
    return SourceImport.objects.filter(pk__in=pks)


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

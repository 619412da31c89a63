"""A disk without room: a clear reason, an import that can be started again, nothing lost and nothing counted twice."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import OperationalError

from migration_app.imports import archives, imports, store, thread_ids
from migration_app.imports.control import import_restart, import_restartable
from migration_app.imports.disk import DiskFullError, disk_full_text
from migration_app.imports.imports import (
    IMPORTS,
    import_create,
    import_read,
    import_receive,
    import_work,
)
from migration_app.models import AuditEvent, ImportPart, SnapshotPage, SourceImport, SourceObject, Thread
from migration_app.snapshots.page_writing import snapshot_pages_write
from migration_app.tasks import lifecycle
from tests.migration_app.imports.support import ACTOR, assistant, lines, message, stored_messages

pytestmark = pytest.mark.django_db
State = SourceImport.State
IDS = SourceImport.Kind.THREAD_IDS
ARCHIVE = SourceImport.Kind.ARCHIVE


def server_full() -> OperationalError:
    """What Django raises when PostgreSQL can't extend a file."""
    error = OperationalError("could not extend file: No space left on device")
    error.__cause__ = psycopg.errors.DiskFull("could not extend file: No space left on device")
    return error


def local_full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def received(data: bytes, kind: str = ARCHIVE) -> SourceImport:
    return import_receive(kind=kind, file_name="up.jsonl", chunks=[data], actor=ACTOR, reason="test")


def run(source_import: SourceImport) -> None:
    assert import_work(source_import_pk=source_import.pk, actor=ACTOR)
    source_import.refresh_from_db()


def failing_once(real: Callable[..., object], error: Exception, *, at_call: int) -> Callable[..., object]:
    calls = iter(range(1, 1000))

    def wrapped(*arguments: object, **keywords: object) -> object:
        if next(calls) == at_call:
            raise error
        return real(*arguments, **keywords)

    return wrapped


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (server_full(), "disk of the database server is full"),
        (psycopg.errors.DiskFull("x"), "make room there"),
        (local_full(), "temporary directory"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "TMPDIR"),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"), "TMPDIR"),
    ],
)
def test_a_full_disk_is_told_with_what_to_do(error: Exception, text: str) -> None:
    assert text in disk_full_text(error)


@pytest.mark.parametrize("error", [OperationalError("server closed"), OSError(errno.EIO, "I/O"), None])
def test_other_errors_are_not_taken_for_a_full_disk(error: Exception | None) -> None:
    assert disk_full_text(error) == ""


@pytest.mark.parametrize("error", [server_full(), local_full()], ids=["database", "file"])
def test_an_archive_that_met_a_full_disk_fails_keeps_its_upload_and_counts_once_when_started_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", 2)
    data = lines(
        *(message(f"m{number}", 100 + number, of=f"thread_{number // 2}") for number in (0, 0, 1, 2, 3)),
        assistant("asst_1"),
        *(message(f"m{number}", 100 + number, of=f"thread_{number // 2}") for number in (4, 5)),
    )
    whole = received(data)
    monkeypatch.setattr(store, "snapshot_pages_write", failing_once(snapshot_pages_write, error, at_call=4))
    run(whole)
    assert whole.state == State.FAILED
    assert "Then start the import again" in whole.error_text
    assert SnapshotPage.objects.exists()  # the groups before it stay
    assert IMPORTS.waiting() == []
    assert import_restartable(whole)

    assert import_restart(source_import_pk=whole.pk, actor=ACTOR, reason="there is room")
    assert IMPORTS.waiting() == [whole.pk]
    run(whole)
    assert (whole.state, whole.error_text) == (State.FINISHED, "")
    assert {name: count for name, count in whole.counts.items() if count} == {
        "documents": 8,
        "assistants": 1,
        "messages": 6,
        "threads": 3,
        "threads_new": 3,
        "unchanged": 1,
    }
    assert [stored_messages(f"thread_{number}") for number in range(3)] == [
        ["m0", "m1"],
        ["m2", "m3"],
        ["m4", "m5"],
    ]
    assert SourceObject.objects.count() == 1
    assert not ImportPart.objects.exists()
    verbs = AuditEvent.objects.filter(subject_kind="import").order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["import.created", "import.failed", "import.restarted", "import.finished"]


@pytest.mark.parametrize("error", [server_full(), local_full()], ids=["database", "file"])
def test_ids_that_met_a_full_disk_are_all_or_none_and_counted_once(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    source_import = received(b"thread_id\nthread_1\nthread_2\n", IDS)
    monkeypatch.setattr(thread_ids, "_merge", failing_once(thread_ids._merge, error, at_call=1))
    run(source_import)
    assert source_import.state == State.FAILED
    assert not Thread.objects.exists()
    assert import_restart(source_import_pk=source_import.pk, actor=ACTOR, reason="there is room")
    run(source_import)
    assert (source_import.counts["threads_new"], source_import.counts["unchanged"]) == (2, 0)


def test_an_upload_that_finds_no_room_is_not_kept_at_all() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"x" * imports.PART_BYTES
        raise local_full()

    with pytest.raises(DiskFullError, match="A disk is full"):
        import_receive(kind=ARCHIVE, file_name="up.jsonl", chunks=chunks(), actor=ACTOR)
    assert not SourceImport.objects.exists()
    assert not ImportPart.objects.exists()


def test_where_not_even_the_failure_can_be_written_the_next_worker_takes_the_import_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(**_keywords: object) -> None:
        raise server_full()

    source_import = received(lines(message("m1")))
    monkeypatch.setattr(imports, "archive_import", full)
    monkeypatch.setattr(lifecycle, "audit_record", full)
    run(source_import)
    assert source_import.state == State.RUNNING
    assert ImportPart.objects.exists()


def test_a_disk_that_is_full_at_the_very_end_is_recorded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    real = IMPORTS.write

    def full(row: SourceImport, **changes: Any) -> None:
        real(row, **changes)
        if changes.get("state") == State.FINISHED:
            raise server_full()

    source_import = received(lines(message("m1")))
    monkeypatch.setattr(lifecycle.Lifecycle, "write", lambda _self, row, **changes: full(row, **changes))
    run(source_import)
    assert source_import.state == State.FAILED
    assert "disk" in source_import.error_text
    assert ImportPart.objects.exists()


def test_a_reading_command_raises_what_to_do() -> None:
    class Full(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise local_full()

    source_import = import_create(kind=ARCHIVE, file_name="f", file_bytes=1, actor=ACTOR)
    with pytest.raises(DiskFullError, match="start the import again"):
        import_read(source_import=source_import, stream=Full(), actor=ACTOR)
    source_import.refresh_from_db()
    assert source_import.state == State.FAILED


@pytest.mark.parametrize("state", [State.WAITING, State.RUNNING, State.FINISHED])
def test_only_a_failed_import_can_be_started_again(state: str) -> None:
    source_import = received(lines(message("m1")))
    SourceImport.objects.update(state=state)
    assert not import_restart(source_import_pk=source_import.pk, actor=ACTOR, reason="again")


def test_a_failed_import_whose_file_is_gone_can_not_be_started_again() -> None:
    source_import = received(b"PK\x03\x04 and so on")
    run(source_import)
    assert not import_restartable(source_import)
    assert not import_restart(source_import_pk=source_import.pk, actor=ACTOR, reason="again")

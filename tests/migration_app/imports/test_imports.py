"""Uploads: received, claimed by one worker, read, ended."""

from __future__ import annotations

import datetime as dt
import io
import uuid

import pytest
from django.db import OperationalError
from django.utils import timezone

from migration_app.archive.files.reader import Reject
from migration_app.archive.files.streams import ByteReader
from migration_app.imports import imports, tally
from migration_app.imports.imports import (
    IMPORTS,
    import_create,
    import_read,
    import_receive,
    import_work,
)
from migration_app.models import AuditEvent, ImportPart, ImportReject, SourceImport, Thread
from migration_app.tasks.holding import Hold
from migration_app.tasks.lifecycle import TaskLostError
from tests.migration_app.imports.support import ACTOR, lines, message

pytestmark = pytest.mark.django_db
State = SourceImport.State
WORKER = ACTOR


def received(data: bytes, kind: str = SourceImport.Kind.ARCHIVE) -> SourceImport:
    halves = (data[: len(data) // 2], data[len(data) // 2 :])
    return import_receive(kind=kind, file_name="up.jsonl", chunks=halves, actor=ACTOR, reason="test")


def run(source_import: SourceImport) -> bool:
    taken = import_work(source_import_pk=source_import.pk, actor=WORKER)
    source_import.refresh_from_db()
    return taken


def test_an_upload_waits_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "PART_BYTES", 40)
    data = lines(message("m1"))
    source_import = received(data)
    assert (source_import.state, source_import.file_bytes) == (State.WAITING, len(data))
    assert b"".join(bytes(part.data) for part in ImportPart.objects.order_by("sequence")) == data
    assert ImportPart.objects.count() == -(-len(data) // 40)
    assert IMPORTS.waiting() == [source_import.pk]


def test_a_worker_reads_an_upload_and_takes_its_parts_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "PART_BYTES", 7)
    source_import = received(lines(message("m1")))
    assert run(source_import)
    assert source_import.state == State.FINISHED
    assert source_import.bytes_read == source_import.file_bytes
    assert Thread.objects.get().message_count == 1
    assert not ImportPart.objects.exists()
    verbs = AuditEvent.objects.filter(subject_kind="import").order_by("pk").values_list("verb", "actor")
    assert list(verbs) == [("import.created", "ada"), ("import.finished", "ada")]


def test_an_import_that_is_done_is_not_read_again() -> None:
    source_import = received(lines(message("m1")))
    run(source_import)
    assert not run(source_import)
    assert IMPORTS.waiting() == []


def test_an_import_that_another_worker_reads_is_left_alone() -> None:
    source_import = received(lines(message("m1")))
    now = timezone.now()
    SourceImport.objects.update(
        state=State.RUNNING, claim_token=uuid.uuid4(), started_at=now, heartbeat_at=now
    )
    assert not run(source_import)
    assert IMPORTS.waiting() == []


def test_an_import_whose_worker_died_is_read_by_the_next() -> None:
    source_import = received(b"not json\n" + lines(message("m1")))
    long_ago = timezone.now() - dt.timedelta(minutes=3)
    SourceImport.objects.update(state=State.RUNNING, started_at=long_ago, heartbeat_at=long_ago)
    ImportReject.objects.create(
        source_import=source_import, line_number=1, reason="of the first try", raw=b""
    )
    assert IMPORTS.waiting() == [source_import.pk]
    assert run(source_import)
    assert source_import.state == State.FINISHED
    assert ImportReject.objects.count() == 1


def test_a_command_that_died_is_not_taken_over_for_its_file_is_elsewhere() -> None:
    long_ago = timezone.now() - dt.timedelta(minutes=3)
    source_import = received(b"")
    SourceImport.objects.update(state=State.RUNNING, started_at=long_ago, heartbeat_at=long_ago)
    assert not ImportPart.objects.exists()
    assert not run(source_import)


def test_a_worker_that_was_taken_for_dead_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    source_import = received(lines(message("m1")))

    def taken_over(**keywords: object) -> None:
        SourceImport.objects.update(claim_token=uuid.uuid4())
        raise TaskLostError("gone")

    monkeypatch.setattr(imports, "archive_import", taken_over)
    assert not run(source_import)
    assert source_import.state == State.RUNNING
    assert ImportPart.objects.exists()


def test_a_file_that_cannot_be_read_ends_as_failed_with_a_reason() -> None:
    source_import = received(b"PK\x03\x04 and so on")
    assert run(source_import)
    assert source_import.state == State.FAILED
    assert "ZIP" in source_import.error_text
    assert not ImportPart.objects.exists()


def test_a_bug_ends_as_failed_and_is_raised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_keywords: object) -> None:
        raise ZeroDivisionError("content that must not be shown")

    monkeypatch.setattr(imports, "archive_import", broken)
    source_import = received(lines(message("m1")))
    with pytest.raises(ZeroDivisionError):
        run(source_import)
    source_import.refresh_from_db()
    assert source_import.state == State.FAILED
    assert "ZeroDivisionError" in source_import.error_text
    assert "content" not in source_import.error_text


def test_a_lost_database_leaves_the_import_to_the_next_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(**_keywords: object) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(imports, "archive_import", lost)
    source_import = received(lines(message("m1")))
    with pytest.raises(OperationalError):
        run(source_import)
    source_import.refresh_from_db()
    assert source_import.state == State.RUNNING
    assert ImportPart.objects.exists()


def test_uploaded_thread_ids_are_registered() -> None:
    assert run(received(b"thread_id\nthread_1\n", SourceImport.Kind.THREAD_IDS))
    assert Thread.objects.get().thread_id == "thread_1"


def test_an_empty_upload_fails_with_a_reason() -> None:
    source_import = received(b"")
    assert IMPORTS.waiting() == [source_import.pk]
    assert run(source_import)
    assert (source_import.state, source_import.error_text) == (State.FAILED, "The file is empty.")


def test_every_reject_of_an_upload_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MAX_REJECT_ROWS", 3)
    monkeypatch.setattr(tally, "_WAITING_BYTES", 2000)
    source_import = received(lines(message("m1")) + b"oops\n" * 20 + lines(message("m2", 120)))
    assert run(source_import)
    assert (source_import.reject_count, source_import.rejects.count()) == (20, 20)
    assert Thread.objects.get().message_count == 2


def test_rejects_are_written_in_groups_while_the_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "_WAITING_REJECTS", 7)
    groups: list[int] = []
    write = tally.ImportTally._rejects_write

    def counted(of: tally.ImportTally) -> None:
        groups.append(len(of._waiting))
        write(of)

    monkeypatch.setattr(tally.ImportTally, "_rejects_write", counted)
    source_import = received(lines(message("m1")) + b"oops\n" * 20 + lines(message("m2", 120)))
    assert run(source_import)
    assert groups[:2] == [7, 7]
    assert source_import.rejects.count() == 20


def test_where_a_reject_file_holds_all_the_database_keeps_the_first_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tally, "MAX_REJECT_ROWS", 3)
    data = lines(message("m1")) + b"oops\n" * 20
    source_import = import_create(kind="archive", file_name="f", file_bytes=len(data), actor=ACTOR)
    written: list[Reject] = []
    import_read(source_import=source_import, stream=io.BytesIO(data), actor=ACTOR, reject_sink=written.append)
    assert (len(written), source_import.reject_count, source_import.rejects.count()) == (20, 20, 3)


def test_a_part_is_read_in_pieces() -> None:
    assert run(received(lines(message("m1", text="x" * 700_000))))
    assert Thread.objects.get().payload_bytes > 700_000


@pytest.mark.parametrize("moment", ["while it reads", "when it ends"])
def test_an_import_that_was_taken_over_writes_nothing_more(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reading(*, hold: Hold[SourceImport], stream: ByteReader, **_more: object) -> None:
        SourceImport.objects.update(claim_token=uuid.uuid4())
        if moment == "while it reads":
            tally.ImportTally(hold, stream).write()

    monkeypatch.setattr(imports, "archive_import", reading)
    source_import = received(lines(message("m1")))
    assert not run(source_import)
    assert (source_import.state, source_import.counts) == (State.RUNNING, {})
    assert not AuditEvent.objects.filter(verb="import.finished").exists()

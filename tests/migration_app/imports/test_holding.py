"""Imports that are cancelled, taken over, handed back or killed while they are read: nothing more is written."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django.fixtures import Settings

from migration_app.imports import archives, imports, tally, thread_ids
from migration_app.imports.control import import_cancel, import_restart
from migration_app.imports.imports import (
    IMPORTS,
    import_create,
    import_read,
    import_receive,
    import_work,
    imports_tidy,
)
from migration_app.models import (
    AuditEvent,
    ImportPart,
    ImportReject,
    SnapshotPage,
    SourceImport,
    SourceObject,
    Thread,
)
from migration_app.tasks import holding
from migration_app.tasks.holding import Hold
from migration_app.tasks.lifecycle import TaskLostError
from migration_app.threads.assessments import threads_assess
from tests.migration_app.imports.support import ACTOR, assistant, lines, message

pytestmark = pytest.mark.django_db
State = SourceImport.State
Kind = SourceImport.Kind
PATIENCE_SECONDS = 60


def transcripts() -> bytes:
    talks = ({"thread_id": f"t{n}", "messages": [{"role": "user", "content": "x"}]} for n in range(40))
    return b"".join(json.dumps(talk).encode() + b"\n" for talk in talks)


def rows() -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(
        [("thread_id", "role", "content"), *((f"t{n}", "user", "x") for n in range(40))]
    )
    return out.getvalue().encode()


FILES = {
    "archive": (Kind.ARCHIVE, lines(*(message(f"m{n}", of=f"t{n}") for n in range(40)))),
    "objects": (Kind.ARCHIVE, lines(*(assistant(f"asst_{n}") for n in range(40)))),
    "transcripts": (Kind.TRANSCRIPTS, transcripts()),
    "rows": (Kind.TRANSCRIPTS, rows()),
    "rejects": (Kind.ARCHIVE, lines(message("m", of="t")) + b"oops\n" * 40),
    "ids": (Kind.THREAD_IDS, b"thread_id\n" + b"".join(b"t%d\n" % n for n in range(40))),
    "rejected ids": (Kind.THREAD_IDS, b"thread_id\nt1\n" + b"t 1\n" * 40),
}


def received(data: bytes, kind: str = Kind.ARCHIVE) -> SourceImport:
    return import_receive(kind=kind, file_name="up", chunks=[data], actor=ACTOR, reason="test")


def run(source_import: SourceImport, stop: Callable[[], bool] = bool) -> bool:
    taken = import_work(source_import_pk=source_import.pk, actor=ACTOR, stop=stop)
    source_import.refresh_from_db()
    return taken


def cancel(source_import: SourceImport) -> bool:
    return import_cancel(source_import_pk=source_import.pk, actor=ACTOR, reason="the wrong file")


def take_over(source_import: SourceImport) -> None:
    SourceImport.objects.filter(pk=source_import.pk).update(claim_token=uuid.uuid4(), heartbeat_at=Now())


def everything() -> list[object]:
    models = (Thread, SnapshotPage, SourceObject, ImportReject, AuditEvent, SourceImport)
    return [list(model._default_manager.order_by("pk").values()) for model in models]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("loss", [cancel, take_over], ids=["cancelled", "taken over"])
def test_whoever_lost_an_import_while_reading_writes_nothing_more(
    loss: Callable[[SourceImport], object], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "_WAITING_REJECTS", 5)
    kind, data = FILES[name]
    source_import = received(data, kind)
    before: list[object] = []

    def read(self: object, size: int) -> bytes:
        if before:
            return b""
        loss(source_import)
        before.extend(everything())
        return data

    monkeypatch.setattr(imports._PartStream, "read", read)
    assert not run(source_import)
    assert everything() == before


@pytest.mark.parametrize("loss", [cancel, take_over], ids=["cancelled", "taken over"])
def test_whoever_lost_an_import_assesses_nothing_more(
    loss: Callable[[SourceImport], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    source_import = received(FILES["archive"][1])
    before: list[object] = []

    def robbed(**keywords: Any) -> None:
        loss(source_import)
        before.extend(everything())
        threads_assess(**keywords)

    monkeypatch.setattr(archives, "threads_assess", robbed)
    assert not run(source_import)
    assert everything() == before
    assert set(Thread.objects.values_list("status", flat=True)) == {Thread.Status.REGISTERED}


def test_a_cancelled_import_says_by_whom_and_why_and_its_upload_is_gone() -> None:
    source_import = received(FILES["archive"][1])
    assert cancel(source_import)
    source_import.refresh_from_db()
    assert (source_import.state, source_import.error_text) == (
        State.CANCELLED,
        "Cancelled by ada: the wrong file",
    )
    assert source_import.finished_at is not None
    assert not ImportPart.objects.exists()
    assert IMPORTS.waiting() == []
    assert not run(source_import)
    event = AuditEvent.objects.get(verb="import.cancelled")
    assert (event.actor, event.subject_id, event.reason) == ("ada", str(source_import.pk), "the wrong file")


@pytest.mark.parametrize("state", [State.FINISHED, State.FAILED, State.CANCELLED])
def test_what_is_over_can_not_be_cancelled(state: str) -> None:
    source_import = import_create(kind="archive", file_name="f", file_bytes=1, actor=ACTOR)
    SourceImport.objects.update(state=state)
    assert not cancel(source_import)
    assert not AuditEvent.objects.filter(verb="import.cancelled").exists()


def test_a_failed_import_whose_upload_is_kept_can_be_cancelled_to_delete_that() -> None:
    source_import = received(b"{}")
    SourceImport.objects.update(state=State.FAILED)
    assert cancel(source_import)
    assert not ImportPart.objects.exists()


def test_threads_that_a_cancelled_import_had_stored_are_assessed_by_the_next_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", 10)
    source_import = received(FILES["archive"][1])

    def cancelled(**_keywords: object) -> None:
        cancel(source_import)
        raise TaskLostError("cancelled")

    with monkeypatch.context() as patched:
        patched.setattr(archives, "threads_assess", cancelled)
        assert not run(source_import)
    assert set(Thread.objects.values_list("status", flat=True)) == {Thread.Status.REGISTERED}
    assert IMPORTS.waiting() == [source_import.pk]
    assert run(source_import)
    assert set(Thread.objects.values_list("status", "message_count")) == {(Thread.Status.SNAPSHOTTED, 1)}
    assert (source_import.state, source_import.unassessed) == (State.CANCELLED, False)
    assert IMPORTS.waiting() == []


def test_threads_of_a_killed_command_are_assessed_by_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    source_import = import_create(kind="archive", file_name="f", file_bytes=1, actor=ACTOR)

    def killed(**_keywords: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(archives, "threads_assess", killed)
        with pytest.raises(SystemExit):
            import_read(source_import=source_import, stream=io.BytesIO(FILES["archive"][1]), actor=ACTOR)
    SourceImport.objects.update(heartbeat_at=Now() - dt.timedelta(hours=2))
    assert imports_tidy(actor=ACTOR) == 1
    assert IMPORTS.waiting() == [source_import.pk]
    assert run(source_import)
    assert source_import.state == State.FAILED
    assert set(Thread.objects.values_list("status", flat=True)) == {Thread.Status.SNAPSHOTTED}


def grow_old() -> None:
    SourceImport.objects.update(heartbeat_at=Now() - dt.timedelta(minutes=3))


def test_an_import_that_ends_its_workers_fails_after_a_few_tries_and_can_be_started_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.IMPORT_MAX_ATTEMPTS = 3
    source_import = received(FILES["archive"][1])

    def killed(**_keywords: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(imports, "archive_import", killed)
        for number in (1, 2, 3):
            with pytest.raises(SystemExit):
                run(source_import)
            source_import.refresh_from_db()
            assert (source_import.state, source_import.attempts) == (State.RUNNING, number)
            grow_old()
        assert IMPORTS.waiting() == [source_import.pk]
        assert not run(source_import)
    assert source_import.state == State.FAILED
    assert "ended 3 times before it was done" in source_import.error_text
    assert "memory" in source_import.error_text
    assert IMPORTS.waiting() == []
    assert import_restart(source_import_pk=source_import.pk, actor=ACTOR, reason="more memory")
    assert run(source_import)
    assert source_import.state == State.FINISHED


def test_a_worker_that_is_told_to_stop_hands_the_import_back_and_it_counts_as_no_try() -> None:
    source_import = received(FILES["archive"][1])
    asked = itertools.count()
    assert run(source_import, stop=lambda: next(asked) > 10)
    assert (source_import.state, source_import.attempts, source_import.claim_token) == (
        State.WAITING,
        0,
        None,
    )
    assert IMPORTS.waiting() == [source_import.pk]
    assert run(source_import)
    assert (source_import.state, source_import.counts["threads_new"]) == (State.FINISHED, 40)


@pytest.mark.parametrize("name", ["archive", "rows"])
def test_what_stood_before_too_many_rejects_is_stored_and_assessed(name: str, settings: Settings) -> None:
    settings.IMPORT_MAX_REJECTS = 5
    kind, data = FILES[name]
    bad = b"oops\n" if name == "archive" else b",user,x\n"
    source_import = received(data + bad * 100 + lines(message("late")), kind)
    assert run(source_import)
    assert source_import.state == State.FAILED
    assert "5 lines were rejected up to line 4" in source_import.error_text
    assert "IMPORT_MAX_REJECTS" in source_import.error_text
    assert (source_import.reject_count, source_import.rejects.count()) == (5, 5)
    assert set(Thread.objects.values_list("status", flat=True)) == {Thread.Status.SNAPSHOTTED}
    assert Thread.objects.count() == 40
    assert IMPORTS.waiting() == []
    assert not ImportPart.objects.exists()


def test_of_ids_with_too_many_rejects_none_is_registered_and_the_rejects_are_kept(settings: Settings) -> None:
    settings.IMPORT_MAX_REJECTS = 5
    kind, data = FILES["rejected ids"]
    source_import = received(data, kind)
    assert run(source_import)
    assert (source_import.state, source_import.rejects.count()) == (State.FAILED, 5)
    assert not Thread.objects.exists()


def test_of_rejects_beyond_so_many_bytes_only_the_beginnings_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tally, "KEPT_BYTES", 5_000)
    source_import = import_create(kind="archive", file_name="f", file_bytes=1, actor=ACTOR)
    data = lines(message("m1")) + (b"oops " * 500 + b"\n") * 6
    written: list[int] = []
    import_read(
        source_import=source_import,
        stream=io.BytesIO(data),
        actor=ACTOR,
        reject_sink=lambda reject: written.append(len(reject.raw)),
    )
    kept = [len(bytes(reject.raw)) for reject in source_import.rejects.order_by("pk")]
    assert written == kept == [2499, 2499, 2499, 200, 200, 200]


def test_a_decompression_bomb_fails_with_its_reason() -> None:
    source_import = received(gzip.compress(lines(message("m1")) + b"\n" * 60_000_000, mtime=0))
    assert run(source_import)
    assert source_import.state == State.FAILED
    assert "unpacks to more than 200 times its size" in source_import.error_text
    assert Thread.objects.get().status == Thread.Status.SNAPSHOTTED


def test_the_heartbeat_goes_by_the_databases_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = timezone.now() - dt.timedelta(hours=7)
    monkeypatch.setattr(timezone, "now", lambda: wrong)
    waiting = received(FILES["archive"][1])
    command = import_create(kind="archive", file_name="f", file_bytes=1, actor=ACTOR)
    run(waiting)
    fresh = SourceImport.objects.filter(heartbeat_at__gt=Now() - dt.timedelta(minutes=5))
    assert set(fresh.values_list("pk", flat=True)) == {waiting.pk, command.pk}
    started = SourceImport.objects.filter(started_at__gt=Now() - dt.timedelta(minutes=5))
    assert started.count() == 2
    assert SourceImport.objects.filter(finished_at__gt=Now() - dt.timedelta(minutes=5)).count() == 1


# --- with connections of their own ------------------------------------------------------------------


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("piece", [b"oops\n" * 1000, b"\n" * 5000, b'{"object": "x"}\n' * 100])
def test_an_endless_file_of_nothing_beats_tells_how_far_it_is_and_ends_when_cancelled(
    piece: bytes, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.IMPORT_MAX_REJECTS = 10**9
    monkeypatch.setattr(tally, "KEPT_BYTES", 0)
    monkeypatch.setattr(holding, "_HEARTBEAT_SECONDS", 0.0)
    source_import = received(lines(message("m1")))
    pieces = itertools.chain([lines(message("m1"))], itertools.repeat(piece))
    monkeypatch.setattr(imports._PartStream, "read", lambda _self, _size: next(pieces))
    ended: list[bool] = []

    def read() -> None:
        ended.append(import_work(source_import_pk=source_import.pk, actor=ACTOR))
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    rows = SourceImport.objects.filter(pk=source_import.pk)
    until(lambda: rows.filter(bytes_read__gt=0).exists())
    before = rows.get().heartbeat_at
    until(lambda: rows.get().heartbeat_at != before)
    assert IMPORTS.waiting() == []
    assert cancel(source_import)
    reader.join(PATIENCE_SECONDS)
    assert ended == [False]
    assert rows.get().state == State.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_a_long_statement_of_the_reader_ends_with_its_import() -> None:
    source_import = import_create(kind="thread_ids", file_name="f", file_bytes=1, actor=ACTOR)

    def running() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(6%%'")
            return bool(cursor.fetchone()[0])

    def somebody() -> None:
        until(running)
        cancel(source_import)
        connection.close()

    other = threading.Thread(target=somebody)
    other.start()
    with Hold(IMPORTS, source_import).running() as hold:
        with connection.cursor() as cursor, pytest.raises(OperationalError, match="cancel"):
            cursor.execute("SELECT pg_sleep(600)")
        with pytest.raises(TaskLostError, match="Cancelled by ada: the wrong file"):
            hold.check()
    other.join()


@pytest.mark.django_db(transaction=True)
def test_an_end_that_takes_long_to_commit_is_not_taken_for_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "_CHECK_SECONDS", 0.01)
    source_import = import_create(kind="thread_ids", file_name="f", file_bytes=1, actor=ACTOR)
    with Hold(IMPORTS, source_import).running() as hold:
        with transaction.atomic():
            hold.write(state=State.FINISHED, claim_token=None)
            time.sleep(0.3)
        assert not hold.is_lost
    assert SourceImport.objects.get().state == State.FINISHED


@pytest.mark.django_db(transaction=True)
def test_ids_can_be_cancelled_while_they_are_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    source_import = received(FILES["ids"][1], Kind.THREAD_IDS)
    merge = thread_ids._merge

    def cancel_apart() -> None:
        cancel(source_import)
        connection.close()

    def slow(*arguments: Any, **keywords: Any) -> object:
        found = merge(*arguments, **keywords)
        other = threading.Thread(target=cancel_apart)
        other.start()
        other.join(PATIENCE_SECONDS)
        assert not other.is_alive(), "the cancel waits for the import's transaction"
        return found

    monkeypatch.setattr(thread_ids, "_merge", slow)
    assert not run(source_import)
    assert source_import.state == State.CANCELLED
    assert not Thread.objects.exists()
    assert not AuditEvent.objects.filter(verb="thread.registered").exists()

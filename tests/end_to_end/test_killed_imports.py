"""Real processes that import, killed with -9 in the middle: taken up again, nothing twice, nothing half counted."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from migration_app.contracts import Actor
from migration_app.imports.imports import IMPORTS, import_receive, import_work, imports_tidy
from migration_app.models import AuditEvent, ImportPart, SnapshotPage, SourceImport, Thread
from tests.migration_app.imports.support import lines, message

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor("ada")
PATIENCE_SECONDS = 60
# What a job does, in a process of its own; its buffers are small, so that there is a middle.
READER = """
import sys, django
django.setup()
from migration_app.contracts import Actor
from migration_app.imports import archives
from migration_app.imports.imports import import_work
archives._BUFFER_DOCUMENTS = 10
import_work(source_import_pk=int(sys.argv[1]), actor=Actor("worker"))
"""


def database_url() -> str:
    database = settings.DATABASES["default"]
    name = connection.settings_dict["NAME"]  # the test's own database
    return (
        f"postgresql://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{name}"
    )


def started(*command: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "console.settings",
    }
    return subprocess.Popen([sys.executable, *command], env=environment, cwd=settings.BASE_DIR)


def kill_when(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > end or process.poll() is not None:
            process.kill()
            process.wait()
            pytest.fail("the process ended, or never came to where it is to be killed")
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


def waits_for_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])


def grow_old(source_import: SourceImport) -> None:
    """As if its worker had sent no heartbeat for long."""
    long_ago = timezone.now() - dt.timedelta(hours=2)
    SourceImport.objects.filter(pk=source_import.pk).update(started_at=long_ago, heartbeat_at=long_ago)


def test_an_archive_whose_worker_was_killed_is_taken_up_with_nothing_twice_and_all_counted() -> None:
    values = [message(f"m{n}", 100 + n, of=f"thread_{n % 40}") for n in range(200)]
    source_import = import_receive(
        kind=SourceImport.Kind.ARCHIVE, file_name="up.jsonl", chunks=[lines(*values)], actor=ACTOR
    )
    with psycopg.connect(database_url()) as other:
        # Held fast in the middle: it waits for the row of a thread that somebody else is registering.
        other.execute(
            "INSERT INTO migration_app_thread (thread_id, user_ref, status, fidelity, message_count, run_count,"
            " item_count, chunk_count, payload_bytes, finding_counts, error_code, error_text, attempts,"
            " pending_work, created_at, updated_at)"
            " VALUES ('thread_25', '', 'registered', '', 0, 0, 0, 0, 0, '{}', '', '', 0, '', now(), now())"
        )
        kill_when(started("-c", READER, str(source_import.pk)), waits_for_lock)
        other.rollback()
    assert SnapshotPage.objects.exists()
    assert IMPORTS.waiting() == []  # for two minutes it is taken for alive
    grow_old(source_import)
    assert IMPORTS.waiting() == [source_import.pk]

    assert import_work(source_import_pk=source_import.pk, actor=ACTOR)
    source_import.refresh_from_db()
    assert source_import.state == SourceImport.State.FINISHED
    counts = source_import.counts
    assert (counts["documents"], counts["messages"], counts.get("unchanged", 0)) == (200, 200, 0)
    assert (counts["threads"], counts["threads_new"]) == (40, 40)
    # What was stored before is kept once more for a thread where new messages follow it: it shows their place.
    assert 200 <= sum(SnapshotPage.objects.values_list("document_count", flat=True)) <= 240
    assert set(Thread.objects.values_list("status", "message_count")) == {("snapshotted", 5)}
    assert AuditEvent.objects.filter(verb="thread.registered").count() == 40
    assert not ImportPart.objects.exists()


def test_ids_whose_worker_was_killed_are_taken_up_with_all_counted() -> None:
    data = b"thread_id\n" + b"".join(b"thread_%d\n" % number for number in range(1000))
    source_import = import_receive(
        kind=SourceImport.Kind.THREAD_IDS, file_name="ids.csv", chunks=[data], actor=ACTOR
    )
    with psycopg.connect(database_url()) as other:
        other.execute("LOCK TABLE migration_app_auditevent IN SHARE MODE")  # its last step but the commit
        process = started("-c", READER, str(source_import.pk))
        kill_when(process, waits_for_lock)
        other.rollback()
    grow_old(source_import)
    # PostgreSQL may still be at the dead process's statement; until it is rolled back the import is passed over.
    end = time.monotonic() + PATIENCE_SECONDS
    while not import_work(source_import_pk=source_import.pk, actor=ACTOR):
        assert time.monotonic() < end
        time.sleep(0.05)
    source_import.refresh_from_db()
    assert source_import.state == SourceImport.State.FINISHED
    assert (source_import.counts["threads_new"], source_import.counts["unchanged"]) == (1000, 0)
    assert Thread.objects.count() == 1000
    assert AuditEvent.objects.filter(verb="thread.registered").count() == 1000


def test_an_import_at_its_long_transaction_is_not_taken_over_however_old_its_sign_of_life() -> None:
    source_import = import_receive(
        kind=SourceImport.Kind.THREAD_IDS, file_name="ids.csv", chunks=[b"thread_1\n"], actor=ACTOR
    )
    grow_old(source_import)
    SourceImport.objects.update(state=SourceImport.State.RUNNING)
    with psycopg.connect(database_url()) as alive:
        alive.execute("SELECT FROM migration_app_sourceimport FOR NO KEY UPDATE")
        assert not import_work(source_import_pk=source_import.pk, actor=ACTOR)
        alive.rollback()
    assert import_work(source_import_pk=source_import.pk, actor=ACTOR)


def test_a_killed_command_is_ended_as_failed_and_the_file_can_be_imported_again(tmp_path: Path) -> None:
    path = tmp_path / "ids.csv"
    path.write_text("thread_id\nthread_1\nthread_2\n")
    with psycopg.connect(database_url()) as other:
        other.execute("LOCK TABLE migration_app_thread IN SHARE MODE")
        kill_when(started("manage.py", "import_threads", str(path)), waits_for_lock)
        other.rollback()
    first = SourceImport.objects.get()
    grow_old(first)
    end = time.monotonic() + PATIENCE_SECONDS
    while not imports_tidy(actor=ACTOR):
        assert time.monotonic() < end
        time.sleep(0.05)
    first.refresh_from_db()
    assert first.state == SourceImport.State.FAILED
    assert "Run it again" in first.error_text
    assert started("manage.py", "import_threads", str(path)).wait(PATIENCE_SECONDS) == 0
    second = SourceImport.objects.latest("pk")
    assert (second.state, second.counts["threads_new"]) == (SourceImport.State.FINISHED, 2)


def test_ids_that_another_import_registers_meanwhile_are_taken_as_known() -> None:
    source_import = import_receive(
        kind=SourceImport.Kind.THREAD_IDS,
        file_name="ids.csv",
        chunks=[b"thread_id,user_ref\nthread_1,u-1\nthread_2,u-2\n"],
        actor=ACTOR,
    )
    with psycopg.connect(database_url()) as other:
        other.execute(
            "INSERT INTO migration_app_thread (thread_id, user_ref, status, fidelity, message_count, run_count,"
            " item_count, chunk_count, payload_bytes, finding_counts, error_code, error_text, attempts,"
            " pending_work, created_at, updated_at)"
            " VALUES ('thread_2', '', 'registered', '', 0, 0, 0, 0, 0, '{}', '', '', 0, '', now(), now())"
        )
        process = started("-c", READER, str(source_import.pk))
        end = time.monotonic() + PATIENCE_SECONDS
        while not waits_for_lock():
            assert time.monotonic() < end
            time.sleep(0.005)
        other.commit()
    assert process.wait(PATIENCE_SECONDS) == 0
    source_import.refresh_from_db()
    assert (source_import.counts["threads_new"], source_import.counts["unchanged"]) == (1, 1)
    assert dict(Thread.objects.values_list("thread_id", "user_ref")) == {"thread_1": "u-1", "thread_2": "u-2"}
    assert AuditEvent.objects.filter(verb="thread.registered").count() == 1

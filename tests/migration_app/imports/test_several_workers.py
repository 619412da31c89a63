"""The files of one dump, each an import of its own, read by several workers at once: as if one had read them all."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from migration_app.archive.files.streams import ByteReader
from migration_app.imports import archives, imports
from migration_app.imports.imports import IMPORTS, import_receive, import_work
from migration_app.models import SnapshotPage, SourceImport, Thread
from migration_app.snapshots.pages import load_source_thread
from tests.migration_app.imports.support import ACTOR, lines, message, run, thread

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = ["messages", "runs", "threads"]


def uploaded(dump: str, kinds: list[str]) -> list[int]:
    """The files of a dump, as imports that wait; each dump has threads of its own."""
    names = [f"thread_{dump}_{number:02}" for number in range(30)]
    files = {
        "runs": [run(f"run_{name}", of=name, metadata={"n": name}) for name in names],
        "messages": [
            message(f"m{at}_{name}", 100 + at, f"text {at}", of=name) for at in range(4) for name in names
        ],
        "threads": [thread(name) for name in names],
    }
    return [
        import_receive(
            kind="archive", file_name=f"{kind}.jsonl", chunks=[lines(*files[kind])], actor=ACTOR
        ).pk
        for kind in kinds
    ]


def stored(dump: str) -> list[Any]:
    """Each thread of a dump as it was assessed, as its snapshot is read again, and how many documents that is."""
    measures = ("status", "fidelity", "message_count", "run_count", "payload_bytes", "finding_counts")
    return [
        (
            *(getattr(row, name) for name in measures),
            repr(load_source_thread(row)).replace(dump, ""),
            sum(row.pages.values_list("document_count", flat=True)),
        )
        for row in Thread.objects.filter(thread_id__contains=dump).order_by("thread_id")
    ]


@pytest.fixture
def by_one() -> list[Any]:
    """What one worker makes of a dump."""
    for pk in uploaded("one", KINDS):
        assert import_work(source_import_pk=pk, actor=ACTOR)
    return stored("one")


@pytest.mark.parametrize("kinds", [KINDS, KINDS[::-1]])
def test_two_workers_at_once_store_and_assess_what_one_would(
    by_one: list[Any], kinds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", 7)  # so that they meet at the same threads
    waiting = uploaded("two", kinds)

    def work() -> None:
        try:
            for pk in IMPORTS.waiting():
                import_work(source_import_pk=pk, actor=ACTOR)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    states = SourceImport.objects.filter(pk__in=waiting).values_list("state", "attempts")
    assert set(states) == {("finished", 0)}
    assert stored("two") == by_one


def test_the_file_of_a_killed_worker_is_taken_over_and_nothing_is_stored_twice(
    by_one: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", 7)
    killed, *others = uploaded("two", KINDS)
    read = archives.archive_import

    class Ending:
        """The upload; when all of it has come in, before all of it is stored, the worker is killed."""

        def __init__(self, stream: ByteReader) -> None:
            self._stream = stream

        def read(self, size: int, /) -> bytes:
            piece = self._stream.read(min(size, 2000))
            if not piece:
                raise SystemExit
            return piece

    with monkeypatch.context() as patched:
        patched.setattr(
            imports, "archive_import", lambda *, stream, **rest: read(stream=Ending(stream), **rest)
        )
        with pytest.raises(SystemExit):
            import_work(source_import_pk=killed, actor=ACTOR)
    assert SnapshotPage.objects.filter(source_import=killed).exists()
    assert not import_work(source_import_pk=killed, actor=ACTOR)  # its worker may still live
    old = timezone.now() - dt.timedelta(minutes=5)
    SourceImport.objects.filter(pk=killed).update(heartbeat_at=old)
    for pk in [*others, killed]:
        assert import_work(source_import_pk=pk, actor=ACTOR)
    assert stored("two") == by_one

"""The console's side of the file benchmarks: what is imported and exported, measured inside the application.

python -m bench.files.console       commands as lines of JSON, see bench.children
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import django
import psutil

django.setup()

from django.conf import settings  # noqa: E402 - models can only be imported after the set-up
from django.contrib.auth import get_user_model, login  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.db import connection  # noqa: E402
from django.http import HttpRequest  # noqa: E402

from bench.children import answer_commands  # noqa: E402
from bench.threads import console  # noqa: E402
from migration_app.archive.sequence import payload_compress, payload_sha256, sequence_pack  # noqa: E402
from migration_app.contracts import Actor  # noqa: E402
from migration_app.imports.imports import import_create, import_read  # noqa: E402
from migration_app.models import SnapshotPage, SourceImport, Thread  # noqa: E402
from migration_app.snapshots.page_writing import snapshot_pages_write  # noqa: E402
from migration_app.statements import statements_of  # noqa: E402
from migration_app.threads.mapping import mapping_statement  # noqa: E402
from migration_app.threads.selections import selection_of_filters  # noqa: E402

ACTOR = Actor("bench")
_SQL = statements_of("bench.files.console")


def fill(*, rows: int) -> dict[str, Any]:
    """Put so many verified threads and their conversations into the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO migration_app_assistant (assistant_id, name, model, status, fidelity, requested_by_name,"
            " created_at, updated_at) VALUES ('asst_bench', '', '', 'registered', '', '', now(), now())"
        )
        cursor.execute(_SQL["threads"], [rows])
        cursor.execute(_SQL["conversations"])
        cursor.execute(
            "VACUUM ANALYZE migration_app_thread, migration_app_conversation, migration_app_assistant"
        )
    return {}


def export_request() -> dict[str, Any]:
    """What a browser would send to export the whole mapping, and the statement that this runs."""
    user, _made = get_user_model().objects.get_or_create(
        username="bench", defaults={"is_staff": True, "is_superuser": True}
    )
    request = HttpRequest()
    request.session = SessionStore()
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[-1])
    request.session.save()
    selection = selection_of_filters({})
    with connection.cursor() as cursor:
        statement = cursor.mogrify(*mapping_statement(selection))
    return {
        "session": request.session.session_key,
        "cookie": settings.SESSION_COOKIE_NAME,
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
        "statement": statement if isinstance(statement, str) else statement.decode(),
    }


def import_ids(*, path: str) -> dict[str, Any]:
    """Import a file of thread ids as the command does, and say what came of it and what it took."""
    file = Path(path)
    memory = Memory()
    start = time.perf_counter()
    with file.open("rb") as stream, memory:
        source_import = import_create(
            kind=SourceImport.Kind.THREAD_IDS,
            file_name=file.name,
            file_bytes=file.stat().st_size,
            actor=ACTOR,
            reason="bench",
        )
        import_read(source_import=source_import, stream=stream, actor=ACTOR, reject_sink=ignore)
    seconds = time.perf_counter() - start
    return {"wall": seconds, "memory": memory.grown, "counts": source_import.counts}


def ignore(_reject: object) -> None:
    """Take a reject, and keep nothing of it."""


class Memory:
    """The most that this process grew while the block ran, in bytes, sampled every 5 ms."""

    def __enter__(self) -> Memory:
        self._process = psutil.Process()
        self._before = self._most = self._process.memory_info().rss
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def _watch(self) -> None:
        while not self._ended.wait(0.005):
            self._most = max(self._most, self._process.memory_info().rss)

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._watcher.join()

    @property
    def grown(self) -> int:
        """Bytes."""
        return self._most - self._before


def documents_pages(*, pages: int, way: str) -> dict[str, Any]:
    """Write so many snapshot pages of 100 messages each: by COPY as the console does, or by the ORM."""
    thread = Thread.objects.get_or_create(thread_id="thread_bench_pages")[0]
    documents = [_message(number) for number in range(100)]
    start = time.perf_counter()
    made = (_page(thread, sequence, documents) for sequence in range(pages))
    if way == "copy":
        snapshot_pages_write(made)
    else:
        SnapshotPage.objects.bulk_create(made, batch_size=200)
    seconds = time.perf_counter() - start
    size = sum(map(len, documents)) * pages
    clear()
    return {"wall": seconds, "bytes": size}


def _page(thread: Thread, sequence: int, documents: list[bytes]) -> SnapshotPage:
    packed = sequence_pack(documents)
    return SnapshotPage(
        thread=thread,
        sequence=sequence,
        kind=SnapshotPage.Kind.ARCHIVE,
        origin="bench",
        payload=payload_compress(packed),
        sha256=payload_sha256(packed),
        raw_bytes=len(packed),
        document_count=len(documents),
    )


def _message(number: int) -> bytes:
    text = " ".join(f"word{(number * 31 + place * 17) % 997}" for place in range(70))
    return (
        f'{{"id":"msg_{number:024d}","object":"thread.message","created_at":1700000000,"thread_id":"thread_1",'
        f'"role":"user","content":[{{"type":"text","text":{{"value":"{text}","annotations":[]}}}}],"metadata":{{}}}}'
    ).encode()


def clear() -> dict[str, Any]:
    """Empty the tables and write them to disk, so that each round begins alike."""
    console.clear()
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
    return {}


if __name__ == "__main__":
    answer_commands(
        {
            "fill": fill,
            "export_request": export_request,
            "import_ids": import_ids,
            "documents_pages": documents_pages,
            "clear": clear,
        }
    )

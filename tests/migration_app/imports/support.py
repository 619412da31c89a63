"""Small archives to import in tests, and importing them."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from typing import Any

from django.db import transaction

from migration_app.contracts import Actor, JsonObject
from migration_app.imports.imports import import_create, import_read
from migration_app.models import SourceImport, Thread
from migration_app.snapshots.pages import load_source_thread

ACTOR = Actor("ada", job_id="job-1")


def thread(name: str = "thread_1", **more: Any) -> JsonObject:
    return {"id": name, "object": "thread", "created_at": 100, "metadata": {}, "tool_resources": {}, **more}


def message(name: str, time: int = 100, text: str = "x", *, of: str = "thread_1", **more: Any) -> JsonObject:
    return {
        "id": name,
        "object": "thread.message",
        "created_at": time,
        "thread_id": of,
        "role": "user",
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        "metadata": {},
        **more,
    }


def run(name: str, status: str = "completed", *, of: str = "thread_1", **more: Any) -> JsonObject:
    return {
        "id": name,
        "object": "thread.run",
        "created_at": 100,
        "thread_id": of,
        "assistant_id": "asst_1",
        "status": status,
        **more,
    }


def assistant(object_id: str = "asst_1", **more: Any) -> JsonObject:
    return {
        "id": object_id,
        "object": "assistant",
        "created_at": 50,
        "name": "Desk",
        "model": "gpt-4o",
        "tools": [],
        **more,
    }


def lines(*values: JsonObject) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def imported(data: bytes, kind: str = SourceImport.Kind.ARCHIVE) -> SourceImport:
    """Import bytes as a file; the import as it ended."""
    source_import = import_create(kind=kind, file_name="test.jsonl", file_bytes=len(data), actor=ACTOR)
    import_read(source_import=source_import, stream=io.BytesIO(data), actor=ACTOR)
    return source_import


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """What happens inside leaves nothing: pages can't be deleted."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def the_thread(name: str = "thread_1") -> Thread:
    return Thread.objects.get(thread_id=name)


def stored_messages(name: str = "thread_1") -> list[str]:
    return [value["id"] for value in load_source_thread(the_thread(name)).messages]

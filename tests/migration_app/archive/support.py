"""API objects and stored pages for tests of how threads are put together."""

from __future__ import annotations

import json
from typing import Any

from migration_app.archive.order.assemble import PageContent, assemble_thread
from migration_app.archive.sequence import sequence_pack
from migration_app.contracts import JsonObject, ListingOrder, SourceThread


def message(name: str, time: object, text: str = "x", **more: Any) -> JsonObject:
    return {
        "id": name,
        "object": "thread.message",
        "thread_id": "thread_1",
        "role": "user",
        "created_at": time,
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        **more,
    }


def answer(name: str, time: object, run_id: str | None = None, **more: Any) -> JsonObject:
    return message(name, time, role="assistant", run_id=run_id, **more)


def run(name: str, time: object, status: str = "completed", **more: Any) -> JsonObject:
    return {
        "id": name,
        "object": "thread.run",
        "thread_id": "thread_1",
        "created_at": time,
        "status": status,
        **more,
    }


def calls(name: str, time: object, run_id: str = "run_1", *ids: str, **more: Any) -> JsonObject:
    made = [
        {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}", "output": "1"}}
        for call_id in ids or (f"call_{name}",)
    ]
    return _step(name, time, run_id, {"type": "tool_calls", "tool_calls": made}, more)


def creation(name: str, time: object, message_id: str, run_id: str = "run_1", **more: Any) -> JsonObject:
    details = {"type": "message_creation", "message_creation": {"message_id": message_id}}
    return _step(name, time, run_id, details, more)


def _step(name: str, time: object, run_id: str, details: JsonObject, more: JsonObject) -> JsonObject:
    return {
        "id": name,
        "object": "thread.run.step",
        "thread_id": "thread_1",
        "run_id": run_id,
        "created_at": time,
        "status": "completed",
        "type": details["type"],
        "step_details": details,
        **more,
    }


def listed(*values: JsonObject, **more: Any) -> JsonObject:
    """A list page; ``has_more`` and the like by name."""
    return {"object": "list", "data": list(values), **more}


def page(
    *documents: JsonObject, kind: str = "archive", origin: str = "import-1", order: ListingOrder = "unknown"
) -> PageContent:
    return PageContent(kind, origin, order, sequence_pack(json.dumps(value).encode() for value in documents))


def imports(*files: list[JsonObject]) -> SourceThread:
    """The thread that several imports bring, each file with one."""
    return assembled(*(page(*file, origin=f"import-{number}") for number, file in enumerate(files)))


def assembled(*pages: PageContent) -> SourceThread:
    return assemble_thread("thread_1", pages, {})


def ids(source: SourceThread) -> list[str]:
    return [value["id"] for value in source.messages]


def step_ids(source: SourceThread) -> list[str]:
    return [value["id"] for value in source.steps]


def codes(source: SourceThread) -> list[str]:
    return [finding.code for finding in source.findings]

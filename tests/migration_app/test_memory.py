"""What a thread costs in memory hardly grows with it: read, converted, cut into appends and compared."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Iterator

import pytest

from migration_app import spill
from migration_app.archive.order.assemble import PageContent, assemble_thread
from migration_app.archive.sequence import sequence_pack
from migration_app.contracts import JsonObject, Replacement, SourceThread
from migration_app.conversion.chunking import chunk_items, plan_size
from migration_app.conversion.comparison.canonical import ItemsComparison, fingerprint, read_back_includes
from migration_app.conversion.fallbacks import apply_replacements
from migration_app.conversion.resources import thread_resources
from migration_app.conversion.threads import convert_thread

MESSAGES_A_PAGE = 100
WORDS = "High water at the mill is at twenty to seven, and the sluice opens an hour before that. " * 10


def pages(count: int) -> Iterator[PageContent]:
    """A thread of so many messages, every fifth made by a run with a tool call."""
    yield PageContent("live", "live-1", "asc", sequence_pack([json.dumps(thread_object()).encode()]))
    for start in range(0, count, MESSAGES_A_PAGE):
        documents = [found for number in range(start, start + MESSAGES_A_PAGE) for found in objects(number)]
        yield PageContent("live", "live-1", "asc", sequence_pack(json.dumps(d).encode() for d in documents))


def thread_object() -> JsonObject:
    return {"id": "thread_mill", "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": {}}


def objects(number: int) -> Iterator[JsonObject]:
    """A message, and what made it."""
    run_id = f"run_{number:08d}" if number % 5 == 1 else None
    yield {
        "id": f"msg_{number:08d}",
        "object": "thread.message",
        "created_at": number,
        "thread_id": "thread_mill",
        "run_id": run_id,
        "role": "assistant" if number % 2 else "user",
        "content": [{"type": "text", "text": {"value": f"{number}: {WORDS}", "annotations": []}}],
        "attachments": [],
        "metadata": {"kept": "in the console"},  # so that every message has a finding
    }
    if run_id is not None:
        base = {"thread_id": "thread_mill", "created_at": number, "status": "completed"}
        step = base | {"object": "thread.run.step", "run_id": run_id}
        function = {"name": "tide", "arguments": "{}", "output": WORDS}
        called = [{"id": f"call_{number}", "type": "function", "function": function}]
        made = {"type": "message_creation", "message_creation": {"message_id": f"msg_{number:08d}"}}
        yield base | {"object": "thread.run", "id": run_id, "instructions": WORDS}
        yield step | {"id": f"a_{number}", "step_details": {"type": "tool_calls", "tool_calls": called}}
        yield step | {"id": f"b_{number}", "step_details": made}


def worked_on(source: SourceThread) -> int:
    """All that is done with a thread; returns how many items it becomes."""
    plan = convert_thread(source)
    plan = apply_replacements(plan, {3: Replacement(3, 0), 9: Replacement(9, 1)})
    assert len(plan.findings) > len(source.messages)
    assert plan.fidelity == "lossy"
    assert plan_size(plan.items)[0] == len(chunk_items(plan.items))
    assert not thread_resources(source)
    assert not read_back_includes(planned.item for planned in plan.items)
    assert fingerprint(planned.item for planned in plan.items)
    comparison = ItemsComparison(planned.item for planned in plan.items)
    for start in range(0, len(plan.items), 100):
        comparison.see([planned.item | {"id": "msg_x"} for planned in plan.items[start : start + 100]])
    assert comparison.difference() is None
    return len(plan.items)


def peak_bytes(count: int) -> int:
    """The most memory that a thread of so many messages takes at once."""
    gc.collect()
    tracemalloc.start()
    try:
        assert worked_on(assemble_thread("thread_mill", pages(count), {})) > count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_thread_takes_a_small_part_of_itself_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "MAX_BYTES_IN_MEMORY", 1 << 18)
    few, many = peak_bytes(1000), peak_bytes(6000)
    # With its share of runs, steps and findings a message is 1.6 kB of JSON; in memory all that took 6.9 kB (measured).
    assert (many - few) / 5000 < 1000
    assert many < 8 << 20


def test_a_conversation_that_misses_an_item_early_is_compared_in_little_memory() -> None:
    def item(number: int) -> JsonObject:
        text = {"type": "input_text", "text": f"{number}: {WORDS}"}
        return {"type": "message", "role": "user", "content": [text]}

    gc.collect()
    tracemalloc.start()
    try:
        comparison = ItemsComparison(map(item, range(10_000)))
        for start in range(0, 10_000, 100):
            comparison.see(item(number) for number in range(start, start + 100) if number != 7)
        difference = comparison.difference()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert difference is not None
    assert difference.text == (
        "item 8 (message by user) is missing: planned 10000 items, found 9999; 1 missing"
    )
    assert peak < 1 << 20

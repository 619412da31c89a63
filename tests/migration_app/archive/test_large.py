"""A thread that is too large for memory is read as a small one is."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.sample import sample_path
from migration_app import spill
from migration_app.archive import numbering, objects
from migration_app.archive.objects import expand
from migration_app.archive.order.assemble import PageContent, assemble_thread
from migration_app.archive.order.listed import Listed
from migration_app.archive.order.ordering import Listing, listings_merged
from migration_app.archive.sequence import sequence_pack
from migration_app.archive.versions import KnownObjects, Verdict
from migration_app.contracts import JsonObject, SourceThread
from migration_app.spill import is_spilled

MESSAGE: JsonObject = {"id": "m1", "object": "thread.message", "thread_id": "thread_1", "created_at": 5}
_FIELDS = """
    id object thread_id run_id event data deleted messages steps runs run_steps created_at thread
"""
_WORDS = """
    thread thread.message thread.run thread.run.step assistant file thread.message.delta list m1 {} {"id":"m9"}
"""
NAMES = st.sampled_from(_FIELDS.split())
VALUES = st.none() | st.booleans() | st.sampled_from([*_WORDS.split(), "", "a\x00", "x" * 300])
ANY_JSON = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(NAMES, ANY_JSON, max_size=6).map(lambda more: MESSAGE | more)


SAID: tuple[Any, ...] = (True, False, None, "false", {}, ["thread"])


def sample_pages() -> dict[str, list[PageContent]]:
    """The bundled estate's threads: each object once in one archive, and its earlier half again in another."""
    lines = [line for line in gzip.decompress(sample_path().read_bytes()).split(b"\n") if line]
    by_thread: dict[str, list[bytes]] = {}
    for line in lines:
        value = json.loads(line)
        thread_id = value["id"] if value["object"] == "thread" else value.get("thread_id")
        if thread_id:
            by_thread.setdefault(thread_id, []).append(line)
    return {
        thread_id: [
            PageContent("archive", "import-1", "unknown", sequence_pack(found)),
            PageContent("archive", "import-2", "desc", sequence_pack(found[: len(found) // 2])),
        ]
        for thread_id, found in by_thread.items()
    }


def in_memory(source: SourceThread) -> SourceThread:
    """The thread with all its parts in memory."""
    return dataclasses.replace(
        source,
        messages=tuple(source.messages),
        runs=tuple(source.runs),
        steps=tuple(source.steps),
        findings=tuple(source.findings),
    )


def test_every_thread_of_the_sample_is_the_same_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = sample_pages()
    small = {thread_id: assemble_thread(thread_id, found, {}) for thread_id, found in pages.items()}
    monkeypatch.setattr(spill, "MAX_BYTES_IN_MEMORY", 0)
    for thread_id, found in pages.items():
        source = assemble_thread(thread_id, iter(found), {})
        assert is_spilled(source.messages)
        assert is_spilled(source.steps)
        assert in_memory(source) == small[thread_id]
    assert len(pages) > 10


def test_states_and_conflicts_of_a_large_thread_are_those_of_a_small_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = [MESSAGE | {"id": f"m{n}", "content": "a", "status": "in_progress"} for n in range(9)]
    later = [value | {"status": "completed", "content": "ab"} for value in first[::-1]]
    other = [value | {"content": "xyz"} for value in later[:4]]
    pages = [
        PageContent(
            "archive", f"import-{n}", "asc", sequence_pack(json.dumps(value).encode() for value in values)
        )
        for n, values in enumerate((first, later, other))
    ]
    small = assemble_thread("thread_1", pages, {})
    monkeypatch.setattr(spill, "MAX_BYTES_IN_MEMORY", len(pages[0].payload) + 1)
    found = assemble_thread("thread_1", pages, {})
    assert is_spilled(found.messages, found.findings)
    assert in_memory(found) == small
    assert [finding.code for finding in found.findings][:4] == ["object_conflict"] * 4


def test_what_is_known_of_a_large_thread_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def verdicts() -> Iterator[Verdict]:
        known = KnownObjects()
        known.grow(1000)
        sights: list[JsonObject] = [
            {"status": "in_progress"},
            {"status": "in_progress"},
            {"status": "completed", "content": "a"},
            {"status": "completed", "content": "a", "more": 1},
            {"status": "in_progress"},
            {"status": "completed", "content": "b"},
            {"status": "completed", "content": "a", "more": 1},
        ]
        for sight in sights:
            for number in range(3):
                yield known.see("message", f"m{number}", MESSAGE | sight | {"id": f"m{number}"})

    small = list(verdicts())
    monkeypatch.setattr(spill, "MAX_BYTES_IN_MEMORY", 0)
    assert list(verdicts()) == small
    told = [verdict.name for verdict in small[::3]]
    assert told == ["NEW", "SAME", "STATE", "STATE", "SAME", "CONFLICT", "SAME"]


@settings(derandomize=True, deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS, st.sampled_from(["", "thread_1"]))
def test_a_complete_object_is_read_as_any_other(document: dict[str, Any], thread_id: str) -> None:
    pages = (
        {"object": "list", "data": [document, MESSAGE], "has_more": said, "last_id": "m1"} for said in SAID
    )
    for value in (document, {"object": "list", "data": [document, document]}, {"runs": [document]}, *pages):
        short = list(expand(value, thread_id=thread_id))
        with (
            mock.patch.object(objects, "whole_object", return_value=None),
            mock.patch.object(objects, "whole_page", return_value=None),
        ):
            long = list(expand(value, thread_id=thread_id))
        assert short == long


def test_a_long_list_behind_a_short_one_is_put_in_order_in_linear_time() -> None:
    def looked_at(count: int) -> int:
        class Counting(str):
            __slots__ = ()
            seen = 0

            def __eq__(self, other: object) -> bool:
                Counting.seen += 1
                return str.__eq__(self, str(other))

            __hash__ = str.__hash__

        newer = [Listed(Counting(f"m{number}"), float(number)) for number in range(count)]
        merged = listings_merged([Listing(newer[:1]), Listing(newer)])
        assert [found.number for found in merged.objects] == [0] * count
        assert [str(found.id) for found in merged.objects] == [f"m{number}" for number in range(count)]
        return Counting.seen

    assert looked_at(2000) < 3 * looked_at(1000)


@pytest.mark.parametrize("again_from", [0, 150, 300])
def test_a_large_thread_that_has_grown_is_in_order_as_a_small_one_is(
    again_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(origin: str, numbers: range) -> PageContent:
        data = [
            {
                "id": f"msg_{number}",
                "object": "thread.message",
                "thread_id": "t",
                "created_at": number // 3,
                "role": "user",
            }
            for number in numbers
        ]
        page = {"object": "list", "data": data, "has_more": False}
        return PageContent("live", origin, "asc", sequence_pack([json.dumps(page).encode()]))

    pages = [listed("live-1", range(300)), listed("live-2", range(again_from, 400))]
    expected = assemble_thread("t", pages, {})
    monkeypatch.setattr(spill, "MAX_BYTES_IN_MEMORY", 0)
    monkeypatch.setattr(numbering, "_FEW", 4)
    large = assemble_thread("t", pages, {})
    assert is_spilled(large.messages)
    assert in_memory(large) == expected
    assert [message["id"] for message in large.messages] == [f"msg_{number}" for number in range(400)]

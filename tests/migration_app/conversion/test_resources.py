"""Files and vector stores that threads name, and whether the target has them."""

from __future__ import annotations

from typing import Any

from migration_app.conversion.resources import Resource, liveness_findings, thread_resources
from tests.migration_app.conversion.support import codes, source_thread, thread_of


def found(*messages: Any, **parts: Any) -> list[tuple[str, str, str, str, str]]:
    """Every resource of a thread: kind, id, use, source, place."""
    return [
        (one.kind, one.id, one.use, f"{one.source_kind} {one.source_id}", one.place)
        for one in thread_resources(thread_of(*messages, **parts))
    ]


def image(file_id: str) -> dict[str, Any]:
    """An image of a file."""
    return {"type": "image_file", "image_file": {"file_id": file_id}}


def test_the_threads_tools_name_stores_and_files() -> None:
    tools = {
        "file_search": {"vector_store_ids": ["vs_1", "vs_1"]},
        "code_interpreter": {"file_ids": ["file-a"]},
    }
    source = source_thread({"thread_id": "thread_mill", "thread": {"tool_resources": tools}})
    assert [(one.kind, one.id, one.use, one.place) for one in thread_resources(source)] == [
        ("vector_store", "vs_1", "tools", "tool_resources.file_search.vector_store_ids"),
        ("file", "file-a", "tools", "tool_resources.code_interpreter.file_ids"),
    ]


def test_what_users_showed_and_attached_is_content() -> None:
    message = {
        "id": "msg_1",
        "role": "user",
        "content": [{"type": "text", "text": {"value": "Look."}}, image("file-p")],
        "attachments": [{"file_id": "file-a"}, {}],
        "file_ids": ["file-old", None],
    }
    assert found(message) == [
        ("file", "file-p", "content", "message msg_1", "content[1].image_file"),
        ("file", "file-a", "content", "message msg_1", "attachments[0]"),
        ("file", "file-old", "content", "message msg_1", "file_ids[0]"),
    ]


def test_what_assistants_showed_and_cited_is_named() -> None:
    citation = {"type": "file_citation", "file_citation": {"file_id": "file-c"}}
    elsewhere = {"type": "url_citation", "url_citation": {"url": "https://tides.example/"}}
    text = {"type": "text", "text": {"value": "See.", "annotations": [elsewhere, citation]}}
    assert found(
        {"id": "msg_1", "role": "assistant", "content": [text]}, {"role": "assistant", "content": image("f")}
    ) == [
        ("file", "file-c", "named", "message msg_1", "content[0].text.annotations[1]"),
        ("file", "f", "named", "message (message 2 without id)", "content[0].image_file"),
    ]


def test_steps_name_images_made_and_results_found_and_runs_their_tools() -> None:
    outputs = [{"type": "logs", "logs": ""}, {"type": "image", "image": {"file_id": "file-chart"}}]
    calls = [
        {"type": "code_interpreter", "code_interpreter": {"outputs": outputs}},
        {"type": "file_search", "file_search": {"results": [{}, {"file_id": "file-r"}]}},
    ]
    step = {"id": "step_1", "step_details": {"tool_calls": calls}}
    run = {"id": "run_1", "tool_resources": {"file_search": {"vector_store_ids": ["vs_9"]}}}
    place = "step_details.tool_calls"
    assert found(steps=[step], runs=[run]) == [
        ("file", "file-chart", "named", "step step_1", f"{place}[0].code_interpreter.outputs[1]"),
        ("file", "file-r", "named", "step step_1", f"{place}[1].file_search.results[1]"),
        ("vector_store", "vs_9", "tools", "run run_1", "tool_resources.file_search.vector_store_ids"),
    ]


def test_the_strongest_use_of_a_file_counts() -> None:
    shown = {"id": "msg_1", "role": "assistant", "content": [image("file-p")]}
    asked = {"id": "msg_2", "role": "user", "content": [image("file-p")]}
    assert [entry[2:4] for entry in found(shown, asked, shown)] == [("content", "message msg_2")]


def test_what_the_target_lacks_is_told_by_how_it_is_used() -> None:
    content = Resource("file", "file-p", "content", "message", "msg_1", "content[0].image_file")
    store = Resource("vector_store", "vs_1", "tools", "thread", "thread_mill", "tool_resources")
    named = Resource("file", "file-c", "named", "message", "msg_2", "content[0]")
    resources = (content, store, named)
    keys = [("file", "file-p"), ("vector_store", "vs_1"), ("file", "file-c")]
    assert liveness_findings(resources, dict.fromkeys(keys, "alive")) == ()
    missing = liveness_findings(resources, dict.fromkeys(keys, "missing"))
    assert codes(missing) == ["resource_missing", "resource_missing", "resource_gone_but_named"]
    expired = liveness_findings(resources, dict.fromkeys(keys, "expired"))
    assert codes(expired) == ["resource_expired", "resource_expired", "resource_gone_but_named"]
    assert expired[1].text == (
        "The target says that vector store vs_1 has expired, which is needed by the thread's tools."
    )
    assert (missing[0].source_id, missing[0].place) == ("msg_1", "content[0].image_file")


def test_what_was_not_looked_for_is_never_called_alive() -> None:
    store = Resource("vector_store", "vs_1", "tools", "thread", "thread_mill", "tool_resources")
    assert codes(liveness_findings((store,), {})) == ["resource_unchecked"]

"""What holds for any thread: nothing lost, order kept, pairs whole, pure, and never an exception."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings

from migration_app.contracts import MAX_ITEMS_PER_CALL, SourceThread, ThreadPlan
from migration_app.conversion.assistants import convert_assistant
from migration_app.conversion.canonical import compare_items, fingerprint
from migration_app.conversion.chunking import chunk_items
from migration_app.conversion.text import as_list, as_object, clean_text, source_id_of
from migration_app.conversion.threads import convert_thread
from tests.migration_app.conversion.strategies import damaged, threads
from tests.migration_app.conversion.support import assert_acceptable, golden_files, source_thread, validator

fixed = settings(
    derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)


def golden_sources(folder: str) -> list[dict[str, Any]]:
    """The sources of a folder's golden files: every shape there is."""
    return [json.loads(path.read_text(encoding="utf-8"))["source"] for path in golden_files(folder)]


THREADS, ASSISTANTS = golden_sources("threads"), golden_sources("assistants")
EVERY_ITEM = [planned.item for source in THREADS for planned in convert_thread(source_thread(source)).items]
PLANNED = [{"items": EVERY_ITEM}]
PART_DROPPED = {"text_empty", "part_type_unknown", "image_on_assistant"}
ANNOTATION_DROPPED = {"annotation_on_user"}
CALL_DROPPED = {"function_call_without_output", "code_interpreter_not_carried"}
ATTACHMENT_DROPPED = {"attachment_repeated", "attachment_cited", "attachment_on_assistant"}


def dropped_places(plan: ThreadPlan, source_id: str, dropping: set[str]) -> set[str]:
    """Places of a source object that a finding says are not carried."""
    return {
        finding.place
        for finding in plan.findings
        if finding.source_id == source_id and finding.code in dropping
    }


def content_of(part: dict[str, Any]) -> str:
    """What a source part says, to be found again in the item."""
    kind = part["type"]
    body = part[kind]
    said = {"text": "value", "image_file": "file_id", "image_url": "url"}
    return clean_text(body if kind == "refusal" else body[said[kind]])


def carried_content(part: dict[str, Any]) -> Any:
    """The same of a target part."""
    return next(part[name] for name in ("text", "refusal", "file_id", "image_url") if name in part)


@fixed
@given(threads())
def test_every_part_of_a_message_is_in_its_item_or_has_a_finding(source: SourceThread) -> None:
    plan = convert_thread(source)
    items = {planned.source_id: planned.item for planned in plan.items if planned.source_kind == "message"}
    for message in source.messages:
        dropped = {
            place[: place.index("]") + 1] for place in dropped_places(plan, message["id"], PART_DROPPED)
        }
        wanted = [
            content_of(part)
            for index, part in enumerate(message["content"])
            if f"content[{index}]" not in dropped
        ]
        files_dropped = dropped_places(plan, message["id"], ATTACHMENT_DROPPED)
        wanted += [
            attachment["file_id"]
            for index, attachment in enumerate(message["attachments"])
            if f"attachments[{index}]" not in files_dropped
        ]
        found = items.get(message["id"], {"content": []})
        assert [carried_content(part) for part in found["content"]] == wanted


@fixed
@given(threads())
def test_every_annotation_is_in_its_text_or_has_a_finding(source: SourceThread) -> None:
    plan = convert_thread(source)
    items = {planned.source_id: planned.item for planned in plan.items if planned.source_kind == "message"}
    for message in source.messages:
        wanted = [
            (annotation["type"], annotation[annotation["type"]].get("file_id"))
            for index, part in enumerate(message["content"])
            if part["type"] == "text"
            for number, annotation in enumerate(part["text"]["annotations"])
            if f"content[{index}].text.annotations[{number}]"
            not in dropped_places(plan, message["id"], ANNOTATION_DROPPED)
        ]
        carried = items.get(message["id"], {"content": []})["content"]
        found = [
            (annotation["type"], annotation.get("file_id"))
            for part in carried
            for annotation in part.get("annotations", ())
        ]
        assert found == wanted


@fixed
@given(threads())
def test_annotations_stand_inside_their_text(source: SourceThread) -> None:
    for planned in convert_thread(source).items:
        for part in planned.item.get("content", ()):
            for annotation in part.get("annotations", ()):
                start = annotation.get("index", annotation.get("start_index"))
                assert 0 <= start <= annotation.get("end_index", len(part["text"])) <= len(part["text"])


@fixed
@given(threads())
def test_every_tool_call_is_a_pair_or_has_a_finding(source: SourceThread) -> None:
    plan = convert_thread(source)
    for step in source.steps:
        planned = [entry.item for entry in plan.items if entry.source_id == step["id"]]
        dropped = dropped_places(plan, step["id"], CALL_DROPPED)
        wanted = [
            (clean_text(call["function"]["arguments"]), clean_text(call["function"]["output"]))
            for index, call in enumerate(step["step_details"].get("tool_calls", ()))
            if f"step_details.tool_calls[{index}]" not in dropped
        ]
        pairs = list(zip(planned[::2], planned[1::2], strict=True))
        assert [(call["arguments"], output["output"]) for call, output in pairs] == wanted
        assert all(call["call_id"] == output["call_id"] for call, output in pairs)


@fixed
@given(threads())
def test_call_ids_are_unique_and_short(source: SourceThread) -> None:
    items = [planned.item for planned in convert_thread(source).items]
    call_ids = [item["call_id"] for item in items if item["type"] == "function_call"]
    assert len(call_ids) == len(set(call_ids))
    assert all(1 <= len(call_id) <= 64 for call_id in call_ids)


@fixed
@given(threads())
def test_messages_keep_their_order_and_calls_stand_before_their_message(source: SourceThread) -> None:
    plan = convert_thread(source)
    order = [planned.source_id for planned in plan.items]
    made = [
        source_id for source_id in order if source_id.startswith("m") and not source_id.startswith("made")
    ]
    known = [message["id"] for message in source.messages]
    assert made == sorted(made, key=known.index)
    for step_id in {source_id for source_id in order if source_id.startswith("step_")}:
        message_id = f"m{step_id.split('_')[1]}"
        after = [other for other in order[order.index(step_id) :] if other in known]
        assert message_id not in order or after[0] == message_id


@fixed
@given(threads())
def test_chunks_of_a_plan_keep_pairs_whole(source: SourceThread) -> None:
    plan = convert_thread(source)
    for chunk in chunk_items(plan.items):
        assert len(chunk) <= MAX_ITEMS_PER_CALL
        calls = [plan.items[index].item["call_id"] for index in chunk if "call_id" in plan.items[index].item]
        assert all(calls.count(call_id) == 2 for call_id in calls)


@fixed
@given(threads())
def test_items_satisfy_the_description_and_the_sdk(source: SourceThread) -> None:
    assert_acceptable([planned.item for planned in convert_thread(source).items])


@fixed
@given(threads())
def test_the_same_input_gives_the_same_bytes_and_stays_as_it_was(source: SourceThread) -> None:
    before = copy.deepcopy(source)
    first, second = convert_thread(source), convert_thread(copy.deepcopy(source))
    assert source == before
    assert first == second
    assert json.dumps([planned.item for planned in first.items]) == json.dumps([p.item for p in second.items])
    assert fingerprint([p.item for p in first.items]) == fingerprint([p.item for p in second.items])


@settings(fixed, max_examples=600)
@given(damaged(THREADS))
def test_any_json_in_any_place_of_a_thread_is_converted_without_an_exception(damage: dict[str, Any]) -> None:
    messages, runs, steps = (tuple(as_list(damage.get(name))) for name in ("messages", "runs", "steps"))
    source = SourceThread(
        "thread_mill", damage.get("thread"), messages, runs, steps, as_object(damage.get("files"))
    )
    before = repr(source)
    plan = convert_thread(source)
    items = [planned.item for planned in plan.items]
    assert repr(source) == before
    json.dumps(items, ensure_ascii=False, allow_nan=False).encode()
    assert_acceptable(items)
    validator("root_create_conversation").validate({"metadata": plan.metadata})
    assert compare_items(items, items) is None
    told = {finding.source_id for finding in plan.findings} | {planned.source_id for planned in plan.items}
    for position, message in enumerate(source.messages):
        assert source_id_of(as_object(message), "message", position) in told


@settings(fixed, max_examples=300)
@given(damaged(ASSISTANTS))
def test_any_json_in_any_place_of_an_assistant_gives_a_legal_spec(assistant: dict[str, Any]) -> None:
    before = repr(assistant)
    plan = convert_assistant(assistant)
    assert repr(assistant) == before
    json.dumps(plan.spec, ensure_ascii=False, allow_nan=False).encode()
    validator("root_create_response").validate(plan.spec)


@settings(fixed, max_examples=300)
@given(damaged(PLANNED))
def test_any_json_from_a_server_is_compared_without_an_exception(found: dict[str, Any]) -> None:
    difference = compare_items(PLANNED[0]["items"], as_list(found.get("items")))
    assert difference is None or difference.text.startswith("item ")
    fingerprint(as_list(found.get("items")))

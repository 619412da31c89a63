"""What holds for any thread: nothing lost, order kept, pairs whole, pure, and never an exception."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migration_app.contracts import MAX_ITEMS_PER_CALL, Policies, Replacement, SourceThread, ThreadPlan
from migration_app.conversion.chunking import chunk_items
from migration_app.conversion.comparison.canonical import fingerprint
from migration_app.conversion.fallbacks import apply_replacements
from migration_app.conversion.items.migrated import plain
from migration_app.conversion.prompts.assistants import convert_assistant
from migration_app.conversion.resources import liveness_findings, thread_resources
from migration_app.conversion.responses import run_record
from migration_app.conversion.text import as_list, as_object, clean_text, source_id_of
from migration_app.conversion.threads import convert_thread
from tests.migration_app.conversion.strategies import damaged, policies, threads
from tests.migration_app.conversion.support import (
    assert_acceptable,
    compare_items,
    golden_files,
    source_thread,
    validator,
)

fixed = settings(
    derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)


def golden_sources(folder: str) -> list[dict[str, Any]]:
    """The sources of a folder's golden files: every shape there is."""
    return [json.loads(path.read_text(encoding="utf-8"))["source"] for path in golden_files(folder)]


THREADS = golden_sources("threads") + golden_sources("policies")
ASSISTANTS = golden_sources("assistants")
EVERY_ITEM = [planned.item for source in THREADS for planned in convert_thread(source_thread(source)).items]
PLANNED = [{"items": EVERY_ITEM}]
PART_DROPPED = {"text_empty", "part_type_unknown", "image_blocks"}
ANNOTATION_DROPPED = {"annotation_on_user"}
CALL_DROPPED = {
    f"{kind}_{outcome}"
    for kind in ("function_call", "code_interpreter", "file_search", "tool_call")
    for outcome in ("not_carried", "blocks")
}
ATTACHMENT_DROPPED = {
    "attachment_repeated",
    "attachment_cited",
    "attachment_in_store",
    "attachment_without_store",
}
MIGRATED = "[migrated: "


def dropped_places(plan: ThreadPlan, source_id: str, dropping: set[str]) -> set[str]:
    """Places of a source object that a finding says are not carried."""
    return {
        finding.place
        for finding in plan.findings
        if finding.source_id == source_id and finding.code in dropping
    }


def bodies_of(plan: ThreadPlan, source_id: str) -> list[dict[str, Any]]:
    """The items that came of a source object."""
    return [planned.item for planned in plan.items if planned.source_id == source_id]


def parts_of(plan: ThreadPlan, source_id: str) -> list[dict[str, Any]]:
    """The content parts that came of a message, in its own and in a developer's."""
    return [part for body in bodies_of(plan, source_id) for part in body["content"]]


def content_of(part: dict[str, Any]) -> str:
    """What a source part says, to be found again in the item."""
    kind = part["type"]
    body = part[kind]
    said = {"text": "value", "image_file": "file_id", "image_url": "url"}
    return clean_text(body if kind == "refusal" else body[said[kind]])


def carried_content(part: dict[str, Any]) -> Any:
    """The same of a target part."""
    return next(part[name] for name in ("text", "refusal", "file_id", "image_url") if name in part)


def is_carried(part: dict[str, Any], role: str, carried: list[Any]) -> bool:
    """Whether a part stands among what is carried; it is taken out of there. Images of assistants are named."""
    said = content_of(part)
    if role == "assistant" and part["type"].startswith("image_"):
        found = next((text for text in carried if text.startswith(f"{MIGRATED}image") and said in text), None)
        found = found or next((text for text in carried if text.startswith(f"{MIGRATED}an image")), None)
    else:
        found = said if said in carried else None
    if found is not None:
        carried.remove(found)
    return found is not None


@fixed
@given(threads(), policies())
def test_every_part_of_a_message_is_in_an_item_or_has_a_finding(
    source: SourceThread, chosen: Policies
) -> None:
    plan = convert_thread(source, chosen)
    for message in source.messages:
        carried = [carried_content(part) for part in parts_of(plan, message["id"])]
        if dropped_places(plan, message["id"], {"message_skipped"}):
            assert carried == []
            continue
        dropped = {
            place[: place.index("]") + 1] for place in dropped_places(plan, message["id"], PART_DROPPED)
        }
        for index, part in enumerate(message["content"]):
            assert f"content[{index}]" in dropped or is_carried(part, message["role"], carried)
        files_dropped = dropped_places(plan, message["id"], ATTACHMENT_DROPPED)
        for index, attachment in enumerate(message["attachments"]):
            file_id = attachment["file_id"]
            if f"attachments[{index}]" not in files_dropped:
                named = next(
                    text for text in carried if text == file_id or f"attached file {file_id}" in text
                )
                carried.remove(named)
        marks = len(dropped_places(plan, message["id"], {"message_marked"}))
        assert [text[: len(MIGRATED)] for text in carried] == [MIGRATED] * marks


@fixed
@given(threads())
def test_parts_keep_their_order(source: SourceThread) -> None:
    plan = convert_thread(source)
    for message in source.messages:
        carried = [carried_content(part) for part in parts_of(plan, message["id"])]
        texts = [content_of(part) for part in message["content"] if part["type"] in ("text", "refusal")]
        assert [text for text in carried if text in texts] == [text for text in texts if text]


@fixed
@given(threads())
def test_every_annotation_is_in_its_text_or_has_a_finding(source: SourceThread) -> None:
    plan = convert_thread(source)
    for message in source.messages:
        wanted = [
            (annotation["type"], annotation[annotation["type"]].get("file_id"))
            for index, part in enumerate(message["content"])
            if part["type"] == "text"
            for number, annotation in enumerate(part["text"]["annotations"])
            if f"content[{index}].text.annotations[{number}]"
            not in dropped_places(plan, message["id"], ANNOTATION_DROPPED)
        ]
        found = [
            (annotation["type"], annotation.get("file_id"))
            for part in parts_of(plan, message["id"])
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
@given(threads(), policies())
def test_every_tool_call_is_a_pair_or_one_item_or_has_a_finding(
    source: SourceThread, chosen: Policies
) -> None:
    plan = convert_thread(source, chosen)
    made = [(step["id"], step["step_details"].get("tool_calls", ()), "step_details") for step in source.steps]
    made += [
        (run["id"], run["required_action"]["a"]["tool_calls"], "required_action.a") for run in source.runs
    ]
    for source_id, calls, place in made:
        found = bodies_of(plan, source_id)
        dropped = dropped_places(plan, source_id, CALL_DROPPED)
        for index, call in enumerate(calls):
            if f"{place}.tool_calls[{index}]" in dropped:
                continue
            function = call.get("function", {})
            if place == "step_details" and function.get("name") and function["output"] is not None:
                asked, answered = found.pop(0), found.pop(0)
                assert asked["call_id"] == answered["call_id"]
                assert (asked["name"], asked["arguments"]) == ("f", clean_text(function["arguments"]))
                assert answered["output"] == clean_text(function["output"])
            else:
                assert says(found.pop(0), call)
        assert found == []


def says(item: dict[str, Any], call: dict[str, Any]) -> bool:
    """Whether a native item, or a note, holds every text of a call."""
    if item["type"] != "message":
        return bool(item["type"] == f"{call['type']}_call")
    note: str = item["content"][0]["text"]
    texts = [clean_text(text) for text in _texts(call[call["type"]])]
    return note.startswith(MIGRATED) and all(
        text in note or json.dumps(text, ensure_ascii=False)[1:-1] in note for text in texts
    )


def _texts(value: Any) -> list[str]:
    """Every text inside the value but the names of types."""
    if isinstance(value, dict):
        value = [entry for name, entry in value.items() if name != "type"]
    entries = value if isinstance(value, list) else ()
    return [value] if isinstance(value, str) else [text for entry in entries for text in _texts(entry)]


@fixed
@given(threads())
def test_no_note_is_a_user_or_system_message(source: SourceThread) -> None:
    for planned in convert_thread(source).items:
        if planned.source_kind != "message" and planned.item["type"] == "message":
            assert planned.item["role"] == "assistant"
        assert planned.item.get("role") in (None, "user", "assistant")


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
    assert "run_end" not in order or order[order.index("run_end") :] == ["run_end"] * order.count("run_end")
    for step_id in {source_id for source_id in order if source_id.startswith("step_")}:
        message_id = f"m{step_id.split('_')[1]}"
        after = [other for other in order[order.index(step_id) :] if other in known]
        assert message_id not in order or after[0] == message_id


@fixed
@given(threads(), policies())
def test_chunks_of_a_plan_keep_pairs_whole(source: SourceThread, chosen: Policies) -> None:
    plan = convert_thread(source, chosen)
    for chunk in chunk_items(plan.items):
        assert len(chunk) <= MAX_ITEMS_PER_CALL
        calls = [plan.items[index].item["call_id"] for index in chunk if "call_id" in plan.items[index].item]
        assert all(calls.count(call_id) == 2 for call_id in calls)


@fixed
@given(threads(), policies())
def test_items_satisfy_the_description_and_the_sdk(source: SourceThread, chosen: Policies) -> None:
    assert_acceptable([planned.item for planned in convert_thread(source, chosen).items])


@fixed
@given(threads(), policies(), st.integers(0, 3), st.data())
def test_a_plan_with_fallbacks_is_acceptable_and_keeps_places_and_pairs(
    source: SourceThread, chosen: Policies, level: int, data: st.DataObject
) -> None:
    plan = convert_thread(source, chosen)
    positions = data.draw(st.sets(st.integers(0, max(len(plan.items) - 1, 0)), max_size=len(plan.items)))
    replaced = apply_replacements(plan, {at: Replacement(at, level) for at in positions})
    assert [(item.source_id, item.group) for item in replaced.items] == [
        (item.source_id, item.group) for item in plan.items
    ]
    changed = [at for at, item in enumerate(replaced.items) if item != plan.items[at]]
    told = {finding.place for finding in replaced.findings if finding.code.startswith("item_refused")}
    assert {f"items[{at}]" for at in {*changed, *positions}} <= told
    items = [planned.item for planned in replaced.items]
    assert_acceptable(items)
    call_ids = [item["call_id"] for item in items if "call_id" in item]
    assert all(call_ids.count(call_id) == 2 for call_id in call_ids)


@fixed
@given(threads(), policies(), st.integers(0, 1))
def test_a_message_whose_annotations_are_refused_still_names_what_it_cites(
    source: SourceThread, chosen: Policies, level: int
) -> None:
    plan = convert_thread(source, chosen)
    for at, planned in enumerate(plan.items):
        cited = [entry for part in planned.item.get("content", ()) for entry in part.get("annotations", ())]
        if cited:
            sent = apply_replacements(plan, {at: Replacement(at, level)}).items[at]
            lines = "\n".join(part["text"] for part in sent.item["content"])
            assert all(plain(entry.get("file_id") or entry["url"]) in lines for entry in cited)


@fixed
@given(threads(), st.data())
def test_items_in_another_order_are_told_as_such(source: SourceThread, data: st.DataObject) -> None:
    items = [planned.item for planned in convert_thread(source).items]
    found = data.draw(st.permutations(items))
    difference = compare_items(items, found)
    if fingerprint(items) == fingerprint(found):
        assert difference is None
    else:
        assert difference is not None
        assert difference.text.startswith(f"all {len(items)} items are there, in another order; first: item ")


@fixed
@given(threads())
def test_every_file_of_an_item_is_among_the_resources(source: SourceThread) -> None:
    needed = {resource.id for resource in thread_resources(source) if resource.use == "content"}
    for planned in convert_thread(source).items:
        for part in planned.item.get("content", ()):
            assert part["type"] not in ("input_image", "input_file") or part.get("file_id", "file-a") in (
                needed | {"file-a"}
            )


@fixed
@given(threads(), policies())
def test_the_same_input_gives_the_same_bytes_and_stays_as_it_was(
    source: SourceThread, chosen: Policies
) -> None:
    before = copy.deepcopy(source)
    first, second = convert_thread(source, chosen), convert_thread(copy.deepcopy(source), chosen)
    assert source == before
    assert first == second
    assert json.dumps([planned.item for planned in first.items]) == json.dumps([p.item for p in second.items])
    assert fingerprint([p.item for p in first.items]) == fingerprint([p.item for p in second.items])


@settings(fixed, max_examples=200)
@given(damaged(THREADS), policies())
def test_any_json_in_any_place_of_a_thread_is_converted_without_an_exception(
    damage: dict[str, Any], chosen: Policies
) -> None:
    messages, runs, steps = (tuple(as_list(damage.get(name))) for name in ("messages", "runs", "steps"))
    source = SourceThread(
        "thread_mill", damage.get("thread"), messages, runs, steps, as_object(damage.get("files"))
    )
    before = repr(source)
    plan = convert_thread(source, chosen)
    for run in source.runs:
        json.dumps(run_record(run, None, source.thread).equivalent, allow_nan=False)
    liveness_findings(thread_resources(source), {})
    items = [planned.item for planned in plan.items]
    assert repr(source) == before
    json.dumps(items, ensure_ascii=False, allow_nan=False).encode()
    assert_acceptable(items)
    validator("root_create_conversation").validate({"metadata": plan.metadata})
    assert compare_items(items, items) is None
    told = {finding.source_id for finding in plan.findings} | {planned.source_id for planned in plan.items}
    for position, message in enumerate(source.messages):
        assert source_id_of(as_object(message), "message", position) in told


@settings(fixed, max_examples=100)
@given(damaged(ASSISTANTS))
def test_any_json_in_any_place_of_an_assistant_gives_a_legal_spec(assistant: dict[str, Any]) -> None:
    before = repr(assistant)
    plan = convert_assistant(assistant)
    assert repr(assistant) == before
    json.dumps(plan.spec, ensure_ascii=False, allow_nan=False).encode()
    validator("root_create_response").validate(plan.spec)


@settings(fixed, max_examples=100)
@given(damaged(PLANNED))
def test_any_json_from_a_server_is_compared_without_an_exception(found: dict[str, Any]) -> None:
    difference = compare_items(PLANNED[0]["items"], as_list(found.get("items")))
    assert difference is None or difference.text.startswith(("item ", "all "))
    fingerprint(as_list(found.get("items")))

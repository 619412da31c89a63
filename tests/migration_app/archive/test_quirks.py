"""Ways in which archives of real objects differ from what is promised: numbered as they were found, invented content.

The numbers are shared with ``conversion/test_quirks.py``: what concerns the reading stands here, what concerns
the items there, and the last test holds that none is left out.
"""

from __future__ import annotations

import io
import json
import pathlib
import re
from typing import Any

import pytest

from migration_app.archive.expanded import Expanded, OtherList, Refused, Skipped, SourceObject
from migration_app.archive.files.reader import Reject, read_documents
from migration_app.archive.objects import expand
from migration_app.archive.order.assemble import PageContent, assemble_thread
from migration_app.archive.redact import redacted_document
from migration_app.archive.sequence import sequence_pack
from migration_app.contracts import JsonObject, SourceThread

MESSAGE: JsonObject = {
    "id": "msg_1",
    "object": "thread.message",
    "thread_id": "thread_1",
    "role": "user",
    "created_at": 1702014088,
    "content": [{"type": "text", "text": {"value": "When is high tide?", "annotations": []}}],
}
RUN: JsonObject = {"id": "run_1", "object": "thread.run", "thread_id": "thread_1", "created_at": 1702014090}
STORE: JsonObject = {"id": "vs_1", "object": "vector_store", "created_at": 1702014000}
DELTA: JsonObject = {"id": "msg_2", "object": "thread.message.delta", "delta": {"content": []}}


def found_in(text: str) -> list[Expanded | Reject]:
    """Everything that a file gives, in its order."""
    found: list[Expanded | Reject] = []
    for document in read_documents(io.BytesIO(text.encode())):
        if isinstance(document, Reject):
            found.append(document)
        else:
            found += [one for one in expand(document.value) if not isinstance(one, OtherList)]
    return found


def taken(*values: JsonObject) -> list[tuple[str, str]]:
    """Kind and id of what is taken from a file of these lines, of which nothing else may be left out."""
    found = found_in("\n".join(map(json.dumps, values)))
    assert all(isinstance(one, SourceObject) for one in found)
    return [(one.kind, one.id) for one in found if isinstance(one, SourceObject)]


def values(*lines: JsonObject) -> list[JsonObject]:
    """The objects taken from a file of these lines."""
    found = found_in("\n".join(map(json.dumps, lines)))
    return [one.value for one in found if isinstance(one, SourceObject)]


def left_out(text: str) -> list[tuple[type, str]]:
    """How and why each thing is left out; nothing may be taken."""
    found = found_in(text)
    assert not any(isinstance(one, SourceObject) for one in found)
    return [(type(one), one.reason) for one in found if isinstance(one, Skipped | Refused | Reject)]


def thread_of(*documents: JsonObject) -> SourceThread:
    """The thread as one import of these documents gives it."""
    payload = sequence_pack(json.dumps(document).encode() for document in documents)
    return assemble_thread("thread_1", [PageContent("archive", "import-1", "unknown", payload)], {})


def list_of(*elements: Any, **more: Any) -> JsonObject:
    """A list page."""
    return {"object": "list", "data": list(elements), **more}


def test_quirk_3_of_a_message_stored_at_every_event_the_finished_one_stays() -> None:
    states = [
        MESSAGE | {"status": "in_progress", "content": []},
        MESSAGE | {"status": "completed"},
        MESSAGE | {"status": "in_progress", "content": []},
    ]
    thread = thread_of(*states)
    assert [message["status"] for message in thread.messages] == ["completed"]
    assert thread.messages[0]["content"] == MESSAGE["content"]
    assert thread.findings == ()


def test_quirk_5_a_list_newest_first_with_two_messages_in_one_second_is_turned_round() -> None:
    newest_first = [
        MESSAGE | {"id": name, "created_at": second} for name, second in (("c", 9), ("b", 5), ("a", 5))
    ]
    thread = thread_of(list_of(*newest_first))
    assert [message["id"] for message in thread.messages] == ["a", "b", "c"]
    assert thread.findings == ()


def test_quirk_16_a_run_polled_in_many_states_is_one_run_in_its_last() -> None:
    states = ["queued", "in_progress", "requires_action", "queued", "in_progress", "completed"]
    thread = thread_of(*(RUN | {"status": status} for status in states))
    assert [run["status"] for run in thread.runs] == ["completed"]
    assert thread.findings == ()


def test_quirk_25_one_thread_with_empty_resources_in_two_shapes_is_no_conflict() -> None:
    thread = {"id": "thread_1", "object": "thread", "created_at": 1702014000}
    listed = thread | {"tool_resources": {"code_interpreter": {"file_ids": []}}}
    assert thread_of(thread | {"tool_resources": {}}, list_of(listed)).findings == ()


@pytest.mark.parametrize("more", [{"object": "file"}, {"object": "file.deleted"}])
def test_quirk_26_the_answer_to_a_files_deletion_is_no_file(more: JsonObject) -> None:
    ((how, why),) = left_out(json.dumps({"id": "file-a", "deleted": True, **more}))
    assert (how, why) == (Skipped, f"The answer to a deletion ({more['object']}).")


@pytest.mark.parametrize(
    "more",
    [
        {"purpose": "fine-tune-train", "status": "deleted"},
        {"purpose": "answers", "status": "pending"},
        {"purpose": "assistants_output", "filename": "/mnt/data/tides.png"},
        {"filename": "C:\\tides\\may.pdf"},
        {},
    ],
)
def test_quirk_27_files_of_any_purpose_and_status_are_taken_unchanged(more: JsonObject) -> None:
    file = {"id": "file-a", "object": "file", "created_at": 1702014000, **more}
    assert values(file) == [file]


@pytest.mark.parametrize(
    "more",
    [
        {"name": None, "status": "completed", "usage_bytes": 0},
        {"name": "tides"},
        {"name": None, "file_counts": {"processing": 1}},
        {"bytes": 90, "last_used_at": None},
        {"name": None, "description": None, "status": "expired"},
    ],
)
def test_quirk_28_vector_stores_without_name_or_status_are_taken_unchanged(more: JsonObject) -> None:
    store = STORE | more
    assert taken(store) == [("vector_store", "vs_1")]
    assert values(store) == [store]


@pytest.mark.parametrize("name", ["vector_store.file_batch", "vector_store.files_batch"])
def test_quirk_28_a_batch_of_files_is_skipped_by_the_names_of_the_wire_and_of_the_sdk(name: str) -> None:
    assert left_out(json.dumps({"id": "vsfb_1", "object": name, "created_at": 1})) == [
        (Skipped, f"{name}: a batch of files put into a vector store, not part of a thread.")
    ]


@pytest.mark.parametrize("more", [{}, {"usage_bytes": 4, "chunking_strategy": {}, "attributes": {}}])
def test_quirk_28_a_file_s_place_in_a_store_is_skipped_whatever_it_tells(more: JsonObject) -> None:
    assert left_out(json.dumps({"id": "file-a", "object": "vector_store.file", **more})) == [
        (Skipped, "vector_store.file: a file's place in a vector store, not part of a thread.")
    ]


def test_quirk_29_v1_attachments_do_not_take_the_place_of_the_file_whose_id_they_have() -> None:
    file = {"id": "file-a", "object": "file", "created_at": 1702014000, "filename": "may.pdf"}
    beside = [
        {"id": "file-a", "object": name, "created_at": 1702014001}
        for name in ("assistant.file", "thread.message.file")
    ]
    found = found_in("\n".join(map(json.dumps, [beside[0], file, beside[1]])))
    assert [type(one) for one in found] == [Skipped, SourceObject, Skipped]
    assert values(*beside, file) == [file]
    assert [one.reason for one in found if isinstance(one, Skipped)] == [
        f"{name}: an attachment of a file to {whom} itself), not part of a thread."
        for name, whom in (
            ("assistant.file", "an assistant (the assistant names it"),
            ("thread.message.file", "a message (the message names it"),
        )
    ]


@pytest.mark.parametrize("name", ["a" * 24, "3f2b8c1e-0000-4000-8000-000000000001", "assistant-" + "b" * 22])
def test_quirk_30_ids_are_opaque_and_unique_only_with_their_kind(name: str) -> None:
    same = [{"id": name, "object": kind} for kind in ("assistant", "file", "vector_store", "thread")]
    assert taken(*same) == [
        ("assistant", name),
        ("file", name),
        ("vector_store", name),
        ("thread", name),
    ]


@pytest.mark.parametrize(
    "page",
    [
        list_of(first_id=None, last_id=None, has_more=False),
        {"data": [], "first_id": None, "last_id": None, "has_more": False},
        list_of(),
    ],
)
def test_quirk_31_an_empty_list_page_holds_nothing_and_is_no_mistake(page: JsonObject) -> None:
    assert found_in(json.dumps(page)) == []


def test_quirk_31_a_page_of_files_needs_no_first_and_last_id() -> None:
    files = [{"id": name, "object": "file", "created_at": 1} for name in ("file-a", "file-b")]
    assert taken({"data": files, "object": "list"}) == [("file", "file-a"), ("file", "file-b")]
    assert taken(list_of(*files, has_more=False)) == [("file", "file-a"), ("file", "file-b")]


def test_quirk_31_a_page_as_the_sdk_dumps_it_is_read() -> None:
    page = {"data": [MESSAGE], "first_id": "msg_1", "has_more": True, "last_id": "msg_1", "object": "list"}
    assert taken(page) == [("message", "msg_1")]


@pytest.mark.parametrize(
    "name", ["SyncCursorPage[Message]", "AsyncCursorPage[Message]", "SyncPage[FileObject]"]
)
def test_quirk_31_a_printed_page_of_the_sdk_is_rejected_with_what_to_do(name: str) -> None:
    text = f"{name}(data=[Message(id='msg_1', content=[], object='thread.message')], has_more=False)"
    assert left_out(text) == [
        (Reject, "A printed Python object, not JSON: write it with model_dump_json() or json.dumps.")
    ]


def test_quirk_32_foundrys_additions_are_kept_under_the_names_of_openai() -> None:
    server = {
        "server_label": "harbour",
        "headers": {},
        "require_approval": {"never": {"tool_names": ["tide"]}},
    }
    objects: list[JsonObject] = [
        {"id": "asst_1", "object": "assistant", "tools": [{"type": "bing_grounding", "bing_grounding": {}}]},
        {"id": "thread_1", "object": "thread", "tool_resources": {"mcp": [server]}},
        RUN | {"tool_resources": {}, "reasoning_effort": None, "usage": {"prompt_token_details": {}}},
        {
            "id": "step_1",
            "object": "thread.run.step",
            "thread_id": "thread_1",
            "run_id": "run_1",
            "type": "activities",
            "step_details": {"type": "activities", "activities": [{"id": "activity_1", "tools": {}}]},
        },
    ]
    assert values(*objects) == objects


def test_quirk_32_an_agent_is_refused_by_its_name() -> None:
    assert left_out('{"id": "asst_1", "object": "agent"}') == [(Refused, "Unknown kind of object: 'agent'.")]


def test_quirk_33_the_list_of_all_threads_gives_each_of_them() -> None:
    threads = [{"id": f"thread_{number}", "object": "thread", "created_at": number} for number in (2, 1)]
    page = list_of(*threads, first_id="thread_2", last_id="thread_1", has_more=False)
    assert taken(page) == [("thread", "thread_2"), ("thread", "thread_1")]
    found = [one for one in found_in(json.dumps(page)) if isinstance(one, SourceObject)]
    assert [one.thread_id for one in found] == ["thread_2", "thread_1"]


def test_quirk_36_headers_connections_and_queues_are_blanked_before_anything_is_stored() -> None:
    thread = {
        "id": "thread_1",
        "object": "thread",
        "tool_resources": {
            "mcp": [{"server_label": "harbour", "headers": {"Authorization": "Bearer tide-secret"}}],
            "bing": {"connections": [{"connection_id": "/subscriptions/tide-secret"}]},
            "queue": {"outputqueueuri": "https://tides.example/tide-secret"},
        },
    }
    raw, clean, changed = redacted_document(json.dumps(thread).encode(), thread)
    assert changed
    assert b"tide-secret" not in raw
    resources = clean["tool_resources"]
    assert resources["mcp"] == [{"server_label": "harbour", "headers": {"Authorization": "[redacted]"}}]
    assert json.loads(raw) == clean


def test_quirk_41_the_answer_to_the_deletion_of_an_assistant_is_skipped() -> None:
    assert left_out(json.dumps({"id": "asst_1", "object": "assistant.deleted", "deleted": True})) == [
        (Skipped, "The answer to a deletion (assistant.deleted).")
    ]


def test_quirk_42_a_dump_full_of_nulls_and_one_without_are_one_message() -> None:
    names = ("assistant_id", "attachments", "completed_at", "incomplete_details", "run_id", "status")
    dumped = dict(sorted((MESSAGE | dict.fromkeys(names)).items()))
    thread = thread_of(MESSAGE, dumped)
    assert len(thread.messages) == 1
    assert thread.findings == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "{'id': 'msg_1', 'object': 'thread.message', 'status': None}",
            "A Python print-out (single quotes), not JSON: write it with json.dumps.",
        ),
        (
            "{'id': 'msg_1',\n 'object': 'thread.message',\n 'content': []}",
            "A Python print-out (single quotes), not JSON: write it with json.dumps.",
        ),
        (
            "Message(id='msg_1', content=[TextContentBlock(type='text')], role='user')",
            "A printed Python object, not JSON: write it with model_dump_json() or json.dumps.",
        ),
        (
            f"// {json.dumps(MESSAGE)}",
            "A comment, not JSON: remove the comment mark to import the line.",
        ),
        (
            f"# {json.dumps(MESSAGE)}",
            "A comment, not JSON: remove the comment mark to import the line.",
        ),
    ],
    ids=["dict", "dict over lines", "object", "two slashes", "number sign"],
)
def test_quirk_42_what_was_printed_or_commented_out_is_rejected_once_with_what_to_do(
    text: str, reason: str
) -> None:
    assert left_out(text) == [(Reject, reason)]


def test_quirk_42_a_print_out_costs_only_itself() -> None:
    found = found_in(f"// a message\n{json.dumps(MESSAGE)}\n{{'id': 'msg_2'}}\n{json.dumps(RUN)}\n")
    assert [type(one) for one in found] == [Reject, SourceObject, Reject, SourceObject]
    assert [one.line_number for one in found if isinstance(one, Reject)] == [1, 3]


@pytest.mark.parametrize(
    "text",
    [json.dumps(json.dumps(MESSAGE)), json.dumps(json.dumps([MESSAGE])), json.dumps([json.dumps(MESSAGE)])],
)
def test_quirk_42_json_inside_a_string_is_read(text: str) -> None:
    (found,) = found_in(text)
    assert isinstance(found, SourceObject)
    assert found.value == MESSAGE


def test_quirk_43_times_in_strings_give_the_order_and_stay_as_they_are() -> None:
    early = MESSAGE | {"id": "msg_early", "created_at": "1702014088", "metadata": "{}"}
    late = MESSAGE | {"id": "msg_late", "created_at": "1702014200"}
    thread = thread_of(late, early)
    assert thread.messages == (early, late)
    assert thread.findings == ()


def test_quirk_43_a_time_as_string_and_as_number_is_the_same_time() -> None:
    thread = thread_of(MESSAGE, MESSAGE | {"created_at": "1702014088"})
    assert len(thread.messages) == 1
    assert thread.findings == ()


def test_quirk_43_parameters_in_a_string_are_left_to_the_conversion() -> None:
    function = {"name": "tide", "parameters": "{'type': 'object'}"}
    assistant = {"id": "asst_1", "object": "assistant", "tools": [{"type": "function", "function": function}]}
    assert values(assistant) == [assistant]


def test_quirk_44_a_mock_without_a_thread_is_refused_and_says_so() -> None:
    mock = {"id": "msg_1", "object": "thread.message", "role": "user", "content": "When is high tide?"}
    assert left_out(json.dumps(mock)) == [
        (Refused, "The thread.message msg_1 can't be placed: its thread_id is missing.")
    ]


def test_quirk_44_mocks_in_a_bundle_learn_their_thread_and_keep_their_plain_content() -> None:
    mocks = [{"id": "msg_1", "role": "user", "content": "When?"}, {"role": "assistant", "content": "At six."}]
    bundle = {"thread": {"id": "thread_1"}, "messages": mocks}
    assert [kind for kind, _id in taken(bundle)] == ["thread", "message", "message"]
    thread = thread_of(bundle)
    assert [message["content"] for message in thread.messages] == ["When?", "At six."]
    assert {message["thread_id"] for message in thread.messages} == {"thread_1"}


def test_quirk_44_an_assistant_of_nothing_but_an_id_is_taken() -> None:
    assert taken({"id": "asst_1", "object": "assistant"}) == [("assistant", "asst_1")]


@pytest.mark.parametrize("name", ["thread.message.delta", "thread.run.step.delta"])
def test_quirk_45_a_delta_is_skipped_because_the_whole_object_is_needed(name: str) -> None:
    assert left_out(json.dumps({"id": "x", "object": name, "delta": {}})) == [
        (Skipped, f"A part of a stream ({name}): only complete objects are read.")
    ]


EVENTS = [
    ("thread.message.created", MESSAGE | {"status": "in_progress", "content": []}),
    ("thread.message.delta", DELTA),
    ("thread.message.completed", MESSAGE | {"status": "completed"}),
]


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(json.dumps({"event": name, "data": data}) for name, data in EVENTS),
        "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in EVENTS)
        + "event: done\ndata: [DONE]\n\n",
        json.dumps([{"event": name, "data": data} for name, data in EVENTS]),
    ],
    ids=["lines", "event stream", "array"],
)
def test_quirk_45_of_a_dumped_stream_the_whole_objects_are_taken(text: str) -> None:
    found = found_in(text)
    assert [type(one) for one in found] == [SourceObject, Skipped, SourceObject]
    thread = thread_of(*(one.value for one in found if isinstance(one, SourceObject)))
    assert [message["status"] for message in thread.messages] == ["completed"]


def test_every_number_from_1_to_45_has_a_test_that_names_it() -> None:
    here = pathlib.Path(__file__)
    named = {
        int(number)
        for page in (here, here.parents[1] / "conversion" / here.name)
        for numbers in re.findall(
            r"^def test_quirk((?:_\d+)+)_", page.read_text(encoding="utf-8"), re.MULTILINE
        )
        for number in numbers.split("_")[1:]
    }
    assert named == set(range(1, 46))

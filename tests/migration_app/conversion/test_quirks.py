"""Ways in which real objects differ from the SDK's models: numbered as they were found, with invented content.

Numbers that are missing concern the reading of archives: ``archive/test_quirks.py`` has them, and holds that none
is left out of both.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from migration_app.contracts import Fidelity, ThreadPlan
from migration_app.conversion.prompts.assistants import convert_assistant
from migration_app.conversion.resources import thread_resources
from migration_app.conversion.responses import run_record
from migration_app.conversion.threads import convert_thread
from tests.migration_app.conversion.support import assert_acceptable, codes, source_thread, thread_of


def text(value: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    """A text part."""
    return {"type": "text", "text": {"value": value, "annotations": list(annotations)}}


def message(role: str, *content: Any, **more: Any) -> dict[str, Any]:
    """A message as the API gives it: without a status."""
    return {"id": "msg_1", "object": "thread.message", "role": role, "content": list(content), **more}


def step(*calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A step of tool calls."""
    details = {"type": "tool_calls", "tool_calls": list(calls)}
    return {"id": "step_1", "created_at": 5, "run_id": "run_1", "step_details": details, **more}


ASK = message("user", text("When is high tide?"), created_at=4) | {"id": "msg_ask"}


def converted(*messages: Any, **parts: Any) -> ThreadPlan:
    """The plan of a thread, whose items the target's description allows."""
    plan = convert_thread(thread_of(*messages, **parts))
    assert_acceptable([planned.item for planned in plan.items])
    return plan


def content(plan: ThreadPlan) -> list[dict[str, Any]]:
    """The parts of the only message."""
    (planned,) = plan.items
    parts: list[dict[str, Any]] = planned.item["content"]
    return parts


def note(plan: ThreadPlan) -> str:
    """The text of the first note."""
    return next(
        str(item.item["content"][0]["text"]) for item in plan.items if item.source_kind in ("step", "run")
    )


@pytest.mark.parametrize("status", [{}, {"status": None}])
def test_quirk_1_34_a_message_without_status_is_complete(status: dict[str, Any]) -> None:
    plan = converted(message("assistant", text("At six."), **status))
    assert plan.items[0].item["status"] == "completed"
    assert plan.fidelity is Fidelity.EXACT


def test_quirk_2_v1_file_ids_are_attachments_of_users_and_work_of_assistants() -> None:
    asked = converted(message("user", text("Read this."), file_ids=["file-a"]))
    assert content(asked)[1] == {"type": "input_file", "file_id": "file-a"}
    made = converted(message("assistant", text("Made it."), file_ids=["file-b"]))
    assert content(made)[1]["text"] == "[migrated: attached file file-b]"


def test_quirk_3_an_empty_message_in_progress_has_no_item() -> None:
    assert codes(converted(message("assistant", status="in_progress")).findings) == [
        "message_in_progress",
        "message_empty",
    ]


def test_quirk_4_a_stopped_message_and_its_run_give_different_reasons() -> None:
    stopped = message(
        "assistant",
        text("At"),
        status="incomplete",
        incomplete_details={"reason": "max_tokens"},
        run_id="run_1",
    )
    details = {"reason": "max_prompt_tokens"}
    run = {"id": "run_1", "status": "incomplete", "completed_at": 9, "incomplete_details": details}
    plan = converted(stopped, runs=[run])
    assert plan.items[0].item["status"] == "incomplete"
    assert [
        finding.text.count(reason)
        for finding, reason in zip(plan.findings, ("(max_tokens)", "(max_prompt_tokens)"), strict=True)
    ] == [1, 1]
    assert run_record(run, None).reason == "max_prompt_tokens"


def test_quirk_5_messages_of_one_second_keep_the_order_they_come_in() -> None:
    pair = [message("user", text(word), created_at=4) | {"id": f"msg_{word}"} for word in ("b", "a")]
    assert [planned.source_id for planned in converted(*pair).items] == ["msg_b", "msg_a"]


def test_quirk_6_an_image_stands_before_the_text_and_mostly_without_detail() -> None:
    image = {"type": "image_file", "image_file": {"file_id": "file-chart"}}
    shown = content(converted(message("assistant", image, text("The chart."))))
    assert [part["text"] for part in shown] == ["[migrated: image file-chart]", "The chart."]
    assert content(converted(message("user", image)))[0]["detail"] == "auto"


def test_quirk_6_a_data_address_goes_whole_for_users_and_not_into_placeholders() -> None:
    address = "data:image/jpeg;base64," + "QUJD" * 100_000
    image = {"type": "image_url", "image_url": {"url": address, "detail": "high"}}
    assert content(converted(message("user", image)))[0]["image_url"] == address
    assert len(content(converted(message("assistant", image)))[0]["text"]) < 100


def test_quirk_7_offsets_are_not_relied_on() -> None:
    value = "Um sechs 🌊\n【4:0†source】."
    start = value.index("【")
    marker = {"type": "file_citation", "text": "【4:0†source】", "file_citation": {"file_id": "file-a"}}
    for shift in (0, 1):
        placed = marker | {"start_index": start + shift, "end_index": start + shift + len("【4:0†source】")}
        plan = converted(message("assistant", text(value, placed, placed)))
        assert [annotation["index"] for annotation in content(plan)[0]["annotations"]] == [start, start]
        assert codes(plan.findings).count("annotation_moved") == shift * 2


def test_quirk_8_a_quote_is_told_and_a_made_file_is_named_once() -> None:
    citation = {"type": "file_citation", "text": "[1]", "start_index": 0, "end_index": 3}
    quoted = citation | {"file_citation": {"file_id": "file-a", "quote": "High water"}}
    assert "citation_quote_kept" in codes(converted(message("assistant", text("[1]", quoted))).findings)
    address = "sandbox:/mnt/data/tides.csv"
    path = {"type": "file_path", "text": address, "start_index": 6, "end_index": 33}
    made = message(
        "assistant",
        text(
            f"[CSV](\n{address})",
            path | {"start_index": 7, "end_index": 34, "file_path": {"file_id": "file-t"}},
        ),
        attachments=[{"file_id": "file-t", "tools": [{"type": "code_interpreter"}]}],
    )
    plan = converted(made)
    assert codes(plan.findings) == ["attachment_cited"]
    assert content(plan)[0]["annotations"] == [{"type": "file_path", "file_id": "file-t", "index": 7}]


@pytest.mark.parametrize(
    "marker", ["【4:0†source】", "【4:0†tide_tables.txt】", "【5†source】", "【164:0†source】"]
)
def test_quirk_9_citation_markers_stay_in_the_text(marker: str) -> None:
    cited = {"type": "file_citation", "text": marker, "file_citation": {"file_id": "file-a"}}
    part = content(converted(message("assistant", text(f"At six{marker}.", cited))))[0]
    assert part["text"] == f"At six{marker}."
    assert part["annotations"][0]["index"] == 6


def test_quirk_10_a_refusal_is_carried_though_none_was_recorded() -> None:
    refusal = {"type": "refusal", "refusal": "I can't help with that."}
    assert content(converted(message("assistant", refusal))) == [refusal]


def test_quirk_11_12_a_run_with_nulls_or_without_settings_takes_its_assistants() -> None:
    assistant = {"id": "asst_1", "model": "gpt-4o", "instructions": "Be brief.", "top_p": 0.5}
    sparse = {"id": "run_1", "model": "gpt-4-1106-preview", "instructions": None}
    record = run_record(sparse, assistant)
    assert record.equivalent == {"model": "gpt-4-1106-preview", "instructions": "Be brief.", "top_p": 0.5}
    assert record.findings == ()


def test_quirk_13_a_runs_extra_fields_are_read() -> None:
    resources = {"file_search": {"vector_store_ids": ["vs_1"]}}
    usage = {"prompt_tokens": 9, "prompt_token_details": {"cached_tokens": 3}}
    run = {"id": "run_1", "model": "m", "tool_resources": resources, "reasoning_effort": None, "usage": usage}
    record = run_record(run | {"tools": [{"type": "file_search"}]}, None)
    assert record.usage == {"prompt_tokens": 9, "cached_tokens": 3}
    assert record.equivalent["tools"] == [{"type": "file_search", "vector_store_ids": ["vs_1"]}]
    assert [resource.id for resource in thread_resources(thread_of(runs=[run]))] == ["vs_1"]


@pytest.mark.parametrize(
    ("ending", "seconds"),
    [
        ({"status": "expired", "expires_at": None, "completed_at": 700, "last_error": None}, 600),
        ({"status": "cancelled", "cancelled_at": 100, "usage": {"total_tokens": 0}}, 0),
    ],
)
def test_quirk_14_expired_and_cancelled_runs_say_when(ending: dict[str, Any], seconds: int) -> None:
    run = {"id": "run_1", "started_at": 100, **ending}
    assert run_record(run, None).seconds == seconds
    assert codes(converted(ASK, runs=[run]).findings) == ["run_not_completed"]


def test_quirk_15_a_failed_run_says_why_and_its_messages_are_carried() -> None:
    error = {"code": "rate_limit_exceeded", "message": "Too many tides."}
    run = {"id": "run_1", "status": "failed", "failed_at": 9, "last_error": error}
    plan = converted(ASK, message("assistant", text("At"), run_id="run_1"), runs=[run])
    assert len(plan.items) == 2
    assert "(rate_limit_exceeded)" in plan.findings[0].text
    assert run_record(run, None).reason_text == "Too many tides."


def test_quirk_17_a_steps_extra_and_missing_fields_are_nothing_to_tell() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": "1"}}
    plan = converted(ASK, steps=[step(call, expires_at=99, usage=None, status="completed")])
    assert plan.findings == ()


def test_quirk_18_empty_calls_and_outputs_are_told() -> None:
    assert codes(converted(ASK, steps=[step(status="in_progress")]).findings) == [
        "step_not_completed",
        "step_calls_missing",
    ]
    assert codes(converted(ASK, steps=[step()]).findings) == ["step_empty"]
    silent = {
        "id": "call_1",
        "type": "code_interpreter",
        "code_interpreter": {"input": "x = 1", "outputs": []},
    }
    assert note(converted(ASK, steps=[step(silent)])).endswith("x = 1\noutputs: empty")
    chart = {"type": "image", "image": {"file_id": "file-chart"}}
    drawn = silent | {"code_interpreter": {"input": "plot()", "outputs": [chart]}}
    plan = converted(ASK, steps=[step(drawn)])
    assert note(plan).endswith("output 1, image: file-chart")
    assert codes(plan.findings) == ["code_interpreter_as_note", "code_interpreter_image_named"]


@pytest.mark.parametrize("output", [{}, {"output": None}])
def test_quirk_19_a_call_without_output_is_a_note_whether_null_or_absent(output: dict[str, Any]) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}", **output}}
    plan = converted(ASK, steps=[step(call)])
    assert (
        note(plan)
        == "[migrated: function call call_1]\nname: f\narguments (2 characters):\n{}\noutput: not recorded"
    )


@pytest.mark.parametrize("kind", ["retrieval", "browser"])
def test_quirk_20_v1_calls_are_notes(kind: str) -> None:
    plan = converted(ASK, steps=[step({"id": "call_1", "type": kind, kind: {}})])
    assert note(plan).startswith(f"[migrated: {kind} call call_1]\n")
    assert plan.fidelity is Fidelity.TRANSFORMED


@pytest.mark.parametrize("ranker", ["default_2024_08_21", "default-2024-08-21"])
def test_quirk_21_file_search_results_with_and_without_content(ranker: str) -> None:
    options = {"ranker": ranker, "score_threshold": 0.0, "hybrid_search": None}
    found = {"file_id": "file-a", "file_name": "tides.pdf", "score": 0.5, "attributes": {}}
    asked_for = found | {"content": [{"type": "text", "text": "High water 06:12"}]}
    call = {"type": "file_search", "file_search": {"ranking_options": options, "results": [found, asked_for]}}
    said = note(converted(ASK, steps=[step(call | {"id": "call_1"})]))
    assert ranker in said
    assert "result 1: file-a (tides.pdf), score 0.5\nresult 1 content: not recorded\n" in said
    assert said.endswith("result 2 content (16 characters):\nHigh water 06:12")


@pytest.mark.parametrize(
    "resources",
    [
        {},
        {"tool_resources": {}},
        {"tool_resources": {"code_interpreter": {"file_ids": []}, "file_search": None}},
    ],
)
def test_quirk_22_23_24_assistants_of_every_age_and_with_nulls(resources: dict[str, Any]) -> None:
    tool = {
        "type": "function",
        "function": {"name": "tide", "description": None, "parameters": {}, "strict": None},
    }
    assistant = {"id": "asst_1", "model": "gpt-4o", "name": None, "description": None, "instructions": None}
    plan = convert_assistant(
        assistant | {"metadata": {}, "tools": [tool], "reasoning_effort": None} | resources
    )
    assert plan.spec["tools"][0]["strict"] is False
    assert codes(plan.findings) == ["function_parameters_completed", "truncation_as_in_runs"]


def test_quirk_23_a_ranker_that_the_server_filled_in_is_replaced() -> None:
    options = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
    tool = {"type": "file_search", "file_search": {"ranking_options": options}}
    resources = {"file_search": {"vector_store_ids": ["vs_1"]}}
    plan = convert_assistant({"id": "asst_1", "model": "m", "tools": [tool], "tool_resources": resources})
    assert plan.spec["tools"][0]["ranking_options"] == {"ranker": "auto", "score_threshold": 0.0}


@pytest.mark.parametrize(
    "resources", [{}, {"tool_resources": {}}, {"tool_resources": {"code_interpreter": {"file_ids": []}}}]
)
def test_quirk_25_empty_tool_resources_of_every_shape_are_the_same(resources: dict[str, Any]) -> None:
    source = {"thread_id": "thread_mill", "thread": {"id": "thread_mill", **resources}, "messages": [ASK]}
    assert convert_thread(source_thread(source)).findings == ()


@pytest.mark.parametrize("name", ["/mnt/data/tides.png", "C:\\tides\\may.pdf", "Gezeiten – Mai.pdf"])
def test_quirk_27_odd_file_names_are_carried_as_they_are(name: str) -> None:
    cited = {
        "type": "file_citation",
        "text": "[1]",
        "start_index": 0,
        "end_index": 3,
        "file_citation": {"file_id": "f"},
    }
    plan = converted(message("assistant", text("[1]", cited)), files={"f": {"id": "f", "filename": name}})
    assert content(plan)[0]["annotations"][0]["filename"] == name


@pytest.mark.parametrize("call_id", ["call_" + "a" * 24, "3f2b8c1e-0000-4000-8000-000000000001", 17])
def test_quirk_30_ids_are_opaque(call_id: Any) -> None:
    call = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}", "output": "1"}}
    assert converted(ASK, steps=[step(call)]).items[1].item["call_id"] == str(call_id)


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "bing_grounding", "bing_grounding": {"connections": [{"connection_id": "tides"}]}},
        {"type": "azure_ai_search"},
        {
            "type": "mcp",
            "server_label": "harbour",
            "server_url": "https://harbour.example/",
            "allowed_tools": None,
        },
        {"type": "connected_agent", "connected_agent": {"id": "asst_2", "name": "pilot", "description": ""}},
        {"type": "tea_leaves"},
    ],
)
def test_quirk_35_tools_of_foundry_and_unknown_ones_are_told(tool: dict[str, Any]) -> None:
    plan = convert_assistant({"id": "asst_1", "model": "gpt-4o", "tools": [tool]})
    assert plan.fidelity is Fidelity.LOSSY
    assert tool["type"] in plan.findings[0].text


def test_quirk_36_headers_of_mcp_resources_are_never_told() -> None:
    server = {
        "server_label": "harbour",
        "headers": {"authorization": "Bearer tide"},
        "require_approval": "always",
    }
    source = {
        "thread_id": "thread_mill",
        "thread": {"id": "thread_mill", "tool_resources": {"mcp": [server]}},
    }
    plan = convert_thread(source_thread(source))
    assert codes(plan.findings) == ["tool_resources_kept"]
    assert "tide" not in plan.findings[0].text


def test_quirk_37_an_approval_that_a_run_waits_for_is_a_note() -> None:
    call = {"id": "call_9", "type": "mcp", "name": "tide", "arguments": "{}", "server_label": "harbour"}
    action = {"type": "submit_tool_approval", "submit_tool_approval": {"tool_calls": [call]}}
    plan = converted(
        ASK, runs=[{"id": "run_1", "created_at": 5, "status": "requires_action", "required_action": action}]
    )
    assert note(plan).startswith("[migrated: mcp call call_9]\n")
    assert codes(plan.findings) == ["function_call_as_note", "run_not_completed"]


@pytest.mark.parametrize(
    "action",
    [
        '{"type": "submit_tool_outputs"}',
        {"type": "submit_tool_outputs", "submit_tool_outputs": '{"tool_calls": []}'},
        {"submit_tool_outputs": {"tool_calls": {"0": {"id": "call_9", "type": "function"}}}},
        {"submit_tool_outputs": {"tool_calls": "[]"}},
    ],
)
def test_quirk_37_what_a_run_waits_for_and_cannot_be_read_is_said(action: Any) -> None:
    plan = converted(ASK, runs=[{"id": "run_1", "created_at": 5, "required_action": action}])
    assert codes(plan.findings) == ["required_action_unreadable"]
    assert plan.fidelity == Fidelity.LOSSY


def test_quirk_38_activities_that_list_tools_say_nothing() -> None:
    activity = {"type": "mcp_list_tools", "server_label": "harbour", "tools": {"tide": {"parameters": {}}}}
    listing = {
        "id": "step_1",
        "type": "activities",
        "step_details": {"type": "activities", "activities": [activity]},
    }
    assert codes(converted(ASK, steps=[listing]).findings) == ["step_activities_kept"]


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("bing_grounding", {"requesturl": "", "response_metadata": "{'market': 'en-GB', 'tide': None}"}),
        ("azure_function", {"name": "tide", "arguments": "{}", "output": "06:12"}),
        ("deep_research", {"input": '{"prompt": "tides"}', "output": None}),
        ("sharepoint_grounding", {"input": "[redacted]", "output": "[redacted]"}),
        ("openapi", {"name": "tide", "arguments": "{}", "output": "{'high': ['06:12'] }" * 4000}),
        (
            "connected_agent",
            {"name": "pilot", "arguments": "{}", "output": "06:12", "thread_id": "thread_other"},
        ),
    ],
)
def test_quirk_39_foundry_calls_are_notes_of_everything(kind: str, payload: dict[str, Any]) -> None:
    plan = converted(ASK, steps=[step({"id": "call_1", "type": kind, kind: payload})])
    heading, told, body = note(plan).split("\n", 2)
    assert heading == f"[migrated: {kind} call call_1]"
    assert told == f"call as JSON ({len(body)} characters):"
    assert json.loads(body) == {"id": "call_1", "type": kind, kind: payload}
    assert plan.fidelity is Fidelity.TRANSFORMED


def test_quirk_40_a_url_citation_keeps_title_and_offsets() -> None:
    address = "https://tides.example/may"
    cited = {"type": "url_citation", "text": "【1】", "start_index": 0, "end_index": 3}
    plan = converted(
        message("assistant", text("【1】", cited | {"url_citation": {"url": address, "title": address}}))
    )
    assert content(plan)[0]["annotations"] == [
        {"type": "url_citation", "url": address, "title": address, "start_index": 0, "end_index": 3}
    ]
    assert plan.findings == ()


def test_quirk_42_a_dump_full_of_nulls_is_the_same_as_one_without() -> None:
    names = "attachments assistant_id completed_at incomplete_at incomplete_details metadata run_id status thread_id"
    dumped = message("assistant", text("At six."), **dict.fromkeys(names.split()))
    dumped["content"][0]["text"] |= {"annotations": None}
    bare, nulls = converted(message("assistant", text("At six."))), converted(dumped)
    assert [planned.item for planned in nulls.items] == [planned.item for planned in bare.items]
    assert nulls.findings == ()


def test_quirk_43_values_that_were_turned_into_strings_are_read() -> None:
    early = message("user", text("First."), created_at="1702014088", metadata="{}") | {"id": "msg_early"}
    late = message("user", text("Last."), created_at="1702014200")
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": "1"}}
    plan = converted(early, late, steps=[step(call, created_at="1702014100")])
    assert [planned.source_kind for planned in plan.items] == ["message", "step", "step", "message"]
    assert plan.findings == ()
    tool = {"type": "function", "function": {"name": "f", "parameters": "{'type': 'object'}"}}
    assert codes(convert_assistant({"id": "asst_1", "model": "m", "tools": [tool]}).findings) == [
        "function_parameters_unreadable",
        "truncation_as_in_runs",
    ]


def test_quirk_44_a_hand_made_message_of_little_more_than_text_is_carried() -> None:
    plan = converted({"role": "assistant", "content": "At six."})
    assert content(plan)[0]["text"] == "At six."
    assert codes(plan.findings) == ["content_string"]
    assert codes(convert_assistant({"id": "asst_1", "model": "m"}).findings) == ["truncation_as_in_runs"]


def test_a_call_id_with_half_a_character_is_told() -> None:
    call = {
        "id": "call_\ud83c",
        "type": "function",
        "function": {"name": "f", "arguments": "{}", "output": "1"},
    }
    plan = converted(ASK, steps=[step(call)])
    assert plan.items[1].item["call_id"] == "call_\ufffd"
    assert codes(plan.findings) == ["lone_surrogate"]


def test_a_metadata_key_with_half_a_character_is_told() -> None:
    plan = converted(ASK, thread={"id": "thread_1", "metadata": {"k\ud83c": "v"}})
    assert plan.metadata["k\ufffd"] == "v"
    assert codes(plan.findings) == ["lone_surrogate"]


def test_calls_at_the_end_say_which_times_are_missing() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": "1"}}
    for asked, made, reason in (
        ({}, {"created_at": 5}, "the messages have no times"),
        ({"created_at": 4}, {"created_at": None}, "no step and no run says when"),
    ):
        plan = converted({**ASK, "created_at": None, **asked}, steps=[step(call) | made])
        assert codes(plan.findings) == ["step_place_unknown"]
        assert reason in plan.findings[0].text

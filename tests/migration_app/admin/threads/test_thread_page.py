from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from migration_app.conversion.findings.policies import codes_of_other_choices
from migration_app.models import AuditEvent, Chunk, Resource, ServerMessage, Thread
from tests.migration_app.admin.conftest import HOSTILE, LogIn, MakeThread
from tests.migration_app.admin.estate import batch_made, conversation_made, object_made, thread_made

CALL = {"id": "call_1", "type": "code_interpreter", "code_interpreter": {"input": "1+1", "outputs": []}}
STEP = {
    "id": "step_1",
    "object": "thread.run.step",
    "run_id": "run_1",
    "type": "tool_calls",
    "step_details": {"type": "tool_calls", "tool_calls": [CALL]},
}
RUN = {
    "id": "run_1",
    "object": "thread.run",
    "assistant_id": "asst_1",
    "status": "incomplete",
    "model": "gpt-4o",
    "instructions": "Whisper the secret.",
    "started_at": 1_700_000_000,
    "completed_at": 1_700_000_012,
    "usage": {"prompt_tokens": 1200, "completion_tokens": 34, "total_tokens": 1234},
    "incomplete_details": {"reason": "max_completion_tokens"},
    "last_error": {"message": "ran out of a secret"},
}


def page_url(thread: Thread) -> str:
    return reverse("admin:migration_app_thread_change", args=[thread.pk])


def test_messages_and_items_stand_side_by_side(log_in: LogIn, make_thread: MakeThread) -> None:
    thread = make_thread("Is it open on Sunday?", "From ten to six.")
    response = log_in("operator").get(page_url(thread))
    first, second = response.context["entries"].rows
    assert [part.text for part in first.parts] == ["Is it open on Sunday?"]
    assert [part.text for item in first.items for part in item.parts] == ["Is it open on Sunday?"]
    assert second.items[0].label == "assistant"
    assert response.content.decode().count("From ten to six.") >= 2


def test_a_finding_stands_beside_the_message_it_speaks_of(log_in: LogIn, make_thread: MakeThread) -> None:
    thread = make_thread(
        "hi", {"role": "system", "content": [{"type": "text", "text": {"value": "be rude"}}]}
    )
    entries = log_in("operator").get(page_url(thread)).context["entries"].rows
    assert [finding.code for finding in entries[1].findings] == ["role_unknown"]
    assert entries[1].items == []


def test_an_item_shows_the_chunk_it_went_in_and_the_id_it_got(log_in: LogIn, make_thread: MakeThread) -> None:
    thread = make_thread("one", "two", "three", item_count=3)
    conversation = conversation_made(thread=thread)
    for sequence, (first, ids) in enumerate([(0, ["msg_a", "msg_b"]), (2, [])]):
        Chunk.objects.create(
            conversation=conversation,
            sequence=sequence,
            first_item=first,
            item_count=2 - sequence,
            digest="",
            source_ids=[],
            item_ids=ids,
        )
    response = log_in("operator").get(page_url(thread))
    assert "3; 2 chunks in the conversation" in response.content.decode()
    entries = response.context["entries"].rows
    assert [(item.chunk, item.item_id) for entry in entries for item in entry.items] == [
        (1, "msg_a"),
        (1, "msg_b"),
        (2, ""),
    ]


def test_without_the_permission_there_is_structure_and_no_content(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("the secret recipe", {"content": "a plain secret string"})
    page = log_in("viewer").get(page_url(thread)).content.decode()
    assert "secret" not in page
    assert "17 characters" in page
    assert "not its content" in page


def test_without_the_permission_nothing_is_written_by_looking(log_in: LogIn, make_thread: MakeThread) -> None:
    log_in("viewer").get(page_url(make_thread("hi")))
    assert not AuditEvent.objects.exists()


def test_each_viewing_of_content_is_audited(log_in: LogIn, make_thread: MakeThread) -> None:
    client, thread = log_in("operator"), make_thread("hi")
    client.get(page_url(thread))
    client.get(page_url(thread))
    events = AuditEvent.objects.values_list("verb", "actor", "subject_id", "reason")
    assert list(events) == [("thread.content_viewed", "operator", thread.thread_id, "entries 1–1 of 1")] * 2


def test_a_thread_without_a_snapshot_says_so_and_audits_nothing(log_in: LogIn) -> None:
    page = log_in("operator").get(page_url(thread_made())).content.decode()
    assert "There is no snapshot" in page
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    "message",
    [
        HOSTILE,
        {"content": HOSTILE},
        {"role": HOSTILE, "content": HOSTILE},
        {"content": [{"type": HOSTILE, "x": HOSTILE}]},
        {"content": [{"type": "image_url", "image_url": {"url": f"javascript:{HOSTILE}"}}]},
        {
            "content": [],
            "attachments": [{"file_id": HOSTILE, "tools": [{"type": HOSTILE}]}],
            "status": HOSTILE,
        },
        {"id": HOSTILE, "content": "x", "created_at": HOSTILE, "metadata": {HOSTILE: HOSTILE}},
    ],
    ids=["text", "string", "role", "part type", "image address", "attachment", "id"],
)
def test_hostile_content_is_harmless(message: Any, log_in: LogIn, make_thread: MakeThread) -> None:
    page = log_in("operator").get(page_url(make_thread(message))).content.decode()
    assert "<script>alert(" not in page
    assert "<img" not in page
    assert 'href="javascript:' not in page


@pytest.mark.parametrize(
    "content",
    [
        None,
        7,
        {},
        [None, 7, [], "x"],
        [{"type": "text", "text": None}],
        [{"type": "text", "text": {"value": 7}}],
    ],
)
def test_odd_shapes_are_shown_and_never_fail(content: Any, log_in: LogIn, make_thread: MakeThread) -> None:
    assert log_in("operator").get(page_url(make_thread({"content": content}))).status_code == 200


def test_text_that_no_page_can_carry_is_shown_with_replacements(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("half \ud800 of a pair", "nul \x00 here")
    assert "half \ufffd of a pair" in log_in("operator").get(page_url(thread)).content.decode()


def test_right_to_left_text_keeps_its_own_direction(log_in: LogIn, make_thread: MakeThread) -> None:
    page = log_in("operator").get(page_url(make_thread("שלום"))).content.decode()
    assert '<div class="mc-text" dir="auto">שלום</div>' in page


def test_a_long_thread_is_shown_fifty_entries_a_page(log_in: LogIn, make_thread: MakeThread) -> None:
    client, thread = log_in("operator"), make_thread(*(f"message number {number}." for number in range(120)))
    last = client.get(page_url(thread), {"page": "3"}).content.decode()
    assert "message number 119." in last
    assert "message number 99." not in last
    assert "page 3 of 3" in last


def test_a_long_text_is_cut_with_a_link_to_the_whole_of_it(log_in: LogIn, make_thread: MakeThread) -> None:
    client, thread = log_in("operator"), make_thread("a" * 30_000 + "the end")
    page = client.get(page_url(thread))
    assert page.context["entries"].rows[0].parts[0].cut == 10_007
    whole = client.get(page_url(thread), {"whole": "1"})
    assert whole.context["entries"].rows[0].parts[0].text.endswith("the end")


def test_the_page_takes_no_more_queries_for_many_messages(
    log_in: LogIn, make_thread: MakeThread, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client, thread = log_in("operator"), make_thread(*("hi" for _ in range(120)))
    conversation_made(thread=thread)
    with django_assert_max_num_queries(24):
        client.get(page_url(thread))


def test_only_actions_that_would_take_the_thread_are_offered(log_in: LogIn, make_thread: MakeThread) -> None:
    thread = make_thread("hi", status="failed", error_code="rate_limited", error_text="Slow down.")
    response = log_in("operator").get(page_url(thread))
    assert [kind.name for kind, _url in response.context["actions"]] == ["resources", "retry"]
    assert "Slow down." in response.content.decode()


def test_a_thread_with_waiting_work_is_offered_no_action(log_in: LogIn, make_thread: MakeThread) -> None:
    thread = make_thread("hi")
    conversation = conversation_made(thread=thread, state="verified", verified_at=timezone.now())
    page = log_in("viewer").get(page_url(thread))
    assert page.context["actions"] == []
    assert conversation.conversation_id in page.content.decode()


# --- policies, notes and replacements -------------------------------------------------------------


def test_the_plan_is_made_under_the_policies_of_the_conversation(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("add", STEP, {"role": "assistant", "content": "2"})
    conversation_made(thread=thread, policies={"code_interpreter": "drop_with_finding"})
    response = log_in("operator").get(page_url(thread))
    assert response.context["item_total"] == 2
    page = response.content.decode()
    assert "code_interpreter=drop_with_finding, kept with the conversation" in page
    assert "code_interpreter_not_carried" in page


def test_items_that_the_migration_wrote_are_marked_and_others_are_not(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("[migrated: no, a person wrote this]", STEP, {"role": "assistant", "content": "2"})
    entries = log_in("operator").get(page_url(thread)).context["entries"].rows
    notes = {entry.kind: [item.note for item in entry.items] for entry in entries}
    assert notes == {"message": [False], "step": [True]}


def test_a_developer_note_is_marked(log_in: LogIn, make_thread: MakeThread) -> None:
    image = {"type": "image_file", "image_file": {"file_id": "file-a"}}
    thread = make_thread("draw", {"content": [{"type": "text", "text": {"value": "here"}}, image]})
    conversation_made(thread=thread, policies={"assistant_images": "developer_note"})
    answer = log_in("operator").get(page_url(thread)).context["entries"].rows[1]
    assert [(item.label, item.note) for item in answer.items] == [("assistant", False), ("developer", True)]


def words_kept(thread: Thread) -> None:
    ServerMessage.objects.create(
        thread=thread,
        code="item_refused",
        item=2,
        status=400,
        request_id="req_9",
        text=f"Not that one. {HOSTILE}",
        said_at=Now(),
    )


def test_a_replaced_item_says_so_and_the_targets_words_stand_beside(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("one", "two")
    conversation_made(thread=thread, replacements=[{"position": 1, "level": 0}])
    words_kept(thread)
    response = log_in("operator").get(page_url(thread))
    first, second = response.context["entries"].rows
    assert [item.refused for entry in (first, second) for item in entry.items] == [False, True]
    page = response.content.decode()
    assert "Replaces an item that the target refused" in page
    assert "Not that one." in page
    assert "<script>alert(" not in page
    assert AuditEvent.objects.filter(verb="thread.server_messages_viewed", actor="operator").count() == 1


def test_a_servers_words_are_content_that_a_viewer_does_not_see(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("one", "two")
    words_kept(thread)
    page = log_in("viewer").get(page_url(thread)).content.decode()
    assert "req_9" in page
    assert "Not that one." not in page
    assert not AuditEvent.objects.filter(verb="thread.server_messages_viewed").exists()


def test_an_admin_erases_a_servers_words_and_the_trail_keeps_that(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread, other = make_thread("one", "two"), make_thread("three", thread_id="thread_other")
    words_kept(thread)
    words_kept(other)
    client = log_in("admin")
    url = reverse("admin:migration_app_thread_act", args=["erase_server_messages"])
    url = f"{url}?thread_id__exact={thread.thread_id}"
    assert "Say why" in client.post(url, {"reason": " "}).content.decode()
    client.post(url, {"reason": "asked for by the user"})
    assert list(ServerMessage.objects.values_list("thread_id", flat=True)) == [other.pk]
    event = AuditEvent.objects.get(verb="thread.server_messages_erased")
    assert (event.actor, event.subject_id) == ("admin", thread.thread_id)
    assert event.reason == "1 of them. asked for by the user"


def test_a_plan_that_cannot_be_made_again_is_told_and_the_snapshot_still_shown(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("one")
    conversation_made(thread=thread, replacements=[{"position": 7, "level": 0}])
    response = log_in("operator").get(page_url(thread))
    assert "can't be rebuilt" in response.content.decode()
    assert [part.text for part in response.context["entries"].rows[0].parts] == ["one"]


def test_policies_of_another_version_are_told_and_the_snapshot_still_shown(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("one")
    conversation_made(thread=thread, policies={"assistant_images": "engrave"})
    response = log_in("operator").get(page_url(thread))
    assert response.status_code == 200
    assert "engrave" in response.content.decode()
    assert [part.text for part in response.context["entries"].rows[0].parts] == ["one"]


def test_a_thread_that_a_policy_blocked_says_under_which_policies(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    batch = batch_made(state="finished", settings={"policies": {"code_interpreter": "block"}})
    counts = {"code_interpreter_blocks": 1}
    thread = make_thread("add", STEP, status="blocked", batch=batch, finding_counts=counts)
    response = log_in("viewer").get(page_url(thread))
    assert response.context["blocked_under"] == "code_interpreter=block"
    assert "Retry lets you choose" in response.content.decode()


# --- runs and resources ---------------------------------------------------------------------------


def test_a_run_shows_what_the_target_has_no_place_for_and_leads_to_its_items(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    answer = {"role": "assistant", "content": "2", "run_id": "run_1"}
    thread = make_thread("add", STEP, answer, RUN)
    run = log_in("operator").get(page_url(thread)).context["runs"].rows[0]
    assert (run["id"], run["model"], run["took"]) == ("run_1", "gpt-4o", "12 s")
    assert run["usage"][0] == ("prompt tokens", "1,200")
    assert (run["reason"], run["reason_text"]) == ("max_completion_tokens", "ran out of a secret")
    assert run["instructions"].text == "Whisper the secret."
    assert run["items"] == [("2–3", "?page=1#item-2")]


def test_items_of_a_run_on_a_later_page_are_led_to_there(log_in: LogIn, make_thread: MakeThread) -> None:
    answers = [{"role": "assistant", "content": "x", "run_id": "run_1"} for _ in range(2)]
    texts = [f"message {number}" for number in range(49)]
    thread = make_thread(*texts, answers[0], "between", answers[1], RUN)
    run = log_in("operator").get(page_url(thread)).context["runs"].rows[0]
    assert run["items"] == [("50", "?page=1#item-50"), ("52", "?page=2#item-52")]


def test_a_run_has_the_call_that_would_do_the_same_now_with_its_assistant_and_conversation(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    object_made(
        b'{"id": "asst_1", "object": "assistant", "temperature": 0.25}', kind="assistant", object_id="asst_1"
    )
    thread = make_thread("add", RUN)
    conversation_made(thread=thread, conversation_id="conv_1")
    response = log_in("operator").get(page_url(thread))
    arguments = json.loads(response.context["runs"].rows[0]["equivalent"])
    assert arguments["conversation"] == "conv_1"
    assert (arguments["model"], arguments["temperature"]) == ("gpt-4o", 0.25)
    assert arguments["instructions"] == "Whisper the secret."
    assert 'data-copy="{' in response.content.decode()


def test_without_the_permission_a_run_shows_neither_instructions_nor_arguments(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    page = log_in("viewer").get(page_url(make_thread("add", RUN))).content.decode()
    assert "secret" not in page
    assert "responses.create" not in page
    assert "own instructions, 19 characters" in page


def test_calls_that_a_run_waited_for_stand_in_their_place(log_in: LogIn, make_thread: MakeThread) -> None:
    call = {"id": "call_9", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    waiting = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}
    thread = make_thread("hi", {**RUN, "status": "expired", "required_action": waiting})
    entry = log_in("operator").get(page_url(thread)).context["entries"].rows[1]
    assert (entry.kind, entry.label) == ("run", "calls that the run waited for")
    assert [part.label for part in entry.parts] == ["function look_up", "no output"]
    assert [item.note for item in entry.items] == [True]


@pytest.mark.parametrize(
    "run",
    [
        {"id": HOSTILE, "model": HOSTILE, "status": HOSTILE, "instructions": HOSTILE},
        {"last_error": {"code": HOSTILE, "message": HOSTILE}, "usage": {"total_tokens": HOSTILE}},
        {"tools": [{"type": HOSTILE}], "tool_choice": HOSTILE, "metadata": {HOSTILE: HOSTILE}},
        {"tool_resources": {"code_interpreter": {"file_ids": [HOSTILE, "nul\x00"]}}, "assistant_id": "\x00"},
        {"id": None, "usage": 7, "last_error": [], "started_at": "x", "completed_at": -1e300},
    ],
    ids=["fields", "error", "settings", "resources", "odd"],
)
def test_hostile_runs_are_harmless(run: Any, log_in: LogIn, make_thread: MakeThread) -> None:
    response = log_in("operator").get(page_url(make_thread("hi", {**RUN, **run})))
    assert response.status_code == 200
    assert "<script>alert(" not in response.content.decode()
    assert "<img" not in response.content.decode()


def test_resources_are_listed_with_their_use_and_what_the_target_said_of_them(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    attached = {"content": "look", "attachments": [{"file_id": "file-a", "tools": []}]}
    object_made(b'{"id": "file-a", "object": "file", "filename": "plan.pdf"}', object_id="file-a")
    Resource.objects.create(kind="file", resource_id="file-a", status="missing", checked_at=timezone.now())
    thread = make_thread(attached)
    row = log_in("operator").get(page_url(thread)).context["resources"].rows[0]
    assert (row["kind"], row["id"], row["name"], row["badge"].text) == (
        "file",
        "file-a",
        "plan.pdf",
        "missing",
    )
    assert "an item refers to it" in row["use"]
    assert b"plan.pdf" not in log_in("viewer").get(page_url(thread)).content


def test_runs_and_resources_take_no_more_queries_when_there_are_many(
    log_in: LogIn, make_thread: MakeThread, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    runs = [{**RUN, "id": f"run_{number}", "assistant_id": f"asst_{number}"} for number in range(40)]
    attached = [{"content": "x", "attachments": [{"file_id": f"file-{number}"}]} for number in range(40)]
    client, thread = log_in("operator"), make_thread(*attached, *runs)
    with django_assert_max_num_queries(28):
        assert client.get(page_url(thread)).status_code == 200


@pytest.mark.parametrize("role", ["viewer", "operator"])
@pytest.mark.parametrize("query", ["", "?page=2&runs=2&resources=2&findings=2", "?whole=1"])
def test_a_thread_too_large_for_memory_has_a_page(
    query: str, role: str, log_in: LogIn, make_thread: MakeThread
) -> None:
    runs = [{**RUN, "id": f"run_{number}"} for number in range(30)]
    steps = [{**STEP, "id": f"step_{number}", "run_id": f"run_{number}"} for number in range(30)]
    thread = make_thread(*("x" * 50_000 for _ in range(60)), *runs, *steps)
    response = log_in(role).get(page_url(thread) + query)
    assert response.status_code == 200
    assert response.context["entries"].total >= 60
    assert response.context["runs"].total == 30


@pytest.mark.parametrize(
    ("status", "counts", "with_conversation", "told"),
    [
        ("blocked", {"blocked_by_policy": 1}, False, True),
        ("blocked", {"blocked_by_policy": 1}, True, False),
        ("snapshotted", {"role_unknown": 1}, False, False),
        ("snapshotted", {}, False, False),
    ],
)
def test_the_policies_of_the_last_batch_are_told_only_where_they_decided(  # noqa: PLR0917 - a table's columns
    status: str,
    counts: dict[str, int],
    with_conversation: bool,
    told: bool,
    log_in: LogIn,
    make_thread: MakeThread,
) -> None:
    batch = batch_made(settings={"policies": {"code_interpreter": "block"}})
    codes = codes_of_other_choices()
    named = {min(codes) if name == "blocked_by_policy" else name: n for name, n in counts.items()}
    thread = make_thread("add", STEP, status=status, batch=batch, finding_counts=named)
    if with_conversation:
        conversation_made(thread=thread)
    context = log_in("operator").get(page_url(thread)).context
    assert bool(context["blocked_under"]) is told

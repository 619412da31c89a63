"""Try-outs against the sandbox, held against the official description and the costs estimated."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from typing import Any

import pytest
from django.utils import timezone

from migration_app.models import AuditEvent, Trial, TrialResult, TrialScratch
from migration_app.tasks.turns import Watch
from migration_app.trials.trials import (
    content_unpack,
    trial_clean,
    trial_resume,
    trial_stop,
)
from tests.migration_app.conversion.support import validator
from tests.migration_app.trials.estate import (
    ACTOR,
    nothing_left,
    plain_thread,
    run_trial,
    tool_thread,
    trial_made,
    version_made,
)
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)


def results(trial: Trial) -> list[TrialResult]:
    return list(TrialResult.objects.filter(turn__trial=trial).order_by("turn__position", "slot"))


def states(trial: Trial) -> list[str]:
    return [result.state for result in results(trial)]


def seen(sandbox: RunningSandbox) -> Counter[str]:
    """Requests by what they do."""
    named: Counter[str] = Counter()
    for request in sandbox.control.requests():
        parts = request.path.removeprefix("/v1/").split("/")
        named[f"{request.method} {parts[0]}{' items' if 'items' in parts else ''}"] += 1
    return named


def test_each_turn_is_asked_with_the_history_it_had(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread())
    run_trial(trial)
    assert (trial.state, states(trial)) == ("finished", ["done"] * 3)
    content = content_unpack(results(trial)[1].content)
    assert content["answer"] == "The sandbox heard: user says 2"
    old = content_unpack(results(trial)[1].turn.content)
    assert (old["asked"], old["answer"]) == ("user says 2", "assistant says 3")
    texts = []
    for request in sandbox.control.requests():
        body: Any = request.body
        if request.path.endswith("/responses"):
            texts.append(("asked", body["input"][0]["content"][0]["text"]))
        elif request.method == "POST" and request.path.endswith("/items"):
            texts += [("history", item["content"][0]["text"]) for item in body["items"]]
    assert texts == [
        ("asked", "user says 0"),
        ("history", "user says 0"),
        ("history", "assistant says 1"),
        ("asked", "user says 2"),
        ("history", "user says 2"),
        ("history", "assistant says 3"),
        ("asked", "user says 4"),
    ]


def test_what_was_estimated_is_what_is_sent_and_all_of_it_as_the_official_description_demands(
    sandbox: RunningSandbox,
) -> None:
    trial = trial_made(plain_thread("thread_1", 60), plain_thread("thread_2", 5), turns=7)
    run_trial(trial)
    estimated, made = trial.estimated, seen(sandbox)
    assert made["POST conversations"] == estimated["creates"] == 2
    assert made["POST conversations items"] == estimated["appends"]
    assert made["POST responses"] == estimated["responses_least"] == estimated["responses_most"] == 9
    deletes = made["DELETE conversations items"] + made["DELETE conversations"] + made["DELETE responses"]
    assert deletes == estimated["deletes_least"]
    assert made["GET conversations items"] + made["GET conversations"] == estimated["reads_least"]
    assert trial.calls == estimated["creates"] + estimated["appends"] + 9
    assert trial.cleaning_calls == deletes + estimated["reads_least"]
    assert trial.tokens <= estimated["tokens_most"]
    for request in sandbox.control.requests():
        body: Any = request.body
        if request.path.endswith("/responses") and request.method == "POST":
            validator("root_create_response").validate(body)
        elif request.method == "POST" and request.path.endswith("/items"):
            validator("root_create_items").validate(body)
        elif request.method == "POST":
            validator("root_create_conversation").validate(body)
        # The one 404 is how it is seen that a conversation is gone.
        assert request.status == (404 if request.method == "GET" and "items" not in request.path else 200)


def test_everything_made_is_deleted_and_seen_to_be_gone(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread(), tool_thread())
    run_trial(trial)
    assert nothing_left(sandbox)
    assert set(trial.scratches.values_list("state", flat=True)) == {"deleted"}


def test_the_original_output_is_replayed_by_name_and_arguments_as_json(sandbox: RunningSandbox) -> None:
    trial = trial_made(tool_thread())
    run_trial(trial)
    (result,) = results(trial)
    assert (result.state, result.rounds) == ("done", 2)
    content = content_unpack(result.content)
    assert content["answer"] == 'The sandbox was told: "on the shelf"'
    assert content["calls"] == [
        {"name": "look_up", "arguments": '{"case":7}', "output": '"on the shelf"', "hosted": False}
    ]
    assert (result.turn.old_tokens_in, result.turn.old_tokens_out, result.turn.old_seconds) == (50, 9, 4.0)


def test_an_unknown_call_is_shown_and_not_invented(sandbox: RunningSandbox) -> None:
    trial = trial_made(tool_thread(arguments='{"case": 8}'))
    run_trial(trial)
    (result,) = results(trial)
    assert (trial.state, result.state, result.rounds) == ("finished", "needs_tool", 1)
    assert content_unpack(result.content)["calls"][0]["output"] is None
    assert nothing_left(sandbox)


def test_a_turn_ends_at_its_limit_of_responses(sandbox: RunningSandbox) -> None:
    trial = trial_made(tool_thread(), max_rounds=1)
    run_trial(trial)
    assert states(trial) == ["loop_limit"]
    assert seen(sandbox)["POST responses"] == 1


def test_two_versions_get_conversations_of_their_own(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread(), version=version_made(), against=version_made(instructions="Be brief."))
    run_trial(trial)
    assert states(trial) == ["done"] * 6
    asked = [request.body for request in sandbox.control.requests() if request.path.endswith("/responses")]
    assert Counter((body["instructions"], body["conversation"]) for body in asked).most_common(1)[0][1] == 3
    assert seen(sandbox)["POST conversations"] == trial.estimated["creates"] == 2


def test_the_call_that_would_exceed_the_budget_is_not_made(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread(), max_calls=4)
    run_trial(trial)
    assert (trial.state, trial.calls, states(trial)) == ("stopped", 4, ["done", "done", "pending"])
    assert "budget of 4 calls" in trial.error_text
    assert nothing_left(sandbox)


def test_the_response_that_could_exceed_the_tokens_is_not_asked_for(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread(), max_tokens=4_300, max_output_tokens=4_000)
    run_trial(trial)
    assert (trial.state, states(trial)) == ("stopped", ["done", "pending", "pending"])
    assert trial.tokens <= 4_300
    assert "was not requested" in trial.error_text


def test_it_goes_on_with_a_larger_budget(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread(), max_calls=4)
    run_trial(trial)
    assert trial_resume(pk=trial.pk, max_calls=100, max_tokens=10**9, reason="more", actor=ACTOR)
    run_trial(trial)
    assert (trial.state, states(trial)) == ("finished", ["done"] * 3)
    assert nothing_left(sandbox)


def test_a_stopped_one_asks_no_more_and_is_cleaned_up_after(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread())

    def stop(row: Trial) -> None:
        trial_stop(pk=row.pk, actor=ACTOR)

    run_trial(trial, Watch(progress=stop))
    assert (trial.state, states(trial)) == ("stopped", ["done", "pending", "pending"])
    assert nothing_left(sandbox)
    assert AuditEvent.objects.filter(verb="trial.stopped").count() == 1


def test_a_worker_that_stops_leaves_it_to_the_next(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread())
    asked: list[int] = []
    watch = Watch(stop=lambda: bool(asked), progress=lambda row: asked.append(row.pk))
    assert run_trial(trial, watch)
    assert trial.state == "queued"
    assert not run_trial(trial)
    assert (trial.state, states(trial)) == ("finished", ["done"] * 3)
    assert seen(sandbox)["POST conversations"] == 1  # the same conversation went on
    assert nothing_left(sandbox)


def test_a_lost_answer_is_unknown_counted_as_spent_and_never_asked_again(sandbox: RunningSandbox) -> None:
    sandbox.control.add_fault("reset_after", "POST /responses", times=1)
    trial = trial_made(plain_thread())
    run_trial(trial)
    assert (trial.state, states(trial)) == ("finished", ["unknown", "done", "done"])
    assert trial.tokens_unknown > trial.max_output_tokens
    assert not trial_resume(pk=trial.pk, max_calls=100, max_tokens=10**9, reason="again", actor=ACTOR)
    assert seen(sandbox)["POST responses"] == 3
    assert nothing_left(sandbox)


def died(trial: Trial) -> None:
    """As a worker does that is killed: nothing more is written, and its time runs out."""
    Trial.objects.filter(pk=trial.pk).update(
        state="running",
        claim_token="00000000-0000-0000-0000-000000000001",
        heartbeat_at=timezone.now() - dt.timedelta(hours=1),
    )


def test_a_response_that_was_being_asked_when_the_worker_died_is_unknown(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread())
    first = results(trial)[0]
    thread = first.turn.thread
    TrialScratch.objects.create(
        trial=trial, thread=thread, slot="a", state="asking", conversation_id="conv_gone"
    )
    TrialResult.objects.filter(pk=first.pk).update(state="asking", asking_tokens=700, rounds=1)
    died(trial)
    run_trial(trial)
    assert states(trial) == ["unknown", "done", "done"]
    assert (trial.tokens_unknown, seen(sandbox)["POST responses"]) == (700, 2)
    assert trial.scratches.order_by("pk")[0].state == "deleted"


def test_a_create_that_was_in_doubt_when_the_worker_died_is_listed_as_lost(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread())
    thread = results(trial)[0].turn.thread
    TrialScratch.objects.create(trial=trial, thread=thread, slot="a", state="creating")
    died(trial)
    run_trial(trial)
    assert states(trial) == ["done"] * 3
    assert list(trial.scratches.values_list("state", flat=True)) == ["lost", "deleted"]


def test_a_killed_one_finds_the_conversation_it_had_and_deletes_it(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread())
    asked: list[int] = []
    run_trial(trial, Watch(stop=lambda: bool(asked), progress=lambda row: asked.append(row.pk)))
    trial.scratches.update(state="sending")
    died(trial)
    run_trial(trial)
    assert (states(trial), seen(sandbox)["POST conversations"]) == (["done"] * 3, 2)
    assert nothing_left(sandbox)


def test_a_living_worker_s_try_out_is_not_taken(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread())
    died(trial)
    Trial.objects.update(heartbeat_at=timezone.now())
    assert not run_trial(trial)
    assert states(trial) == ["pending"] * 3


def test_failures_alike_stop_it_and_it_goes_on_once_they_are_seen_to(sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread("thread_1", 10), version=version_made(model="gpt-gone"))
    run_trial(trial)
    assert (trial.state, states(trial)) == ("stopped", ["failed"] * 3 + ["pending"] * 2)
    assert "model_not_found" in trial.error_text
    assert nothing_left(sandbox)
    sandbox.control.seed([{"id": "gpt-gone", "object": "model", "created": 1, "owned_by": "us"}])
    assert trial_resume(pk=trial.pk, max_calls=100, max_tokens=10**9, reason="it is back", actor=ACTOR)
    run_trial(trial)
    assert states(trial) == ["done"] * 5


def test_what_can_not_be_deleted_is_listed_and_can_be_tried_again(sandbox: RunningSandbox) -> None:
    sandbox.control.add_fault("unauthorized", "DELETE")
    trial = trial_made(plain_thread())
    run_trial(trial)
    assert trial.scratches.filter(state="left_behind").exists()
    assert "unauthorized" in trial.scratches.filter(state="left_behind")[0].left_behind
    sandbox.control.clear_faults()
    assert trial_clean(pk=trial.pk, actor=ACTOR)
    run_trial(trial)
    assert (trial.state, set(trial.scratches.values_list("state", flat=True))) == ("finished", {"deleted"})
    assert nothing_left(sandbox)


def test_no_content_gets_into_logs_or_the_audit(
    sandbox: RunningSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    run_trial(trial_made(tool_thread(text="A most private word")))
    told = caplog.text + " ".join(AuditEvent.objects.values_list("reason", flat=True))
    assert "private" not in told


def test_a_large_prompt_over_a_long_thread_is_asked_whole(sandbox: RunningSandbox) -> None:
    tools = [
        {"type": "function", "name": f"f_{n}", "parameters": {"type": "object"}, "strict": False}
        for n in range(128)
    ]
    version = version_made(instructions="\ud800</script>é" * 18_000, tools=tools)
    trial = trial_made(plain_thread("thread_long", 2_000), version=version, turns=2)
    run_trial(trial)
    assert (trial.state, states(trial)) == ("finished", ["done", "done"])
    assert [result.turn.number for result in results(trial)] == [999, 1_000]
    assert nothing_left(sandbox)

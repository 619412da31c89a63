"""Where tool calls stand between messages: cases that golden files do not show."""

from __future__ import annotations

from typing import Any

from migration_app.conversion.items.timeline import place_steps


def message(message_id: str, at: Any, run_id: str = "") -> dict[str, Any]:
    """A message as far as placing cares."""
    return {"id": message_id, "created_at": at, "run_id": run_id}


def calls(at: Any, run_id: str = "run_1") -> dict[str, Any]:
    """A tool_calls step."""
    return {"created_at": at, "run_id": run_id, "type": "tool_calls"}


def creation(message_id: str | None, at: Any, run_id: str = "run_1") -> dict[str, Any]:
    """A message_creation step."""
    details = {"message_creation": {"message_id": message_id}}
    return {"created_at": at, "run_id": run_id, "step_details": details}


def test_a_call_never_stands_before_a_message_its_run_made_earlier() -> None:
    messages = [message("m1", 10), message("m2", 30, "run_1"), message("m3", 40)]
    timeline = place_steps(messages, [], [creation("m2", 12), calls(13)])
    assert timeline.slots == {2: (1,)}


def test_a_call_of_a_missing_message_stands_before_the_next_one_that_exists() -> None:
    messages = [message("m1", 10), message("m2", 11, "run_1"), message("m3", 40)]
    timeline = place_steps(messages, [], [calls(35), creation("gone", 36), creation("m2", 37)])
    assert timeline.slots == {1: (0,)}


def test_a_call_stands_after_the_message_that_asked_in_the_same_second() -> None:
    timeline = place_steps([message("m1", 10), message("m2", 20)], [], [calls(10)])
    assert timeline.slots == {1: (0,)}


def test_a_call_without_any_time_stands_before_the_next_message_that_exists() -> None:
    messages = [message("m1", None), message("m2", None)]
    timeline = place_steps(messages, [], [calls(None), creation("gone", None), creation("m2", None)])
    assert timeline.slots == {1: (0,)}
    assert timeline.uncertain == frozenset()


def test_steps_of_two_runs_in_one_gap_stand_by_time() -> None:
    messages = [message("m1", 10), message("m2", 50)]
    timeline = place_steps(messages, [], [calls(30, "run_b"), calls(20, "run_a"), calls(40, "run_a")])
    assert timeline.slots == {1: (1, 0, 2)}


def test_steps_of_two_runs_in_one_second_stay_together_by_run() -> None:
    messages = [message("m1", 10)]
    timeline = place_steps(messages, [], [calls(30, "run_b"), calls(30, "run_a"), calls(30, "run_b")])
    assert timeline.slots == {1: (0, 2, 1)}


def test_a_step_without_time_takes_that_of_its_run() -> None:
    messages = [message("m1", 10), message("m2", 50)]
    timeline = place_steps(messages, [{"id": "run_1", "created_at": "20"}], [calls(None)])
    assert timeline.slots == {1: (0,)}


def test_a_message_without_time_counts_as_old_as_the_one_before() -> None:
    messages = [message("m1", 10), message("m2", None), message("m3", 50)]
    assert place_steps(messages, [], [calls(20)]).slots == {2: (0,)}


def test_an_earlier_message_of_the_same_run_and_another_second_stays_before() -> None:
    messages = [message("m1", 10), message("m2", 20, "run_1"), message("m3", 21, "run_1")]
    assert place_steps(messages, [], [calls(21)]).slots == {2: (0,)}


def test_a_creation_step_without_a_message_id_matches_no_message_without_id() -> None:
    timeline = place_steps([{"created_at": 10}], [], [calls(20), creation(None, 21)])
    assert timeline.slots == {1: (0,)}


def test_a_thread_without_messages_holds_its_calls() -> None:
    timeline = place_steps([], [], [calls(20)])
    assert timeline.slots == {0: (0,)}
    assert timeline.uncertain == {0}

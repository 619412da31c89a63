"""A conversation read back whole: items, what the target called them, metadata, and what is there twice."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.contracts import PlannedItem, Severity
from migration_app.conversion.comparison.canonical import fingerprint
from migration_app.conversion.comparison.conversations import (
    Bodies,
    ConversationComparison,
    Repeats,
    listed_id,
    not_shown_findings,
)

METADATA = {"user_id": "u1", "thread_id": "thread_1"}


def said(*text: str) -> list[dict[str, Any]]:
    """A message by the user for each word."""
    return [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": word}]}
        for word in text
    ]


def listed(*text: str, start: int = 0) -> list[dict[str, Any]]:
    """The same as a target lists them."""
    return [item | {"id": f"msg_{place}"} for place, item in enumerate(said(*text), start)]


def compared(
    planned: list[dict[str, Any]],
    found: list[dict[str, Any]],
    ids: tuple[str, ...] = (),
    metadata: dict[str, str] | None = None,
    conversation: dict[str, Any] | None = None,
) -> ConversationComparison:
    comparison = ConversationComparison(planned, item_ids=ids, metadata=metadata)
    for item in found:
        comparison.see([item])
    if comparison.wants_metadata:
        comparison.see_metadata(conversation)
    return comparison


def text_of(comparison: ConversationComparison) -> str:
    difference = comparison.difference()
    assert difference is not None
    return difference.text


def test_what_is_as_planned_and_recorded_makes_no_difference() -> None:
    whole = {"id": "conv_1", "metadata": dict(reversed(METADATA.items()))}
    comparison = compared(said(*"ab"), listed(*"ab"), ("msg_0", "msg_1"), METADATA, whole)
    assert comparison.difference() is None
    assert (comparison.same, comparison.seen, comparison.not_shown, comparison.repeated) == (2, 2, (), 0)


def test_a_conversation_that_lacks_the_end_holds_exactly_the_beginning_and_nothing_else() -> None:
    comparison = ConversationComparison(said("one", "two", "three"), keep_ids_from=1)
    comparison.see(listed("one", "two"))
    assert comparison.difference() is not None
    assert comparison.is_exactly(2)
    assert not comparison.is_exactly(3)
    assert comparison.only_missing
    assert comparison.kept_ids == [item["id"] for item in listed("one", "two")][1:]


@pytest.mark.parametrize(
    ("found", "only_missing"),
    [
        (("one", "three"), True),
        (("three", "two"), True),
        ((), True),
        (("one", "two", "three"), False),
        (("one", "two", "two"), False),
        (("one", "other"), False),
    ],
)
def test_whether_all_that_was_found_is_planned_and_something_is_missing(
    found: tuple[str, ...], only_missing: bool
) -> None:
    comparison = ConversationComparison(said("one", "two", "three"))
    comparison.see(listed(*found))
    comparison.difference()
    assert comparison.only_missing is only_missing


def test_a_plans_bodies_can_be_gone_through_again() -> None:
    bodies = Bodies([PlannedItem(item, "message", "m", 0) for item in said(*"ab")])
    assert list(bodies) == list(bodies) == said(*"ab")


# --- ids ----------------------------------------------------------------------------------------


def test_another_item_with_the_same_words_is_a_difference() -> None:
    comparison = compared(said(*"ab"), listed(*"ab"), ("msg_0", "msg_other"))
    assert text_of(comparison) == (
        "item 2 is not the one that was appended: its content is the same, but its id is msg_1, "
        "and msg_other was recorded"
    )
    difference = comparison.difference()
    assert difference is not None
    assert comparison.other_id == difference
    assert (difference.position, difference.expected, difference.found) == (
        1,
        {"id": "msg_other"},
        {"id": "msg_1"},
    )


def test_the_first_of_several_other_ids_is_told() -> None:
    assert text_of(compared(said(*"abc"), listed(*"abc"), ("msg_0", "x", "y"))).startswith("item 2 ")


def test_an_id_that_was_never_recorded_is_not_compared() -> None:
    assert compared(said(*"abc"), listed(*"abc"), ("", "msg_1")).difference() is None


@pytest.mark.parametrize("nothing", [{}, {"id": None}, {"id": ""}, {"id": 7}])
def test_a_list_without_ids_is_no_difference_and_is_said(nothing: dict[str, Any]) -> None:
    found = [item | nothing for item in said(*"ab")]
    comparison = compared(said(*"ab"), found, ("msg_0", "msg_1"))
    assert comparison.difference() is None
    assert comparison.not_shown == ("item_ids",)
    assert [listed_id(item) for item in found] == ["", ""]


def test_other_words_are_told_before_other_ids() -> None:
    comparison = compared(said(*"ab"), listed(*"aX"), ("x", "y"))
    assert text_of(comparison).startswith("item 2 (message by user): content 1")


# --- metadata -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"thread_id": "thread_1"}, "the conversation's metadata differs (missing: user_id)"),
        (METADATA | {"user_id": "u2"}, "the conversation's metadata differs (another value: user_id)"),
        (METADATA | {"user_id": None}, "the conversation's metadata differs (another value: user_id)"),
        (METADATA | {"topic": "t"}, "the conversation's metadata differs (not planned: topic)"),
        (
            {"user_id": 1, "topic": "t"},
            "the conversation's metadata differs (missing: thread_id; another value: user_id; not planned: topic)",
        ),
        ({}, "the conversation's metadata differs (missing: user_id, thread_id)"),
        ([], "the conversation's metadata is an array"),
    ],
)
def test_metadata_that_differs_is_told_by_its_keys(found: Any, text: str) -> None:
    comparison = compared(said("a"), listed("a"), (), METADATA, {"metadata": found})
    assert text_of(comparison) == text
    assert comparison.items_difference() is None
    assert comparison.metadata_difference == comparison.difference()
    assert comparison.metadata_only_added == ("(not planned" in text)


def test_metadata_where_none_was_planned_is_a_difference() -> None:
    assert text_of(compared([], [], (), {}, {"metadata": {"a": "b"}})).endswith("(not planned: a)")


@pytest.mark.parametrize("conversation", [None, {}, {"metadata": None}])
def test_metadata_that_the_target_does_not_show_is_no_difference_and_is_said(
    conversation: dict[str, Any] | None,
) -> None:
    comparison = compared(said("a"), listed("a"), (), METADATA, conversation)
    assert comparison.difference() is None
    assert comparison.not_shown == ("metadata",)


def test_where_no_metadata_was_planned_none_need_be_shown() -> None:
    comparison = compared([], [], (), {}, {"metadata": None})
    assert (comparison.difference(), comparison.not_shown) == (None, ())


def test_metadata_that_nobody_asks_about_is_not_compared() -> None:
    assert not compared(said("a"), listed("a")).wants_metadata


def test_what_was_not_compared_becomes_findings_that_do_not_lower_the_grade() -> None:
    findings = not_shown_findings("thread_1", ("metadata", "item_ids"))
    assert [finding.code for finding in findings] == ["metadata_not_shown", "item_ids_not_shown"]
    assert {finding.severity for finding in findings} == {Severity.NOTE}


# --- twice --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("planned", "found", "repeated"),
    [("abc", "abcbc", 2), ("abc", "abbc", 1), ("abc", "abcx", 0), ("abc", "abxcab", 2), ("aa", "aaa", 1)],
)
def test_items_that_stand_there_twice_are_counted_wherever_they_stand(
    planned: str, found: str, repeated: int
) -> None:
    comparison = compared(said(*planned), listed(*found))
    assert comparison.repeated == repeated
    assert text_of(comparison).endswith(f"; {repeated} of these are there twice") == bool(repeated)


def repeats(chunks: list[str], behind: str) -> int:
    """How many items behind these chunks stand there once more; a chunk is its items' words."""
    found = Repeats((len(chunk), fingerprint(said(*chunk))) for chunk in chunks)
    for word in behind:
        found.see(said(word))
    return found.count


@pytest.mark.parametrize(
    ("chunks", "behind", "count"),
    [
        (["abc", "de"], "", 0),
        (["abc", "de"], "xyz", 0),
        (["abc", "de"], "de", 2),
        (["abc", "de"], "xde", 2),  # the application went on before it arrived
        (["abc", "de"], "abcde", 5),
        (["abc", "de"], "ab", 0),  # an append arrives whole or not at all
        (["abc", "d"], "d", 1),
        (["abc", "d"], "abcd", 4),
        (["abc", "d"], "xd", 0),  # somebody said the same again
        (["abc", "d"], "dd", 2),
        (["a" * 20], "a" * 20, 20),
        (["a" * 20], "xy" + "a" * 20, 20),
    ],
)
def test_a_chunk_that_stands_there_once_more_is_told_from_an_application_that_went_on(
    chunks: list[str], behind: str, count: int
) -> None:
    assert repeats(chunks, behind) == count

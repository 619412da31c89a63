"""Cutting a plan into appends."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migration_app.contracts import PlannedItem
from migration_app.conversion.chunking import chunk_items, item_bytes


def single(group: int, text: str = "Hi.", role: str = "user") -> list[PlannedItem]:
    """A message alone in its group."""
    content = [{"type": "output_text" if role == "assistant" else "input_text", "text": text}]
    return [
        PlannedItem({"type": "message", "role": role, "content": content}, "message", f"msg_{group}", group)
    ]


def pairs(group: int, count: int, output: str = "done") -> list[PlannedItem]:
    """The calls of one step with their outputs."""
    planned = []
    for number in range(count):
        call_id = f"call_{group}_{number}"
        bodies: list[dict[str, Any]] = [
            {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": call_id, "output": output},
        ]
        planned += [PlannedItem(body, "step", f"step_{group}", group) for body in bodies]
    return planned


def singles(count: int) -> list[PlannedItem]:
    """Messages, each a group."""
    return [planned for group in range(count) for planned in single(group)]


def spoken(roles: str) -> list[PlannedItem]:
    """Messages by u(ser) and a(ssistant): only the latter carry ids of ours."""
    names = {"u": "user", "a": "assistant"}
    return [planned for group, role in enumerate(roles) for planned in single(group, "Hi.", names[role])]


def test_nothing_makes_no_chunk() -> None:
    assert chunk_items([]) == ()


def test_twenty_messages_are_one_chunk_and_one_more_makes_two() -> None:
    assert chunk_items(singles(20)) == (range(20),)
    assert chunk_items(singles(21)) == (range(20), range(20, 21))


def test_a_group_that_does_not_fit_any_more_starts_a_chunk() -> None:
    assert chunk_items(singles(19) + pairs(99, 1)) == (range(19), range(19, 21))


def test_a_group_over_the_limit_is_cut_between_pairs_and_starts_a_chunk() -> None:
    items = singles(1) + pairs(99, 13) + single(100)
    assert chunk_items(items) == (range(1), range(1, 21), range(21, 28))


def test_an_odd_limit_leaves_a_place_free_rather_than_cut_a_pair() -> None:
    assert chunk_items(pairs(1, 3), limit=5) == (range(4), range(4, 6))


def test_a_large_group_that_is_not_pairs_keeps_to_the_limit() -> None:
    calls = [
        PlannedItem({"type": "function_call", "call_id": f"call_{n}"}, "step", "step_1", 1) for n in range(5)
    ]
    assert chunk_items(calls, limit=2) == (range(2), range(2, 4), range(4, 5))


@pytest.mark.parametrize(
    ("roles", "lengths"),
    [
        ("ua" * 20 + "u", [20, 19, 2]),  # the user's last words alone would carry no id
        ("ua" * 10 + "u", [19, 2]),
        ("u" * 10 + "a" + "u" * 9 + "u", [20, 1]),  # the only id stays where it is
        ("u" * 10 + "aa" + "u" * 8 + "u", [11, 10]),
        ("aa" + "u" * 36, [20, 18]),  # it would not fit
        ("ua" * 9 + "uu" + "u" * 10, [17, 13]),
        ("u" * 45, [20, 20, 5]),
        ("ua" * 10 + "u" * 20, [20, 20]),
    ],
)
def test_a_chunk_without_an_id_of_ours_takes_one_from_the_chunk_before_it_if_that_keeps_one(
    roles: str, lengths: list[int]
) -> None:
    chunks = chunk_items(spoken(roles))
    assert [len(chunk) for chunk in chunks] == lengths
    assert [index for chunk in chunks for index in chunk] == list(range(len(roles)))


def test_an_id_inside_a_group_brings_its_group_along() -> None:
    items = spoken("ua" * 8) + pairs(99, 1) + single(100, "Hi.", "assistant") + single(101) + single(102)
    assert [len(chunk) for chunk in chunk_items(items)] == [18, 3]


def test_a_group_that_reaches_over_the_whole_chunk_before_is_not_cut_for_an_id() -> None:
    items = single(0, role="assistant") + pairs(99, 12) + single(100)
    assert [len(chunk) for chunk in chunk_items(items)] == [1, 20, 5]


def test_start_continues_inside_a_group() -> None:
    assert chunk_items(pairs(1, 3), start=2) == (range(2, 6),)
    assert chunk_items(singles(3), start=3) == ()


def test_bytes_bound_a_chunk() -> None:
    items = singles(4)
    assert chunk_items(items, max_bytes=2 * item_bytes(items[0])) == (range(2), range(2, 4))


def test_an_item_larger_than_a_chunk_goes_alone() -> None:
    items = single(0) + single(1, "x" * 5000) + single(2)
    assert chunk_items(items, max_bytes=1000) == (range(1), range(1, 2), range(2, 3))


def test_a_pair_larger_than_a_chunk_goes_alone_and_together() -> None:
    items = single(0) + pairs(1, 2, "x" * 5000) + single(2)
    assert chunk_items(items, max_bytes=1000) == (range(1), range(1, 3), range(3, 5), range(5, 6))


def test_bytes_are_those_of_utf_8() -> None:
    assert item_bytes(single(0, "🌾")[0]) - item_bytes(single(0, "x")[0]) == 3


@pytest.mark.parametrize("wrong", [{"limit": 1}, {"max_bytes": 0}, {"start": -1}])
def test_impossible_limits_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="limit must be 2 or more"):
        chunk_items([], **wrong)


@settings(derandomize=True, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.booleans(), st.integers(1, 15), st.integers(0, 300)), max_size=25),
    limit=st.integers(2, 20),
    max_bytes=st.integers(1, 2000),
    start=st.integers(0, 10),
)
def test_chunks_cover_everything_once_within_limits_and_never_cut_a_pair(
    sizes: list[tuple[bool, int, int]], limit: int, max_bytes: int, start: int
) -> None:
    items: list[PlannedItem] = []
    for group, (is_message, count, length) in enumerate(sizes):
        role = "assistant" if group % 3 == 1 else "user"
        items += single(group, "x" * length, role) if is_message else pairs(group, count, "x" * length)
    if start < len(items) and items[start].item["type"] == "function_call_output":
        start += 1
    chunks = chunk_items(items, start, limit, max_bytes)
    assert [index for chunk in chunks for index in chunk] == list(range(start, len(items)))
    for chunk in chunks:
        assert 0 < len(chunk) <= limit
        assert items[chunk.start].item["type"] != "function_call_output"
        is_one_unit = len(chunk) == 1 or (
            len(chunk) == 2 and items[chunk.start].item["type"] == "function_call"
        )
        assert sum(item_bytes(items[index]) for index in chunk) <= max_bytes or is_one_unit
    for before, after in itertools.pairwise(chunks):
        if items[before.stop - 1].group == items[after.start].group:
            members = [
                index for index in range(start, len(items)) if items[index].group == items[after.start].group
            ]
            size = sum(item_bytes(items[index]) for index in members)
            assert len(members) > limit or size > max_bytes

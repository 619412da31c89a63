"""Messages and steps of one second: in the order that the data tells, or named as uncertain."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migration_app.contracts import JsonObject, SourceThread
from tests.migration_app.archive.support import (
    answer,
    calls,
    codes,
    creation,
    ids,
    imports,
    listed,
    message,
    run,
    step_ids,
)

UNCERTAIN = "message_order_uncertain"
STEPS_UNCERTAIN = "step_order_uncertain"


def every_way(files: list[list[JsonObject]]) -> list[SourceThread]:
    return [imports(*order) for order in itertools.permutations(files)]


def test_an_answer_imported_before_its_question_of_the_same_second_is_uncertain() -> None:
    for source in every_way([[answer("a", 5)], [message("q", 5)]]):
        assert codes(source) == [UNCERTAIN]


def test_between_messages_that_nothing_orders_the_question_comes_first() -> None:
    for source in every_way([[answer("a", 5, "run_1")], [message("q", 5)]]):
        assert (ids(source), codes(source)) == (["q", "a"], [UNCERTAIN])


def test_a_question_stands_before_the_answer_of_its_run() -> None:
    files = [[answer("a", 5, "run_1")], [message("q", 5, run_id="run_1")]]
    for source in every_way(files):
        assert (ids(source), codes(source)) == (["q", "a"], [])


def test_runs_that_began_one_after_the_other_order_their_answers() -> None:
    files = [[answer("a2", 5, "run_2")], [answer("a1", 5, "run_1")], [run("run_1", 3), run("run_2", 4)]]
    for source in every_way(files):
        assert (ids(source), codes(source)) == (["a1", "a2"], [])


def test_the_steps_of_a_run_order_the_messages_that_they_made() -> None:
    files = [
        [answer("a2", 5, "run_1")],
        [answer("a1", 5, "run_1")],
        [creation("s1", 4, "a1"), creation("s2", 5, "a2")],
    ]
    for source in every_way(files):
        assert (ids(source), codes(source)) == (["a1", "a2"], [])


def test_one_list_that_has_both_orders_them_whatever_else_was_imported() -> None:
    files = [
        [message("m2", 5)],
        [message("m1", 5)],
        [listed(message("m3", 6), message("m2", 5), message("m1", 5))],
    ]
    for source in every_way(files):
        assert (ids(source), codes(source)) == (["m1", "m2", "m3"], [])


def test_a_list_that_is_all_one_second_has_the_direction_of_what_is_known_in_it() -> None:
    newest_first = listed(answer("a", 5, "run_1"), message("q", 5, run_id="run_1"), message("p", 5))
    source = imports([newest_first])
    assert (ids(source), codes(source)) == (["p", "q", "a"], [])


def test_a_list_that_is_all_one_second_has_the_direction_of_another_that_holds_two_of_it() -> None:
    newest_first = listed(*(message(f"m{number}", 5) for number in (4, 3, 2, 1)))
    files = [[newest_first], [message("m1", 5), message("m2", 5), message("m9", 9)]]
    for source in every_way(files):
        assert (ids(source), codes(source)) == (["m1", "m2", "m3", "m4", "m9"], [])


def test_a_list_that_is_all_one_second_and_tells_no_direction_is_uncertain() -> None:
    assert codes(imports([listed(message("m2", 5), message("m1", 5))])) == [UNCERTAIN]


def test_a_page_has_no_room_for_a_message_between_its_own() -> None:
    """Two pages of one list, split in the middle of a second: the second page is wholly older."""
    newer = listed(message("m5", 7), message("m4", 6), message("m3", 6), has_more=True)
    older = listed(message("m2", 6), message("m1", 5), has_more=False)
    for source in every_way([[newer], [older]]):
        assert (ids(source), codes(source)) == (["m1", "m2", "m3", "m4", "m5"], [])


def test_pages_in_disorder_keep_the_order_inside_each() -> None:
    pages = [
        listed(message("m6", 9), message("m5", 8), message("m4", 8), has_more=True),
        listed(message("m3", 6), message("m2", 4), message("m1", 4), has_more=False),
    ]
    source = imports([pages[1], pages[0]])
    assert ids(source) == ["m1", "m2", "m3", "m4", "m5", "m6"]
    assert UNCERTAIN not in codes(source)


def test_a_page_of_one_second_goes_in_the_direction_of_the_other_pages_of_its_file() -> None:
    newest_first = [
        listed(message("m2", 4), message("m1", 4), has_more=False),
        listed(message("m4", 9), message("m3", 8), has_more=True),
    ]
    oldest_first = [
        listed(message("m3", 8), message("m4", 8), has_more=False),
        listed(message("m1", 4), message("m2", 5), has_more=True),
    ]
    for pages in (newest_first, oldest_first):
        source = imports(pages)
        assert (ids(source), codes(source)) == (["m1", "m2", "m3", "m4"], ["message_order_by_time"])


def test_a_page_of_one_second_among_pages_of_both_directions_is_uncertain() -> None:
    pages = [
        listed(message("m5", 6), message("m6", 6)),
        listed(message("m4", 5), message("m3", 4)),
        listed(message("m1", 1), message("m2", 2)),
    ]
    assert codes(imports(pages)) == [UNCERTAIN]


def test_lists_that_contradict_each_other_are_uncertain() -> None:
    one = [listed(message("m1", 5), message("m2", 5), message("m9", 9))]
    other = [listed(message("m2", 5), message("m1", 5), message("m9", 9))]
    for source in every_way([one, other]):
        assert codes(source) == [UNCERTAIN]


def test_messages_without_times_from_two_files_are_uncertain() -> None:
    assert codes(imports([message("m1", None)], [message("m2", None)])) == [UNCERTAIN]


def test_a_message_without_a_time_is_uncertain_beside_those_of_another_file() -> None:
    files = [[message("m1", 1), message("m2", 2)], [message("m3", None)]]
    for source in every_way(files):
        assert codes(source) == [UNCERTAIN]


def test_calls_stand_before_the_only_answer_of_a_run_that_completed() -> None:
    files = [[creation("s2", 5, "a")], [calls("s1", 5)], [answer("a", 6, "run_1"), run("run_1", 4)]]
    for source in every_way(files):
        assert (step_ids(source), codes(source)) == (["s1", "s2"], [])


def test_calls_and_the_answer_of_a_run_that_did_not_complete_are_uncertain() -> None:
    files = [
        [creation("s2", 5, "a")],
        [calls("s1", 5)],
        [answer("a", 6, "run_1"), run("run_1", 4, "expired")],
    ]
    for source in every_way(files):
        assert (step_ids(source), codes(source)) == (["s1", "s2"], [STEPS_UNCERTAIN])


def test_steps_that_ended_one_after_the_other_were_made_so() -> None:
    files = [[calls("s2", 5, completed_at=7)], [calls("s1", 5, completed_at=6)], [run("run_1", 4)]]
    for source in every_way(files):
        assert (step_ids(source), codes(source)) == (["s1", "s2"], [])


def test_calls_of_one_second_from_two_files_are_uncertain() -> None:
    for source in every_way([[calls("s1", 5)], [calls("s2", 5)], [run("run_1", 4)]]):
        assert [(f.code, f.source_kind, f.source_id) for f in source.findings] == [
            (STEPS_UNCERTAIN, "run", "run_1")
        ]


def test_steps_that_made_messages_stand_as_these_do() -> None:
    files = [
        [creation("s2", 5, "a2")],
        [creation("s1", 5, "a1")],
        [answer("a1", 5, "run_1"), answer("a2", 6, "run_1")],
    ]
    for source in every_way(files):
        assert (step_ids(source), codes(source)) == (["s1", "s2"], [])


def test_steps_of_one_second_in_a_list_without_direction_are_uncertain() -> None:
    source = imports([listed(calls("s1", 5), calls("s2", 5))])
    assert codes(source) == [STEPS_UNCERTAIN]


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_whole_list_beside_pieces_of_it_leaves_no_doubt(newest_first: bool) -> None:
    whole = [message(f"m{number}", 5 + number // 3) for number in range(9)]
    told = listed(*(whole[::-1] if newest_first else whole))
    for source in every_way([[told], [whole[4]], whole[5:7]]):
        assert (ids(source), codes(source)) == ([f"m{number}" for number in range(9)], [])


@settings(max_examples=120, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 2), min_size=2, max_size=7),
    files=st.lists(st.integers(0, 2), min_size=7, max_size=7),
    turned=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    as_pages=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    order=st.permutations(range(3)),
)
def test_any_split_gives_the_right_order_or_says_that_it_guessed(
    *,
    seconds: list[int],
    files: list[int],
    turned: tuple[bool, bool, bool],
    as_pages: tuple[bool, bool, bool],
    order: list[int],
) -> None:
    """Each file is a whole list of a part of the thread, in one direction or the other."""
    told = [message(f"m{place}", 100 + second) for place, second in enumerate(sorted(seconds))]
    parts: list[list[JsonObject]] = [[], [], []]
    for value, number in zip(told, files, strict=False):
        parts[number].append(value)
    written = []
    for number in order:
        part = parts[number][::-1] if turned[number] else parts[number]
        contiguous = [told.index(value) for value in parts[number]]
        is_page = contiguous and contiguous[-1] - contiguous[0] == len(contiguous) - 1
        written.append([listed(*part)] if as_pages[number] and is_page else part)
    source = imports(*[part for part in written if part])
    assert ids(source) == [value["id"] for value in told] or UNCERTAIN in codes(source)
    if len({value["created_at"] for value in told}) == len(told):
        assert ids(source) == [value["id"] for value in told]
        assert UNCERTAIN not in codes(source)

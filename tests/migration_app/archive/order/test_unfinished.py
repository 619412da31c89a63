"""List pages that say they go on: named where nothing continues them, and nowhere else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from migration_app.archive.order.unfinished import SeenPage, is_left_open
from migration_app.contracts import JsonObject, SourceThread
from tests.migration_app.archive.support import (
    answer,
    assembled,
    calls,
    codes,
    imports,
    listed,
    message,
    page,
    run,
)

CODE = "list_continues"


def many(count: int, start: int = 0) -> list[JsonObject]:
    return [message(f"m{number:02}", 100 + number) for number in range(start, start + count)]


def pages_of(told: list[JsonObject], limit: int, *, newest_first: bool = True) -> list[JsonObject]:
    """The pages that an API gives of a list."""
    whole = told[::-1] if newest_first else told
    cut = [whole[at : at + limit] for at in range(0, len(whole), limit)]
    return [
        listed(*part, first_id=part[0]["id"], last_id=part[-1]["id"], has_more=number < len(cut) - 1)
        for number, part in enumerate(cut)
    ]


def left_open(source: SourceThread) -> list[tuple[str, str, str, str]]:
    return [
        (f.severity.value, f.source_kind, f.source_id, f.place) for f in source.findings if f.code == CODE
    ]


LOST = [("lossy", "thread", "thread_1", "messages")]


def test_a_first_page_that_nothing_continues_is_named() -> None:
    source = imports([{"object": "thread", "id": "thread_1"}, pages_of(many(40), 20)[0]])
    assert left_open(source) == LOST
    assert len(source.messages) == 20


@pytest.mark.parametrize(
    ("seen", "is_open"),
    [
        (SeenPage([], continues=False), False),
        (SeenPage([], continues=None), False),
        (SeenPage([], continues=True), True),
        (SeenPage([], continues=True, live=True), False),
    ],
)
def test_an_empty_list_is_open_only_where_it_says_so_itself(seen: SeenPage, is_open: bool) -> None:
    assert is_left_open([], [seen], []) == is_open


@pytest.mark.parametrize("said", [True, "true", "True", 1])
def test_however_it_is_written(said: object) -> None:
    assert left_open(imports([listed(*many(3), has_more=said)])) == LOST


@pytest.mark.parametrize("said", [False, None, "false", "False", "", 0])
def test_a_page_that_does_not_go_on_is_whole(said: object) -> None:
    assert left_open(imports([listed(*many(3), has_more=said)])) == []


def test_the_same_page_twice_is_named_once() -> None:
    first = pages_of(many(40), 20)[0]
    assert left_open(imports([first, first], [first])) == LOST


def test_a_page_that_goes_on_beside_the_whole_list_lacks_nothing() -> None:
    for newest_first in (True, False):
        part = pages_of(many(40), 20, newest_first=newest_first)[0]
        for files in itertools.permutations([[part], [listed(*many(40), has_more=False)]]):
            assert left_open(imports(*files)) == []


def test_a_page_that_goes_on_beside_the_same_messages_as_lines_lacks_nothing() -> None:
    part = pages_of(many(40), 20)[0]
    for files in itertools.permutations([[part], many(40)]):
        assert left_open(imports(*files)) == []


def test_one_older_message_from_elsewhere_does_not_continue_a_page() -> None:
    part = pages_of(many(40), 20)[0]
    assert left_open(imports([part], many(1))) == LOST


def test_overlapping_pages_continue_each_other() -> None:
    told = many(30)[::-1]
    newer, older = listed(*told[:20], has_more=True), listed(*told[15:], has_more=False)
    for files in itertools.permutations([[newer], [older]]):
        assert left_open(imports(*files)) == []


def test_a_page_continued_in_the_wrong_direction_is_named() -> None:
    """The newest page goes on to older ones; that newer ones were imported later does not help."""
    newest = listed(*many(20, 20)[::-1], has_more=True)
    later = listed(*many(5, 40)[::-1], has_more=True)
    assert left_open(imports([newest], [later])) == LOST


def test_pages_newest_first_and_oldest_first_may_be_mixed() -> None:
    oldest = listed(*many(20), has_more=True)
    newest = listed(*many(20, 20)[::-1], has_more=True)
    for files in itertools.permutations([[oldest], [newest]]):
        assert left_open(imports(*files)) == []


def test_an_empty_page_that_goes_on_is_named_where_nothing_else_is_there() -> None:
    bundle = {"thread": {"id": "thread_1", "object": "thread"}, "messages": listed(has_more=True)}
    assert left_open(imports([bundle])) == LOST
    assert left_open(imports([bundle], [listed(*many(3), has_more=False)])) == []


def test_an_empty_last_page_ends_the_list() -> None:
    """Servers that count before they look say that a full page goes on."""
    first = pages_of(many(40), 20)[0]
    assert left_open(imports([first, listed(first_id=None, last_id=None, has_more=False)])) == []
    assert left_open(imports([first, listed(has_more=True)])) == LOST


def test_a_list_inside_a_bundle_counts() -> None:
    page_of = pages_of(many(40), 20)[0]
    assert left_open(imports([{"thread_id": "thread_1", "messages": page_of}])) == LOST
    assert left_open(imports([{"thread_id": "thread_1", "messages": many(20), "has_more": True}])) == LOST
    assert left_open(imports([{"id": "thread_1", "object": "thread", "messages": page_of}])) == LOST


def test_a_transcript_that_says_it_goes_on_is_named() -> None:
    said = [{"role": "user", "content": "hello"}]
    line = {"thread_id": "thread_1", "messages": said, "has_more": True}
    assert left_open(assembled(page(line, kind="transcript", order="asc"))) == LOST


def test_runs_that_go_on_are_named() -> None:
    runs = [run(f"run_{number}", 100 + number) for number in range(4)]
    assert left_open(imports([listed(*runs[:1:-1], has_more=True)])) == [
        ("lossy", "thread", "thread_1", "runs")
    ]
    assert left_open(imports(pages_of(runs, 2))) == []


def test_steps_that_go_on_are_named_at_their_run() -> None:
    steps = [calls(f"s{number}", 100 + number) for number in range(4)]
    others = [calls(f"t{number}", 100 + number, "run_2") for number in range(4)]
    source = imports([pages_of(steps, 2)[0], *pages_of(others, 2), run("run_1", 1), run("run_2", 2)])
    assert left_open(source) == [("lossy", "run", "run_1", "steps")]
    assert left_open(imports([*pages_of(steps, 2)], pages_of(others, 2))) == []


def test_steps_by_run_may_be_pages() -> None:
    steps = [calls(f"s{number}", 100 + number) for number in range(4)]
    bundle = {"thread_id": "thread_1", "messages": [], "run_steps": {"run_1": pages_of(steps, 2)[0]}}
    assert left_open(imports([bundle])) == [("lossy", "run", "run_1", "steps")]


def test_what_the_console_read_itself_is_whole() -> None:
    """A last page that is empty, or that brings nothing new, is not stored."""
    first = pages_of(many(40), 20, newest_first=False)[0]
    assert left_open(assembled(page(first, kind="live", origin="live-1", order="asc"))) == []


def test_what_the_console_read_itself_continues_what_was_imported() -> None:
    imported, *_others = pages_of(many(40), 20)
    live = page(listed(*many(40), has_more=False), kind="live", origin="live-1", order="asc")
    assert left_open(assembled(page(imported), live)) == []


@settings(max_examples=150, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    limit=st.integers(1, 5),
    newest_first=st.booleans(),
    missing=st.integers(0, 3),
    order=st.randoms(use_true_random=False),
    split=st.integers(1, 4),
    kind=st.sampled_from(["message", "run", "step"]),
)
@example(seconds=[5] * 6, limit=2, newest_first=True, missing=0, order=None, split=1, kind="message")
@example(seconds=[1, 2, 3], limit=1, newest_first=True, missing=1, order=None, split=1, kind="message")
def test_it_is_named_if_and_only_if_the_last_page_is_missing(
    *, seconds: list[int], limit: int, newest_first: bool, missing: int, order: Any, split: int, kind: str
) -> None:
    """Pages of any size, newest or oldest first, in any order of files and imports."""
    make = {"message": message, "run": run, "step": calls}[kind]
    told = [make(f"{kind}_{place}", 100 + second) for place, second in enumerate(sorted(seconds))]
    whole = pages_of(told, limit, newest_first=newest_first)
    kept = whole[: max(1, len(whole) - missing)]
    if order is not None:
        order.shuffle(kept)
    files = [kept[number::split] for number in range(split)]
    source = imports(*[file for file in files if file])
    assert bool(left_open(source)) == (len(kept) < len(whole))


@settings(max_examples=100, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 30), min_size=2, max_size=12, unique=True),
    limit=st.integers(1, 5),
    newest_first=st.booleans(),
)
def test_a_whole_export_leaves_no_finding_at_all(seconds: list[int], limit: int, newest_first: bool) -> None:
    told = [message(f"m{place}", 100 + second) for place, second in enumerate(sorted(seconds))]
    for files in ([pages_of(told, limit, newest_first=newest_first)], pages_of(told, limit)):
        source = imports(*[file if isinstance(file, list) else [file] for file in files])
        assert codes(source) == []


def test_answers_asked_for_by_run_leave_room_between_them() -> None:
    """A list of one run's messages is no piece of the whole list: other messages may stand between its own."""
    of_run = listed(answer("a2", 6, "run_1"), answer("a1", 5, "run_1"), has_more=False)
    source = imports([of_run], [message("q", 5)], [message("later", 6)])
    assert "message_order_uncertain" in codes(source)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from migration_app.models import ReviewCase, Thread
from migration_app.review import queue
from migration_app.review.queue import (
    NOBODY,
    QueueFilter,
    case_after,
    case_place,
    queue_groups,
    queue_selection,
)
from migration_app.threads.selections import selection_threads
from tests.migration_app.admin.estate import assistant_made, batch_made, thread_made
from tests.migration_app.review.conftest import InReview

pytestmark = pytest.mark.django_db


def shown(chosen: QueueFilter) -> dict[str, tuple[int, int | None]]:
    return {group.reason.code: (group.count, group.in_work) for group in queue_groups(chosen)}


def test_threads_are_grouped_by_reason_with_the_age_of_the_oldest(in_review: InReview) -> None:
    oldest = in_review("difference", hours=5)
    in_review("difference", hours=1)
    in_review("source_grown")
    thread_made(status="failed", error_code="difference")
    groups = queue_groups(QueueFilter())
    assert [(group.reason.code, group.count, group.reason.section) for group in groups] == [
        ("difference", 2, "differences"),
        ("source_grown", 1, "grown"),
    ]
    assert groups[0].oldest == oldest.entered_at


def test_what_is_decided_no_longer_waits_but_is_counted_as_in_work(in_review: InReview) -> None:
    decided = in_review("difference")
    in_review("difference")
    Thread.objects.filter(pk=decided.pk).update(pending_work="accept", batch=batch_made())
    assert shown(QueueFilter()) == {"difference": (1, 1)}


def test_the_queue_is_narrowed_by_assistant_batch_user_and_person(
    in_review: InReview, reviewer: Callable[[str], User]
) -> None:
    bea = reviewer("bea")
    assistant, batch = assistant_made(), batch_made()
    in_review("difference", assistant=assistant)
    in_review("difference", batch=batch)
    in_review("difference", user_ref="u1")
    mine = in_review("source_grown", user_ref="u1")
    ReviewCase.objects.filter(pk=mine.pk).update(person=bea)
    assert shown(QueueFilter(assistant=assistant.pk)) == {"difference": (1, None)}
    assert shown(QueueFilter(batch=batch.pk)) == {"difference": (1, 0)}
    assert shown(QueueFilter(user="u1")) == {"difference": (1, None), "source_grown": (1, None)}
    assert shown(QueueFilter(who=str(bea.pk))) == {"source_grown": (1, None)}
    assert shown(QueueFilter(who=NOBODY)) == {"difference": (3, None)}
    assert shown(QueueFilter(code="difference", user="u1")) == {"difference": (1, None)}


def test_counts_that_the_counters_do_not_know_are_bounded(
    in_review: InReview, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "COUNTED_UP_TO", 2)
    for _ in range(4):
        in_review("difference", user_ref="u1")
    [group] = queue_groups(QueueFilter(user="u1"))
    assert (group.count, group.is_more, group.count_text) == (2, True, "more than 2")


def test_the_groups_take_the_same_queries_for_many_threads_and_reasons(
    in_review: InReview, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for code in ("difference", "source_grown", "not_deleted", "rate_limited", ""):
        for _ in range(4):
            in_review(code)
    with django_assert_max_num_queries(2):
        assert len(queue_groups(QueueFilter())) == 5


def test_a_thread_has_its_place_among_those_of_its_group_oldest_first(in_review: InReview) -> None:
    third, first, second = (in_review("difference", hours=hours) for hours in (1, 5, 3))
    in_review("source_grown", hours=2)
    chosen = QueueFilter(code="difference")
    place = case_place(second, chosen)
    assert (place.previous, place.following, place.number, place.total) == (first.pk, third.pk, 2, "3")
    assert case_place(first, chosen).previous is None
    assert case_place(third, chosen).following is None


def test_threads_of_the_same_moment_are_in_the_order_of_their_keys(in_review: InReview) -> None:
    cases = [in_review("difference") for _ in range(3)]
    ReviewCase.objects.update(entered_at=cases[0].entered_at)
    first, second, third = (ReviewCase.objects.get(pk=case.pk) for case in cases)
    chosen = QueueFilter(code="difference")
    assert [case_place(case, chosen).number for case in (first, second, third)] == [1, 2, 3]
    assert case_after(second, chosen) == third.pk


def test_after_the_last_one_come_those_that_were_skipped(in_review: InReview) -> None:
    first, last = in_review("difference", hours=2), in_review("difference", hours=1)
    chosen = QueueFilter(code="difference")
    assert case_after(last, chosen) == first.pk
    Thread.objects.filter(pk=first.pk).update(status="excluded")
    assert case_after(last, chosen) is None


def test_a_decision_about_a_group_is_a_selection_of_the_same_threads(
    in_review: InReview, reviewer: Callable[[str], User], monkeypatch: pytest.MonkeyPatch
) -> None:
    bea = reviewer("bea")
    mine, also_mine = (in_review("difference", user_ref="u1", hours=hours) for hours in (2, 1))
    in_review("source_grown", user_ref="u1")
    ReviewCase.objects.filter(code="difference").update(person=bea)
    selection, is_cut = queue_selection(QueueFilter(code="difference", user="u1"))
    assert set(selection_threads(selection)) == {mine.thread, also_mine.thread}
    assert not is_cut
    monkeypatch.setattr(queue, "MOST_ASSIGNED", 1)
    assert queue_selection(QueueFilter(code="difference", who=str(bea.pk))) == ({"ids": [mine.pk]}, True)

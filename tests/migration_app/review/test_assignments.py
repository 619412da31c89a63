from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection

from migration_app.contracts import Actor
from migration_app.models import AuditEvent, ReviewCase, Thread
from migration_app.review.assignments import (
    AssignmentRefusedError,
    case_assign,
    case_release,
    group_take,
    reviewers,
)
from migration_app.review.queue import QueueFilter
from tests.migration_app.admin.estate import batch_made
from tests.migration_app.review.conftest import InReview

ADA = Actor("ada")
Reviewer = Callable[..., User]


@pytest.mark.django_db
def test_only_people_who_may_decide_can_be_assigned(in_review: InReview, reviewer: Reviewer) -> None:
    bea, viewer = reviewer("bea"), reviewer("vic", "viewer")
    case = in_review()
    assert list(reviewers()) == [bea]
    with pytest.raises(AssignmentRefusedError, match="vic may not decide"):
        case_assign(thread_pk=case.pk, person=viewer, seen=None, actor=ADA)
    case_assign(thread_pk=case.pk, person=bea, seen=None, actor=ADA)
    assert ReviewCase.objects.get().person == bea


@pytest.mark.django_db
def test_each_assignment_is_audited_with_who_had_it_before(in_review: InReview, reviewer: Reviewer) -> None:
    bea, cid, case = reviewer("bea"), reviewer("cid"), in_review()
    case_assign(thread_pk=case.pk, person=bea, seen=None, actor=ADA)
    case_assign(thread_pk=case.pk, person=cid, seen=bea.pk, actor=ADA)
    case_release(thread_pk=case.pk, seen=cid.pk, actor=ADA)
    assert ReviewCase.objects.get().person is None
    assert list(AuditEvent.objects.order_by("id").values_list("verb", "before", "after")) == [
        ("thread.review_assigned", "", "bea"),
        ("thread.review_assigned", "bea", "cid"),
        ("thread.review_released", "cid", ""),
    ]


@pytest.mark.django_db
def test_who_saw_another_assignment_changes_nothing(in_review: InReview, reviewer: Reviewer) -> None:
    bea, cid, case = reviewer("bea"), reviewer("cid"), in_review()
    case_assign(thread_pk=case.pk, person=bea, seen=None, actor=ADA)
    with pytest.raises(AssignmentRefusedError, match="bea has the thread since"):
        case_assign(thread_pk=case.pk, person=cid, seen=None, actor=ADA)
    assert ReviewCase.objects.get().person == bea


@pytest.mark.django_db
def test_what_is_decided_or_gone_is_not_assigned(in_review: InReview, reviewer: Reviewer) -> None:
    bea, decided, gone = reviewer("bea"), in_review(), in_review()
    Thread.objects.filter(pk=decided.pk).update(pending_work="accept", batch=batch_made())
    Thread.objects.filter(pk=gone.pk).update(status="excluded")
    for case, why in ((decided, "has decided"), (gone, "has left review")):
        with pytest.raises(AssignmentRefusedError, match=why):
            case_assign(thread_pk=case.pk, person=bea, seen=None, actor=ADA)


@pytest.mark.django_db
def test_the_oldest_that_nobody_has_are_taken_first(in_review: InReview, reviewer: Reviewer) -> None:
    bea, cid = reviewer("bea"), reviewer("cid")
    cases = [in_review("difference", hours=hours) for hours in (1, 4, 3, 2)]
    case_assign(thread_pk=cases[1].pk, person=cid, seen=None, actor=ADA)
    assert group_take(QueueFilter(code="difference"), person=bea, actor=ADA, count=2) == 2
    mine = ReviewCase.objects.filter(person=bea).values_list("pk", flat=True)
    assert set(mine) == {cases[2].pk, cases[3].pk}
    assert AuditEvent.objects.filter(verb="thread.review_assigned", after="bea").count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_people_who_take_at_once_get_different_threads(in_review: InReview, reviewer: Reviewer) -> None:
    people = [reviewer("bea"), reviewer("cid")]
    for _ in range(6):
        in_review("difference")
    taken: dict[str, int] = {}
    start = threading.Barrier(2)

    def take(person: User) -> None:
        try:
            start.wait(10)
            taken[person.username] = group_take(
                QueueFilter(code="difference"), person=person, actor=Actor(person.username), count=4
            )
        finally:
            connection.close()

    threads = [threading.Thread(target=take, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for person in people:
        assert ReviewCase.objects.filter(person=person).count() == taken[person.username]
    assert sum(taken.values()) == ReviewCase.objects.filter(person__isnull=False).count()

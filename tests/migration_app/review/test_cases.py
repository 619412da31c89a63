"""The rows of the queue, as the trigger keeps them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from migration_app.contracts import Actor
from migration_app.models import ReviewCase, ReviewReading, Thread
from migration_app.threads.statuses import thread_transition
from tests.migration_app.admin.estate import batch_made, thread_made
from tests.migration_app.review.conftest import InReview

pytestmark = pytest.mark.django_db
ADA = Actor("ada")


def test_a_thread_that_enters_review_is_in_the_queue_since_then() -> None:
    thread = thread_made(status="verified")
    assert not ReviewCase.objects.exists()
    thread_transition(
        thread=thread,
        to="needs_review",
        actor=ADA,
        verb="thread.needs_review",
        fields={"error_code": "difference"},
    )
    case = ReviewCase.objects.get()
    assert (case.pk, case.code, case.pending_work, case.person) == (thread.pk, "difference", "", None)
    assert case.entered_at is not None


def test_what_the_queue_repeats_of_the_thread_follows_it_and_its_age_stays(in_review: InReview) -> None:
    case = in_review("difference", hours=3)
    batch = batch_made()
    Thread.objects.filter(pk=case.pk).update(
        error_code="conversation_missing", batch=batch, pending_work="verify", user_ref="u7"
    )
    found = ReviewCase.objects.get()
    assert (found.code, found.batch_id, found.pending_work, found.user_ref) == (
        "conversation_missing",
        batch.pk,
        "verify",
        "u7",
    )
    assert found.entered_at == case.entered_at


@pytest.mark.parametrize("to", ["verified", "queued", "excluded", "rolled_back"])
def test_a_thread_that_leaves_review_takes_its_reading_along(to: str, in_review: InReview) -> None:
    case, other = in_review(), in_review()
    for pk in (case.pk, other.pk):
        ReviewReading.objects.create(thread_id=pk, state="finished", payload=b"x", read_at=Now())
    batch = batch_made()
    pending = {"pending_work": "backfill", "batch": batch} if to == "queued" else {}
    Thread.objects.filter(pk=case.pk).update(status=to, **pending)
    assert list(ReviewCase.objects.values_list("pk", flat=True)) == [other.pk]
    assert list(ReviewReading.objects.values_list("pk", flat=True)) == [other.pk]


@pytest.mark.parametrize(
    ("work", "stays"),
    [("verify", True), ("resources", True), ("accept", False), ("remigrate", False), ("rollback", False)],
)
def test_work_that_decides_ends_the_assignment(
    work: str, stays: bool, in_review: InReview, reviewer: Callable[[str], User]
) -> None:
    case = in_review()
    ReviewCase.objects.update(person=reviewer("bea"), assigned_at=Now())
    Thread.objects.filter(pk=case.pk).update(pending_work=work, batch=batch_made())
    found = ReviewCase.objects.get()
    assert (found.person is not None, found.assigned_at is not None) == (stays, stays)


def test_threads_that_are_not_in_review_have_no_row() -> None:
    thread = thread_made(status="snapshotted")
    Thread.objects.filter(pk=thread.pk).update(status="blocked", error_code="blocked_by_findings")
    assert not ReviewCase.objects.exists()

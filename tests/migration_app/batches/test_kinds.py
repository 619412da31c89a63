"""Which threads the decisions about them take, and why they leave the others out."""

from __future__ import annotations

import pytest
from django.utils import timezone

from migration_app.batches.kinds import BATCH_KINDS, batch_eligible
from migration_app.models import Conversation, Thread

pytestmark = pytest.mark.django_db
S = Thread.Status


def thread(status: str, state: str = "", code: str = "") -> Thread:
    made = Thread.objects.create(
        thread_id=f"thread_{Thread.objects.count()}",
        status=status,
        error_code=code,
        snapshot_at=timezone.now(),
    )
    if state:
        Conversation.objects.create(
            thread=made,
            state=state,
            conversation_id="" if state == "creating" else f"conv_{made.pk}",
            intended_at=timezone.now(),
            verified_at=timezone.now(),
            mapped_at=timezone.now(),
        )
    return made


def taken(kind: str) -> bool:
    return batch_eligible(kind, Thread.objects.all()).exists()


@pytest.mark.parametrize(
    ("status", "state", "expected"),
    [
        (S.VERIFIED, "verified", True),
        (S.BACKFILLED, "complete", True),
        (S.NEEDS_REVIEW, "", True),
        (S.NEEDS_REVIEW, "deleting", True),
        (S.SNAPSHOTTED, "open", True),
        (S.FAILED, "open", True),
        (S.BLOCKED, "open", True),
        (S.FAILED, "creating", True),
        (S.SNAPSHOTTED, "", False),
        (S.FAILED, "", False),
        (S.BLOCKED, "", False),
        (S.REGISTERED, "", False),
        (S.EXCLUDED, "complete", False),
        (S.ROLLED_BACK, "", False),
    ],
)
def test_rolling_back_takes_what_has_or_may_have_a_conversation(
    status: str, state: str, expected: bool
) -> None:
    thread(status, state)
    assert taken("rollback") == expected


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        ("complete", "conversation_continued", True),
        ("open", "difference", True),
        ("verified", "plan_changed", True),
        ("verified", "accepted_source_grown", True),
        ("complete", "source_grown", False),
        ("deleting", "rollback_begun", False),
        ("deleting", "conversation_continued", False),
        ("creating", "difference", False),
        ("complete", "timeout", True),
    ],
)
def test_keeping_takes_threads_in_review_whose_conversation_can_be_kept(
    state: str, code: str, expected: bool
) -> None:
    thread(S.NEEDS_REVIEW, state, code)
    assert taken("accept") == expected


@pytest.mark.parametrize(
    ("status", "state", "expected"),
    [
        (S.NEEDS_REVIEW, "complete", True),
        (S.NEEDS_REVIEW, "deleting", True),
        (S.NEEDS_REVIEW, "", False),
        (S.NEEDS_REVIEW, "creating", False),
        (S.VERIFIED, "verified", False),
    ],
)
def test_beginning_anew_takes_threads_in_review_that_have_a_conversation_to_leave(
    status: str, state: str, expected: bool
) -> None:
    thread(status, state)
    assert taken("remigrate") == expected


@pytest.mark.parametrize("kind", ["rollback", "accept", "remigrate"])
@pytest.mark.parametrize("status", S.values)
def test_what_is_left_out_has_a_reason(kind: str, status: str) -> None:
    assert BATCH_KINDS[kind].skip_reason(status).endswith(".")


def test_a_source_that_grew_behind_a_kept_conversation_is_not_backfilled_by_itself() -> None:
    thread(S.NEEDS_REVIEW, "verified", "accepted_source_grown")
    assert not taken("backfill")

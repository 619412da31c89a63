from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from migration_app.contracts import Actor
from migration_app.models import AuditEvent, Conversation, Discrepancy, Reconciliation, Thread
from migration_app.reconciliation.kinds import KINDS
from migration_app.reconciliation.records import reconciliation_create
from migration_app.reconciliation.review import review_ask, review_count, review_send
from tests.factories import BatchFactory, ConversationFactory, ThreadFactory

pytestmark = pytest.mark.django_db
ADA, WORKER = Actor("ada"), Actor("a worker", job_id="job-1")


@pytest.fixture
def row() -> Reconciliation:
    made = reconciliation_create(sample_size=None, actor=ADA)
    Reconciliation.objects.filter(pk=made.pk).update(state="finished")
    made.refresh_from_db()
    return made


def discrepancy(row: Reconciliation, code: str = "conversation_missing", **fields: object) -> Thread:
    thread: Thread = ThreadFactory.create(**{"status": "verified", **fields})
    ConversationFactory.create(
        thread=thread, state="verified", verified_at=timezone.now() - dt.timedelta(days=1)
    )
    Discrepancy.objects.create(
        reconciliation=row, check_name="target", code=code, severity="error", thread=thread, found="404"
    )
    return thread


def send(row: Reconciliation) -> int | None:
    assert review_ask(pk=row.pk, reason="told by ops", actor=ADA)
    return review_send(pk=row.pk, actor=WORKER)


@pytest.mark.parametrize(
    ("code", "error_code"),
    [
        ("conversation_missing", "conversation_missing"),
        ("difference", "difference"),
        ("item_id_twice", "difference"),
    ],
)
def test_a_thread_that_differs_goes_to_review_in_the_name_of_who_asked(
    code: str, error_code: str, row: Reconciliation
) -> None:
    thread = discrepancy(row, code)
    assert send(row) == 1
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == ("needs_review", error_code)
    assert thread.error_text.startswith(f"Reconciliation {row.pk}: ")
    assert Conversation.objects.get().state == "complete"
    event = AuditEvent.objects.get(verb="thread.needs_review")
    assert (event.actor, event.job_id, event.before) == ("ada", "job-1", "verified")
    assert "told by ops" in event.reason


def test_what_is_only_information_stays_as_it_is(row: Reconciliation) -> None:
    thread = discrepancy(row, "continued")
    assert review_count(row) == 0
    assert send(row) == 0
    thread.refresh_from_db()
    assert thread.status == "verified"


def test_a_thread_that_was_verified_again_meanwhile_stays_verified(row: Reconciliation) -> None:
    thread = discrepancy(row)
    Conversation.objects.update(verified_at=timezone.now() + dt.timedelta(seconds=1))
    assert send(row) == 0
    thread.refresh_from_db()
    assert thread.status == "verified"


def test_a_thread_that_a_batch_has_is_left_to_it(row: Reconciliation) -> None:
    thread = discrepancy(row, pending_work="verify", batch=BatchFactory.create())
    assert send(row) == 0
    thread.refresh_from_db()
    assert thread.status == "verified"


def test_it_is_asked_for_once_and_sending_twice_changes_nothing(row: Reconciliation) -> None:
    discrepancy(row)
    assert send(row) == 1
    assert not review_ask(pk=row.pk, reason="", actor=ADA)
    assert review_send(pk=row.pk, actor=WORKER) is None
    assert AuditEvent.objects.filter(verb="thread.needs_review").count() == 1


def test_an_unfinished_reconciliation_sends_nobody(row: Reconciliation) -> None:
    Reconciliation.objects.update(state="running")
    assert not review_ask(pk=row.pk, reason="", actor=ADA)


def test_nothing_is_sent_that_nobody_asked_for(row: Reconciliation) -> None:
    thread = discrepancy(row)
    assert review_send(pk=row.pk, actor=WORKER) is None
    thread.refresh_from_db()
    assert thread.status == "verified"


def test_what_may_mislead_an_application_can_be_sent_to_review() -> None:
    assert {code for code, kind in KINDS.items() if kind.reviewable} >= {
        *("conversation_missing", "difference", "items_twice", "item_id_twice", "metadata_differs"),
    }
    assert not KINDS["continued"].reviewable

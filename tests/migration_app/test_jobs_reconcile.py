"""Reconciliations as jobs, on a real Valkey, run by RQ's SimpleWorker in this process."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from migration_app import jobs
from migration_app.models import AuditEvent, Reconciliation
from migration_app.reconciliation.records import reconciliation_create
from migration_app.reconciliation.review import review_ask
from migration_app.reconciliation.tasks import RECONCILIATION_TASK
from tests.factories import BatchFactory
from tests.migration_app.copied import ACTOR, copied_thread, delete_conversation
from tests.sandbox import RunningSandbox
from tests.workers import work_off

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("queue")]


def asked() -> Reconciliation:
    row = reconciliation_create(checks=["records", "target"], sample_size=None, actor=ACTOR)
    jobs.enqueue(RECONCILIATION_TASK, row.pk)
    return row


def test_a_reconciliation_goes_through_the_queue_in_the_name_of_who_asked(
    queue: Any, sandbox: RunningSandbox
) -> None:
    delete_conversation(sandbox, copied_thread())
    row = asked()
    work_off(queue)
    row.refresh_from_db()
    assert (row.state, row.discrepancies.get().code) == ("finished", "conversation_missing")
    event = AuditEvent.objects.get(verb="reconciliation.finished")
    assert (event.actor, event.reason) == ("ada", "error: 1, warning: 0, information: 0; 2 rows checked")
    assert event.job_id.startswith(f"reconcile-{row.pk}-")


def test_one_that_the_queue_lost_is_found_in_the_database(queue: Any) -> None:
    row = asked()
    queue.connection.flushdb()
    jobs.sweep()
    jobs.sweep()
    assert len(queue.job_ids) == 1
    work_off(queue)
    row.refresh_from_db()
    assert row.state == "finished"
    jobs.sweep()
    assert queue.job_ids == []


def test_one_whose_worker_died_is_gone_on_with(queue: Any) -> None:
    row = asked()
    queue.connection.flushdb()
    Reconciliation.objects.update(state="running", heartbeat_at=timezone.now() - dt.timedelta(hours=1))
    jobs.sweep()
    work_off(queue)
    row.refresh_from_db()
    assert row.state == "finished"


def test_a_turn_that_ends_early_is_followed_by_another(queue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    copied_thread()
    row = asked()
    queue.enqueue("builtins.len", [], job_id="batch-7-x")
    monkeypatch.setattr(jobs, "_TURN_SECONDS", -1.0)
    jobs.task_job("reconcile", row.pk)
    row.refresh_from_db()
    assert row.state == "queued"
    monkeypatch.undo()
    jobs.sweep()
    assert {job_id.split("-")[0] for job_id in queue.job_ids} == {"batch", "reconcile"}


def test_a_turn_whose_time_is_up_continues_while_no_other_work_waits(
    queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied_thread()
    row = asked()
    monkeypatch.setattr(jobs, "_TURN_SECONDS", -1.0)
    jobs.task_job("reconcile", row.pk)
    row.refresh_from_db()
    assert row.state == "finished"


def test_it_makes_room_for_urgent_work_and_goes_on_behind_it(queue: Any) -> None:
    for number in range(3):
        copied_thread(f"thread_{number}", messages=1)
    row = reconciliation_create(checks=["target"], sample_size=None, window=1, actor=ACTOR)
    Reconciliation.objects.filter(pk=row.pk).update(sample_size=8)
    BatchFactory.create(urgent=True, state="preparing")
    jobs.task_job("reconcile", row.pk)
    row.refresh_from_db()
    assert (row.state, row.cursor) == ("queued", 4)
    assert [job_id.split("-")[0] for job_id in queue.job_ids] == ["reconcile"]


def test_threads_are_sent_to_review_by_a_job_when_somebody_asked_for_it(
    queue: Any, sandbox: RunningSandbox
) -> None:
    thread = copied_thread()
    delete_conversation(sandbox, thread)
    row = asked()
    work_off(queue)
    thread.refresh_from_db()
    assert thread.status == "verified"
    review_ask(pk=row.pk, reason="told by ops", actor=ACTOR)
    jobs.sweep()
    work_off(queue)
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == ("needs_review", "conversation_missing")
    jobs.sweep()
    assert queue.job_ids == []


def test_the_sweep_begins_the_regular_one(queue: Any, settings: Settings) -> None:
    jobs.sweep()
    assert not Reconciliation.objects.exists()
    settings.RECONCILE_EVERY_HOURS = 24
    jobs.sweep()
    jobs.sweep()
    work_off(queue)
    row = Reconciliation.objects.get()
    assert (row.scheduled, row.state, row.sample_size) == (True, "finished", 1_000)
    assert row.created_by_name.startswith("worker on ")


def test_a_fault_of_the_console_ends_it_instead_of_repeating_it(
    queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_AFTER_BUG_SECONDS", 0.0)

    def broken(_pks: object) -> None:
        raise RuntimeError("a row with private words")

    monkeypatch.setattr("migration_app.reconciliation.work.records_check", broken)
    copied_thread()
    row = asked()
    work_off(queue)
    row.refresh_from_db()
    assert row.state == "failed"
    assert row.error_text.startswith("A fault of the console (RuntimeError)")
    assert "private words" not in row.error_text


def test_one_that_is_gone_is_no_error(queue: Any) -> None:
    jobs.task_job("reconcile", 987654)

"""Try-outs as jobs, on a real Valkey, run by RQ's SimpleWorker in this process."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app import jobs
from migration_app.models import AuditEvent, Trial
from migration_app.trials.tasks import TRIAL_TASK
from tests.migration_app.trials.estate import nothing_left, plain_thread, trial_made
from tests.sandbox import RunningSandbox
from tests.workers import work_off

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("queue")]


def test_one_goes_through_the_queue_in_the_name_of_who_asked(queue: Any, sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread())
    jobs.enqueue(TRIAL_TASK, trial.pk)
    work_off(queue)
    trial.refresh_from_db()
    assert (trial.state, nothing_left(sandbox)) == ("finished", True)
    event = AuditEvent.objects.get(verb="trial.finished")
    assert event.actor == "ada"
    assert event.job_id.startswith(f"trial-{trial.pk}-")


@pytest.mark.parametrize("state", ["queued", "stopping"])
def test_one_that_the_queue_lost_is_found_in_the_database(state: str, queue: Any) -> None:
    trial = trial_made(plain_thread())
    Trial.objects.update(state=state)
    jobs.sweep()
    jobs.sweep()
    assert len(queue.job_ids) == 1
    work_off(queue)
    trial.refresh_from_db()
    assert trial.state == ("finished" if state == "queued" else "stopped")
    jobs.sweep()
    assert queue.job_ids == []


def test_a_job_too_many_finds_nothing_to_take(queue: Any, sandbox: RunningSandbox) -> None:
    trial = trial_made(plain_thread())
    jobs.task_job("trial", trial.pk)
    before = len(sandbox.control.requests())
    jobs.task_job("trial", trial.pk)
    assert len(sandbox.control.requests()) == before

"""Readiness checks as jobs, on a real Valkey, run by RQ's SimpleWorker in this process."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from migration_app import jobs
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, ReadinessCheck, TargetModel
from migration_app.readiness.checks import CHECKS, check_request
from migration_app.readiness.tasks import READINESS_TASK
from tests.workers import work_off

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("queue")]


def test_both_checks_go_through_the_queue_in_the_name_of_who_asked(queue: Any) -> None:
    for kind in ("target", "calls"):
        check_request(kind=kind, actor=Actor("ada"))
        jobs.enqueue(READINESS_TASK)
    work_off(queue)
    assert set(ReadinessCheck.objects.values_list("state", flat=True)) == {"finished"}
    assert TargetModel.objects.filter(model_id="gpt-4o").exists()
    events = AuditEvent.objects.filter(verb="readiness.looked")
    assert {event.actor for event in events} == {"ada"}
    assert all(event.job_id.startswith("readiness-0-") for event in events)


def test_one_whose_worker_is_gone_is_found_in_the_database(queue: Any) -> None:
    check_request(kind="target", actor=Actor("ada"))
    assert CHECKS.claim(ReadinessCheck.objects.get().pk) is not None
    jobs.sweep()
    assert len(queue) == 0
    ReadinessCheck.objects.update(heartbeat_at=timezone.now() - dt.timedelta(hours=1))
    jobs.sweep()
    work_off(queue)
    assert ReadinessCheck.objects.get().state == "finished"

from __future__ import annotations

import pytest

from migration_app import jobs
from migration_app.models import Batch
from migration_app.tasks.registry import task_kinds
from tests.factories import BatchFactory


def test_every_kind_stands_under_its_name() -> None:
    assert list(task_kinds()) == [
        "batch",
        "import",
        "conversions",
        "assistant_checks",
        "reconcile",
        "trial",
        "readiness",
        "reading",
        "given_up",
    ]
    for name, kind in task_kinds().items():
        assert kind.name == name
        assert "-" not in name, "a job's id is kind-number-time"


@pytest.mark.django_db
def test_on_a_fresh_database_nothing_waits_and_nobody_asked_for_anything() -> None:
    for kind in task_kinds().values():
        assert list(kind.waiting()) == []
        assert kind.acts_for(0) == ("", None)


@pytest.mark.django_db
def test_a_batch_is_worked_on_in_the_name_of_who_started_it_in_the_queue_of_its_priority() -> None:
    batch: Batch = BatchFactory.create(created_by_name="ada", urgent=True)
    kind = task_kinds()["batch"]
    assert kind.acts_for(batch.pk) == ("ada", None)
    assert kind.queue(batch.pk) == "urgent"
    assert kind.queue(987654) == "default"


@pytest.mark.parametrize(
    ("function", "arguments", "ours"),
    [
        ("migration_app.jobs.task_job", ["batch", 1], True),
        ("migration_app.jobs.task_job", ("trial", 0), True),
        ("migration_app.jobs.task_job", ["batch", True], False),
        ("migration_app.jobs.task_job", ["batch", "1"], False),
        ("migration_app.jobs.task_job", ["batch"], False),
        ("migration_app.jobs.task_job", [["batch"], 1], False),
        ("migration_app.jobs.task_job", ["weather", 1], False),
        ("migration_app.jobs.task_job", "b1", False),
        ("migration_app.jobs.task_job", None, False),
        ("migration_app.jobs.sweep", ["batch", 1], False),
    ],
)
def test_only_a_known_kind_with_a_number_is_a_job_of_ours(
    function: str, arguments: object, ours: bool
) -> None:
    assert jobs.is_task_job(function, arguments) is ours

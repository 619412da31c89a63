"""``manage.py batch``, and the speed that commands start a batch with."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import django_rq
import pytest
from django.core.management import CommandError, call_command

from migration_app.management import batches
from migration_app.models import AuditEvent, Batch
from tests.factories import BatchFactory, ThreadFactory
from tests.migration_app.admin.estate import result_made

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def queue() -> Iterator[Any]:
    found = django_rq.get_queue("default")
    found.connection.flushdb()
    yield found
    found.connection.flushdb()


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def batch_in(state: str, **fields: Any) -> Batch:
    batch: Batch = BatchFactory.create(state=state, **fields)
    return batch


@pytest.mark.parametrize(
    ("act", "before", "after"),
    [("pause", "running", "paused"), ("resume", "paused", "preparing"), ("cancel", "running", "cancelling")],
)
def test_an_act_is_done_in_the_name_of_the_command_line(act: str, before: str, after: str) -> None:
    batch = batch_in(before)
    run("batch", act, str(batch.pk), "--reason", "lunch")
    batch.refresh_from_db()
    assert batch.state == after
    event = AuditEvent.objects.get()
    assert event.actor.endswith(" (command line)")
    assert event.reason == "lunch"


def test_a_resumed_batch_is_put_into_the_queue(queue: Any) -> None:
    batch = batch_in("paused")
    run("batch", "resume", str(batch.pk))
    assert [job.args[1] for job in queue.jobs] == [batch.pk]


def test_a_batch_made_urgent_is_put_into_the_urgent_queue(queue: Any) -> None:
    batch = batch_in("running")
    run("batch", "change", str(batch.pk), "--urgent")
    assert [job.args[1] for job in django_rq.get_queue("urgent").jobs] == [batch.pk]
    assert queue.job_ids == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--window", "64"], (64, 600, True)),
        (["--rpm", "0"], (32, None, True)),
        (["--no-urgent", "--rpm", "60"], (32, 60, False)),
    ],
)
def test_a_change_leaves_alone_what_is_not_named(arguments: list[str], expected: tuple[Any, ...]) -> None:
    batch = batch_in("running", requests_per_minute=600, urgent=True)
    run("batch", "change", str(batch.pk), *arguments)
    batch.refresh_from_db()
    assert (batch.window, batch.requests_per_minute, batch.urgent) == expected


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["change"], "Say what to change"),
        (["change", "--window", "0"], "from 1 to 256"),
        (["change", "--rpm", "-1"], "from 1 to 1,000,000"),
        (["resume"], "is running, so it can't be resumed"),
        (["pause"], "--reason"),
    ],
)
def test_what_can_not_be_done_is_said(arguments: list[str], complaint: str) -> None:
    batch = batch_in("running")
    act, *rest = arguments
    with pytest.raises(CommandError, match=complaint):
        run("batch", act, str(batch.pk), *rest)
    batch.refresh_from_db()
    assert (batch.state, batch.window) == ("running", 32)


def test_the_list_tells_state_progress_and_why_a_batch_is_held() -> None:
    held = batch_in("paused", held_text="The key is refused.", requests_per_minute=600, taken_count=2)
    result_made(ThreadFactory.create(batch=held, status="verified"), "verified")
    ThreadFactory.create(batch=held, status="queued", pending_work="backfill")
    batch_in("finished")
    said = run("batch", "list")
    assert "1 of 2" in said
    assert "1 verified" in said
    assert "The key is refused." in said
    assert "finished" in said


def test_the_list_is_narrowed_by_state_and_number() -> None:
    for _ in range(3):
        batch_in("finished", created_by_name="ada")
    batch_in("running", created_by_name="grace")
    assert "grace" not in run("batch", "list", "--state", "finished")
    assert run("batch", "list", "--limit", "1").count("ada") == 0


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(CommandError, match="--limit"):
        run("batch", "list", "--limit", "0")


# --- starting and waiting -------------------------------------------------------------------------


def test_a_batch_is_started_at_the_speed_that_was_asked_for() -> None:
    ThreadFactory.create(status="snapshotted")
    run("backfill", "--all", "--window", "8", "--rpm", "60", "--urgent")
    batch = Batch.objects.get()
    assert (batch.window, batch.requests_per_minute, batch.urgent) == (8, 60, True)


def test_a_speed_that_cannot_be_starts_nothing() -> None:
    with pytest.raises(CommandError, match="from 1 to 256"):
        run("verify", "--all", "--window", "1000")
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("paused", "is paused. The key is refused. `manage.py batch resume"),
        ("cancelled", "is cancelled. The key is refused."),
        ("waiting", "waits for a second person"),
        ("failed", "failed: the filter is gone"),
    ],
)
def test_waiting_for_a_batch_ends_when_nobody_works_on_it(state: str, said: str) -> None:
    batch = batch_in(state, held_text="The key is refused.", error_text="the filter is gone")
    with pytest.raises(CommandError, match=said):
        batches.batch_wait(batch)


def test_workers_that_a_command_starts_serve_urgent_batches_first() -> None:
    assert batches._worker_command()[1:6] == ["-m", "console", "rqworker", "urgent", "default"]

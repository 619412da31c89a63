"""Jobs on a real Valkey, run by RQ's SimpleWorker in this process: forks would share no database connection."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import django_rq
import pytest
from django.core.management import call_command
from django.db import OperationalError, transaction
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import Worker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.worker import WorkerStatus

from console.sample import sample_path
from migration_app import jobs, silence
from migration_app import worker as worker_module
from migration_app.batches import batches
from migration_app.batches.batches import batch_create
from migration_app.batches.control import batch_cancel, batch_pause, batch_resume
from migration_app.contracts import Actor
from migration_app.engine import runner
from migration_app.engine import tasks as engine_tasks
from migration_app.engine.tasks import BATCH_TASK
from migration_app.imports import tasks as import_tasks
from migration_app.imports.imports import import_receive
from migration_app.imports.tasks import IMPORT_TASK
from migration_app.models import Assistant, AuditEvent, Batch, ImportPart, SourceImport, Thread
from migration_app.prompts.assistants import conversions_request
from migration_app.prompts.tasks import CONVERSIONS_TASK
from migration_app.tasks.turns import Turn
from migration_app.threads.selections import selection_of_filters
from tests import workers
from tests.migration_app.engine.conftest import (
    assert_conversation_holds_exactly_the_thread,
    claim,
    expire_leases,
    make_thread,
)
from tests.prepared import batch_prepare
from tests.sandbox import RunningSandbox
from tests.workers import worker_here

__all__ = ["make_thread"]  # a fixture, used by name
pytestmark = pytest.mark.django_db(transaction=True)
MakeThread = Callable[..., Thread]


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch, sandbox: RunningSandbox) -> Iterator[Any]:
    monkeypatch.setattr(runner, "_IDLE_SECONDS", 0.0)
    found = django_rq.get_queue("default")
    found.connection.flushdb()
    yield found
    found.connection.flushdb()


def urgent_queue() -> Any:
    return django_rq.get_queue("urgent")


def work_off(queue: Any) -> None:
    workers.work_off(urgent_queue(), queue)


def started(*, urgent: bool = False, kind: str = "backfill") -> Batch:
    batch = batch_create(
        kind=kind, selection=selection_of_filters({}), actor=Actor("ada"), reason="a test", urgent=urgent
    )
    jobs.enqueue(BATCH_TASK, batch.pk)
    return batch


def test_a_batch_goes_through_the_queue_to_verified(
    make_thread: MakeThread, queue: Any, sandbox: RunningSandbox
) -> None:
    threads = [make_thread(f"thread_{number}", messages=25) for number in range(3)]
    batch = started()
    work_off(queue)
    batch.refresh_from_db()
    assert batch.state == "finished"
    for thread in threads:
        assert_conversation_holds_exactly_the_thread(thread, sandbox)
        assert thread.status == "verified"


def test_jobs_carry_ids_and_nothing_else(make_thread: MakeThread, queue: Any) -> None:
    make_thread()
    batch = started()
    (job,) = queue.jobs
    assert (list(job.args), job.kwargs) == (["batch", batch.pk], {})


def test_nothing_is_enqueued_when_the_transaction_is_rolled_back(queue: Any) -> None:
    with transaction.atomic():
        started()
        transaction.set_rollback(True)
    assert queue.job_ids == []


def test_a_batch_is_not_enqueued_twice_while_its_job_waits(make_thread: MakeThread, queue: Any) -> None:
    make_thread()
    batch = started()
    jobs.enqueue(BATCH_TASK, batch.pk)
    assert len(queue.job_ids) == 1


def test_a_job_delivered_twice_sends_nothing_twice(
    make_thread: MakeThread, queue: Any, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    batch = started()
    jobs.task_job("batch", batch.pk)
    jobs.task_job("batch", batch.pk)
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert sandbox.control.state().conversations == 1


def test_jobs_that_the_queue_lost_are_found_again_in_the_database(
    make_thread: MakeThread, queue: Any, sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    started()
    queue.connection.flushdb()
    jobs.sweep()
    work_off(queue)
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_work_of_a_dead_worker_is_found_when_its_lease_has_run_out(
    make_thread: MakeThread, queue: Any
) -> None:
    thread = make_thread()
    batch = batch_create(
        kind="backfill", selection=selection_of_filters({}), actor=Actor("ada"), reason="a test"
    )
    batch_prepare(batch_pk=batch.pk, actor=Actor("ada"))
    claim(batch)
    jobs.sweep()
    assert queue.job_ids == []
    expire_leases()
    jobs.sweep()
    work_off(queue)
    thread.refresh_from_db()
    assert thread.status == "verified"


def test_a_batch_whose_last_worker_died_before_closing_it_is_closed(
    make_thread: MakeThread, queue: Any
) -> None:
    make_thread()
    batch = started()
    work_off(queue)
    Batch.objects.filter(pk=batch.pk).update(state="running", finished_at=None)
    jobs.sweep()
    batch.refresh_from_db()
    assert batch.state == "finished"


def test_what_waits_for_later_is_not_enqueued_before_its_time(make_thread: MakeThread, queue: Any) -> None:
    make_thread()
    batch = batch_create(
        kind="backfill", selection=selection_of_filters({}), actor=Actor("ada"), reason="a test"
    )
    batch_prepare(batch_pk=batch.pk, actor=Actor("ada"))
    Thread.objects.update(not_before=dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    jobs.sweep()
    assert queue.job_ids == []


def test_a_batch_that_is_gone_is_no_error(queue: Any) -> None:
    jobs.task_job("batch", 987654)


def test_a_queue_that_cant_be_reached_leaves_the_batch_in_the_database(
    make_thread: MakeThread, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_thread()

    def unreachable(*_args: object, **_kwargs: object) -> None:
        raise RedisConnectionError("down")

    with monkeypatch.context() as patched:
        patched.setattr(type(queue), "get_job_ids", unreachable)
        batch = started()
    assert queue.job_ids == []
    jobs.sweep()
    assert len(queue.job_ids) == 1
    assert Batch.objects.get(pk=batch.pk).state == "preparing"


def test_the_audit_trail_names_the_operator_and_the_job(make_thread: MakeThread, queue: Any) -> None:
    make_thread()
    batch = started()
    work_off(queue)
    event = AuditEvent.objects.get(verb="thread.verified")
    assert event.actor == "ada"
    assert event.job_id.startswith(f"batch-{batch.pk}-")


def test_assistants_that_were_asked_for_are_converted(queue: Any) -> None:
    call_command("import_archive", "tests/data/assistant.jsonl", stdout=io.StringIO(), stderr=io.StringIO())
    pks = list(Assistant.objects.values_list("pk", flat=True))
    assert conversions_request(assistant_pks=pks, actor=Actor("ada"), reason="a test") == 1
    jobs.enqueue(CONVERSIONS_TASK)
    work_off(queue)
    assistant = Assistant.objects.get()
    assert assistant.status == "converted"
    assert assistant.prompt.current_version is not None
    assert assistant.prompt.current_version.author_name == "ada"


def test_no_worker_alive_is_counted(queue: Any) -> None:
    assert jobs.workers_alive() == 0
    assert jobs.workers_missing().startswith("No worker is running")


def test_a_queue_that_can_not_be_reached_is_told_from_one_without_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def down(*_args: Any, **_kwargs: Any) -> None:
        raise RedisConnectionError("refused")

    with monkeypatch.context() as patched:
        patched.setattr(Redis, "execute_command", down)
        assert jobs.workers_alive() is None
        assert jobs.workers_missing().startswith("The queue's server can't be reached (REDIS_URL)")


def test_an_upload_is_read_by_a_worker(queue: Any) -> None:
    with sample_path("transcripts.jsonl").open("rb") as stream:
        source_import = import_receive(
            kind="transcripts", file_name="transcripts.jsonl", chunks=[stream.read()], actor=Actor("ada")
        )
    jobs.enqueue(IMPORT_TASK, source_import.pk)
    work_off(queue)
    source_import.refresh_from_db()
    assert (source_import.state, source_import.reject_count) == ("finished", 0)
    assert Thread.objects.filter(status="snapshotted").count() == 4
    assert not ImportPart.objects.exists()


def test_an_import_whose_worker_died_is_read_by_the_next_one(queue: Any) -> None:
    with sample_path("transcripts.csv").open("rb") as stream:
        source_import = import_receive(
            kind="transcripts", file_name="transcripts.csv", chunks=[stream.read()], actor=Actor("ada")
        )
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    SourceImport.objects.update(state="running", started_at=long_ago, heartbeat_at=long_ago)
    jobs.sweep()
    work_off(queue)
    source_import.refresh_from_db()
    assert source_import.state == "finished"
    assert Thread.objects.count() == 2


def test_a_long_import_of_a_worker_that_is_told_to_stop_goes_back_into_the_queue(
    queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_tasks, "_GRACE_SECONDS", 0.0)

    @contextlib.contextmanager
    def told() -> Iterator[threading.Event]:
        stop = threading.Event()
        stop.set()
        yield stop

    source_import = import_receive(
        kind="archive",
        file_name="a.jsonl",
        chunks=[b'{"id": "thread_1", "object": "thread"}\n'],
        actor=Actor("ada"),
    )
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "stop_heard", told)
        jobs.task_job("import", source_import.pk)
    source_import.refresh_from_db()
    assert (source_import.state, source_import.attempts, len(queue)) == ("waiting", 0, 1)
    work_off(queue)
    source_import.refresh_from_db()
    assert source_import.state == "finished"


def test_an_unexpected_error_keeps_its_message_out_of_the_queue_and_the_log(
    make_thread: MakeThread, queue: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    text = "DETAIL: Failing row contains (a user's private words)"

    def broken(**_arguments: object) -> None:
        raise RuntimeError(text)

    make_thread()
    monkeypatch.setattr(engine_tasks, "batch_work", broken)
    started()
    (job,) = queue.jobs
    work_off(queue)
    job.refresh()
    assert job.is_failed
    result = job.latest_result()
    assert result is not None
    assert "JobFailedError" in str(result.exc_string)
    assert "private words" not in f"{result.exc_string} {caplog.text}".replace("raise RuntimeError(text)", "")


# --- held batches ---------------------------------------------------------------------------------


def test_a_job_of_a_paused_batch_does_nothing_and_ends(
    make_thread: MakeThread, queue: Any, sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    batch = started()
    batch_pause(batch_pk=batch.pk, actor=Actor("ada"), reason="lunch")
    work_off(queue)
    jobs.sweep()
    assert queue.job_ids == []
    thread.refresh_from_db()
    assert (thread.status, sandbox.control.state().conversations) == ("snapshotted", 0)


def test_a_resumed_batch_goes_on_to_its_end(make_thread: MakeThread, queue: Any) -> None:
    thread = make_thread()
    batch = started()
    batch_pause(batch_pk=batch.pk, actor=Actor("ada"), reason="lunch")
    work_off(queue)
    batch_resume(batch_pk=batch.pk, actor=Actor("ada"))
    jobs.enqueue(BATCH_TASK, batch.pk)
    work_off(queue)
    thread.refresh_from_db()
    batch.refresh_from_db()
    assert (thread.status, batch.state) == ("verified", "finished")


def test_a_batch_that_waits_for_approval_is_not_swept_into_the_queue(
    make_thread: MakeThread, queue: Any
) -> None:
    make_thread()
    batch = started()
    Batch.objects.filter(pk=batch.pk).update(state="waiting")
    work_off(queue)
    jobs.sweep()
    assert queue.job_ids == []
    assert Thread.objects.get().pending_work == ""


def test_the_work_of_a_cancelled_batch_is_taken_back_by_a_job(
    make_thread: MakeThread, queue: Any, sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    batch = started()
    batch_prepare(batch_pk=batch.pk, actor=Actor("ada"))
    batch_cancel(batch_pk=batch.pk, actor=Actor("ada"), reason="wrong ones")
    work_off(queue)
    thread.refresh_from_db()
    batch.refresh_from_db()
    assert (batch.state, thread.status, thread.pending_work) == ("cancelled", "snapshotted", "")
    assert sandbox.control.state().conversations == 0


def test_a_cancelled_batch_whose_job_was_lost_is_found_by_the_sweep(
    make_thread: MakeThread, queue: Any
) -> None:
    make_thread()
    batch = started()
    batch_prepare(batch_pk=batch.pk, actor=Actor("ada"))
    batch_cancel(batch_pk=batch.pk, actor=Actor("ada"), reason="wrong ones")
    queue.connection.flushdb()
    jobs.sweep()
    work_off(queue)
    batch.refresh_from_db()
    assert batch.state == "cancelled"


def test_a_batch_cancelled_during_a_turn_is_taken_back_at_the_turn_s_end(
    make_thread: MakeThread, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_thread()
    batch = started()

    def turn(**_arguments: object) -> None:
        batch_cancel(batch_pk=batch.pk, actor=Actor("ada"), reason="wrong ones")

    monkeypatch.setattr(engine_tasks, "batch_work", turn)
    work_off(queue)
    batch.refresh_from_db()
    assert (batch.state, Thread.objects.get().status) == ("cancelled", "snapshotted")


# --- sharing --------------------------------------------------------------------------------------


def test_an_urgent_batch_has_a_queue_of_its_own(make_thread: MakeThread, queue: Any) -> None:
    make_thread()
    started(urgent=True)
    assert (len(urgent_queue().job_ids), queue.job_ids) == (1, [])


def test_an_urgent_batch_is_worked_on_before_one_that_was_started_earlier(
    make_thread: MakeThread, queue: Any
) -> None:
    make_thread("thread_1")
    first = started(kind="resources")
    second = started(urgent=True)
    work_off(queue)
    finished = AuditEvent.objects.filter(verb="batch.finished").order_by("pk")
    assert list(finished.values_list("batch_pk", flat=True)) == [second.pk, first.pk]


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        (["default"], ["urgent", "default"]),
        (["default", "urgent"], ["urgent", "default"]),
        (["urgent"], ["urgent"]),
        (["low", "default"], ["urgent", "low", "default"]),
    ],
)
def test_a_worker_serves_urgent_batches_first_whatever_it_was_started_for(
    asked: list[str], served: list[str], queue: Any
) -> None:
    by_name = worker_module.ConsoleWorker(asked, connection=queue.connection)
    assert [one.name for one in by_name.queues] == served


def test_a_worker_started_without_names_serves_urgent_batches_too(queue: Any) -> None:
    worker = django_rq.get_worker()
    assert isinstance(worker, worker_module.ConsoleWorker)
    assert [one.name for one in worker.queues] == ["urgent", "default"]


def test_other_workers_are_invited_while_a_large_batch_is_still_handed_out(
    make_thread: MakeThread, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        make_thread(f"thread_{number}")
    monkeypatch.setattr(batches, "_PIECE", 2)
    batch = started()
    queue.empty()
    seen: list[tuple[str, int]] = []
    invite = engine_tasks._invite

    def inviting(pk: int, turn: Turn) -> None:
        invite(pk, turn)
        seen.append((Batch.objects.get(pk=pk).state, len(queue.job_ids)))

    monkeypatch.setattr(engine_tasks, "_invite", inviting)
    jobs.task_job("batch", batch.pk)
    assert seen[0] == ("preparing", 1)


def test_a_worker_that_finds_urgent_work_waiting_makes_sure_that_the_queue_has_it(
    make_thread: MakeThread, queue: Any
) -> None:
    make_thread("thread_1")
    urgent = started(urgent=True)
    batch_prepare(batch_pk=urgent.pk, actor=Actor("ada"))
    make_thread("thread_2")
    other = started()
    queue.connection.flushdb()
    jobs.task_job("batch", other.pk)
    assert [job.args[1] for job in urgent_queue().jobs] == [urgent.pk]
    assert [job.args[1] for job in queue.jobs] == [other.pk]


def test_a_worker_that_is_busy_checks_for_work_too(queue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bool] = []
    monkeypatch.setattr(Worker, "maintain_heartbeats", lambda _self, _job: None)
    monkeypatch.setattr(worker_module, "sweep", lambda: looked.append(True))
    with worker_here(["default"], connection=queue.connection) as worker:
        worker.maintain_heartbeats(Job(connection=queue.connection))
    assert looked == [True]


@pytest.mark.parametrize("error", [OperationalError("down"), RedisConnectionError("down")])
def test_a_worker_outlives_a_database_or_queue_that_is_away(
    error: Exception, queue: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise error

    monkeypatch.setattr(worker_module, "sweep", broken)
    with worker_here(["default"], connection=queue.connection) as worker:
        worker.run_maintenance_tasks()
    assert "checking again in 20 s" in caplog.text


# --- being stopped --------------------------------------------------------------------------------


def test_other_work_waits_when_a_job_of_another_kind_or_number_does(queue: Any) -> None:
    def others_wait() -> bool:
        return jobs._others_wait(BATCH_TASK, 7)

    assert not others_wait()
    queue.enqueue("builtins.len", [], job_id="batch-7-x")
    assert not others_wait()
    urgent_queue().enqueue("builtins.len", [], job_id="batch-70-x")
    assert others_wait()


def test_a_turn_continues_while_the_queue_can_not_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_arguments: object, **_options: object) -> None:
        raise RedisConnectionError

    monkeypatch.setattr(jobs, "queue_named", away)
    assert not jobs._others_wait(BATCH_TASK, 7)


def test_sigterm_during_a_turn_is_heard_by_it_and_the_batch_goes_back_into_the_queue(
    make_thread: MakeThread, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_thread()
    started()
    heard: list[bool] = []

    def work(*, turn: Turn, **_arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        heard.append(turn.stop.is_set())

    monkeypatch.setattr(engine_tasks, "batch_work", work)
    work_off(queue)
    assert heard == [True]  # and the worker itself ended: it would have taken the job again
    assert len(queue.job_ids) == 1


def test_sigterm_while_a_batch_is_handed_out_leaves_the_rest_to_another_worker(
    make_thread: MakeThread, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        make_thread(f"thread_{number}")
    monkeypatch.setattr(batches, "_PIECE", 1)
    batch = started()
    prepare = batches.batch_prepare_piece

    def piece(**arguments: Any) -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return prepare(**arguments)

    with monkeypatch.context() as patched:
        patched.setattr(engine_tasks, "batch_prepare_piece", piece)
        work_off(queue)
    batch.refresh_from_db()
    assert (batch.state, batch.taken_count, len(queue.job_ids)) == ("preparing", 1, 1)
    work_off(queue)
    assert set(Thread.objects.values_list("status", flat=True)) == {"verified"}


def test_the_signal_is_handled_as_before_when_the_job_is_over(make_thread: MakeThread, queue: Any) -> None:
    make_thread()
    before = signal.getsignal(signal.SIGTERM)
    jobs.task_job("batch", started().pk)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_sweep_adds_up_the_counters(
    make_thread: MakeThread, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folded: list[bool] = []
    monkeypatch.setattr(engine_tasks, "counters_fold", lambda: folded.append(True))
    jobs.sweep()
    assert folded == [True]


def test_an_idle_worker_stops_also_where_the_signals_exception_was_lost(queue: Any) -> None:
    worker = worker_module.ConsoleWorker(["default"], connection=queue.connection)
    worker.heartbeat()
    try:
        worker.handle_warm_shutdown_request()
        worker.set_state(WorkerStatus.BUSY)
        worker.heartbeat()  # it waits for its job
        worker.set_state(WorkerStatus.IDLE)
        with pytest.raises(StopRequested):
            worker.heartbeat()
    finally:
        silence.stop_over()

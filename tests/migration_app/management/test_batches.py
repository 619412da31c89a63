"""Commands that start a batch, with a real worker process where they wait for one."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import django_rq
import pytest
from django.core.management import CommandError, call_command

from migration_app import jobs
from migration_app.batches.kinds import BATCH_KINDS
from migration_app.engine import runner
from migration_app.management import batches
from migration_app.models import AuditEvent, Batch, Thread
from tests.migration_app.engine.conftest import make_thread
from tests.sandbox import RunningSandbox

__all__ = ["make_thread"]  # a fixture, used by name
pytestmark = pytest.mark.django_db(transaction=True)
MakeThread = Callable[..., Thread]


@pytest.fixture(autouse=True)
def queue(sandbox: RunningSandbox) -> Iterator[Any]:
    found = django_rq.get_queue("default")
    found.connection.flushdb()
    yield found
    found.connection.flushdb()


@pytest.fixture
def work_while_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker elsewhere would do, done while the command sleeps."""

    def work(_seconds: float) -> None:
        for pk in Batch.objects.filter(state__in=["preparing", "running"]).values_list("pk", flat=True):
            jobs.task_job("batch", pk)

    monkeypatch.setattr(batches, "workers_missing", lambda: "")
    monkeypatch.setattr("migration_app.management.batches.sleep", work)


def run(name: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(name, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def test_backfill_waits_until_every_thread_is_verified(
    make_thread: MakeThread, work_while_waiting: None
) -> None:
    make_thread("thread_1")
    make_thread("thread_2")
    assert "2  verified" in run("backfill", all=True, wait=True, reason="pilot")
    assert AuditEvent.objects.filter(verb="thread.queued", reason="pilot").count() == 2


@pytest.mark.parametrize("chosen", [{"all": True}, {"status": "snapshotted"}])
def test_backfill_exits_with_1_if_a_selected_thread_did_not_end_verified(
    make_thread: MakeThread, work_while_waiting: None, sandbox: RunningSandbox, chosen: dict[str, Any]
) -> None:
    make_thread()
    sandbox.control.add_fault("unauthorized", "POST ")
    with pytest.raises(SystemExit) as caught:
        run("backfill", wait=True, **chosen)
    assert caught.value.code == 1


@pytest.mark.parametrize(
    ("status", "error_code"),
    [("blocked", "blocked"), ("failed", "unauthorized"), ("needs_review", "differs"), ("registered", "")],
)
def test_backfill_of_all_succeeds_beside_threads_that_were_at_an_end_before(
    make_thread: MakeThread, work_while_waiting: None, status: str, error_code: str
) -> None:
    Thread.objects.filter(pk=make_thread("thread_before").pk).update(status=status, error_code=error_code)
    make_thread("thread_new")
    assert run("backfill", all=True, wait=True).endswith("1  verified\n")
    assert run("backfill", all=True, wait=True).endswith("is started.\n")  # nothing is left to do
    assert Thread.objects.get(thread_id="thread_before").status == status


@pytest.mark.parametrize("chosen", [{"thread": ["thread_before"]}, {"status": "blocked"}])
def test_backfill_of_named_threads_exits_with_1_if_one_of_them_was_blocked_before(
    make_thread: MakeThread, work_while_waiting: None, chosen: dict[str, Any]
) -> None:
    Thread.objects.filter(pk=make_thread("thread_before").pk).update(status="blocked", error_code="blocked")
    with pytest.raises(SystemExit) as caught:
        run("backfill", wait=True, **chosen)
    assert caught.value.code == 1


def test_verify_exits_with_1_if_a_conversation_is_gone(
    make_thread: MakeThread, work_while_waiting: None, sandbox: RunningSandbox
) -> None:
    make_thread()
    run("backfill", all=True, wait=True)
    assert "1  verified" in run("verify", all=True, wait=True)
    sandbox.control.reset()
    with pytest.raises(SystemExit):
        run("verify", all=True, wait=True)


def test_check_files_asks_the_target(
    make_thread: MakeThread, work_while_waiting: None, sandbox: RunningSandbox
) -> None:
    make_thread()
    run("check_files", thread=["thread_1"], wait=True)
    assert AuditEvent.objects.filter(verb="thread.resources_checked").count() == 1


def test_waiting_without_any_worker_is_refused_before_anything_is_started(make_thread: MakeThread) -> None:
    make_thread()
    with pytest.raises(CommandError, match="No worker is running"):
        run("backfill", all=True, wait=True)
    assert not Batch.objects.exists()


def test_without_waiting_the_lack_of_workers_is_only_said(make_thread: MakeThread) -> None:
    make_thread()
    errors = io.StringIO()
    call_command("backfill", all=True, stdout=io.StringIO(), stderr=errors)
    assert "No worker is running" in errors.getvalue()
    assert Batch.objects.get().state == "preparing"


def test_a_thread_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match="thread_none"):
        run("backfill", thread=["thread_none"])


def test_workers_without_waiting_are_refused(make_thread: MakeThread) -> None:
    with pytest.raises(CommandError, match="--wait"):
        run("backfill", all=True, workers=2)


def test_workers_that_have_all_ended_are_noticed(
    make_thread: MakeThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_thread()
    monkeypatch.setattr(batches, "_worker_command", lambda: [sys.executable, "-c", "pass"])
    with pytest.raises(CommandError, match="The workers have ended"):
        run("backfill", all=True, wait=True, workers=1)
    assert Thread.objects.get().pending_work in {"", "backfill"}


@pytest.mark.parametrize("name", ["rollback", "accept", "remigrate"])
def test_what_is_decided_about_threads_needs_a_reason(name: str) -> None:
    with pytest.raises(CommandError, match="Say why with --reason"):
        call_command(name, all=True)


@pytest.mark.parametrize(("options", "settings"), [({}, {}), ({"not_ours_too": True}, {"foreign_too": True})])
def test_rollback_deletes_what_is_not_ours_only_where_it_is_asked_for(
    options: dict[str, bool], settings: dict[str, bool]
) -> None:
    run("rollback", all=True, reason="wrong project", **options)
    batch = Batch.objects.get()
    assert (batch.kind, batch.settings) == ("rollback", settings)


def test_a_thread_is_rolled_back_from_the_shell(
    make_thread: MakeThread, work_while_waiting: None, sandbox: RunningSandbox
) -> None:
    make_thread()
    run("backfill", all=True, wait=True)
    assert "1  rolled back" in run("rollback", all=True, wait=True, reason="wrong project")
    assert Thread.objects.get().status == "rolled_back"
    assert sandbox.control.state().stored_items == 0


@pytest.mark.parametrize("kind", BATCH_KINDS)
def test_one_command_starts_a_batch_of_every_kind(kind: str, make_thread: MakeThread) -> None:
    call_command("batch", "start", kind, "--all", "--reason", "r", stdout=io.StringIO(), stderr=io.StringIO())
    assert (Batch.objects.get().kind, Batch.objects.get().reason) == (kind, "r")


def test_every_work_that_a_batch_hands_out_has_a_step_in_the_engine() -> None:
    assert set(runner._STEPS) == set(Thread.Work.values)

"""The life of every kind of task: claimed by one, lost to the next, handed back, ended; all fenced by the token."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now

from migration_app.contracts import Actor
from migration_app.imports.imports import IMPORTS, import_receive
from migration_app.models import AuditEvent, Reconciliation
from migration_app.models.task import Task
from migration_app.readiness.checks import CHECKS, check_request
from migration_app.reconciliation.records import RECONCILIATIONS, reconciliation_create
from migration_app.review.readings import READINGS, reading_request
from migration_app.tasks import lifecycle
from migration_app.tasks.lifecycle import (
    TEXT_LENGTH,
    Lifecycle,
    TaskFailedError,
    TaskLostError,
    WorkerStopError,
)
from migration_app.trials.trials import TRIALS
from tests.migration_app.admin.estate import conversation_made, thread_made
from tests.migration_app.trials.estate import plain_thread, trial_made

pytestmark = pytest.mark.django_db
ADA = Actor("ada", job_id="job")
State = Reconciliation.State


def upload() -> Task:
    return import_receive(kind="archive", file_name="up", chunks=[b"{}"], actor=ADA)


def reading() -> Task:
    thread = thread_made(status="needs_review", error_code="difference")
    conversation_made(thread=thread)
    return reading_request(thread_pk=thread.pk, actor=ADA)


def reconciliation() -> Reconciliation:
    return reconciliation_create(sample_size=10, actor=ADA)


KINDS: dict[str, tuple[Lifecycle[Any], Callable[[], Task]]] = {
    "import": (IMPORTS, upload),
    "reconciliation": (RECONCILIATIONS, reconciliation),
    "try-out": (TRIALS, lambda: trial_made(plain_thread())),
    "readiness": (CHECKS, lambda: check_request(kind="calls", actor=ADA)),
    "reading": (READINGS, reading),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[Lifecycle[Any], int]:
    """A lifecycle, and the key of a task that waits."""
    lifecycle, made = KINDS[request.param]
    return lifecycle, made().pk


def claimed(lifecycle: Lifecycle[Any], pk: int) -> Any:
    row = lifecycle.claim(pk)
    assert row is not None
    return row


def grow_old(lifecycle: Lifecycle[Any]) -> None:
    lifecycle.rows.update(heartbeat_at=Now() - lifecycle.stale - dt.timedelta(seconds=1))


def stored(lifecycle: Lifecycle[Any]) -> tuple[list[Any], int]:
    return list(lifecycle.rows.values()), AuditEvent.objects.count()


def test_of_two_workers_one_has_it(kind: tuple[Lifecycle[Any], int]) -> None:
    lifecycle, pk = kind
    assert lifecycle.waiting() == [pk]
    row = claimed(lifecycle, pk)
    assert (row.state, row.started_at is not None, row.heartbeat_at is not None) == ("running", True, True)
    assert lifecycle.claim(pk) is None
    assert lifecycle.waiting() == []


@pytest.mark.parametrize("act", ["write", "hand_back", "finish", "fail"])
def test_who_was_silent_too_long_loses_it_and_writes_nothing_more(
    act: str, kind: tuple[Lifecycle[Any], int]
) -> None:
    lifecycle, pk = kind
    first = claimed(lifecycle, pk)
    grow_old(lifecycle)
    assert lifecycle.waiting() == [pk]
    second = claimed(lifecycle, pk)
    before = stored(lifecycle)
    ends: dict[str, dict[str, Any]] = {"finish": {"actor": ADA}, "fail": {"actor": ADA, "error_text": "late"}}
    with pytest.raises(TaskLostError):
        getattr(lifecycle, act)(first, **ends.get(act, {}))
    assert stored(lifecycle) == before
    lifecycle.write(second)


def test_one_that_is_handed_back_waits_again_and_its_holder_has_lost_it(
    kind: tuple[Lifecycle[Any], int],
) -> None:
    lifecycle, pk = kind
    row = claimed(lifecycle, pk)
    lifecycle.hand_back(row)
    assert (lifecycle.rows.get().state, lifecycle.waiting()) == (lifecycle.queued, [pk])
    with pytest.raises(TaskLostError):
        lifecycle.write(row)


def test_one_that_failed_says_why_and_waits_for_nobody(kind: tuple[Lifecycle[Any], int]) -> None:
    lifecycle, pk = kind
    row = claimed(lifecycle, pk)
    lifecycle.fail(row, error_text="full\x00" + "x" * 10_000, actor=ADA)
    assert (row.state, row.claim_token, row.finished_at is not None) == ("failed", None, True)
    assert row.error_text == "full" + "x" * (TEXT_LENGTH - 4)
    assert lifecycle.waiting() == []
    verb = lifecycle.verbs.get("failed")
    assert verb is None or AuditEvent.objects.get(verb=verb).job_id == "job"


def test_a_task_without_a_token_is_in_nobodys_hands(kind: tuple[Lifecycle[Any], int]) -> None:
    lifecycle, pk = kind
    with pytest.raises(TaskLostError):
        lifecycle.write(lifecycle.rows.get(pk=pk))


@pytest.mark.django_db(transaction=True)
def test_one_whose_row_is_locked_is_alive_however_old_its_heartbeat() -> None:
    pk = reconciliation().pk
    row = claimed(RECONCILIATIONS, pk)
    grow_old(RECONCILIATIONS)
    found: list[Reconciliation | None] = []

    def other() -> None:
        found.append(RECONCILIATIONS.claim(pk))
        connection.close()

    with transaction.atomic():
        RECONCILIATIONS.write(row)
        claiming = threading.Thread(target=other)
        claiming.start()
        claiming.join(60)
    assert found == [None]


def test_a_move_from_another_state_changes_nothing() -> None:
    pk = reconciliation().pk
    before = stored(RECONCILIATIONS)
    assert not RECONCILIATIONS.move(pk, State.QUEUED, among=[State.STOPPED], actor=ADA)
    assert stored(RECONCILIATIONS) == before


def test_a_person_who_stops_it_takes_it_from_its_holder_who_hears_why() -> None:
    row = claimed(RECONCILIATIONS, reconciliation().pk)
    assert RECONCILIATIONS.move(
        row.pk, State.STOPPED, among=[State.RUNNING], actor=ADA, reason="lunch", error_text="for lunch"
    )
    with pytest.raises(TaskLostError, match="for lunch"):
        RECONCILIATIONS.write(row)
    event = AuditEvent.objects.get(verb="reconciliation.stopped")
    assert (event.actor, event.reason, event.subject_id) == ("ada", "lunch", str(row.pk))


# --- a whole turn


def worked(do: Callable[[Reconciliation], None], **how: Any) -> tuple[bool, Reconciliation]:
    pk = reconciliation().pk
    return RECONCILIATIONS.work(pk, do, actor=ADA, **how), Reconciliation.objects.get(pk=pk)


def raising(error: BaseException) -> Callable[[Reconciliation], None]:
    def do(_row: Reconciliation) -> None:
        raise error

    return do


def test_work_that_is_done_leaves_none() -> None:
    left, row = worked(lambda row: RECONCILIATIONS.finish(row, actor=ADA))
    assert (left, row.state) == (False, State.FINISHED)


@pytest.mark.parametrize(("how", "state"), [({}, State.QUEUED), ({"stopped": State.STOPPED}, State.STOPPED)])
def test_a_worker_that_stops_hands_it_back_or_leaves_it_to_a_person(how: dict[str, Any], state: str) -> None:
    left, row = worked(raising(WorkerStopError()), **how)
    assert (left, row.state, row.claim_token) == (True, state, None)


def test_one_that_cant_go_on_fails_in_its_own_words() -> None:
    left, row = worked(raising(TaskFailedError("The key is wrong.")))
    assert (left, row.state, row.error_text) == (False, State.FAILED, "The key is wrong.")


def test_a_bug_fails_it_without_the_bugs_words_and_is_raised() -> None:
    with pytest.raises(RuntimeError):
        worked(raising(RuntimeError("a row with private words")))
    row = Reconciliation.objects.get()
    assert (row.state, "private" in row.error_text) == (State.FAILED, False)
    assert row.error_text.startswith("A fault of the console (RuntimeError)")


def test_an_end_that_was_rolled_back_leaves_it_ours_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def finishing(row: Reconciliation) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(lifecycle, "audit_record", broken)
            RECONCILIATIONS.finish(row, actor=ADA)

    def broken(**_told: object) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        worked(finishing)
    assert Reconciliation.objects.get().state == State.FAILED


def test_with_the_database_away_it_stays_as_it_is_for_the_next_worker() -> None:
    with pytest.raises(OperationalError):
        worked(raising(OperationalError("down")))
    assert Reconciliation.objects.get().state == State.RUNNING


@pytest.mark.parametrize("error", [WorkerStopError(), TaskFailedError("late"), TaskLostError("gone")])
def test_one_that_was_taken_over_meanwhile_is_left_to_its_holder(error: Exception) -> None:
    def do(row: Reconciliation) -> None:
        grow_old(RECONCILIATIONS)
        claimed(RECONCILIATIONS, row.pk)
        raise error

    _left, row = worked(do)
    assert (row.state, row.claim_token is not None, row.error_text) == (State.RUNNING, True, "")


def test_nothing_is_done_where_there_is_nothing_to_claim() -> None:
    assert not RECONCILIATIONS.work(987654, raising(AssertionError()), actor=ADA)

"""Nothing twice, nothing false: real workers at a target that shares no code with this project, judged by its state."""

from __future__ import annotations

import time

import pytest

from migration_app.models import Thread
from tests.end_to_end.black_box import TIMEOUT_SECONDS, assert_kept, quiet, run_at, settled
from tests.end_to_end.foreign_target import Behaviour, foreign_target

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.black_box,
    pytest.mark.timeout(TIMEOUT_SECONDS),
]


@pytest.mark.parametrize("keeps_ids", [True, False], ids=["repeats_refused", "repeats_doubled"])
def test_appends_that_act_after_the_client_gave_up_are_nowhere_twice(keeps_ids: bool) -> None:
    with (
        foreign_target(Behaviour(late_appends=1 / 3, late_seconds=7.0, keeps_ids=keeps_ids)) as target,
        run_at(target.url, count=40, lease_seconds=10) as run,
    ):
        run.start_workers()
        run.wait(run.start())
        settled(target)
        assert_kept(run, target.texts)


@pytest.mark.parametrize("keeps_ids", [True, False], ids=["repeats_refused", "repeats_doubled"])
def test_worker_that_stood_still_past_its_lease_sends_nothing_afterwards(keeps_ids: bool) -> None:
    with (
        foreign_target(Behaviour(keeps_ids=keeps_ids, latency_seconds=0.02)) as target,
        run_at(target.url, count=30, lease_seconds=3, requests_per_minute=300, timeout_seconds=5) as run,
    ):
        run.workers.start()
        batch = run.start(window=32)
        # Every thread has its conversation and has announced its first append; nearly all wait for their permits.
        run.workers.wait_until(lambda: target.requests >= 34, seconds=60, what="appends under way")
        run.workers.freeze(0)
        run.workers.start()
        # Its batch must not be over: a worker that finds it so sends nothing for another reason.
        run.workers.wait_until(
            lambda: Thread.objects.filter(status="verified").count() >= 20,
            seconds=120,
            what="the other worker to take over",
        )
        run.workers.thaw(0)
        run.wait(batch)
        quiet(target)
        settled(target)
        assert_kept(run, target.texts)


def test_lists_that_lag_behind_make_no_difference() -> None:
    with (
        foreign_target(Behaviour(lag_seconds=2.5)) as target,
        run_at(target.url, count=40, lease_seconds=10) as run,
    ):
        run.start_workers()
        run.wait(run.start())
        time.sleep(2.5)
        settled(target)
        assert_kept(run, target.texts)


def test_creates_that_act_late_leave_at_most_empty_conversations() -> None:
    with (
        foreign_target(Behaviour(late_creates=1 / 3, late_appends=0.1, late_seconds=4.0)) as target,
        run_at(target.url, count=20, lease_seconds=10) as run,
    ):
        run.start_workers()
        run.wait(run.start())
        settled(target)
        assert_kept(run, target.texts)

from __future__ import annotations

import datetime as dt
import threading
import uuid

import pytest
from django.db import connection
from django.db.models.functions import Now

from migration_app.batches.claims import (
    lease_held,
    leases_give_back,
    leases_renew,
    threads_claim,
    threads_claimable,
    threads_pending,
)
from migration_app.models import Batch, Thread
from migration_app.threads.statuses import LeaseLostError

LEASE = dt.timedelta(seconds=60)


def claimed(batch: Batch, lease: dt.timedelta = LEASE) -> Thread | None:
    return next(iter(threads_claim(batch_pk=batch.pk, lease=lease, count=1)), None)


def batch_of(count: int) -> Batch:
    batch = Batch.objects.create(
        kind="verify", filter={"ids": []}, max_thread_pk=0, reason="test", created_by_name="ada"
    )
    Thread.objects.bulk_create(
        Thread(
            thread_id=f"thread_{batch.pk}_{number}", status="backfilled", batch=batch, pending_work="verify"
        )
        for number in range(count)
    )
    return batch


@pytest.mark.django_db
def test_a_claimed_thread_is_not_claimed_again() -> None:
    batch = batch_of(2)
    first, second = (claimed(batch) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.pk != second.pk
    assert claimed(batch) is None


@pytest.mark.django_db
def test_a_lease_that_ran_out_is_free_for_the_next_worker_with_another_token() -> None:
    batch = batch_of(1)
    first = claimed(batch, lease=dt.timedelta(seconds=-1))
    second = claimed(batch)
    assert first is not None
    assert second is not None
    assert (first.pk, first.lease_token != second.lease_token) == (second.pk, True)


@pytest.mark.django_db
def test_a_renewed_lease_keeps_others_out() -> None:
    batch = batch_of(1)
    thread = claimed(batch, lease=dt.timedelta(seconds=-1))
    assert thread is not None
    assert thread.lease_token is not None
    assert leases_renew(held={thread.pk: thread.lease_token}, lease=LEASE) == {thread.pk}
    assert claimed(batch) is None


@pytest.mark.django_db
def test_a_thread_that_waits_for_later_is_pending_but_not_claimable() -> None:
    batch = batch_of(1)
    Thread.objects.update(not_before=Now() + dt.timedelta(hours=1))
    assert threads_pending(batch.pk).count() == 1
    assert not threads_claimable(batch.pk).exists()


@pytest.mark.django_db
def test_whoever_lost_the_lease_can_not_write() -> None:
    batch = batch_of(1)
    thread = claimed(batch)
    assert thread is not None
    Thread.objects.filter(pk=thread.pk).update(lease_token=uuid.uuid4(), lease_until=Now() + LEASE)
    with pytest.raises(LeaseLostError), lease_held(thread):
        pytest.fail("the block must not run")


@pytest.mark.django_db
def test_threads_without_work_are_never_claimed() -> None:
    batch = batch_of(1)
    Thread.objects.update(pending_work="")
    assert claimed(batch) is None


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_once_take_different_threads() -> None:
    batch = batch_of(40)
    taken: list[int] = []
    start = threading.Barrier(4)

    def worker() -> None:
        start.wait()
        while thread := claimed(batch):
            taken.append(thread.pk)
        connection.close()

    workers = [threading.Thread(target=worker) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert sorted(taken) == sorted(Thread.objects.values_list("pk", flat=True))


@pytest.mark.django_db
def test_threads_are_claimed_by_the_group_oldest_first() -> None:
    batch = batch_of(5)
    first = threads_claim(batch_pk=batch.pk, lease=LEASE, count=3)
    second = threads_claim(batch_pk=batch.pk, lease=LEASE, count=3)
    assert [len(first), len(second)] == [3, 2]
    assert max(thread.pk for thread in first) < min(thread.pk for thread in second)


@pytest.mark.django_db
def test_what_was_claimed_and_not_begun_is_given_back_and_only_by_its_holder() -> None:
    batch = batch_of(2)
    mine, other = threads_claim(batch_pk=batch.pk, lease=LEASE, count=2)
    assert mine.lease_token is not None
    Thread.objects.filter(pk=other.pk).update(lease_token=uuid.uuid4())
    assert leases_give_back(held={mine.pk: mine.lease_token, other.pk: mine.lease_token}) == 1
    assert [thread.pk for thread in threads_claim(batch_pk=batch.pk, lease=LEASE, count=2)] == [mine.pk]

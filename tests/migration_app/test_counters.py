from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from migration_app.contracts import Actor
from migration_app.counters import (
    COUNTERS,
    RUNS,
    THREADS,
    Counter,
    counter_triggers,
    counters_differences,
    counters_rebuild,
    tally_condition,
    tally_lines,
)
from migration_app.models import AuditEvent, Batch, Run, RunTally, Tally, TallyChange, Thread
from tests.migration_app.admin.estate import batch_made, thread_made, threads_made


def counted() -> dict[str, int]:
    found: dict[str, int] = {}
    for line in tally_lines():
        found[line.status] = found.get(line.status, 0) + line.threads
    return found


def on_another_connection(work: Callable[[], object]) -> None:
    """Run it in a thread of its own, and so on a connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result(30)


@pytest.mark.django_db
def test_an_insert_a_change_and_a_delete_are_counted_at_once() -> None:
    thread = thread_made(item_count=250, message_count=3, chunk_count=13, payload_bytes=10)
    assert counted() == {"registered": 1}
    (line,) = tally_lines()
    assert (line.items, line.messages, line.chunks, line.reads, line.payload_bytes) == (250, 3, 13, 3, 10)
    Thread.objects.filter(pk=thread.pk).update(status="snapshotted", snapshot_at=timezone.now())
    (line,) = tally_lines()
    assert (line.status, line.has_snapshot, line.threads) == ("snapshotted", True, 1)
    thread.delete()
    assert tally_lines() == []
    assert counters_differences() == []


@pytest.mark.django_db
def test_a_statement_that_changes_nothing_counted_writes_nothing() -> None:
    threads_made(3)
    before = TallyChange.objects.count()
    Thread.objects.update(lease_token="0" * 32, lease_until=timezone.now(), attempts=F("attempts") + 1)
    Thread.objects.filter(pk=0).update(status="failed")
    assert TallyChange.objects.count() == before


@pytest.mark.django_db
def test_a_statement_over_many_threads_writes_a_row_for_each_combination_only() -> None:
    Thread.objects.bulk_create(Thread(thread_id=f"t{number}") for number in range(500))
    assert TallyChange.objects.count() == 1
    Thread.objects.update(status="failed", error_code="timeout")
    assert TallyChange.objects.count() == 3


@pytest.mark.django_db
def test_rows_that_come_by_copy_and_upserts_are_counted() -> None:
    columns = (
        "thread_id, user_ref, status, fidelity, message_count, run_count, item_count, chunk_count, payload_bytes,"
        " finding_counts, error_code, error_text, attempts, pending_work, created_at, updated_at"
    )
    values = "'', 'registered', '', 0, 0, 0, 0, 0, '{}', '', '', 0, '', now(), now()"
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY migration_app_thread ({columns}) FROM STDIN") as copy:
            copy.write("copied\t\tregistered\t\t0\t0\t0\t0\t0\t{}\t\t\t0\t\t2026-01-01\t2026-01-01\n")
        cursor.execute(
            f"INSERT INTO migration_app_thread ({columns})"
            f" SELECT id, {values} FROM unnest(ARRAY['copied', 'new']) AS id"
            " ON CONFLICT (thread_id) DO UPDATE SET status = 'excluded'"
        )
    assert counted() == {"registered": 1, "excluded": 1}
    assert counters_differences() == []


@pytest.mark.django_db
def test_a_thread_that_goes_to_another_batch_is_counted_there_and_no_longer_here() -> None:
    first, second = batch_made(), batch_made()
    thread = thread_made(batch=first)
    Thread.objects.filter(pk=thread.pk).update(batch=second)
    for _ in range(2):
        assert tally_lines(batch_pk=first.pk) == []
        assert [line.threads for line in tally_lines(batch_pk=second.pk)] == [1]
        assert counted() == {"registered": 1}
        THREADS.fold()


@pytest.mark.django_db
def test_what_was_rolled_back_is_not_counted() -> None:
    thread_made()
    with transaction.atomic():
        Thread.objects.update(status="failed")
        assert counted() == {"failed": 1}
        transaction.set_rollback(True)
    assert counted() == {"registered": 1}
    assert counters_differences() == []


@pytest.mark.django_db
def test_folding_keeps_what_is_told_and_leaves_one_row_a_combination() -> None:
    batch = batch_made()
    for number in range(6):
        thread_made(batch=batch, status="failed", error_code=f"code_{number % 2}", item_count=number)
    before = (tally_lines(), tally_lines(batch_pk=batch.pk))
    assert THREADS.fold()
    assert (tally_lines(), tally_lines(batch_pk=batch.pk)) == before
    assert (TallyChange.objects.count(), Tally.objects.count()) == (0, 4)
    Thread.objects.all().delete()
    assert THREADS.fold()
    assert (TallyChange.objects.count(), Tally.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_folding_nothing_writes_nothing() -> None:
    assert not THREADS.fold()


@pytest.mark.django_db
def test_counters_that_are_off_are_told_and_rebuilt() -> None:
    batch = batch_made()
    thread_made(batch=batch)
    THREADS.fold()
    Tally.objects.filter(batch_pk=batch.pk).update(threads=3, items=5)
    (told,) = counters_differences()
    assert told.startswith(f"batch {batch.pk}, registered")
    assert told.endswith("+2 threads, +5 items")
    counters_rebuild(actor=Actor("ada"), reason="they were off")
    assert counters_differences() == []
    event = AuditEvent.objects.get(verb="counters.rebuilt")
    assert (event.actor, event.reason) == ("ada", "they were off")
    assert [line.threads for line in tally_lines(batch_pk=batch.pk)] == [1]


@pytest.mark.django_db(transaction=True)
def test_emptying_the_table_empties_the_counters() -> None:
    thread_made()
    THREADS.fold()
    thread_made()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE migration_app_thread CASCADE")
    assert (Tally.objects.count(), TallyChange.objects.count()) == (0, 0)


# --- conditions -----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "condition",
    [
        Q(status__in=["failed", "verified"]) & ~Q(error_code="timeout"),
        Q(snapshot_at__isnull=True, status="registered") | Q(fidelity="lossy"),
        ~(Q(status="failed") | Q(snapshot_at__isnull=False)),
        Q(pending_work=""),
        Q(),
    ],
    ids=str,
)
def test_a_condition_counts_the_threads_that_it_finds(condition: Q) -> None:
    batch = batch_made()
    now = timezone.now()
    for status, code, fidelity, snapshot_at in itertools.product(
        ("failed", "verified", "registered"), ("", "timeout"), ("", "lossy"), (None, now)
    ):
        work: dict[str, Any] = {"batch": batch, "pending_work": "verify"} if code else {}
        thread_made(status=status, error_code=code, fidelity=fidelity, snapshot_at=snapshot_at, **work)
    turned = tally_condition(condition)
    assert turned is not None
    assert sum(line.threads for line in tally_lines(turned)) == Thread.objects.filter(condition).count()


@pytest.mark.parametrize(
    "condition",
    [
        Q(conversation__state="verified"),
        Q(status="failed") & ~Q(Q(user_ref="u") | Q(fidelity="exact")),
        Q(status__startswith="f"),
        Q(snapshot_at__lt=timezone.now()),
    ],
    ids=["joined", "nested", "look-up", "time"],
)
def test_a_condition_on_what_is_not_counted_is_told_apart(condition: Q) -> None:
    assert tally_condition(condition) is None


# --- at once --------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_what_is_under_way_elsewhere_is_neither_seen_nor_lost_by_a_fold() -> None:
    first, second = threads_made(2)
    with transaction.atomic():
        Thread.objects.filter(pk=first.pk).update(status="failed")
        on_another_connection(lambda: Thread.objects.filter(pk=second.pk).update(status="excluded"))
        on_another_connection(THREADS.fold)
        on_another_connection(lambda: _assert_counted({"registered": 1, "excluded": 1}))
    assert counted() == {"failed": 1, "excluded": 1}
    assert counters_differences() == []


@pytest.mark.django_db(transaction=True)
def test_of_two_folds_at_once_one_goes_on_without_waiting_and_nothing_is_counted_twice() -> None:
    threads_made(3)
    told: list[bool] = []
    with transaction.atomic():
        assert THREADS.fold()
        thread_made()
        on_another_connection(lambda: told.append(THREADS.fold()))
    assert told == [False]
    assert THREADS.fold()
    assert counted() == {"registered": 4}
    assert counters_differences() == []


def _assert_counted(expected: dict[str, int]) -> None:
    assert counted() == expected


# --- any sequence of changes ----------------------------------------------------------------------

_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["registered", "snapshotted", "failed"]),
        "fidelity": st.sampled_from(["", "lossy"]),
        "error_code": st.sampled_from(["", "timeout"]),
        "item_count": st.sampled_from([0, 100, 101]),
        "payload_bytes": st.sampled_from([0, 7]),
        "attempts": st.sampled_from([0, 1]),
        "batch": st.sampled_from([None, 0, 1]),
        "snapshot": st.booleans(),
    },
)
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "update", "delete", "fold", "undone"]),
        st.sets(st.integers(0, 4), min_size=1),
        _FIELDS,
    ),
    max_size=12,
)


class AnySequenceOfChangesTests(TestCase):
    @settings(derandomize=True, max_examples=40, deadline=None)
    @given(_STEPS)
    def test_the_counters_equal_the_threads_after_every_step(
        self, steps: list[tuple[str, set[int], dict[str, object]]]
    ) -> None:
        batches = [batch_made(), batch_made()]
        fresh = itertools.count()
        for verb, chosen, fields in steps:
            values = dict(_values(fields, batches))
            rows = Thread.objects.filter(
                pk__in=list(Thread.objects.order_by("pk").values_list("pk", flat=True))
            )
            picked = [
                pk for at, pk in enumerate(rows.order_by("pk").values_list("pk", flat=True)) if at in chosen
            ]
            if verb == "insert":
                Thread.objects.bulk_create(Thread(thread_id=f"any_{next(fresh)}", **values) for _ in chosen)
            elif verb == "update" and values:
                Thread.objects.filter(pk__in=picked).update(**values)
            elif verb == "delete":
                Thread.objects.filter(pk__in=picked).delete()
            elif verb == "fold":
                THREADS.fold()
            elif verb == "undone" and values:
                with transaction.atomic():
                    Thread.objects.filter(pk__in=picked).update(**values)
                    transaction.set_rollback(True)
            assert counters_differences() == []


def _values(fields: dict[str, object], batches: list[Batch]) -> Iterator[tuple[str, object]]:
    for name, value in fields.items():
        if name == "batch":
            yield name, None if value is None else batches[int(str(value))]
        elif name == "snapshot":
            yield "snapshot_at", timezone.now() if value else None
        else:
            yield name, value


# --- what is declared -----------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("counter", COUNTERS, ids=["threads", "runs", "results"])
def test_the_triggers_in_the_database_are_those_that_are_declared(counter: Counter) -> None:
    source, totals = counter.source._meta.db_table, counter.totals._meta.db_table
    declared = counter_triggers(source, totals, counter.keys, counter.measures)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.prosrc FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid"
            " WHERE t.tgrelid = %s::regclass AND t.tgname LIKE 'console_count_%%'",
            [source],
        )
        installed = [body for (body,) in cursor.fetchall()]
    assert len(installed) == 4
    assert all(body in declared for body in installed)


@pytest.mark.django_db
def test_counters_of_runs_that_are_off_are_told_and_rebuilt_with_those_of_threads() -> None:
    thread = thread_made()
    Run.objects.create(
        thread=thread, run_id="run_1", assistant_id="asst_1", status="completed", model="gpt-4.1"
    )
    RUNS.fold()
    RunTally.objects.update(runs=3, total_tokens=7)
    assert counters_differences() == ["all runs, asst_1  gpt-4.1 completed: +2 runs, +7 total_tokens"]
    counters_rebuild(actor=Actor("ada"), reason="they were off")
    assert counters_differences() == []
    assert RunTally.objects.get().runs == 1

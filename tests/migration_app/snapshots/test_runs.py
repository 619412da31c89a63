"""Rows of runs, written out of snapshots by assessments and for estates that are older than these rows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from migration_app.contracts import Actor, SourceThread
from migration_app.counters import RUNS
from migration_app.models import AuditEvent, Run, RunTally, Thread
from migration_app.snapshots.run_totals import (
    RunTotal,
    Span,
    run_totals,
)
from migration_app.snapshots.runs import Collected, RunRows, runs_collect
from migration_app.threads.assessments import thread_assess, threads_assess
from tests.factories import SnapshotPageFactory, ThreadFactory
from tests.migration_app.imports.support import message

pytestmark = pytest.mark.django_db
ACTOR = Actor("ada", job_id="job-1")
JULY = 1_752_857_322  # 2025-07-18


def run(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "object": "thread.run",
        "thread_id": "thread_1",
        "assistant_id": "asst_1",
        "status": "completed",
        "model": "gpt-4.1",
        "created_at": JULY,
        "usage": {"prompt_tokens": 34, "completion_tokens": 130, "total_tokens": 164},
        **fields,
    }


def step(name: str, run_id: str, *kinds: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "thread.run.step",
        "thread_id": "thread_1",
        "run_id": run_id,
        "type": "tool_calls",
        "step_details": {
            "type": "tool_calls",
            "tool_calls": [{"id": f"call_{n}", "type": kind} for n, kind in enumerate(kinds)],
        },
    }


def snapshotted(*values: dict[str, Any], **fields: object) -> Thread:
    row = ThreadFactory.create(**{"thread_id": "thread_1", **fields})
    added(row, *values)
    return row


def added(row: Thread, *values: dict[str, Any]) -> None:
    documents = [json.dumps({**value, "thread_id": row.thread_id}).encode() for value in values]
    SnapshotPageFactory.create(thread=row, documents=documents)


def assess(row: Thread) -> None:
    threads_assess(thread_pks=[row.pk], actor=ACTOR, reason="test")


def test_an_import_leaves_a_row_for_each_run_with_what_is_counted_of_it() -> None:
    failed = run(
        "run_2",
        status="failed",
        usage=None,
        failed_at=JULY + 9,
        last_error={"code": "rate_limit_exceeded", "message": "Slow down, Mr. Halloway."},
    )
    row = snapshotted(
        message("m1"),
        run("run_1", completed_at=JULY + 5),
        failed,
        step("s1", "run_1", "function", "function", "file_search"),
    )
    assess(row)
    first, second = Run.objects.order_by("pk")
    assert (first.run_id, first.status, first.model, first.assistant_id) == (
        "run_1",
        "completed",
        "gpt-4.1",
        "asst_1",
    )
    assert (first.prompt_tokens, first.completion_tokens, first.total_tokens) == (34, 130, 164)
    assert (first.ended_at and first.ended_at.timestamp(), first.tool_calls) == (
        JULY + 5,
        {"file_search": 1, "function": 2},
    )
    assert (second.status, second.error_code, second.total_tokens) == ("failed", "rate_limit_exceeded", None)
    assert "Halloway" not in repr(Run.objects.values().get(pk=second.pk))


def test_one_thread_assessed_alone_gets_the_same_rows() -> None:
    row = snapshotted(message("m1"), run("run_1"))
    thread_assess(thread=row, actor=ACTOR)
    assert Run.objects.values_list("run_id", "total_tokens").get() == ("run_1", 164)


def test_a_later_state_of_a_run_replaces_the_one_that_stands_and_its_counts() -> None:
    row = snapshotted(message("m1"), run("run_1", status="in_progress", usage=None))
    assess(row)
    added(row, run("run_1"))
    assess(row)
    assert Run.objects.values_list("status", "total_tokens").get() == ("completed", 164)
    assert run_totals(Span()) == [RunTotal("asst_1", "2025-07", "gpt-4.1", 1, 1, 1, 34, 130, 164)]


@pytest.mark.parametrize(
    "later",
    [
        {"assistant_id": "asst_2"},
        {"model": "gpt-5"},
        {"status": "failed", "last_error": {"code": "server_error", "message": "x"}},
        {"status": "incomplete", "incomplete_details": {"reason": "max_completion_tokens"}},
        {"created_at": JULY + 1},
        {"started_at": JULY + 2},
        {"completed_at": JULY + 3},
        {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}},
    ],
)
def test_everything_that_a_later_state_says_replaces_what_stands(later: dict[str, Any]) -> None:
    columns = (
        "assistant_id",
        "status",
        "model",
        "error_code",
        "incomplete_reason",
        "created_at",
        "started_at",
        *("ended_at", "prompt_tokens", "completion_tokens", "total_tokens", "tool_calls"),
    )

    def stored(*values: dict[str, Any]) -> tuple[Any, ...]:
        row = snapshotted(message("m1"), *values[:1], thread_id=f"thread_{len(values)}")
        assess(row)
        for value in values[1:]:
            added(row, value)
            assess(row)
        return tuple(Run.objects.filter(thread=row).values_list(*columns).get())

    plain = run("run_1", status="in_progress", usage=None)
    assert (
        stored(plain, run("run_1", **later)) == stored(run("run_1", **later)) != stored(plain, plain, plain)
    )


def test_assessing_again_writes_no_row_and_no_change_of_counts() -> None:
    row = snapshotted(message("m1"), run("run_1"))
    assess(row)
    version = "SELECT xmin::text FROM migration_app_run"
    with connection.cursor() as cursor:
        cursor.execute(version)
        before = cursor.fetchall()
        assess(row)
        cursor.execute(version)
        assert cursor.fetchall() == before
    assert not RUNS.fold()


def test_all_runs_of_a_group_are_written_by_one_statement() -> None:
    rows = [
        snapshotted(message("m1"), run("run_1"), run("run_2"), thread_id=f"thread_{number}")
        for number in range(3)
    ]
    with CaptureQueriesContext(connection) as queries:
        threads_assess(thread_pks=[row.pk for row in rows], actor=ACTOR, reason="test")
    assert sum("INSERT INTO migration_app_run AS" in query["sql"] for query in queries) == 1
    assert Run.objects.count() == 6


@pytest.mark.parametrize(
    "odd",
    [
        {"assistant_id": ["asst_1"], "status": {"a": 1}, "model": "m\ud800" * 300},
        {"usage": {"prompt_tokens": 2**63, "completion_tokens": -1, "total_tokens": "12"}},
        {"usage": [1], "last_error": "broken", "incomplete_details": 3},
        {"created_at": "9999-12-31T23:59:59Z", "completed_at": float("1e300"), "started_at": "never"},
    ],
)
def test_a_run_of_any_shape_becomes_a_row(odd: dict[str, Any]) -> None:
    row = snapshotted(message("m1"), run("run_1", **odd), step("s1", "run_1", "\x00kind", "func\ud800"))
    assess(row)
    found = Run.objects.get()
    assert found.run_id
    assert found.total_tokens in (None, 164)


@pytest.mark.parametrize("ids", [("x" * 300, "x" * 299), ("run\x00", "run"), (None, "(run 1 without id)")])
def test_ids_that_become_alike_as_they_are_stored_are_one_row(ids: tuple[Any, Any]) -> None:
    row = ThreadFactory.create()
    rows = RunRows()
    rows.add(row.pk, SourceThread(row.thread_id, None, (), runs=tuple(map(run, ids))))
    assert rows.write([row.pk]) == 1


def test_more_runs_than_a_statement_takes_are_all_written() -> None:
    row = snapshotted(message("m1"), *(run(f"run_{number}") for number in range(2_105)))
    assess(row)
    assert Run.objects.count() == 2_105
    (total,) = run_totals(Span())
    assert (total.runs, total.total_tokens) == (2_105, 2_105 * 164)


def test_estates_snapshotted_before_get_their_rows_and_a_second_time_finds_nothing_to_do() -> None:
    rows = [
        snapshotted(message("m1"), run("run_1"), thread_id=f"thread_{number}", run_count=1)
        for number in range(3)
    ]
    ThreadFactory.create(thread_id="thread_without", run_count=0)
    assert runs_collect(actor=ACTOR) == Collected(3, 3, rows[-1].pk)
    assert run_totals(Span())[0].runs == 3
    assert runs_collect(actor=ACTOR) == Collected()
    assert AuditEvent.objects.filter(verb="runs.collected").count() == 1


def test_collecting_goes_on_behind_the_thread_it_was_stopped_at() -> None:
    rows = [
        snapshotted(message("m1"), run("run_1"), thread_id=f"thread_{number}", run_count=1)
        for number in range(3)
    ]
    assert runs_collect(actor=ACTOR, everything=True, after=rows[1].pk) == Collected(1, 1, rows[2].pk)


def test_collecting_everything_again_writes_only_what_differs() -> None:
    row = snapshotted(message("m1"), run("run_1"), run("run_2"), run_count=2)
    assess(row)
    Run.objects.filter(run_id="run_2").update(status="lost")
    assert runs_collect(actor=ACTOR, everything=True).rows == 1
    assert set(Run.objects.values_list("status", flat=True)) == {"completed"}


def test_totals_are_of_one_assistant_or_of_a_span_of_months() -> None:
    august = JULY + 31 * 86_400
    row = snapshotted(
        message("m1"),
        run("run_1"),
        run("run_2", status="failed", usage=None),
        run("run_3", created_at=august),
        run("run_4", assistant_id="asst_2", created_at=None),
    )
    assess(row)
    july = RunTotal("asst_1", "2025-07", "gpt-4.1", 2, 1, 1, 34, 130, 164)
    assert [total.month for total in run_totals(Span("asst_1"))] == ["2025-08", "2025-07"]
    assert run_totals(Span("asst_1", first="2025-07", last="2025-07")) == [july]
    assert run_totals(Span(last="2025-07")) == [july]
    assert [total.month for total in run_totals(Span("asst_2"))] == [""]
    before = run_totals(Span())
    Run.objects.filter(run_id="run_2").delete()
    assert run_totals(Span("asst_1", first="2025-07", last="2025-07"))[0].runs == 1
    after = run_totals(Span())
    assert RUNS.fold()
    assert run_totals(Span()) == after
    assert len(after) == len(before)


def test_a_month_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="2025-07"):
        Span(first="July")


def test_collecting_everything_counts_anew_what_had_been_miscounted() -> None:
    row = snapshotted(message("m1"), run("run_1"), run("run_2", created_at=None), run_count=2)
    assess(row)
    right = run_totals(Span())
    RunTally.objects.update(total_tokens=5, runs=9)
    assert run_totals(Span()) != right
    runs_collect(actor=ACTOR, everything=True)
    assert run_totals(Span()) == right


def test_the_newest_totals_are_read_without_all_the_others() -> None:
    RunTally.objects.bulk_create(
        RunTally(
            assistant_id=f"asst_{number % 400}",
            month=f"20{10 + number // 400}-07",
            model="gpt-4.1",
            status="completed",
            runs=1,
            runs_with_usage=1,
            prompt_tokens=1,
            completion_tokens=1,
            total_tokens=2,
        )
        for number in range(8_000)
    )
    with CaptureQueriesContext(connection) as queries, connection.cursor() as cursor:
        cursor.execute("ANALYZE migration_app_runtally")
        assert [total.month for total in run_totals(Span(), limit=500)[399:401]] == ["2029-07", "2028-07"]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {queries[-1]['sql']}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "run_tally_month" in plan
    assert "Seq Scan on migration_app_runtally " not in plan

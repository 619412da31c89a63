from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from migration_app import index_walks
from migration_app.batches import preflight_large
from migration_app.batches.preflight import Preflight, preflight_of
from migration_app.batches.preflight_large import matching_text, page_preflight
from migration_app.batches.preflight_report import preflight_rows
from migration_app.contracts import Policies
from migration_app.counters import THREADS
from migration_app.models import Thread
from migration_app.threads.selections import selection_of_filters, selection_of_pks
from tests.migration_app.admin.estate import assistant_made, batch_made, conversation_made

pytestmark = pytest.mark.django_db

ALL = selection_of_filters({})
COUNTED = ("matching", "taken", "totals", "refused_by_status", "by_fidelity", "blocked")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page reads at most twenty threads, and of more looks at the newest ten."""
    monkeypatch.setattr(preflight_large, "EXACT_THREADS", 20)
    monkeypatch.setattr(preflight_large, "SAMPLE_THREADS", 10)
    monkeypatch.setattr(index_walks, "SCANNED_AT_ONCE", 10)


def estate(**fields: Any) -> list[Thread]:
    """Sixty threads in every state that a batch takes or leaves, a third without a snapshot."""
    batch = batch_made()
    statuses = ["snapshotted", "verified", "failed", "needs_review", "excluded", "blocked", "queued"]
    made = []
    for number in range(60):
        status = statuses[number % len(statuses)]
        work = {"pending_work": "backfill", "batch": batch} if status == "queued" else {}
        made.append(
            Thread(
                thread_id=f"t{number}",
                status=status,
                fidelity="blocked" if status == "blocked" else ("exact", "lossy")[number % 2],
                error_code="source_grown" if status == "needs_review" and number % 2 else "",
                snapshot_at=timezone.now() if number % 3 else None,
                message_count=number,
                item_count=7 * number,
                chunk_count=number,
                payload_bytes=number,
                finding_counts={"message_empty": 1},
                **{**work, **fields},
            )
        )
    return Thread.objects.bulk_create(made)


@pytest.mark.parametrize("kind", ["backfill", "retry", "exclude", "snapshot", "resources"])
@pytest.mark.parametrize("filters", [{}, {"fidelity__exact": "lossy"}], ids=str)
def test_of_too_many_threads_the_numbers_are_still_those_of_all(kind: str, filters: dict[str, str]) -> None:
    estate()
    THREADS.fold()
    Thread.objects.filter(thread_id="t1").update(status="failed")
    selection = selection_of_filters(filters)
    found, whole = page_preflight(selection, kind), preflight_of(selection, kind)
    assert (found.sampled, found.counted) == (10, True)
    assert {name: getattr(found, name) for name in COUNTED} == {
        name: getattr(whole, name) for name in COUNTED
    }
    assert (found.exact, whole.sampled) == (True, 0)


def test_findings_and_the_longest_are_those_of_the_newest_and_say_so() -> None:
    estate()
    Thread.objects.update(status="snapshotted", pending_work="")
    found = page_preflight(ALL, "backfill")
    assert [(one.code, one.threads) for one in found.findings] == [("message_empty", 10)]
    assert found.longest[0].thread_id == "t59"
    rows = list(preflight_rows(found))
    assert any(row[:2] == ("figures", "partial") and "newest 10" in row[2] for row in rows)


def test_few_threads_are_all_looked_at() -> None:
    estate()
    selection = selection_of_filters({"status__exact": "failed"})
    assert page_preflight(selection, "retry") == preflight_of(selection, "retry")
    chosen = selection_of_pks(list(Thread.objects.values_list("pk", flat=True)[:30]))
    assert page_preflight(chosen, "backfill") == preflight_of(chosen, "backfill")


def test_under_other_policies_the_numbers_of_many_threads_are_not_called_exact() -> None:
    estate()
    assert not page_preflight(ALL, "backfill", Policies(assistant_images="block")).exact


def test_what_the_counters_do_not_know_is_told_as_at_least() -> None:
    assistant = assistant_made()
    estate(assistant=assistant)
    selection = selection_of_filters({"assistant__id__exact": str(assistant.pk)})
    found = page_preflight(selection, "exclude")
    assert (found.sampled, found.counted, found.matching) == (10, False, 10)
    assert matching_text(selection) == "at least 10"
    assert matching_text(ALL) == "60"
    assert matching_text(selection_of_filters({"status__exact": "failed"})) == "9"


def test_what_a_kind_takes_by_the_conversation_is_told_as_at_least() -> None:
    for thread in estate():
        conversation_made(thread=thread, state="complete")
    found = page_preflight(ALL, "verify")
    assert not found.counted
    assert found.taken == sum(
        thread.status in {"verified", "needs_review"} for thread in Thread.objects.order_by("-pk")[:10]
    )


def test_filters_that_no_index_holds_together_are_counted_where_one_leaves_few_threads() -> None:
    estate()
    selection = selection_of_filters({"status__exact": "failed", "finding__exact": "message_empty"})
    assert page_preflight(selection, "retry") == preflight_of(selection, "retry")


def test_filters_that_no_index_holds_together_and_that_leave_many_are_told_as_at_least() -> None:
    estate()
    Thread.objects.filter(status="verified").update(status="snapshotted")
    selection = selection_of_filters({"fidelity__exact": "lossy", "finding__exact": "message_empty"})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE migration_app_thread")
    found = page_preflight(selection, "backfill")
    assert (found.counted, found.matching) == (False, 10)


def test_a_page_asks_as_much_of_many_threads_as_of_few(
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    estate()
    with django_assert_max_num_queries(20):
        page_preflight(ALL, "backfill")


def test_no_statement_about_many_threads_reads_them_all() -> None:
    estate()
    for number in range(40):
        Thread.objects.bulk_create(
            Thread(thread_id=f"more_{number}_{at}", status="snapshotted") for at in range(100)
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE migration_app_thread")
    with CaptureQueriesContext(connection) as queries:
        found: Preflight = page_preflight(ALL, "backfill")
    assert found.matching == 4060
    plans = []
    with connection.cursor() as cursor:
        for query in queries:
            if '"migration_app_thread"' in query["sql"]:
                cursor.execute(f"EXPLAIN {query['sql']}")
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
    assert plans
    assert "Seq Scan on migration_app_thread" not in "\n".join(plans)

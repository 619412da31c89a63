from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from migration_app.contracts import Policies, policies_as_dict
from migration_app.models import AuditEvent, Batch
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.admin.estate import batch_made, thread_made, threads_made


def progress_url(batch: Batch) -> str:
    return reverse("admin:migration_app_batch_progress", args=[batch.pk])


def page_url(batch: Batch) -> str:
    return reverse("admin:migration_app_batch_change", args=[batch.pk])


def test_progress_counts_the_batch_threads_by_status(log_in: LogIn) -> None:
    batch = batch_made(state="running", selected_count=6, taken_count=4)
    threads_made(3, batch=batch, status="verified")
    thread_made(batch=batch, status="queued", pending_work="backfill")
    answer = log_in("viewer").get(progress_url(batch)).json()
    assert answer == {
        "open": True,
        "state": "running",
        "percent": 75,
        "text": "3 of 4 threads done.",
        "selected": 6,
        "taken": 4,
        "counts": {"verified": 3, "queued": 1},
    }


def test_a_batch_that_is_still_prepared_is_never_shown_as_complete(log_in: LogIn) -> None:
    batch = batch_made(state="preparing")
    assert log_in("viewer").get(progress_url(batch)).json()["percent"] == 0
    Batch.objects.update(taken_count=1)
    thread_made(batch=batch, status="excluded")
    assert log_in("operator").get(progress_url(batch)).json()["percent"] == 99


def test_a_finished_batch_is_not_polled_any_more(log_in: LogIn) -> None:
    batch = batch_made(state="finished")
    assert b'data-open="false"' in log_in("viewer").get(page_url(batch)).content


def test_progress_is_for_those_who_may_see_batches(log_in: LogIn) -> None:
    batch = batch_made(state="running")
    assert log_in("newcomer").get(progress_url(batch)).status_code == 403
    assert log_in("anonymous").get(progress_url(batch)).status_code == 302


def test_progress_of_an_unknown_batch_is_not_found(log_in: LogIn) -> None:
    assert log_in("viewer").get(progress_url(Batch(pk=999_999))).status_code == 404


def test_the_page_tells_who_why_and_errors_by_code(log_in: LogIn) -> None:
    batch = batch_made(reason="ticket 12", created_by_name="ada", state="finished")
    threads_made(2, batch=batch, status="failed", error_code="rate_limited")
    page = log_in("operator").get(page_url(batch)).content.decode()
    assert "ticket 12" in page
    assert "ada" in page
    assert f"?batch__id__exact={batch.pk}&amp;error_code__exact=rate_limited" in page


def test_a_finished_batch_offers_to_retry_its_failed_threads(log_in: LogIn) -> None:
    client = log_in("operator")
    batch = batch_made(state="finished")
    thread_made(batch=batch, status="failed")
    thread_made(status="failed")
    link = next(row["url"] for row in client.get(page_url(batch)).context["retries"])
    assert client.get(link).context["taken"] == 1


def test_a_viewer_is_not_offered_to_retry(log_in: LogIn) -> None:
    batch = batch_made(state="finished")
    thread_made(batch=batch, status="failed")
    assert log_in("viewer").get(page_url(batch)).context["retries"] == []


def test_an_open_batch_without_workers_says_how_to_start_one(log_in: LogIn) -> None:
    assert b"manage.py rqworker" in log_in("viewer").get(page_url(batch_made(state="running"))).content


@pytest.mark.parametrize("selection", [{}, {"ids": "x"}, {"filters": {"nonsense": "1"}}, {"filters": []}])
def test_a_selection_that_cannot_be_read_does_not_break_the_page(selection: Any, log_in: LogIn) -> None:
    assert log_in("viewer").get(page_url(batch_made(filter=selection))).status_code == 200


def test_hostile_words_are_escaped(log_in: LogIn) -> None:
    batch = batch_made(reason=HOSTILE, created_by_name=HOSTILE, error_text=HOSTILE, state="failed")
    client = log_in("viewer")
    for url in (page_url(batch), reverse("admin:migration_app_batch_changelist"), "/admin/"):
        assert "<script>alert(" not in client.get(url).content.decode()


def test_looking_at_a_batch_writes_nothing(log_in: LogIn) -> None:
    log_in("operator").get(page_url(batch_made(state="running")))
    assert not AuditEvent.objects.exists()


def test_the_list_takes_as_many_queries_for_forty_batches_as_for_one(
    log_in: LogIn, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = log_in("viewer")
    for _ in range(40):
        batch_made()
    with django_assert_max_num_queries(8):
        client.get(reverse("admin:migration_app_batch_changelist"))


def test_the_page_tells_the_policies_that_were_chosen(log_in: LogIn) -> None:
    chosen = policies_as_dict(Policies(assistant_images="block"))
    batch = batch_made(state="finished", settings={"policies": chosen, "policies_version": 1})
    page = log_in("viewer").get(page_url(batch)).content.decode()
    assert "assistant_images=block (version 1)" in page
    assert "attachments = input_file" in page


def test_policies_that_this_version_does_not_know_do_not_break_the_page(log_in: LogIn) -> None:
    batch = batch_made(state="finished", settings={"policies": {HOSTILE: HOSTILE}})
    page = log_in("viewer").get(page_url(batch)).content.decode()
    assert "can&#x27;t be read" in page
    assert "<script>alert(" not in page


def test_what_was_looked_at_and_taken_stands_where_the_script_renews_it(log_in: LogIn) -> None:
    batch = batch_made(state="preparing", selected_count=1200, taken_count=1000)
    page = log_in("viewer").get(page_url(batch)).content.decode()
    assert f'data-fact-of="{progress_url(batch)}" data-fact="selected">1,200<' in page
    assert f'data-fact-of="{progress_url(batch)}" data-fact="taken">1,000<' in page

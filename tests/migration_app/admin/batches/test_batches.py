from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from migration_app.admin.base.badges import batch_badge
from migration_app.admin.batches import results
from migration_app.batches import progress
from migration_app.contracts import Policies, policies_as_dict
from migration_app.models import AuditEvent, Batch, BatchMinute, Thread
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.admin.estate import batch_made, result_made, thread_made, threads_made

NOW = timezone.now()
LIST = "/admin/migration_app/batch/"


def page_url(batch: Batch) -> str:
    return reverse("admin:migration_app_batch_change", args=[batch.pk])


def test_progress_counts_what_is_done_of_what_was_taken(log_in: LogIn) -> None:
    batch = batch_made(state="running", started_at=NOW, selected_count=6, taken_count=4)
    for thread in threads_made(3, batch=batch, status="verified"):
        result_made(thread, "verified")
    thread_made(batch=batch, status="queued", pending_work="backfill")
    context = log_in("viewer").get(page_url(batch)).context
    assert (context["percent"], context["progress_text"]) == (75, "3 of 4 threads done.")
    assert context["bar"].text == "3 verified, 1 not done"


def test_a_batch_that_is_still_prepared_is_never_shown_as_complete(log_in: LogIn) -> None:
    batch = batch_made(state="preparing")
    client = log_in("operator")
    assert client.get(page_url(batch)).context["percent"] == 0
    Batch.objects.update(taken_count=1)
    thread_made(batch=batch, status="excluded")
    assert client.get(page_url(batch)).context["percent"] == 99


def test_a_finished_batch_is_not_asked_for_any_more(log_in: LogIn) -> None:
    page = log_in("viewer").get(page_url(batch_made(state="finished"))).content
    assert b'data-live="closed"' in page
    assert b'data-live="open"' not in page


def test_a_batch_is_for_those_who_may_see_batches(log_in: LogIn) -> None:
    batch = batch_made(state="running")
    assert log_in("newcomer").get(page_url(batch)).status_code == 403
    assert log_in("anonymous").get(page_url(batch)).status_code == 302
    assert log_in("viewer").get(page_url(Batch(pk=999_999))).status_code == 404


def test_the_page_tells_who_why_and_errors_by_code(log_in: LogIn) -> None:
    batch = batch_made(reason="ticket 12", created_by_name="ada", state="finished")
    for thread in threads_made(2, batch=batch, status="failed", error_code="rate_limited"):
        result_made(thread, "failed", error_code="rate_limited")
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


def test_the_list_names_the_batches_of_high_priority(log_in: LogIn) -> None:
    plain, first = batch_made(), batch_made(urgent=True)
    page = log_in("viewer").get(LIST).content.decode()
    assert f"{first.pk}: backfill, high priority" in page
    assert f"{plain.pk}: backfill<" in page


def test_looking_at_a_batch_writes_nothing(log_in: LogIn) -> None:
    log_in("operator").get(page_url(batch_made(state="running")))
    assert not AuditEvent.objects.exists()


def test_the_list_takes_as_many_queries_for_forty_batches_as_for_one(
    log_in: LogIn, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = log_in("viewer")
    for _ in range(40):
        batch_made()
    with django_assert_max_num_queries(12):
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


def finished(*results: tuple[str, str]) -> Batch:
    """A finished batch with one thread for each result and error code; the threads still are what it made of them."""
    batch = batch_made(
        state="finished",
        taken_count=len(results),
        selected_count=len(results),
        created_at=NOW - dt.timedelta(seconds=200),
        finished_at=NOW,
    )
    for result, code in results:
        thread = thread_made(batch=batch, status=result, error_code=code)
        result_made(
            thread,
            result,
            error_code=code,
            messages=10,
            finished_at=NOW,
            started_at=NOW - dt.timedelta(seconds=90),
        )
    return batch


def context_of(log_in: LogIn, batch: Batch, role: str = "operator") -> Any:
    return log_in(role).get(page_url(batch)).context


@pytest.mark.parametrize(
    ("results", "text", "colour"),
    [
        ([("verified", ""), ("excluded", "")], "finished", "success"),
        ([("verified", ""), ("failed", "timeout")], "finished, 1 needs attention", "danger"),
        ([("blocked", "x"), ("needs_review", "y")], "finished, 2 need attention", "danger"),
        ([("verified", ""), ("needs_review", "difference")], "finished, 1 needs attention", "warning"),
        ([], "finished, nothing to do", ""),
    ],
)
def test_green_means_that_all_is_well_on_the_page_and_in_the_list(
    log_in: LogIn, results: list[tuple[str, str]], text: str, colour: str
) -> None:
    batch = finished(*results)
    client = log_in("viewer")
    outcome = client.get(page_url(batch)).context["outcome"]
    assert (outcome.text, outcome.type) == (text, colour)
    assert text in client.get(LIST).content.decode()


@pytest.mark.parametrize("state", sorted({*Batch.State.values} - {"finished"}))
def test_a_batch_that_is_not_finished_is_shown_by_its_state_whatever_became_of_its_threads(
    log_in: LogIn, state: str
) -> None:
    troubled = finished(("failed", "timeout"))
    empty = finished()
    Batch.objects.update(state=state, finished_at=None)
    client = log_in("viewer")
    for batch in (troubled, empty):
        assert client.get(page_url(batch)).context["outcome"].text == batch_badge(state).text


def test_attention_goes_down_as_threads_are_settled_and_the_rest_decides_the_colour(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = finished(("failed", "timeout"), ("failed", "timeout"), ("needs_review", "difference"))
    client = log_in("viewer")

    def outcome() -> tuple[str, str]:
        badge = client.get(page_url(batch)).context["outcome"]
        assert badge.text in client.get(LIST).content.decode()
        return badge.text, badge.type

    Thread.objects.filter(pk=Thread.objects.filter(status="failed").first().pk).update(status="verified")  # type: ignore[union-attr]
    assert outcome() == ("finished, 3 needed attention, 2 still do", "danger")
    Thread.objects.filter(status="failed").update(
        batch=batch_made(), status="queued", pending_work="backfill"
    )
    assert outcome() == ("finished, 3 needed attention, 1 still does", "warning")
    Thread.objects.update(status="verified")
    assert outcome() == ("finished, 3 needed attention", "success")
    monkeypatch.setattr(progress, "STILL_COUNTED_UP_TO", 2)
    assert outcome() == ("finished, 3 needed attention", "warning")
    Thread.objects.update(status="failed")
    assert outcome() == ("finished, 3 needed attention, at least 2 still do", "danger")


def test_the_outcome_stays_when_a_later_batch_takes_the_threads(log_in: LogIn) -> None:
    batch = finished(("verified", ""), ("failed", "timeout"), ("failed", "timeout"))
    Thread.objects.filter(status="failed").update(
        batch=batch_made(), status="queued", pending_work="backfill"
    )
    context = context_of(log_in, batch)
    assert context["progress_text"] == "3 of 3 threads done."
    assert [(row["result"], row["count"], row["share"]) for row in context["results"]] == [
        ("verified", "1", "33%"),
        ("failed", "2", "67%"),
    ]
    assert [(row["error_code"], row["ended"], row["retry_url"]) for row in context["errors"]] == [
        ("timeout", "2", "")
    ]
    page = log_in("viewer").get(LIST).content.decode()
    assert "1 verified, 2 failed" in page


def test_errors_have_up_to_three_examples_and_retry_what_is_still_there(log_in: LogIn) -> None:
    batch = finished(*[("failed", "timeout")] * 5, ("needs_review", "difference"))
    taken = Thread.objects.filter(error_code="timeout").order_by("pk").first()
    assert taken is not None
    Thread.objects.filter(pk=taken.pk).update(batch=batch_made(), status="verified", error_code="")
    client = log_in("operator")
    first, second = client.get(page_url(batch)).context["errors"]
    assert (first["error_code"], first["ended"], first["retryable"], first["is_all"]) == (
        "timeout",
        "5",
        "4",
        False,
    )
    newest = Thread.objects.filter(error_code="timeout").order_by("-pk")[:3]
    assert [row["thread_id"] for row in first["examples"]] == [thread.thread_id for thread in newest]
    assert client.get(first["retry_url"]).context["taken"] == 4
    assert (second["error_code"], len(second["examples"])) == ("difference", 1)


def test_threads_that_wait_for_another_try_are_shown_before_they_end(log_in: LogIn) -> None:
    batch = batch_made(state="running", taken_count=1)
    thread_made(batch=batch, status="queued", pending_work="backfill", error_code="timeout")
    (row,) = context_of(log_in, batch)["errors"]
    assert (row["ended"], row["retried"], row["retry_url"]) == ("0", "1", "")


def test_the_list_of_results_is_narrowed_and_says_what_the_thread_is_now(log_in: LogIn) -> None:
    batch = finished(("verified", ""), ("failed", "timeout"), ("failed", "difference"))
    Thread.objects.filter(error_code="timeout").update(status="verified", error_code="")
    url = reverse("admin:migration_app_batch_results", args=[batch.pk])
    client = log_in("viewer")
    assert len(client.get(url).context["rows"]) == 3
    rows = client.get(f"{url}?result=failed").context["rows"]
    assert [(row["error_code"], row["now"].text, row["took"]) for row in rows] == [
        ("difference", "failed", "1 min 30 s"),
        ("timeout", "verified", "1 min 30 s"),
    ]
    (row,) = client.get(f"{url}?error_code=timeout").context["rows"]
    assert row["badge"].text == "failed"
    assert client.get(f"{url}?result=nonsense&below=x&error_code=%00").status_code == 200
    assert log_in("newcomer").get(url).status_code == 403


def test_many_results_are_paged_below_the_last_one(log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "SHOWN", 2)
    batch = finished(*[("failed", "timeout")] * 5)
    client, url, seen = log_in("viewer"), reverse("admin:migration_app_batch_results", args=[batch.pk]), []
    while url:
        context = client.get(url).context
        seen += [row["thread_id"] for row in context["rows"]]
        url = context["further_url"]
    assert len(seen) == len(set(seen)) == 5


def test_a_thread_without_a_result_says_which_batch_took_it(log_in: LogIn) -> None:
    first, second = batch_made(state="finished", taken_count=1), batch_made()
    result_made(thread_made(batch=first), "continued", continued_in=second.pk)
    page = log_in("viewer").get(reverse("admin:migration_app_batch_results", args=[first.pk]))
    assert page_url(second) in page.content.decode()


def figures(context: Any) -> dict[str, tuple[str, str]]:
    return {label: (value, note) for label, value, note in context["figures"]}


def test_the_threads_of_a_batch_that_is_over_are_its_results(log_in: LogIn) -> None:
    batch, open_batch = finished(("failed", "timeout")), batch_made(state="running")
    Thread.objects.update(batch=open_batch)
    client = log_in("viewer")
    text, url = client.get(page_url(batch)).context["threads_link"]
    assert (text, len(client.get(url).context["rows"])) == ("All results", 1)
    assert client.get(page_url(open_batch)).context["threads_link"][0] == "Its threads"


def test_a_running_batch_tells_rate_time_left_retries_and_refusals(log_in: LogIn) -> None:
    batch = batch_made(
        state="running",
        started_at=NOW,
        taken_count=60,
        call_count=1000,
        retry_count=7,
        throttled_count=50,
        estimated_calls=1300,
        estimated_seconds=300,
    )
    threads_made(30, batch=batch, status="queued", pending_work="backfill")
    BatchMinute.objects.create(
        batch=batch, minute=timezone.now().replace(second=0, microsecond=0), seconds=60, threads=15
    )
    told = figures(context_of(log_in, batch))
    assert told["Threads a minute"] == ("15", "last 5 minutes")
    assert told["Time left"] == ("2 min", "at this rate")
    assert told["API calls"] == ("1,000", "of 1,300 estimated")
    assert told["Retries"][0] == "7"
    assert told["Answers 429"] == ("50", "5% of all calls")
    assert told["Elapsed"][1] == "estimated: 5 min"


def test_a_finished_batch_tells_its_duration_against_the_estimate(log_in: LogIn) -> None:
    batch = finished(("verified", ""))
    Batch.objects.update(created_at=NOW - dt.timedelta(seconds=200), estimated_seconds=240)
    told = figures(context_of(log_in, batch))
    assert told["Elapsed"] == ("3 min 20 s", "estimated: 4 min")
    assert "Time left" not in told


def test_a_batch_that_nobody_works_on_says_that_its_time_left_is_not_known(log_in: LogIn) -> None:
    batch = batch_made(state="running", started_at=NOW, taken_count=1)
    thread_made(batch=batch, status="queued", pending_work="backfill")
    assert figures(context_of(log_in, batch))["Time left"] == ("–", "no worker was at it lately")


def test_a_batch_that_has_just_started_says_so_and_not_that_no_worker_is_at_it(log_in: LogIn) -> None:
    batch = batch_made(state="running", started_at=NOW, heartbeat_at=timezone.now(), taken_count=1)
    thread_made(batch=batch, status="queued", pending_work="backfill")
    assert figures(context_of(log_in, batch))["Time left"] == ("–", "just started: no rate yet")


def test_time_left_goes_by_the_calls_while_no_thread_is_done(log_in: LogIn) -> None:
    batch = batch_made(
        state="running",
        started_at=NOW,
        heartbeat_at=timezone.now(),
        taken_count=1,
        estimated_calls=130,
        call_count=10,
        requests_per_minute=20,
    )
    thread_made(batch=batch, status="queued", pending_work="backfill")
    client = log_in("operator")
    assert figures(client.get(page_url(batch)).context)["Time left"] == (
        "6 min",
        "by the calls that are left",
    )
    minute = timezone.now().replace(second=0, microsecond=0)
    BatchMinute.objects.create(batch=batch, minute=minute, seconds=60, calls=10)
    assert figures(client.get(page_url(batch)).context)["Time left"] == (
        "12 min",
        "by the calls that are left",
    )


def test_a_part_that_is_asked_for_by_itself_comes_without_the_frame(log_in: LogIn) -> None:
    batch = batch_made(state="running")
    page = log_in("operator").get(page_url(batch), headers={"HX-Request": "true"}).content.decode()
    assert 'id="batch-status"' in page
    assert 'id="batch-control"' in page
    assert "<html" not in page


def test_the_page_takes_a_bounded_number_of_queries(
    log_in: LogIn, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    batch = finished(*[("failed", f"code_{number}") for number in range(30)])
    client = log_in("operator")
    with django_assert_max_num_queries(16):
        client.get(page_url(batch))

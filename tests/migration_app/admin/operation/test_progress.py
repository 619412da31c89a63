"""The dashboard's progress: how far, how fast, and when it is done."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone
from redis import Redis

from migration_app.admin.operation.progress import chart_context, shares
from migration_app.models import Batch, BatchMinute, Thread
from migration_app.operation.samples import Bar
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import batch_made, thread_made, threads_made
from tests.migration_app.admin.operation.conftest import heard

LIVE = "/admin/dashboard/live/"


def test_the_parts_of_the_whole_are_counted_once_each(log_in: LogIn) -> None:
    threads_made(3, status="verified")
    thread_made(status="failed")
    context = log_in("viewer").get("/admin/").context
    counts = {part["name"]: part["count"] for part in context["segments"]}
    assert counts == {"verified": 3, "in_flight": 0, "waiting": 0, "attention": 1, "excluded": 0}
    assert (context["verified"], context["total"], context["percent_text"]) == (3, 4, "75%")


def test_the_bar_says_in_words_what_its_colours_say(log_in: LogIn) -> None:
    threads_made(2, status="verified")
    thread_made(status="registered")
    html = log_in("viewer").get(LIVE).content.decode()
    assert 'aria-label="2 verified (67%), 0 in flight (0%), 1 waiting (33%)' in html


@pytest.mark.parametrize(
    ("counts", "texts"),
    [
        ([0, 0], ["0%", "0%"]),
        ([7, 0], ["100%", "0%"]),
        ([2, 1], ["67%", "33%"]),
        ([1, 1, 1], ["34%", "33%", "33%"]),
        ([3_100, 2_900, 3], ["52%", "48%", "<1%"]),
        ([9_999, 1], ["99%", "<1%"]),
    ],
)
def test_shares_add_up(counts: list[int], texts: list[str]) -> None:
    assert list(shares({str(number): count for number, count in enumerate(counts)}).values()) == texts


def test_time_left_says_why_it_can_not_be_known(log_in: LogIn, redis: Redis) -> None:
    client = log_in("viewer")

    def time_left() -> tuple[str, str]:
        text, reason = client.get(LIVE).context["time_left"]
        return text, reason

    batch = batch_made(state="paused", held_text="Paused by ada: lunch", taken_count=4)
    threads_made(4, status="queued", pending_work="backfill", batch=batch)
    assert time_left() == ("unknown", "No worker is alive, so no work is in progress.")
    heard(redis, "w1")
    assert time_left() == ("paused", "Every open batch is paused. Resume one to know.")
    Batch.objects.filter(pk=batch.pk).update(state="running")
    assert time_left() == ("no rate yet", "The running batch was worked on for too short a time.")
    minute = timezone.now().replace(second=0, microsecond=0)
    BatchMinute.objects.create(batch=batch, minute=minute, seconds=30)
    assert time_left() == ("unknown", "No thread was finished in the last 5 minutes.")
    BatchMinute.objects.update(threads=1)
    assert time_left()[0] == "about 2 min"
    assert time_left()[1].endswith("for 4 threads in running batches.")
    Batch.objects.filter(pk=batch.pk).update(state="finished")
    Thread.objects.filter(status="queued").update(status="registered", pending_work="")
    assert time_left() == ("no batch open", "4 threads are in no batch. Start one to know.")
    Thread.objects.filter(status="registered").update(status="failed")
    assert time_left()[0] == "done but for attention"
    Thread.objects.filter(status="failed").update(status="verified")
    assert time_left() == ("done", "Nothing is left to do.")


def test_rate_and_time_left_are_those_of_the_running_batch_as_its_card_says(
    log_in: LogIn, redis: Redis
) -> None:
    """Another batch, an hour's rate ago or paused now, says nothing about this one."""
    heard(redis, "w1")
    client = log_in("viewer")
    minute = timezone.now().replace(second=0, microsecond=0)
    earlier = batch_made(state="paused", held_text="Paused by ada: lunch", started_at=minute, taken_count=9)
    threads_made(9, status="queued", pending_work="backfill", batch=earlier)
    BatchMinute.objects.create(batch=earlier, minute=minute, seconds=30, threads=100, messages=900)
    context = client.get(LIVE).context
    assert (context["threads_rate"], context["no_rate"]) == ("", "no batch is running")
    batch = batch_made(state="running", started_at=minute, taken_count=4)
    threads_made(4, status="queued", pending_work="backfill", batch=batch)
    context = client.get(LIVE).context
    assert (context["threads_rate"], context["no_rate"]) == ("", "no rate yet")
    assert context["time_left"][0] == context["active"][0].facts[0] == "no rate yet"
    BatchMinute.objects.create(batch=batch, minute=minute, seconds=60, threads=2, messages=8)
    context = client.get(LIVE).context
    assert context["time_left"][0] == "about 2 min"
    assert context["time_left"][1].endswith("9 threads are in no running batch.")
    assert context["active"][0].facts[:2] == ("2.0 threads a minute", "time left: about 2 min")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("preparing", "not known yet"),
        ("cancelling", "being cancelled"),
        ("paused", "paused"),
        ("waiting", "waiting for approval"),
    ],
)
def test_a_batch_that_does_not_run_has_no_time_left(
    state: str, words: str, log_in: LogIn, redis: Redis
) -> None:
    heard(redis, "w1")
    batch = batch_made(state=state, taken_count=1)
    thread_made(status="queued", pending_work="backfill", batch=batch)
    assert log_in("viewer").get(LIVE).context["time_left"][0] == words


def test_an_empty_estate_offers_to_import(log_in: LogIn) -> None:
    assert b"Import an archive" in log_in("operator").get("/admin/").content
    assert b"Import an archive" not in log_in("viewer").get("/admin/").content


def test_the_chart_draws_each_quarter_of_an_hour_and_says_it_in_a_sentence() -> None:
    begins = dt.datetime(2026, 9, 1, 8, tzinfo=dt.UTC)
    chart = chart_context([Bar(begins, threads) for threads in (None, 0, 1, 2_000, 1_000)])
    assert (chart["most"], chart["total"], chart["width"]) == (2_000, 3_001, 5)
    assert chart["text"] == (
        "Threads verified in the last 24 hours: 3,001; at most 2,000 in a quarter of an hour."
    )
    whole = chart["height"]
    assert [bar["height"] for bar in chart["bars"]] == [0, 0, 1.5, whole, whole / 2]
    assert [bar["y"] for bar in chart["bars"]] == [whole, whole, whole - 1.5, 0, whole / 2]
    assert [bar["silent"] for bar in chart["bars"]] == [True, False, False, False, False]
    assert [bar["x"] for bar in chart["bars"]] == [0, 1, 2, 3, 4]
    assert chart["bars"][3]["title"].startswith("08:00 UTC: ")
    assert chart_context([])["most"] == 0

"""The speed that a confirm page proposes and a batch is started with."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from django.urls import reverse
from pytest_django.fixtures import Settings

from migration_app.admin.threads import confirm_pages
from migration_app.batches.kinds import BATCH_KINDS
from migration_app.models import Batch, Thread
from tests.migration_app.admin.addresses import confirm_url
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import threads_made


@pytest.fixture(autouse=True)
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    monkeypatch.setattr(confirm_pages, "enqueue", lambda _kind, pk: found.append(pk))
    return found


def act_url(name: str) -> str:
    return reverse("admin:migration_app_thread_act", args=[name])


def posted(
    log_in: LogIn, selection: dict[str, Any] | None = None, name: str = "backfill", **data: str
) -> Any:
    return log_in("admin").post(confirm_url(name, selection), {"reason": "ticket 12", **data})


def snapshotted(count: int) -> list[Thread]:
    return threads_made(count, status="snapshotted")


def test_a_batch_starts_at_the_speed_that_was_chosen(log_in: LogIn) -> None:
    snapshotted(1)
    posted(log_in, window="8", requests_per_minute="600", urgent="1")
    batch = Batch.objects.get()
    assert (batch.window, batch.requests_per_minute, batch.urgent) == (8, 600, True)


def test_an_empty_rate_means_the_target_s_limit(log_in: LogIn) -> None:
    snapshotted(1)
    posted(log_in, window="8", requests_per_minute="")
    batch = Batch.objects.get()
    assert (batch.requests_per_minute, batch.urgent) == (None, False)


@pytest.mark.parametrize(
    "data", [{"window": "0"}, {"window": "x"}, {"window": "8", "requests_per_minute": "-1"}]
)
def test_a_speed_that_cannot_be_starts_nothing_and_keeps_what_was_typed(
    data: dict[str, Any], log_in: LogIn
) -> None:
    snapshotted(1)
    response = posted(log_in, **data)
    assert "must be a whole number" in response.content.decode()
    assert response.context["form"]["window"].value() == data["window"]
    assert not Batch.objects.exists()


@pytest.mark.parametrize(("count", "urgent"), [(1, True), (20, True), (21, False)])
def test_a_few_threads_chosen_one_by_one_are_proposed_to_go_first(
    count: int, urgent: bool, log_in: LogIn
) -> None:
    picked = snapshotted(count)
    ticked = {"action": "backfill", "_selected_action": [thread.pk for thread in picked]}
    response = log_in("admin").post(reverse("admin:migration_app_thread_changelist"), ticked, follow=True)
    assert response.context["form"]["urgent"].value() is urgent


@pytest.mark.parametrize(("query", "urgent"), [({"thread_id__exact": "thread_1"}, True), ({}, False)])
def test_a_link_from_a_thread_s_own_page_is_proposed_to_go_first(
    query: dict[str, str], urgent: bool, log_in: LogIn
) -> None:
    Thread.objects.create(thread_id="thread_1", status="snapshotted")
    assert log_in("operator").get(act_url("backfill"), query).context["form"]["urgent"].value() is urgent


def test_an_action_that_calls_no_api_asks_for_no_speed(log_in: LogIn) -> None:
    snapshotted(1)
    client = log_in("admin")
    assert b'name="window"' not in client.get(act_url("exclude")).content
    assert b'name="window"' in client.get(act_url("backfill")).content


def test_a_batch_that_waits_for_a_second_person_says_so(
    log_in: LogIn, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.APPROVAL_ABOVE_THREADS = 1
    monkeypatch.setitem(BATCH_KINDS, "backfill", dataclasses.replace(BATCH_KINDS["backfill"], approved=True))
    snapshotted(2)
    response = posted(log_in)
    assert Batch.objects.get().state == "waiting"
    page = log_in("viewer").get(response["Location"]).content.decode()
    assert "Waits for a second person" in page

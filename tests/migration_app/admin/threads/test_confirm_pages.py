"""Confirm pages have an address: it can be reloaded, left by Cancel, sent to a colleague, and does nothing twice."""

from __future__ import annotations

import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django.fixtures import Settings

from migration_app.admin.base import addresses
from migration_app.admin.threads import confirm_pages
from migration_app.models import AuditEvent, Batch, KeptSelection, Thread
from migration_app.threads.selections import selection_of_filters, selection_of_pks
from tests.migration_app.admin.addresses import confirm_url
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import batch_made, thread_made, threads_made

LIST = "/admin/migration_app/thread/"
ALL = selection_of_filters({})


@pytest.fixture(autouse=True)
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    pks: list[int] = []
    monkeypatch.setattr(confirm_pages, "enqueue", lambda _kind, pk: pks.append(pk))
    return pks


def ticked(client: Client, *threads: Thread, query: str = "", name: str = "backfill") -> str:
    """The address that the list leads to."""
    data = {"action": name, "index": "0", "_selected_action": [str(thread.pk) for thread in threads]}
    response = client.post(f"{LIST}{query}", data)
    assert response.status_code == 302
    return str(response["Location"])


def test_a_list_s_action_leads_to_an_address_that_a_colleague_can_open(log_in: LogIn) -> None:
    one, two = threads_made(2, status="snapshotted")
    url = ticked(log_in("operator"), two, one, query="?status__exact=snapshotted&p=0")
    assert parse_qs(urlsplit(url).query)["ids"] == [f"{one.pk},{two.pk}"]
    page = log_in("admin").get(url)
    assert (page.status_code, page.context["taken"]) == (200, 2)
    assert (Batch.objects.count(), AuditEvent.objects.count(), KeptSelection.objects.count()) == (0, 0, 0)


def test_cancel_leads_to_the_list_as_it_was_filtered_and_paged(log_in: LogIn) -> None:
    thread, client = thread_made(status="snapshotted"), log_in("operator")
    query = "?status__exact=snapshotted&q=&below=999"
    page = client.get(ticked(client, thread, query=query))
    assert page.context["back_url"] == f"{LIST}{query}"
    assert f'href="{LIST}?status__exact=snapshotted&amp;q=&amp;below=999">Cancel' in page.content.decode()


@pytest.mark.parametrize("name", ["thread", "batch"])
def test_cancel_leads_back_to_the_page_that_linked_here(name: str, log_in: LogIn) -> None:
    batch = batch_made(state="finished", taken_count=1)
    thread = thread_made(status="failed", error_code="refused", batch=batch)
    row = {"thread": thread, "batch": batch}[name]
    url, client = reverse(f"admin:migration_app_{name}_change", args=[row.pk]), log_in("operator")
    html = client.get(url).content.decode()
    link = html.partition(f'href="{reverse("admin:migration_app_thread_act", args=["retry"])}')[2].partition(
        '"'
    )[0]
    page = client.get(confirm_url("retry") + link.replace("&amp;", "&"))
    assert (page.context["back_url"], page.context["taken"]) == (url, 1)


def test_many_ticked_rows_are_kept_and_the_link_serves_a_colleague(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "MOST_IN_ADDRESS", 1)
    one, two = threads_made(2, status="snapshotted")
    url = ticked(log_in("operator"), one, two)
    assert f"kept={KeptSelection.objects.get().key}" in url
    log_in("admin").post(url, {"reason": "both"})
    assert Batch.objects.get().filter == {"ids": [one.pk, two.pk]}


def test_choices_go_into_the_address_and_what_is_typed_does_not(log_in: LogIn) -> None:
    thread_made(status="snapshotted")
    data = {
        "count": "1",
        "reason": "private",
        "window": "8",
        "requests_per_minute": "60",
        "urgent": "1",
        "policy-attachments": "note",
        "policy-file_search": "note",
    }
    client = log_in("operator")
    url = client.post(confirm_url("backfill", back=LIST), data)["Location"]
    query = parse_qs(urlsplit(url).query)
    assert query == {
        "policy-attachments": ["note"],
        "window": ["8"],
        "requests_per_minute": ["60"],
        "urgent": ["1"],
        "back": [LIST],
    }
    form = client.get(url).context["form"]
    assert [form[name].value() for name in ("window", "requests_per_minute", "urgent")] == ["8", "60", True]
    assert form["policy-attachments"].value() == "note"


@pytest.mark.parametrize("name", ["preflight", "backfill", "rollback"])
def test_a_confirm_page_takes_as_many_queries_for_forty_threads_as_for_two(name: str, log_in: LogIn) -> None:
    client = log_in("admin")
    taken = {"status": "verified" if name == "rollback" else "snapshotted", "item_count": 1}

    def queries() -> int:
        with CaptureQueriesContext(connection) as made:
            assert client.get(confirm_url(name)).status_code == 200
        return len(made)

    threads_made(2, **taken)
    queries()
    few = queries()
    threads_made(38, **taken)
    assert queries() == few <= 45


def test_no_address_ticks_a_box_that_deletes_more(log_in: LogIn) -> None:
    thread_made(status="verified", item_count=1)
    page = log_in("admin").get(confirm_url("rollback", foreign_too="1"))
    assert page.status_code == 200
    assert not page.context["form"]["foreign_too"].value()


# --- from the preflight to the backfill -----------------------------------------------------------


def test_the_preflight_leads_on_to_a_backfill_of_the_same_threads_under_the_same_policies(
    log_in: LogIn,
) -> None:
    thread_made(status="snapshotted", user_ref="u1")
    client = log_in("operator")
    url = confirm_url("preflight", selection_of_filters({"user_ref__exact": "u1"}), back=LIST)
    assert "Continue to the backfill" in client.get(url).content.decode()
    page = client.post(url, {"lead_on": "1", "policy-attachments": "note"}, follow=True)
    assert urlsplit(page.redirect_chain[0][0]).path == confirm_url("backfill")
    assert page.context["selection_summary"] == [("User ref", "u1")]
    assert page.context["policies_summary"] == "attachments=note"
    # Cancel leads back to the preflight, with these policies.
    before = client.get(page.context["back_url"])
    assert before.context["policies_summary"] == "attachments=note"
    assert before.context["back_url"] == LIST
    assert not Batch.objects.exists()
    client.post(
        page.context["act_url"],
        {"reason": "r", "counted": "attachments=note"} | {"policy-attachments": "note"},
    )
    batch = Batch.objects.get()
    assert (batch.kind, batch.filter["filters"]) == ("backfill", {"user_ref__exact": "u1"})
    assert batch.settings["policies"]["attachments"] == "note"


def test_a_preflight_of_nothing_does_not_lead_on(log_in: LogIn) -> None:
    thread_made(status="registered")
    assert b"Continue to the backfill" not in log_in("operator").get(confirm_url("preflight")).content


# --- twice ----------------------------------------------------------------------------------------


def test_a_second_tab_is_led_to_the_batch_that_the_first_one_started(
    log_in: LogIn, enqueued: list[int]
) -> None:
    thread_made(status="snapshotted")
    client = log_in("operator")
    url = confirm_url("backfill")
    tabs = [client.get(url).context["known"] for _ in range(2)]
    answers = [client.post(url, {"reason": "r", "known": known}, follow=True) for known in tabs]
    batch = Batch.objects.get()
    page = reverse("admin:migration_app_batch_change", args=[batch.pk])
    assert [answer.redirect_chain[-1][0] for answer in answers] == [page, page]
    assert "Nothing was started" in answers[1].content.decode()
    assert enqueued == [batch.pk]


def test_the_page_names_an_open_batch_that_does_the_same_and_lets_another_start(log_in: LogIn) -> None:
    thread_made(status="snapshotted")
    client = log_in("operator")
    url = confirm_url("backfill")
    assert b"data-alike" not in client.get(url).content
    client.post(url, {"reason": "first", "known": "0"})
    page = client.get(url)
    assert "A batch for the same threads is open" in page.content.decode()
    client.post(url, {"reason": "second", "known": page.context["known"]})
    assert Batch.objects.count() == 2
    Batch.objects.update(state="finished")
    assert b"data-alike" not in client.get(url).content
    assert b"data-alike" not in client.get(confirm_url("verify")).content


@pytest.mark.django_db(transaction=True)
def test_of_two_tabs_at_the_same_moment_one_starts_and_the_other_is_led_to_it(log_in: LogIn) -> None:
    selection = selection_of_pks([thread_made(status="snapshotted").pk])
    client, url = log_in("operator"), confirm_url("backfill", selection)
    known = client.get(url).context["known"]
    together = threading.Barrier(2)
    led: list[str] = []

    def send() -> None:
        tab = Client()
        tab.cookies = client.cookies
        together.wait()
        try:
            led.append(tab.post(url, {"reason": "r", "known": known})["Location"])
        finally:
            connection.close()

    tabs = [threading.Thread(target=send) for _ in range(2)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    batch = Batch.objects.get()
    assert led == [reverse("admin:migration_app_batch_change", args=[batch.pk])] * 2


# --- a second person ------------------------------------------------------------------------------


def test_a_roll_back_says_before_that_a_second_person_is_needed_and_who_can(
    log_in: LogIn, settings: Settings
) -> None:
    settings.APPROVAL_ABOVE_THREADS = 1
    threads_made(2, status="verified", item_count=1)
    client = log_in("admin")
    url = confirm_url("rollback")
    alone = client.get(url).content.decode()
    assert "A second person must approve this" in alone
    assert "Nobody but you can approve it now" in alone
    log_in("operator")
    log_in("superuser")
    page = client.get(url)
    assert page.context["approvers"] == "superuser"
    assert "You can't approve it yourself" in page.content.decode()


def test_a_roll_back_of_few_says_that_it_starts_at_once_and_when_it_would_not(log_in: LogIn) -> None:
    thread_made(status="verified", item_count=1)
    html = log_in("admin").get(confirm_url("rollback")).content.decode()
    assert "This starts at once." in html
    assert "A second person must approve this" not in html
    assert b"second-person" not in log_in("superuser").get(confirm_url("verify")).content


def test_no_findings_is_said_of_all_threads_only_if_all_were_assessed(log_in: LogIn) -> None:
    client = log_in("operator")
    thread_made(status="failed", fidelity="exact")
    assert b"No findings: everything arrives unchanged." in client.get(confirm_url("retry")).content
    thread_made(status="failed")
    html = client.get(confirm_url("retry")).content.decode()
    assert "No findings so far. 1 of the threads are not assessed yet." in html
    assert "everything arrives unchanged" not in html


# --- how long it takes ----------------------------------------------------------------------------


def test_the_preflight_says_how_long_the_backfill_will_take_at_today_s_rate(
    log_in: LogIn, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TARGET_REQUESTS_PER_MINUTE = 0
    thread_made(status="snapshotted", item_count=1041, chunk_count=53)
    client = log_in("operator")
    assert "is not known yet" in client.get(confirm_url("preflight")).context["duration"]
    settings.TARGET_REQUESTS_PER_MINUTE = 6
    page = client.get(confirm_url("preflight"))
    assert page.context["duration"].startswith("About 11 min")
    assert (
        "at the target's limit, for want of a rate of today, of 6 calls a minute" in page.context["duration"]
    )


def test_a_batch_keeps_the_estimate_that_its_page_showed(log_in: LogIn, settings: Settings) -> None:
    settings.TARGET_REQUESTS_PER_MINUTE = 60
    thread_made(status="snapshotted", item_count=1041, chunk_count=53)
    client, url = log_in("operator"), confirm_url("backfill")
    calls = client.get(url).context["calls"]
    client.post(url, {"reason": "r", "calls": str(calls)})
    batch = Batch.objects.get()
    assert (calls, batch.estimated_calls, batch.estimated_seconds) == (66, 66, 66)


def test_the_estimate_takes_the_throttle_that_was_typed_if_it_is_the_lowest(
    log_in: LogIn, settings: Settings
) -> None:
    settings.TARGET_REQUESTS_PER_MINUTE = 60
    thread_made(status="snapshotted", item_count=1041, chunk_count=53)
    client, url = log_in("operator"), confirm_url("backfill")
    shown = client.post(url, {"count": "1", "requests_per_minute": "6"}, follow=True)
    assert shown.context["duration"] == "About 11 min at the chosen throttle of 6 calls a minute."
    shown = client.post(url, {"count": "1", "requests_per_minute": "600"}, follow=True)
    assert "at the target's limit" in shown.context["duration"]
    shown = client.post(url, {"count": "1", "requests_per_minute": "-3"}, follow=True)
    assert "at the target's limit" in shown.context["duration"]
    client.post(url, {"reason": "r", "calls": "66", "requests_per_minute": "6"})
    assert Batch.objects.get().estimated_seconds == 660

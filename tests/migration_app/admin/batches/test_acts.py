from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from migration_app.admin.batches import acts
from migration_app.batches.control import batch_hold
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, Batch
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.admin.estate import batch_made, result_made, thread_made, threads_made

ACTS = {
    "pause": ("running", "paused", {"reason": "lunch"}),
    "resume": ("paused", "preparing", {"reason": "back from lunch"}),
    "cancel": ("running", "cancelling", {"reason": "wrong ones"}),
    "change": ("running", "running", {"window": "8", "requests_per_minute": "60", "urgent": "1"}),
    "approve": ("waiting", "preparing", {}),
}


@pytest.fixture(autouse=True)
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Batches that were put into the queue, which is not part of these tests."""
    found: list[int] = []
    monkeypatch.setattr(acts, "enqueue", lambda _kind, pk: found.append(pk))
    return found


def act_url(batch: Batch, name: str) -> str:
    return reverse("admin:migration_app_batch_act", args=[batch.pk, name])


def page_url(batch: Batch) -> str:
    return reverse("admin:migration_app_batch_change", args=[batch.pk])


def page_of(client: Client, batch: Batch) -> str:
    return client.get(page_url(batch)).content.decode()


def do(client: Client, batch: Batch, name: str, **data: str) -> tuple[Any, str]:
    """Post an act; returns the answer, and what the page says then."""
    answer = client.post(act_url(batch, name), data or ACTS[name][2])
    shown = answer.status_code in {200, 400}
    said = answer.content.decode() if shown else page_of(client, batch) if answer.status_code == 302 else ""
    batch.refresh_from_db()
    return answer, said


# --- who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTS)
def test_an_admin_may_do_each_act_and_comes_back_to_the_page(
    name: str, log_in: LogIn, enqueued: list[int]
) -> None:
    before, after, _ = ACTS[name]
    kind = "rollback" if name == "approve" else "backfill"
    batch = batch_made(kind=kind, state=before)
    answer, _said = do(log_in("admin"), batch, name)
    assert (answer.status_code, answer["Location"]) == (302, page_url(batch))
    assert batch.state == after
    event = AuditEvent.objects.get()
    assert event.actor == "admin"
    assert ACTS[name][2].get("reason", "") in event.reason
    assert enqueued == ([] if name == "pause" else [batch.pk])


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("role", ["viewer", "newcomer"])
def test_who_may_not_start_a_batch_may_not_touch_it(name: str, role: str, log_in: LogIn) -> None:
    batch = batch_made(state=ACTS[name][0])
    answer, _ = do(log_in(role), batch, name)
    assert (answer.status_code, batch.state) == (403, ACTS[name][0])
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("name", ACTS)
def test_a_stranger_is_sent_to_the_login_page(name: str, log_in: LogIn) -> None:
    batch = batch_made(state=ACTS[name][0])
    answer = log_in("anonymous").post(act_url(batch, name))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")
    batch.refresh_from_db()
    assert batch.state == ACTS[name][0]


@pytest.mark.parametrize(
    ("kind", "status"), [("backfill", 302), ("retry", 302), ("exclude", 403), ("rollback", 403)]
)
def test_an_operator_may_stop_what_an_operator_may_start(kind: str, status: int, log_in: LogIn) -> None:
    batch = batch_made(kind=kind, state="running")
    answer, _ = do(log_in("operator"), batch, "pause")
    assert answer.status_code == status
    assert batch.state == ("paused" if status == 302 else "running")


def test_an_operator_may_not_approve(log_in: LogIn) -> None:
    batch = batch_made(kind="rollback", state="waiting")
    answer, _ = do(log_in("operator"), batch, "approve")
    assert (answer.status_code, batch.state) == (403, "waiting")


@pytest.mark.parametrize("name", ACTS)
def test_looking_at_the_address_of_an_act_does_nothing(name: str, log_in: LogIn) -> None:
    batch = batch_made(state=ACTS[name][0])
    assert log_in("admin").get(act_url(batch, name)).status_code == 302
    batch.refresh_from_db()
    assert batch.state == ACTS[name][0]


def test_a_forged_post_is_refused(log_in: LogIn) -> None:
    batch = batch_made(state="running")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = log_in("admin").cookies
    assert strict.post(act_url(batch, "cancel"), {"reason": "x"}).status_code == 403


def test_an_unknown_act_and_an_unknown_batch_do_not_exist(log_in: LogIn) -> None:
    client = log_in("admin")
    assert client.post(act_url(batch_made(), "explode")).status_code == 404
    assert client.post(act_url(Batch(pk=999_999), "pause"), {"reason": "x"}).status_code == 404


# --- what it takes --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pause", "cancel"])
def test_a_batch_is_not_stopped_without_a_reason(name: str, log_in: LogIn, enqueued: list[int]) -> None:
    batch = batch_made(state="running")
    _, said = do(log_in("operator"), batch, name, reason="  ")
    assert "Say why" in said
    assert (batch.state, enqueued) == ("running", [])


def test_what_came_too_late_is_said(log_in: LogIn) -> None:
    batch = batch_made(state="finished")
    _, said = do(log_in("operator"), batch, "pause")
    assert f"Batch {batch.pk} is finished, so it can&#x27;t be paused." in said


def test_a_change_takes_all_three_values(log_in: LogIn) -> None:
    batch = batch_made(state="running")
    do(log_in("operator"), batch, "change")
    assert (batch.window, batch.requests_per_minute, batch.urgent) == (8, 60, True)


def test_an_empty_rate_and_an_empty_box_take_the_limit_and_the_hurry_away(log_in: LogIn) -> None:
    batch = batch_made(state="paused", requests_per_minute=60, urgent=True)
    do(log_in("operator"), batch, "change", window="8", requests_per_minute="")
    assert (batch.window, batch.requests_per_minute, batch.urgent) == (8, None, False)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"window": "0"}, "from 1 to 256"),
        ({"window": "257"}, "from 1 to 256"),
        ({"window": "many"}, "must be a whole number"),
        ({"window": "8", "requests_per_minute": "-5"}, "must be a whole number"),
        ({"window": "8", "requests_per_minute": "0"}, "from 1 to 1,000,000"),
        ({"window": "8", "requests_per_minute": "9" * 40}, "must be a whole number"),
    ],
)
def test_a_speed_that_cannot_be_is_said_and_changes_nothing(
    data: dict[str, str], complaint: str, log_in: LogIn
) -> None:
    batch = batch_made(state="running")
    _, said = do(log_in("operator"), batch, "change", **data)
    assert complaint in said
    assert (batch.window, batch.requests_per_minute) == (32, None)


def test_nobody_approves_their_own_batch(log_in: LogIn) -> None:
    batch = batch_made(kind="rollback", state="waiting", created_by_name="admin")
    client = log_in("admin")
    assert "You requested it yourself" in page_of(client, batch)
    _, said = do(client, batch, "approve")
    assert "a second person must approve it" in said
    assert batch.state == "waiting"


# --- what the page offers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        ("waiting", {"cancel", "change"}),
        ("preparing", {"pause", "cancel", "change"}),
        ("running", {"pause", "cancel", "change"}),
        ("paused", {"resume", "cancel", "change"}),
        ("cancelling", set()),
        ("cancelled", set()),
        ("finished", set()),
        ("failed", set()),
    ],
)
def test_the_page_offers_what_the_state_allows_to_those_who_may(
    state: str, offered: set[str], log_in: LogIn
) -> None:
    batch = batch_made(state=state)
    page, looked_at = page_of(log_in("operator"), batch), page_of(log_in("viewer"), batch)
    assert {name for name in ACTS if act_url(batch, name) in page} == offered
    assert not {name for name in ACTS if act_url(batch, name) in looked_at}


@pytest.mark.parametrize(
    ("state", "started", "text"),
    [
        ("waiting", False, "Nothing is done before a second person has approved it."),
        ("paused", False, "Paused. Handing out work: 6 threads matched, 4 included."),
        ("paused", True, "Paused. 3 of 4 threads done."),
        ("cancelling", True, "2 of 4 threads done; work removed from 1, 1 to go."),
    ],
)
def test_a_held_batch_says_so_wherever_its_progress_stands(
    state: str, started: bool, text: str, log_in: LogIn
) -> None:
    counted = {"taken_back": {"threads": 1, "partly_sent": 0}} if state == "cancelling" else {}
    batch = batch_made(
        state=state,
        selected_count=6,
        taken_count=4,
        started_at=timezone.now() if started else None,
        settings=counted,
    )
    for thread in threads_made(3, batch=batch, status="verified"):
        result_made(thread, "verified")
    thread_made(batch=batch, status="queued", pending_work="backfill")
    client = log_in("viewer")
    assert text in page_of(client, batch)
    if state != "waiting":  # what waits for an approval is not among the active ones
        assert text in client.get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("state", "missed"), [("running", True), ("cancelling", True), ("paused", False), ("waiting", False)]
)
def test_workers_are_missed_only_where_there_is_something_to_do(
    state: str, missed: bool, log_in: LogIn
) -> None:
    assert ("No worker is alive" in page_of(log_in("viewer"), batch_made(state=state))) is missed


def test_what_the_breaker_said_stands_on_the_page_for_everybody(log_in: LogIn) -> None:
    text = "Five threads in a row were refused: unauthorized. Set another key for the workers, then resume."
    batch = batch_made(state="paused", held_text=text)
    assert text in page_of(log_in("viewer"), batch)


def test_the_history_has_the_last_five_events_and_leads_to_the_trail_of_this_batch(log_in: LogIn) -> None:
    batch, other = batch_made(state="running", started_at=timezone.now()), batch_made(state="paused")
    batch_hold(batch_pk=batch.pk, actor=Actor("worker"), reason="refused")
    client = log_in("operator")
    do(client, other, "resume")
    do(client, batch, "resume", reason="a new key")
    for number in range(2, 6):
        do(client, batch, "change", window=str(number))
    context = client.get(page_url(batch)).context
    said = [(row["text"], row["by"]) for row in context["history"]]
    assert said == [("Throttle or priority changed", "operator")] * 4 + [("Resumed", "operator")]
    trail = client.get(context["trail_url"]).context["cl"].result_list
    assert {event.batch_pk for event in trail} == {batch.pk}
    AuditEvent.objects.create(actor="ada", verb="batch.held", subject_kind="batch", subject_id=str(other.pk))
    (first, _) = client.get(page_url(other)).context["history"]
    assert (first["text"], first["by"]) == ("Paused by itself", "")


def test_what_paused_a_batch_stays_on_its_page_after_the_resume(log_in: LogIn) -> None:
    batch = batch_made(state="running", started_at=timezone.now())
    batch_hold(batch_pk=batch.pk, actor=Actor("worker"), reason="Five threads were refused: unauthorized.")
    client = log_in("operator")
    do(client, batch, "resume", reason="a new key")
    page = page_of(client, batch)
    assert "Five threads were refused: unauthorized." in page
    assert "a new key" in page


def test_a_cancelled_batch_says_who_and_what_became_of_its_threads(log_in: LogIn) -> None:
    batch = batch_made(
        state="cancelled",
        held_text="Cancelled by ada: wrong ones",
        taken_count=10,
        settings={"taken_back": {"threads": 7, "partly_sent": 2}},
    )
    page = page_of(log_in("viewer"), batch)
    assert "Cancelled by ada: wrong ones" in page
    assert "3 of 10 threads done; work removed from 7, 2 of them partly sent." in page
    assert "30%" in page


def waiting_roll_back(**fields: Any) -> Batch:
    """A roll back that waits for approval, of 3 verified threads; one that is excluded matches too."""
    pks = [thread.pk for thread in threads_made(3, status="verified", item_count=4)]
    pks.append(thread_made(status="excluded").pk)
    thread_made(status="verified")
    made = {"filter": {"ids": pks}, "max_thread_pk": max(pks), "reason": "ticket 12", **fields}
    return batch_made(kind="rollback", state="waiting", **made)


def approve_page_url(batch: Batch) -> str:
    return reverse("admin:migration_app_batch_approve", args=[batch.pk])


def test_the_approval_box_says_who_asked_why_and_for_how_many(log_in: LogIn, settings: Settings) -> None:
    settings.APPROVAL_ABOVE_THREADS = 2
    batch = waiting_roll_back()
    client = log_in("admin")
    page = page_of(client, batch)
    assert "3 threads</a>; more than 2 need an approval" in page
    assert "ticket 12" in page
    assert approve_page_url(batch) in page
    assert act_url(batch, "approve") not in page
    assert client.get(page_url(batch)).context["figures"][0] == ("Threads to include", "3", "of 4 matched")


def test_a_waiting_batch_leads_to_exactly_the_threads_that_it_selects(log_in: LogIn) -> None:
    chosen, filtered = (
        waiting_roll_back(),
        waiting_roll_back(filter={"filters": {"status__exact": "excluded"}}),
    )
    client = log_in("admin")
    text, url = client.get(page_url(chosen)).context["threads_link"]
    rows = client.get(url).context["rows"]
    assert text == "Selected threads"
    assert [bool(row["skipped"]) for row in rows] == [True, False, False, False]
    _, url = client.get(page_url(filtered)).context["threads_link"]
    assert len(client.get(url).context["cl"].result_list) == 2
    assert log_in("newcomer").get(url).status_code == 403


def test_an_approval_is_confirmed_on_a_page_that_repeats_number_and_consequence(log_in: LogIn) -> None:
    batch = waiting_roll_back()
    client = log_in("admin")
    page = client.get(approve_page_url(batch)).content.decode()
    assert "Approve: roll back 3 threads" in page
    assert "Deleted items can&#x27;t be restored." in page
    assert "It was excluded" in page
    batch.refresh_from_db()
    assert batch.state == "waiting"
    do(client, batch, "approve", reason="checked the list")
    assert batch.state == "preparing"
    assert AuditEvent.objects.get().reason.endswith("; checked the list")


def test_the_confirmation_of_deleting_what_is_not_ours_does_not_say_that_it_stays(log_in: LogIn) -> None:
    page = log_in("admin").get(approve_page_url(waiting_roll_back(settings={"foreign_too": True})))
    assert "it is lost for good" in page.content.decode()
    assert "are not touched" not in page.content.decode()


def test_a_reason_that_is_too_long_is_said_on_the_confirmation(log_in: LogIn) -> None:
    batch = waiting_roll_back()
    answer, said = do(log_in("admin"), batch, "approve", reason="x" * 3000)
    assert (answer.status_code, batch.state) == (400, "waiting")
    assert "approve-form" in said


def test_who_may_not_approve_has_no_such_page(log_in: LogIn) -> None:
    batch, own = waiting_roll_back(), waiting_roll_back(created_by_name="admin")
    assert log_in("operator").get(approve_page_url(batch)).status_code == 403
    client = log_in("admin")
    assert client.get(approve_page_url(own))["Location"] == page_url(own)
    unreadable = waiting_roll_back(filter={"filters": {"nonsense": "1"}})
    assert client.get(approve_page_url(unreadable))["Location"] == page_url(unreadable)


def test_who_approved_stands_on_the_page(log_in: LogIn) -> None:
    batch = batch_made(state="running", approved_by_name="bob", approved_at=timezone.now())
    assert "Approved by" in page_of(log_in("viewer"), batch)


@pytest.mark.parametrize("state", ["waiting", "paused", "cancelled"])
def test_hostile_words_are_escaped(state: str, log_in: LogIn) -> None:
    batch = batch_made(
        kind="rollback",
        state=state,
        held_text=HOSTILE,
        reason=HOSTILE,
        created_by_name=HOSTILE,
        approved_by_name=HOSTILE,
        approved_at=timezone.now(),
    )
    thread = thread_made(batch=batch, status="failed", error_code=HOSTILE[:60])
    result_made(thread, "failed", error_code=HOSTILE[:60])
    assert "<script>alert(" not in page_of(log_in("admin"), batch)


# --- errors by reason -----------------------------------------------------------------------------


def test_each_reason_to_stop_has_its_count_and_a_link_that_retries_just_these(log_in: LogIn) -> None:
    batch = batch_made(state="finished")
    for code in ("timeout", "timeout", "unauthorized"):
        result_made(thread_made(batch=batch, status="failed", error_code=code), "failed", error_code=code)
    thread_made(status="failed", error_code="timeout")
    client = log_in("operator")
    rows = {row["error_code"]: row for row in client.get(page_url(batch)).context["errors"]}
    assert {code: row["ended"] for code, row in rows.items()} == {"timeout": "2", "unauthorized": "1"}
    assert client.get(rows["timeout"]["retry_url"]).context["taken"] == 2


def test_what_is_still_being_tried_is_told_apart_and_not_offered(log_in: LogIn) -> None:
    batch = batch_made(state="running")
    thread_made(batch=batch, status="queued", pending_work="backfill", error_code="timeout")
    (row,) = log_in("operator").get(page_url(batch)).context["errors"]
    assert (row["ended"], row["retried"], row["retry_url"]) == ("0", "1", "")


def test_what_retry_does_not_take_is_not_offered(log_in: LogIn) -> None:
    batch = batch_made(kind="verify", state="finished")
    thread = thread_made(batch=batch, status="verified", error_code="timeout")
    result_made(thread, "failed", error_code="timeout")
    (row,) = log_in("operator").get(page_url(batch)).context["errors"]
    assert (row["ended"], row["retry_url"]) == ("1", "")


def test_a_viewer_is_not_offered_to_retry(log_in: LogIn) -> None:
    batch = batch_made(state="finished")
    result_made(
        thread_made(batch=batch, status="failed", error_code="timeout"), "failed", error_code="timeout"
    )
    (row,) = log_in("viewer").get(page_url(batch)).context["errors"]
    assert row["retry_url"] == ""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from migration_app.admin.operation.health import age_text
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import (
    ApiHealth,
    AuditEvent,
    Batch,
    FormerConversation,
    OrphanConversation,
    Prompt,
    PromptVersion,
    Thread,
)
from migration_app.operation import heartbeats
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import (
    assistant_made,
    batch_made,
    conversation_made,
    import_made,
    object_made,
    thread_made,
    threads_made,
)
from tests.migration_app.admin.operation.conftest import heard

LIVE = "/admin/dashboard/live/"


def needs(context: Any) -> list[str]:
    return [f"{need.count} {need.title}" for need in context["needs"]]


def actions(context: Any) -> list[str]:
    return [need.label for need in context["needs"]]


# --- is it healthy --------------------------------------------------------------------------------


def test_a_dead_worker_is_shown_and_dismissed_by_an_operator(log_in: LogIn, redis: Redis) -> None:
    heard(redis, "w1")
    heard(redis, "w2", ago=60)
    operator = log_in("operator")
    page = operator.get(LIVE)
    assert page.context["health"].text == "Workers 1 alive, 1 dead"
    assert "Dismiss" in page.content.decode()
    assert "Dismiss" not in log_in("viewer").get(LIVE).content.decode()
    operator.post("/admin/dashboard/workers/dismiss/w2/")
    assert operator.get(LIVE).context["workers"][0].heartbeat.name == "w1"
    assert len(operator.get(LIVE).context["workers"]) == 1


def test_only_a_post_of_an_operator_dismisses(log_in: LogIn, redis: Redis) -> None:
    heard(redis, "w2", ago=60)
    url = "/admin/dashboard/workers/dismiss/w2/"
    assert log_in("viewer").post(url).status_code == 403
    assert log_in("operator").get(url).status_code == 302
    assert redis.hexists(heartbeats._KEY, "w2")


def test_a_queue_that_is_away_is_called_so_and_breaks_no_page(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_made()

    def down(*_args: Any, **_kwargs: Any) -> None:
        raise RedisConnectionError("refused")

    monkeypatch.setattr(Redis, "execute_command", down)
    response = log_in("viewer").get("/admin/")
    assert response.status_code == 200
    signals = {entry["signal"].name: entry["signal"].text for entry in response.context["signals"]}
    assert (signals["queue"], signals["workers"]) == ("unreachable", "unknown")
    assert "none alive" not in response.content.decode()


def test_a_target_that_refuses_the_key_is_the_reason_of_the_whole(log_in: LogIn, redis: Redis) -> None:
    heard(redis, "w1")
    now = timezone.now()
    ApiHealth.objects.create(
        api="target",
        address="https://a.example/v1",
        answered_at=now,
        failed_at=now,
        failed_code="unauthorized",
    )
    health = log_in("viewer").get(LIVE).context["health"]
    assert (health.name, health.text) == ("Trouble", "Target refuses the key")


# --- what needs me --------------------------------------------------------------------------------


def test_what_needs_attention_is_listed_the_most_harmful_first(log_in: LogIn) -> None:
    batch_made(state="paused", held_text="5 threads in a row failed (unauthorized).")
    batch_made(state="paused", held_text="Paused by ada: lunch")
    threads_made(2, status="failed", error_code="rate_limited")
    thread_made(status="failed", error_code="timeout", pending_work="verify", batch=batch_made())
    thread_made(status="needs_review", error_code="items_differ")
    conversation = conversation_made()
    OrphanConversation.objects.create(
        thread=conversation.thread, intended_at=conversation.intended_at, reason="lost"
    )
    object_made(state="conflict")
    import_made(state="finished", finished_at=timezone.now(), reject_count=3)
    thread = thread_made()
    for number, fields in enumerate(({}, {"delete_after": timezone.now()}, {"deleted_at": timezone.now()})):
        FormerConversation.objects.create(
            thread=thread, conversation_id=f"conv_{number}", outcome="given_up", actor="w", **fields
        )
    context = log_in("viewer").get(LIVE).context
    listed = needs(context)
    assert [need.detail for need in context["needs"]][:3] == [
        "5 threads in a row failed (unauthorized).",
        "items differ",
        "rate limited",
    ]
    assert listed[0].endswith("paused itself")
    assert listed[1:3] == ["1 thread in review", "2 threads failed"]
    assert listed[3].startswith("3 lines rejected by import")
    assert listed[4:] == [
        "1 conflict between imports",
        "1 unconfirmed create",
        "1 conversation given up and left at the target",
    ]


def test_what_a_cancelled_batch_left_unfinished_has_one_action(log_in: LogIn) -> None:
    cancelled = batch_made(state="cancelled")
    thread = thread_made(status="backfilled", error_code="cancelled", batch=cancelled)
    conversation_made(thread=thread, state="complete")
    thread_made(status="snapshotted", error_code="cancelled", batch=cancelled)
    operator = log_in("operator")
    page = operator.get(LIVE)
    context = page.context
    assert "2 things" in page.content.decode()
    assert needs(context) == ["1 thread backfilled and not verified", "1 thread sent in part"]
    assert actions(context) == ["Verify", "Backfill"]
    for need in context["needs"]:
        assert operator.get(need.url).status_code == 200
    assert actions(log_in("viewer").get(LIVE).context) == ["Show", "Show"]


def test_a_viewer_is_offered_no_act(log_in: LogIn) -> None:
    thread_made()
    batch_made(state="paused", held_text="5 threads in a row failed (unauthorized).")
    batch_made(state="running")
    html = log_in("viewer").get(LIVE).content.decode()
    assert "<form" not in html
    assert "paused itself" in html


def test_a_batch_that_paused_itself_is_resumed_in_place(log_in: LogIn) -> None:
    thread_made()
    batch = batch_made(state="paused", held_text="5 threads in a row failed.", started_at=timezone.now())
    client = log_in("operator")
    assert actions(client.get(LIVE).context)[0] == "Resume"
    url = f"/admin/dashboard/batches/{batch.pk}/resume/"
    assert f'<form method="post" action="{url}"' in client.get(LIVE).content.decode()
    assert log_in("viewer").post(url).status_code == 403
    assert client.get(url).status_code == 302
    assert client.post(url)["Location"] == "/admin/"
    batch.refresh_from_db()
    assert batch.state == "running"
    assert AuditEvent.objects.get(verb="batch.resumed").actor == "operator"


def test_a_pause_in_place_needs_a_reason(log_in: LogIn) -> None:
    batch = batch_made(state="running", started_at=timezone.now())
    client = log_in("operator")
    url = f"/admin/dashboard/batches/{batch.pk}/pause/"
    answer = client.post(url, {"reason": ""}, follow=True)
    assert b"a reason is needed" in answer.content
    client.post(url, {"reason": "lunch"})
    batch.refresh_from_db()
    assert (batch.state, batch.held_text) == ("paused", "Paused by operator: lunch")
    assert client.post(f"/admin/dashboard/batches/{batch.pk}/cancel/").status_code == 404


def test_an_approval_waits_for_those_who_may_give_it(log_in: LogIn) -> None:
    batch = batch_made(kind="rollback", state="waiting", created_by_name="grace")
    admin = log_in("admin")
    need = admin.get(LIVE).context["needs"][0]
    assert (need.title, need.label) == (f"Batch {batch.pk} (roll back) waits for your approval", "Review")
    own = User.objects.get(username="admin")
    Batch.objects.filter(pk=batch.pk).update(created_by=own, created_by_name="admin")
    assert admin.get(LIVE).context["needs"][0].title.endswith("waits for a second person")
    assert log_in("operator").get(LIVE).context["needs"][0].title.endswith("waits for a second person")


def test_a_prompt_version_in_review_waits_for_those_who_did_not_write_it(log_in: LogIn) -> None:
    prompt = Prompt.objects.create(slug="sales", assistant=assistant_made())
    plain = {"spec_json": "{}", "sha256": "0", "fidelity": "exact", "source_sha256": "0"}
    PromptVersion.objects.create(prompt=prompt, number=1, state="in_review", author_name="admin", **plain)
    PromptVersion.objects.create(prompt=prompt, number=2, state="in_review", author_name="grace", **plain)
    assert needs(log_in("admin").get(LIVE).context) == ["1 prompt version waits for your approval"]
    assert needs(log_in("operator").get(LIVE).context) == []


# --- open batches, activity -----------------------------------------------------------------------


def test_open_batches_are_shown_with_their_state(log_in: LogIn) -> None:
    running = batch_made(state="running", started_at=timezone.now())
    paused = batch_made(state="paused", held_text="Paused by ada: lunch")
    batch_made(state="finished")
    row = import_made()
    active = {entry.key: entry for entry in log_in("operator").get(LIVE).context["active"]}
    assert set(active) == {f"batch-{running.pk}", f"batch-{paused.pk}", f"import-{row.pk}"}
    assert active[f"batch-{paused.pk}"].badge.text == "paused"
    assert active[f"batch-{paused.pk}"].resume_url
    assert active[f"batch-{running.pk}"].pause_url
    assert not active[f"batch-{running.pk}"].resume_url


def test_facts_of_an_open_batch_are_errors_retries_and_refusals_and_a_rate_while_it_runs(
    log_in: LogIn,
) -> None:
    thread_made()
    batch = batch_made(state="running", started_at=timezone.now(), retry_count=1_200, taken_count=1)
    client = log_in("viewer")

    def facts() -> tuple[str, ...]:
        found: tuple[str, ...] = client.get(LIVE).context["active"][0].facts
        return found

    *rate, errors, retries = facts()
    assert (len(rate), errors, retries) == (1, "0 with errors", "1,200 retries")
    Batch.objects.filter(pk=batch.pk).update(state="paused", throttled_count=3, held_text="Paused by ada: x")
    assert facts() == ("0 with errors", "1,200 retries", "3 times 429")


def test_a_batch_that_waits_for_approval_is_open_and_says_who_may_approve(log_in: LogIn) -> None:
    thread_made()
    log_in("admin")
    asked = User.objects.create_user("grace", is_superuser=True, is_staff=True)
    batch_made(kind="rollback", state="waiting", created_by=asked, created_by_name="grace")
    viewer = log_in("viewer")
    page = viewer.get(LIVE)
    row = page.context["active"][0]
    assert (row.badge.text, row.facts) == ("waiting", ("may approve: admin",))
    assert "No batch or import is open." not in page.content.decode()
    User.objects.filter(username="admin").delete()
    assert viewer.get(LIVE).context["active"][0].facts == ("nobody else may approve it yet",)


def test_a_batch_has_one_line_of_activity_and_a_thread_none(log_in: LogIn) -> None:
    batch = batch_made(state="finished", taken_count=200)

    def event(
        verb: str, *, actor: str = "ada", user: int | None = 1, kind: str = "batch", after: str = ""
    ) -> None:
        AuditEvent.objects.create(
            actor=actor,
            actor_user_id=user,
            verb=verb,
            subject_kind=kind,
            subject_id=str(batch.pk),
            after=after,
            batch_pk=batch.pk,
        )

    event("batch.backfill_started")
    for _ in range(50):
        event("thread.verified", actor="worker on x", user=None, kind="thread")
    event("batch.finished", actor="worker on x", user=None, after="finished")
    AuditEvent.objects.create(
        actor="grace", verb="mapping.exported", subject_kind="mapping", subject_id="all"
    )
    AuditEvent.objects.create(
        actor="grace", verb="thread.content_viewed", subject_kind="thread", subject_id="t"
    )
    lines = [(row.line.actor, row.line.text) for row in log_in("viewer").get(LIVE).context["activity"]]
    assert lines == [("grace", "Mapping exported"), ("ada", "Backfill of 200 threads: finished")]


# --- who sees it, and what it costs ---------------------------------------------------------------


def test_the_live_part_is_the_page_s_own_and_nothing_else(log_in: LogIn) -> None:
    thread_made()
    client = log_in("viewer")
    page, part = client.get("/admin/").content.decode(), client.get(LIVE).content.decode()
    for html in (page, part):
        assert 'id="dashboard" data-live="open"' in html
    assert "<html" not in part


def test_staff_without_a_role_learn_what_to_do_and_nothing_else(log_in: LogIn) -> None:
    thread_made(status="failed")
    AuditEvent.objects.create(
        actor="ada", verb="import.created", subject_kind="import", subject_id="t_secret"
    )
    client = log_in("newcomer")
    page = client.get("/admin/").content.decode()
    assert "have no role yet" in page
    assert "t_secret" not in page
    assert "/admin/migration_app/" not in page
    assert client.get(LIVE).status_code == 403


def test_a_stranger_sees_the_login_page_only(log_in: LogIn) -> None:
    client = log_in("anonymous")
    assert client.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
    assert client.get(LIVE).status_code == 302


def test_signing_in_without_a_destination_leads_to_the_dashboard(log_in: LogIn) -> None:
    assert b'name="next" value="/admin/"' in log_in("anonymous").get("/admin/login/").content


def test_the_dashboard_takes_a_bounded_number_of_queries(
    log_in: LogIn, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = log_in("operator")
    for status in Thread.Status.values:
        work = {"queued": "backfill", "backfilling": "backfill", "rolling_back": "rollback"}.get(status, "")
        batch = batch_made(state="running") if work else None
        thread_made(status=status, error_code="x", pending_work=work, batch=batch)
    for _ in range(10):
        batch_made(state="running", started_at=timezone.now())
        batch_made(state="paused", held_text="It failed.")
        import_made(reject_count=1, state="finished", finished_at=timezone.now())
    with django_assert_max_num_queries(46):
        client.get(LIVE)
    with django_assert_max_num_queries(56):
        client.get("/admin/")


# --- the sidebar ----------------------------------------------------------------------------------


def test_badges_count_what_this_person_may_act_on(log_in: LogIn) -> None:
    thread_made(status="needs_review")
    batch_made(state="paused", held_text="5 threads in a row failed.")
    batch_made(kind="rollback", state="waiting", created_by_name="grace")

    def badges(role: str) -> int:
        return log_in(role).get("/admin/migration_app/run/").content.decode().count('class="mc-count"')

    assert badges("viewer") == 0
    assert badges("operator") == 2
    html = log_in("admin").get("/admin/migration_app/run/").content.decode()
    assert '<span class="mc-count" title="waiting for you">2' in html


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "119 min"),
        (7_200, "2 h"),
        (9_000, "2 h 30 min"),
        (36_060, "10 h"),
        (172_799, "47 h"),
        (172_800, "2 d"),
    ],
)
def test_ages_are_said_in_their_two_largest_units(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


def test_an_import_that_failed_says_why(log_in: LogIn) -> None:
    thread_made()
    row = import_made(
        state="failed", finished_at=timezone.now(), file_name="a.jsonl", error_text="It is no archive."
    )
    (need,) = log_in("viewer").get(LIVE).context["needs"]
    assert (need.harm, need.count, need.title) == ("danger", "1", "import failed")
    assert (need.detail, need.label) == ("a.jsonl: It is no archive.", "Open")
    assert need.url.endswith(f"/sourceimport/{row.pk}/change/")


def test_what_happened_leads_to_the_page_of_what_it_is_about(log_in: LogIn) -> None:
    batch, row = batch_made(), import_made()
    for kind, subject in (
        ("batch", str(batch.pk)),
        ("import", str(row.pk)),
        ("import", "no number"),
        ("vector_store", "vs_1"),
    ):
        audit_record(actor=Actor("ada"), verb="batch.changed", subject_kind=kind, subject_id=subject)
    listed = log_in("viewer").get(LIVE).context["activity"]
    assert [(line.subject, line.url) for line in listed] == [
        ("vector store vs_1", ""),
        ("import no number", ""),
        (f"import {row.pk}", f"/admin/migration_app/sourceimport/{row.pk}/change/"),
        (f"batch {batch.pk}", f"/admin/migration_app/batch/{batch.pk}/change/"),
    ]


def test_open_unconfirmed_creates_are_counted_for_those_who_may_close_them(log_in: LogIn) -> None:
    for state in ("open", "open", "open", "deleted"):
        conversation = conversation_made()
        OrphanConversation.objects.create(
            thread=conversation.thread, intended_at=conversation.intended_at, reason="lost", state=state
        )

    def page(role: str) -> str:
        return str(log_in(role).get("/admin/migration_app/run/").content.decode())

    assert '<span class="mc-count" title="waiting for you">3' in page("admin")
    assert 'class="mc-count"' not in page("viewer")

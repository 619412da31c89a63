"""What the console counts of a thread before anything is sent."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.utils import timezone

from migration_app.contracts import Actor
from migration_app.models import Assistant, AuditEvent, SnapshotPage, Thread
from migration_app.threads import assessments
from migration_app.threads.assessments import (
    assistants_registered,
    plan_measures,
    thread_assess,
    threads_assess,
)
from migration_app.threads.plans import thread_plan
from tests.factories import AssistantFactory, SnapshotPageFactory, ThreadFactory
from tests.guards import unguarded
from tests.migration_app.imports.support import message, run, thread

pytestmark = pytest.mark.django_db
ACTOR = Actor("ada", job_id="job-1")
S = Thread.Status
BLOCKING = message("m1", role="system")


def snapshotted(*values: object, **fields: object) -> Thread:
    row = ThreadFactory.create(**{"thread_id": "thread_1", **fields})
    SnapshotPageFactory.create(thread=row, documents=[json.dumps(value).encode() for value in values])
    return row


def fresh(row: Thread) -> Thread:
    return Thread.objects.get(pk=row.pk)


def test_one_thread_and_many_are_measured_alike() -> None:
    one = snapshotted(thread(), message("m1"), message("m2", 160), run("r1"))
    many = snapshotted(
        thread("thread_2"),
        message("m1", of="thread_2"),
        message("m2", 160, of="thread_2"),
        run("r1", of="thread_2"),
        thread_id="thread_2",
    )
    thread_assess(thread=one, actor=ACTOR)
    threads_assess(thread_pks=[many.pk], actor=ACTOR, reason="test")
    measured = [
        *("status", "fidelity", "message_count", "run_count", "item_count", "chunk_count", "payload_bytes"),
        *("finding_counts", "first_message_at", "last_message_at", "source_created_at", "assistant_id"),
        *("error_code", "attempts"),
    ]
    one, many = fresh(one), fresh(many)
    assert [getattr(one, name) for name in measured] == [getattr(many, name) for name in measured]
    assert (one.item_count, one.chunk_count, one.status) == (2, 1, S.SNAPSHOTTED)
    assert many.snapshot_at == many.pages.get().received_at


def test_a_thread_that_must_not_be_sent_unseen_is_blocked_and_says_why() -> None:
    row = snapshotted(BLOCKING)
    threads_assess(thread_pks=[row.pk], actor=ACTOR, reason="test")
    row = fresh(row)
    assert (row.status, row.fidelity, row.error_code) == (S.BLOCKED, "blocked", "blocked_by_findings")
    assert "must not be sent without a review" in row.error_text


def test_the_assistant_is_that_of_the_last_run() -> None:
    row = snapshotted(run("r1", assistant_id="asst_a"), run("r2", assistant_id="asst_b", created_at=200))
    thread_assess(thread=row, actor=ACTOR)
    assert row.assistant is not None
    assert fresh(row).assistant == Assistant.objects.get(assistant_id="asst_b")


def test_an_assistant_that_is_known_of_the_thread_stays() -> None:
    known = AssistantFactory.create()
    row = snapshotted(run("r1"), assistant=known)
    thread_assess(thread=row, actor=ACTOR)
    assert fresh(row).assistant == known


def test_assistants_are_registered_once_and_audited() -> None:
    first = assistants_registered({"asst_1"}, actor=ACTOR)
    assert assistants_registered({"asst_1"}, actor=ACTOR) == first
    assert AuditEvent.objects.get(verb="assistant.registered").subject_id == "asst_1"


def test_an_older_look_does_not_replace_a_newer_one() -> None:
    row = snapshotted(message("m1"))
    threads_assess(thread_pks=[row.pk], actor=ACTOR, reason="test")
    Thread.objects.update(snapshot_sequence=1, message_count=7)
    threads_assess(thread_pks=[row.pk], actor=ACTOR, reason="test")
    assert fresh(row).message_count == 7


def test_which_look_is_newer_is_told_by_the_pages_and_not_by_a_clock() -> None:
    row = snapshotted(message("m1"))
    threads_assess(thread_pks=[row.pk], actor=ACTOR, reason="test")
    assert fresh(row).snapshot_sequence == 0
    # The machine that took the first page in is a year ahead of the one that took in the second.
    Thread.objects.update(snapshot_at=timezone.now() + dt.timedelta(days=365))
    documents = [json.dumps(message("m2", 160)).encode()]
    SnapshotPageFactory.create(thread=row, sequence=1, documents=documents)
    threads_assess(thread_pks=[row.pk], actor=ACTOR, reason="test")
    assert (fresh(row).message_count, fresh(row).snapshot_sequence) == (2, 1)


@pytest.mark.parametrize(
    "changed",
    [
        [thread(), message("m1", text="Hello?")],
        [thread(metadata={"user_id": "u2"}), message("m1", text="Hello!")],
    ],
    ids=["text", "metadata"],
)
@pytest.mark.parametrize("many", [True, False])
def test_a_change_of_the_same_size_is_a_change(changed: list[object], many: bool) -> None:
    row = snapshotted(thread(metadata={"user_id": "u1"}), message("m1", text="Hello!"))
    threads_assess(thread_pks=[row.pk], actor=ACTOR, reason="test")
    before = fresh(row)
    Thread.objects.update(status=S.VERIFIED)
    with unguarded(SnapshotPage):
        row.pages.all().delete()
    SnapshotPageFactory.create(
        thread=row, sequence=1, documents=[json.dumps(value).encode() for value in changed]
    )
    if many:
        threads_assess(thread_pks=[row.pk], actor=ACTOR, reason="test")
    else:
        thread_assess(thread=fresh(row), actor=ACTOR)
    found = fresh(row)
    assert (found.item_count, found.payload_bytes) == (before.item_count, before.payload_bytes)
    assert (found.status, found.error_code) == (S.NEEDS_REVIEW, "source_grown")


def test_a_page_that_changes_nothing_of_what_is_sent_is_no_growth() -> None:
    row = snapshotted(thread(), message("m1"))
    threads_assess(thread_pks=[row.pk], actor=ACTOR, reason="test")
    Thread.objects.update(status=S.VERIFIED)
    SnapshotPageFactory.create(thread=row, sequence=1, documents=[json.dumps(run("r1")).encode()])
    threads_assess(thread_pks=[row.pk], actor=ACTOR, reason="test")
    assert (fresh(row).status, fresh(row).run_count) == (S.VERIFIED, 1)


def test_progress_is_told_by_threads() -> None:
    done: list[int] = []
    pks = [snapshotted(message("m1", of=name), thread_id=name).pk for name in ("thread_1", "thread_2")]
    threads_assess(thread_pks=pks, actor=ACTOR, reason="test", progress=done.append)
    assert done == [2]


@pytest.mark.parametrize("status", [S.EXCLUDED, S.ROLLED_BACK])
def test_what_was_put_aside_is_measured_and_stays_aside(status: str) -> None:
    row = snapshotted(message("m1"), status=status)
    threads_assess(thread_pks=[row.pk], actor=ACTOR, reason="test")
    assert (fresh(row).status, fresh(row).message_count) == (status, 1)
    assert not AuditEvent.objects.filter(subject_kind="thread").exists()


def test_a_plan_that_sends_what_was_measured_before_is_not_cut_again(monkeypatch: pytest.MonkeyPatch) -> None:
    row = snapshotted(thread(), *(message(f"m{number}", number) for number in range(45)))
    thread_assess(thread=row, actor=ACTOR)
    row = fresh(row)
    plan = thread_plan(row).plan
    measures = plan_measures(plan)
    assert (measures["chunk_count"], measures["plan_digest"]) == (3, row.plan_digest)
    monkeypatch.setattr(assessments, "plan_size", lambda _items: (99, 9999))
    assert plan_measures(plan, known=row) == measures
    row.plan_digest = "0" * 64
    assert plan_measures(plan, known=row) == {**measures, "chunk_count": 99, "payload_bytes": 9999}

from __future__ import annotations

import pytest
from django.utils import timezone

from migration_app.contracts import Actor
from migration_app.models import AuditEvent, OrphanConversation, Thread
from migration_app.threads.orphans import (
    OrphanRefusedError,
    orphan_close,
    orphan_counts,
    orphan_mark,
    orphan_metadata,
    orphan_reopen,
)
from tests.factories import ThreadFactory
from tests.migration_app.copied import snapshotted_thread

pytestmark = pytest.mark.django_db
ADA = Actor("ada")


def orphan(thread: Thread | None = None, **fields: object) -> OrphanConversation:
    return OrphanConversation.objects.create(
        thread=thread or ThreadFactory.create(), intended_at=timezone.now(), reason="lost", **fields
    )


@pytest.mark.parametrize("state", ["deleted", "accepted"])
def test_closing_keeps_who_when_and_why_and_tells_the_audit_trail(state: str) -> None:
    entry = orphan()
    closed = orphan_close(pk=entry.pk, state=state, note="looked at the dashboard", actor=ADA)
    assert (closed.state, closed.note, closed.closed_by_name) == (state, "looked at the dashboard", "ada")
    assert closed.closed_at is not None
    event = AuditEvent.objects.get(verb="orphan.closed")
    assert (event.subject_id, event.before, event.after) == (entry.thread.thread_id, "open", state)
    assert "looked at the dashboard" in event.reason


@pytest.mark.parametrize(("state", "note"), [("open", "x"), ("gone", "x"), ("deleted", " ")])
def test_closing_needs_an_end_and_a_note(state: str, note: str) -> None:
    entry = orphan()
    with pytest.raises(OrphanRefusedError):
        orphan_close(pk=entry.pk, state=state, note=note, actor=ADA)
    entry.refresh_from_db()
    assert entry.state == "open"
    assert not AuditEvent.objects.exists()


def test_an_entry_is_closed_once() -> None:
    entry = orphan(state="accepted")
    with pytest.raises(OrphanRefusedError, match="closed already"):
        orphan_close(pk=entry.pk, state="deleted", note="x", actor=ADA)


def test_an_entry_that_was_closed_by_mistake_can_be_opened_again() -> None:
    entry = orphan_close(pk=orphan().pk, state="accepted", note="x", actor=ADA)
    again = orphan_reopen(pk=entry.pk, note="found it after all", actor=ADA)
    assert (again.state, again.closed_by_name, again.closed_at) == ("open", "", None)
    assert AuditEvent.objects.filter(verb="orphan.reopened", before="accepted", after="open").exists()
    with pytest.raises(OrphanRefusedError, match="not closed"):
        orphan_reopen(pk=entry.pk, note="", actor=ADA)


def test_entries_are_counted_by_state() -> None:
    for state in ("open", "open", "deleted"):
        orphan(state=state)
    assert orphan_counts() == {"open": "2", "deleted": "1", "accepted": "0"}


def test_the_metadata_that_recognises_it_is_that_of_the_keys_that_were_sent() -> None:
    thread = snapshotted_thread("thread_1")
    entry = orphan(thread, metadata_keys=["thread_id", "a_key_of_before"])
    assert orphan_metadata(entry) == {"thread_id": "thread_1"}
    assert orphan_mark(entry) == "thread_id = thread_1"
    assert orphan_mark(orphan(thread)) == ""

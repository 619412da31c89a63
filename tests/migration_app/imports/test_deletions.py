"""What the source has deleted: told by an archive before, with or after the thread, and decided by a policy."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from migration_app.contracts import Actor, JsonObject, policies_from
from migration_app.imports import archives
from migration_app.imports.control import import_cancel
from migration_app.imports.imports import import_work
from migration_app.models import AuditEvent, Conversation, SnapshotPage, SourceDeletion, SourceImport, Thread
from migration_app.snapshots.pages import load_source_thread
from migration_app.tasks.lifecycle import TaskLostError
from migration_app.threads.assessments import threads_assess
from migration_app.threads.plans import plan_of
from migration_app.threads.snapshots import live_snapshot_store
from tests.factories import ConversationFactory, ThreadFactory
from tests.migration_app.imports.support import (
    ACTOR,
    imported,
    lines,
    message,
    run,
    stored_messages,
    the_thread,
    thread,
    undone,
)

pytestmark = pytest.mark.django_db
S = Thread.Status


def deleted(name: str, **more: Any) -> JsonObject:
    return {"id": name, "object": "thread.message.deleted", "deleted": True, **more}


THREAD_DELETED: JsonObject = {"id": "thread_1", "object": "thread.deleted", "deleted": True}


def counted(name: str = "thread_1") -> tuple[str, int, int]:
    """Fidelity, deleted messages, and items to send."""
    row = the_thread(name)
    return row.fidelity, row.finding_counts.get("message_deleted", 0), row.item_count


@pytest.mark.parametrize("buffer", [1, 20_000])
def test_a_deleted_message_is_left_out_in_whatever_order_of_lines_and_files(
    buffer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", buffer)
    parts = [[thread(), message("m1", 100)], [message("m2", 120), message("m3", 140)], [deleted("m2")]]
    for order in itertools.permutations(parts):
        for files in ([[value for part in order for value in part]], order):
            with undone():
                for values in files:
                    imported(lines(*values))
                assert counted() == ("lossy", 1, 2)
                assert stored_messages() == ["m1", "m2", "m3"]


@pytest.mark.parametrize(
    "word",
    [
        deleted("m2"),
        {"event": "thread.message.deleted", "data": deleted("m2")},
        {"event": "thread.message.deleted", "data": {"id": "m2"}},
        {"id": "m2", "object": "thread.message", "deleted": True},
        {"object": "list", "data": [deleted("m9"), deleted("m2")]},
        {"thread_id": "thread_1", "messages": [deleted("m2")]},
        message("m2", 120, deleted=True),
        {**run("run_1"), "messages": [deleted("m2")]},
    ],
)
def test_every_form_in_which_an_archive_says_it_counts(word: JsonObject) -> None:
    for values in ([message("m1"), message("m2", 120), word], [word, message("m1"), message("m2", 120)]):
        with undone():
            assert imported(lines(*values)).counts["deletions"] >= 1
            assert counted() == ("lossy", 1, 1)


@pytest.mark.parametrize("word", [{"id": "m2", "object": "thread.message.deleted", "deleted": False}])
def test_a_deletion_that_failed_deletes_nothing(word: JsonObject) -> None:
    imported(lines(message("m1"), message("m2", 120), word))
    assert counted() == ("exact", 0, 2)


def test_a_deleted_message_can_be_carried() -> None:
    imported(lines(message("m1"), message("m2", 120), deleted("m2")))
    plan = plan_of(load_source_thread(the_thread()), policies_from({"deletions": "carry"}), None)
    assert len(plan.items) == 2
    assert "message_deleted_carried" in {finding.code for finding in plan.findings}


def test_the_same_deletion_again_changes_nothing() -> None:
    data = lines(message("m1"), message("m2", 120), deleted("m2"))
    imported(data)
    pages = SnapshotPage.objects.count()
    imported(data)
    imported(lines(deleted("m2")))
    assert (SnapshotPage.objects.count(), SourceDeletion.objects.count()) == (pages, 1)
    assert not SourceDeletion.objects.filter(searched=False).exists()


def test_a_deletion_that_names_its_thread_counts_there_only() -> None:
    imported(lines(message("m1"), message("m1", of="thread_2"), deleted("m1", thread_id="thread_2")))
    assert (counted()[1], counted("thread_2")[1]) == (0, 1)
    imported(lines(message("m9"), message("m9", of="thread_2"), deleted("m9")))
    assert (counted()[1], counted("thread_2")[1]) == (1, 2)


def test_messages_of_transcripts_are_found_too() -> None:
    imported(lines({"thread_id": "t", "messages": [{"role": "user", "content": "x", "id": "m1"}]}))
    imported(b"thread_id,role,content,message_id\nu,user,x,m2\n")
    imported(lines(deleted("m1"), deleted("m2")))
    assert (counted("t"), counted("u")) == (("lossy", 1, 0), ("lossy", 1, 0))
    soft = {"role": "user", "content": "x", "id": "m3", "deleted": True}
    imported(lines({"thread_id": "v", "messages": [soft]}))
    assert counted("v") == ("lossy", 1, 0)


@pytest.mark.parametrize("raw", [rb'{"\u0069d": "m2", %s}', rb'{"id": "m\u0032", %s}'])
def test_an_id_that_is_written_with_escapes_is_found(raw: bytes) -> None:
    rest = b'"object": "thread.message", "thread_id": "thread_1", "role": "user", "content": "x"'
    imported(raw % rest + b"\n")
    imported(lines(deleted("m2")))
    assert counted() == ("lossy", 1, 0)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_deleted_thread_is_blocked_with_its_reason(order: tuple[int, ...]) -> None:
    parts = [thread(), message("m1"), THREAD_DELETED]
    for number in order:
        imported(lines(parts[number]))
    row = the_thread()
    assert (row.status, row.error_text) == (
        S.BLOCKED,
        "Conversion found content that must not be sent without a review: thread_deleted",
    )
    plan = plan_of(load_source_thread(row), policies_from({"deletions": "carry"}), None)
    assert (plan.fidelity, len(plan.items)) == ("exact", 1)


def test_a_thread_of_which_only_the_id_is_known_is_blocked_too() -> None:
    ThreadFactory.create(thread_id="thread_1", status=S.REGISTERED)
    imported(lines(THREAD_DELETED))
    assert the_thread().status == S.BLOCKED


def test_the_deletion_of_a_thread_that_nobody_knows_registers_nothing() -> None:
    imported(lines(THREAD_DELETED, deleted("m1")))
    assert (Thread.objects.count(), SourceDeletion.objects.count()) == (0, 2)


@pytest.mark.parametrize("choice", ["leave_out", "carry"])
@pytest.mark.parametrize("word", [deleted("m2"), THREAD_DELETED])
@pytest.mark.parametrize("status", [S.VERIFIED, S.BACKFILLED, S.NEEDS_REVIEW])
def test_a_thread_that_was_sent_comes_to_review(choice: str, word: JsonObject, status: str) -> None:
    imported(lines(message("m1"), message("m2", 120)))
    conversation: Conversation = ConversationFactory.create(
        thread=the_thread(), policies={"deletions": choice}
    )
    Thread.objects.update(status=status)
    imported(lines(word))
    row = the_thread()
    assert (row.status, row.error_code) == (S.NEEDS_REVIEW, "source_deleted")
    assert AuditEvent.objects.filter(verb="thread.source_deleted", before=status).count() == 1
    assert Conversation.objects.get().pk == conversation.pk
    Thread.objects.update(status=S.VERIFIED, error_code="")
    imported(lines(word, message("m1")))
    assert the_thread().status == S.VERIFIED


def test_a_live_snapshot_knows_what_was_deleted_before() -> None:
    imported(lines(deleted("m2")))
    row = ThreadFactory.create(thread_id="thread_1", status=S.REGISTERED)
    for _time in range(2):
        live_snapshot_store(
            thread=row,
            received=[(lines(message("m1"))[:-1], ""), (lines(message("m2", 120))[:-1], "")],
            actor=Actor("ada"),
        )
    assert counted() == ("lossy", 1, 1)
    assert SnapshotPage.objects.filter(origin="deletions").count() == 1


def test_what_a_live_answer_holds_and_cannot_be_taken_is_marked() -> None:
    row = ThreadFactory.create(thread_id="thread_1", status=S.REGISTERED)
    bad = {"id": "x" * 300, "object": "thread.message", "role": "user", "content": "x"}
    for _time in range(2):
        live_snapshot_store(thread=row, received=[(lines(bad)[:-1], "")], actor=ACTOR)
    assert the_thread().finding_counts["object_rejected"] == 1
    assert the_thread().fidelity == "lossy"


def test_a_search_that_was_not_ended_is_done_by_the_next_import() -> None:
    imported(lines(message("m1"), message("m2", 120)))
    SourceDeletion.objects.create(kind="message", object_id="m2")
    imported(lines(message("n1", of="thread_2")))
    assert counted() == ("lossy", 1, 1)


def test_a_deletion_without_a_usable_id_is_rejected_and_marked_where_it_names_its_thread() -> None:
    assert (
        imported(lines(message("m1"), deleted("m2", thread_id="thread_1") | {"id": None})).reject_count == 1
    )
    assert the_thread().finding_counts["object_rejected"] == 1


def test_an_import_beside_another_ends_when_what_both_say_was_deleted_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported(lines(thread(), message("m1"), message("m2", 120)))
    assess = threads_assess
    seen: list[tuple[str, int, int]] = []

    def slow(**keywords: Any) -> None:
        monkeypatch.setattr(archives, "threads_assess", assess)
        imported(lines(deleted("m2")))
        seen.append(counted())
        assess(**keywords)

    monkeypatch.setattr(archives, "threads_assess", slow)
    imported(lines(deleted("m2")))
    assert seen == [("lossy", 1, 1)]
    assert counted() == ("lossy", 1, 1)
    assert not SourceDeletion.objects.filter(searched=False).exists()


def test_what_was_deleted_is_counted_by_the_next_import_where_one_was_killed_before_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported(lines(thread(), message("m1"), message("m2", 120)))

    def killed(**_keywords: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archives, "threads_assess", killed)
        with pytest.raises(KeyboardInterrupt):
            imported(lines(deleted("m2")))
    imported(lines(message("n1", of="thread_2")))
    assert counted() == ("lossy", 1, 1)


def test_an_import_that_ended_early_has_what_it_says_was_deleted_counted_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported(lines(thread(), message("m1"), message("m2", 120)))

    def cancelled(**_keywords: object) -> None:
        source_import = SourceImport.objects.latest("pk")
        import_cancel(source_import_pk=source_import.pk, actor=ACTOR, reason="no")
        raise TaskLostError

    with monkeypatch.context() as patch:
        patch.setattr(archives, "threads_assess", cancelled)
        with pytest.raises(TaskLostError):
            imported(lines(deleted("m2")))
    assert import_work(source_import_pk=SourceImport.objects.latest("pk").pk, actor=ACTOR)
    assert counted() == ("lossy", 1, 1)

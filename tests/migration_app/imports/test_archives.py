"""Archives into the database: what goes in, once, and what is kept of differences."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.archive.files.streams import ArchiveUnreadableError
from migration_app.archive.versions import KnownObjects
from migration_app.contracts import JsonObject
from migration_app.imports import archives, store
from migration_app.models import Assistant, AuditEvent, ImportReject, SnapshotPage, SourceImport, Thread
from migration_app.snapshots.pages import load_source_thread, page_content
from tests.factories import BatchFactory, ThreadFactory
from tests.migration_app.imports.support import (
    ACTOR,
    assistant,
    imported,
    lines,
    message,
    run,
    stored_messages,
    the_thread,
    thread,
)

pytestmark = pytest.mark.django_db
S = Thread.Status


def everything() -> tuple[int, int, int, int]:
    return (
        Thread.objects.count(),
        SnapshotPage.objects.count(),
        Assistant.objects.count(),
        AuditEvent.objects.exclude(verb__startswith="import.").count(),
    )


def test_a_thread_goes_in_and_is_snapshotted_and_measured() -> None:
    source_import = imported(
        lines(thread(metadata={"user_id": "u-7"}), message("m2", 160), message("m1", 100), run("run_1"))
    )
    row = the_thread()
    assert (row.status, row.message_count, row.run_count, row.item_count, row.chunk_count) == (
        S.SNAPSHOTTED,
        2,
        1,
        2,
        1,
    )
    assert (row.user_ref, row.assistant.assistant_id if row.assistant else "") == ("u-7", "asst_1")
    assert row.first_message_at is not None
    assert (row.first_message_at.timestamp(), row.fidelity) == (100, "exact")
    assert row.payload_bytes > 0
    assert row.snapshot_at == row.pages.get().received_at
    assert source_import.state == SourceImport.State.FINISHED
    assert source_import.counts["messages"] == 2


def test_each_document_is_stored_with_the_bytes_it_came_with() -> None:
    raw = b'{"thread_id":"thread_1",  "object": "thread.message","id":"m1", "role":"user", "content": "\\u0000"}'
    imported(raw + b"\n")
    page = SnapshotPage.objects.get()
    assert page_content(page).payload == b"\x1e" + raw + b"\n"
    assert page.raw_bytes == len(raw) + 2


def test_the_same_file_twice_changes_nothing() -> None:
    data = lines(thread(), message("m1"), run("run_1"), assistant())
    imported(data)
    before = everything()
    second = imported(data)
    assert everything() == before
    assert second.counts["unchanged"] == 4
    assert second.counts["threads"] == 0


def test_a_grown_archive_adds_what_is_new() -> None:
    imported(lines(message("m2", 120), message("m1", 100)))
    imported(lines(message("m3", 130), message("m2", 120), message("m1", 100)))
    assert stored_messages() == ["m1", "m2", "m3"]
    # The known one beside the new one is kept too: it says where that belongs.
    assert [page.document_count for page in SnapshotPage.objects.order_by("sequence")] == [2, 2]
    assert the_thread().message_count == 3


def test_lines_of_one_thread_may_lie_anywhere_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", 2)
    imported(
        lines(message("m2", 120), thread("thread_2"), run("run_1"), message("m1", 100), thread("thread_1"))
    )
    assert stored_messages() == ["m1", "m2"]
    assert the_thread().run_count == 1


def test_the_direction_that_other_threads_tell_decides_inside_one_second() -> None:
    imported(
        lines(
            message("n2", 160, of="thread_2"),
            message("n1", 100, of="thread_2"),
            message("m2", 100),
            message("m1", 100),
        )
    )
    assert stored_messages() == ["m1", "m2"]
    assert the_thread().finding_counts == {"thread_object_missing": 1}


def test_another_content_under_a_known_id_is_kept_and_reported() -> None:
    imported(lines(message("m1", text="one")))
    second = imported(lines(message("m1", text="two")))
    assert second.counts["conflicts"] == 1
    assert load_source_thread(the_thread()).messages[0]["content"][0]["text"]["value"] == "one"
    assert the_thread().finding_counts["object_conflict"] == 1
    assert "message m1" in AuditEvent.objects.get(verb="thread.conflict").reason
    assert SnapshotPage.objects.count() == 2


def test_several_states_of_a_run_are_no_conflict() -> None:
    source_import = imported(
        lines(run("run_1", "queued"), run("run_1", "in_progress"), run("run_1", "completed"))
    )
    assert "conflicts" not in source_import.counts
    assert [value["status"] for value in load_source_thread(the_thread()).runs] == ["completed"]


def test_an_assistant_goes_in_with_its_name_and_model() -> None:
    imported(lines(assistant(name="Desk\0 one")))
    row = Assistant.objects.get()
    assert (row.assistant_id, row.name, row.model, row.status) == (
        "asst_1",
        "Desk one",
        "gpt-4o",
        "snapshotted",
    )
    assert row.source is not None


def test_an_assistant_that_only_a_run_names_is_registered() -> None:
    imported(lines(run("run_1")))
    assert Assistant.objects.get().status == Assistant.Status.REGISTERED
    imported(lines(assistant()))
    assert Assistant.objects.get().status == Assistant.Status.SNAPSHOTTED


def test_another_version_of_an_assistant_is_kept_beside_the_first() -> None:
    imported(lines(assistant()))
    source_import = imported(lines(assistant(model="gpt-5")))
    row = Assistant.objects.get()
    assert row.model == "gpt-4o"
    assert row.source is not None
    assert row.source.state == "current"
    assert source_import.counts["conflicts"] == 1
    assert AuditEvent.objects.filter(verb="assistant.conflict", subject_id="asst_1").count() == 1


def test_secrets_are_gone_before_anything_is_stored() -> None:
    tools: JsonObject = {"mcp": [{"server_label": "shop", "headers": {"X-Key": "s3cret"}}]}
    imported(lines(run("run_1", tool_resources=tools), assistant(tool_resources=tools)))
    page = SnapshotPage.objects.get()
    assert page.redacted
    assert b"s3cret" not in page_content(page).payload
    assert b"[redacted]" in page_content(page).payload
    source = Assistant.objects.get().source
    assert source is not None
    assert source.redacted


def test_a_page_about_several_threads_is_taken_apart() -> None:
    imported(lines({"object": "list", "data": [message("m1"), message("n1", of="thread_2"), assistant()]}))
    for page in SnapshotPage.objects.all():
        assert page_content(page).payload.count(b"thread_id") == 1
    assert stored_messages("thread_2") == ["n1"]
    assert Assistant.objects.get().name == "Desk"


def test_a_bundle_goes_in_whole() -> None:
    imported(
        lines(
            {
                "thread": {"id": "thread_1", "metadata": {"k": "v"}},
                "messages": [{"id": "m1", "role": "user", "content": "x"}],
            }
        )
    )
    source = load_source_thread(the_thread())
    assert source.thread is not None
    assert source.thread["metadata"] == {"k": "v"}
    assert [value["id"] for value in source.messages] == ["m1"]


def test_rejected_lines_are_kept_with_number_and_reason_and_the_rest_goes_in() -> None:
    source_import = imported(
        lines(message("m1")) + b"{'not': 'json'}\n" + lines({"object": "thread.message", "id": "m9"})
    )
    found = [(reject.line_number, bytes(reject.raw)[:8]) for reject in ImportReject.objects.all()]
    assert found == [(2, b"{'not': "), (3, b'{"object')]
    assert source_import.reject_count == 2
    assert stored_messages() == ["m1"]


def test_what_is_nested_without_end_is_rejected() -> None:
    deep = b'{"object":"thread","id":"thread_1","metadata":' + b'{"a":' * 201 + b"1" + b"}" * 202
    source_import = imported(lines(message("m1", of="thread_2")) + deep + b"\n")
    assert source_import.reject_count == 1
    assert "nested too deeply" in ImportReject.objects.get().reason


def test_skipped_objects_are_counted() -> None:
    data = lines(message("m1"), {"id": "asst_9", "object": "assistant.deleted", "deleted": True})
    assert imported(data).counts["skipped"] == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"PK\x03\x04" + b"\0" * 50, "ZIP"),
        (b"thread_1\nthread_2\n", "import_threads"),
        (b"hello\nworld\n", "Nothing in the file could be taken"),
        (b'{"object": "chat.completion", "id": "x"}\n', "Unknown kind of object: 'chat.completion'"),
        (b"hello world\n" * 1001, "first 1,000 lines are all unreadable"),
    ],
)
def test_a_file_that_is_no_archive_fails_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ArchiveUnreadableError, match=reason):
        imported(data)
    source_import = SourceImport.objects.get()
    assert source_import.state == SourceImport.State.FAILED
    assert reason in source_import.error_text


def test_a_registered_thread_is_snapshotted_and_keeps_what_was_known_of_it() -> None:
    ThreadFactory.create(thread_id="thread_1", user_ref="known")
    imported(lines(thread(metadata={"user_id": "other"}), message("m1")))
    assert (the_thread().status, the_thread().user_ref) == (S.SNAPSHOTTED, "known")


@pytest.mark.parametrize("status", [S.BACKFILLED, S.VERIFIED])
def test_a_thread_that_was_backfilled_and_grows_goes_to_review(status: str) -> None:
    imported(lines(message("m1", 100)))
    Thread.objects.update(status=status)
    imported(lines(message("m2", 120)))
    row = the_thread()
    assert (row.status, row.error_code, row.message_count) == (S.NEEDS_REVIEW, "source_grown", 2)
    assert AuditEvent.objects.filter(verb="thread.source_grown", before=status).count() == 1


def test_a_verified_thread_that_would_become_the_same_stays_verified() -> None:
    imported(lines(thread(), message("m1", 100)))
    Thread.objects.update(status=S.VERIFIED)
    imported(lines(message("m1", 100, status="completed")))
    assert the_thread().status == S.VERIFIED


@pytest.mark.parametrize("status", [S.QUEUED, S.BACKFILLING, S.EXCLUDED, S.ROLLED_BACK])
def test_threads_in_other_hands_keep_their_status_and_get_the_pages(status: str) -> None:
    pending = "backfill" if status in {S.QUEUED, S.BACKFILLING} else ""
    ThreadFactory.create(
        thread_id="thread_1", status=status, pending_work=pending, batch=BatchFactory.create()
    )
    imported(lines(message("m1")))
    assert (the_thread().status, stored_messages()) == (status, ["m1"])


def test_a_failed_thread_starts_anew_when_more_of_it_comes_in() -> None:
    ThreadFactory.create(thread_id="thread_1", status=S.FAILED, error_code="x", error_text="y", attempts=5)
    imported(lines(message("m1")))
    row = the_thread()
    assert (row.status, row.error_code, row.error_text, row.attempts) == (S.SNAPSHOTTED, "", "", 0)


def test_an_import_killed_before_assessing_is_completed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(**_keywords: object) -> None:
        raise KeyboardInterrupt

    data = lines(message("m1"))
    with monkeypatch.context() as patch:
        patch.setattr(archives, "threads_assess", killed)
        with pytest.raises(KeyboardInterrupt):
            imported(data)
    assert the_thread().status == S.REGISTERED
    imported(data)
    assert (the_thread().status, SnapshotPage.objects.count()) == (S.SNAPSHOTTED, 1)


def test_an_import_killed_between_buffers_is_completed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    data = lines(message("m1", 100), message("m2", 120), message("n1", of="thread_2"))
    stored = store.threads_store
    calls: list[int] = []

    def killed_in_the_second(**keywords: object) -> store.Stored:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return stored(**keywords)  # type: ignore[arg-type]  # handed on as it came

    with monkeypatch.context() as patch:
        patch.setattr(archives, "_BUFFER_DOCUMENTS", 1)
        patch.setattr(archives, "threads_store", killed_in_the_second)
        with pytest.raises(KeyboardInterrupt):
            imported(data)
    imported(data)
    assert (stored_messages(), stored_messages("thread_2")) == (["m1", "m2"], ["n1"])
    # m1 once more, because m2 was new beside it.
    assert sum(SnapshotPage.objects.values_list("document_count", flat=True)) == 4


def test_every_registration_and_snapshot_is_in_the_audit_trail() -> None:
    imported(lines(message("m1")))
    events = AuditEvent.objects.filter(subject_kind="thread").order_by("pk")
    assert [(event.verb, event.before, event.after, event.actor, event.job_id) for event in events] == [
        ("thread.registered", "", "registered", ACTOR.name, "job-1"),
        ("thread.snapshotted", "registered", "snapshotted", ACTOR.name, "job-1"),
    ]


def test_many_threads_go_in_by_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_GROUP_THREADS", 1)
    source_import = imported(lines(*(message("m1", of=f"thread_{number}") for number in range(3))))
    assert (source_import.counts["threads_new"], SnapshotPage.objects.count()) == (3, 3)


def test_of_a_long_thread_only_what_the_buffer_speaks_of_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", 10)
    seen = KnownObjects.see
    held: list[int] = []

    def counting(self: KnownObjects, *arguments: Any, **keywords: Any) -> Any:
        verdict = seen(self, *arguments, **keywords)
        held.append(len(self._values))
        return verdict

    monkeypatch.setattr(KnownObjects, "see", counting)
    imported(lines(*(message(f"m{number:03}", 100 + number) for number in range(200))))
    assert len(stored_messages()) == 200
    assert max(held) <= 10


def test_a_thread_without_pages_is_not_given_those_of_another_in_its_group() -> None:
    """Rows in the order of their keys: the first one is registered only, the second one has a page."""
    ThreadFactory.create(thread_id="thread_1")
    imported(lines(message("m2", of="thread_2")))
    counts = imported(lines(message("m1", of="thread_1"), message("m2", of="thread_2"))).counts
    assert (counts["messages"], counts["unchanged"]) == (1, 1)
    kept = SnapshotPage.objects.order_by("pk").values_list("thread__thread_id", "sequence")
    assert list(kept) == [("thread_2", 0), ("thread_1", 0)]


def test_a_message_that_names_another_thread_than_its_bundle_is_rejected_and_both_threads_say_so() -> None:
    bundle = {"thread": thread(), "messages": [message("m1"), message("m2", of="thread_2", text="elsewhere")]}
    source_import = imported(lines(bundle))
    assert source_import.reject_count == 1
    assert "names thread thread_2" in source_import.rejects.get().reason
    assert stored_messages() == ["m1"]
    assert stored_messages("thread_2") == []
    assert [the_thread(name).finding_counts["object_rejected"] for name in ("thread_1", "thread_2")] == [1, 1]
    assert not any(b"elsewhere" in page_content(page).payload for page in SnapshotPage.objects.all())
    imported(lines(message("m2", of="thread_2", text="elsewhere")))
    assert "object_rejected" not in the_thread("thread_2").finding_counts

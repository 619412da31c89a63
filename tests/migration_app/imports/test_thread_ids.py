"""Thread ids from CSV."""

from __future__ import annotations

import pytest

from migration_app.archive.files.streams import ArchiveUnreadableError
from migration_app.models import Assistant, AuditEvent, ImportReject, SourceImport, Thread
from tests.factories import AssistantFactory, ThreadFactory
from tests.migration_app.imports.support import ACTOR
from tests.migration_app.imports.support import imported as imported_as

pytestmark = pytest.mark.django_db


def imported(data: bytes) -> SourceImport:
    return imported_as(data, SourceImport.Kind.THREAD_IDS)


def rows() -> list[tuple[str, str, str | None]]:
    found = Thread.objects.order_by("thread_id").values_list(
        "thread_id", "user_ref", "assistant__assistant_id"
    )
    return list(found)


def test_ids_with_users_and_assistants_are_registered() -> None:
    source_import = imported(b"thread_id,user_ref,assistant_id\nthread_1,u-1,asst_1\nthread_2,,\n")
    assert rows() == [("thread_1", "u-1", "asst_1"), ("thread_2", "", None)]
    assert set(Thread.objects.values_list("status", flat=True)) == {"registered"}
    assert source_import.counts["threads_new"] == 2
    assert source_import.state == SourceImport.State.FINISHED


@pytest.mark.parametrize(
    "data",
    [
        b"thread_1\nthread_2\n",
        b"\xef\xbb\xbfthread_id\r\nthread_1\r\nthread_2\r\n",
        b'user;"thread_id"\n;"thread_1"\n;"thread_2"\n',
        b"thread_id\tuser_ref\nthread_1\t\nthread_2\t\n",
        "thread_id\nthread_1\nthread_2\n".encode("utf-16"),
    ],
)
def test_every_usual_form_of_csv_is_read(data: bytes) -> None:
    imported(data)
    assert [thread_id for thread_id, _user, _assistant in rows()] == ["thread_1", "thread_2"]


def test_the_same_file_twice_changes_nothing() -> None:
    data = b"thread_id,user_ref,assistant_id\nthread_1,u-1,asst_1\n"
    imported(data)
    second = imported(data)
    assert (second.counts["threads_new"], second.counts["unchanged"], second.counts["filled"]) == (0, 1, 0)
    assert AuditEvent.objects.filter(verb="thread.registered").count() == 1
    assert Assistant.objects.count() == 1


def test_an_id_that_stands_there_twice_is_one_thread_completed_by_later_lines() -> None:
    source_import = imported(b"thread_id,user_ref\nthread_1,\nthread_1,u-1\nthread_1,u-2\n")
    assert rows() == [("thread_1", "u-1", None)]
    assert source_import.counts["repeated"] == 2


def test_a_known_thread_keeps_what_it_has_and_gets_what_it_lacks() -> None:
    ThreadFactory.create(thread_id="thread_1", user_ref="known", status=Thread.Status.VERIFIED)
    ThreadFactory.create(thread_id="thread_2", assistant=AssistantFactory.create(assistant_id="asst_known"))
    source_import = imported(b"thread_id,user_ref,assistant_id\nthread_1,other,asst_1\nthread_2,u-2,asst_1\n")
    assert rows() == [("thread_1", "known", "asst_1"), ("thread_2", "u-2", "asst_known")]
    assert source_import.counts["filled"] == 2
    assert Thread.objects.get(thread_id="thread_1").status == Thread.Status.VERIFIED


def test_each_new_thread_is_in_the_audit_trail() -> None:
    imported(b"thread_id\nthread_1\nthread_2\n")
    events = AuditEvent.objects.filter(verb="thread.registered").order_by("subject_id")
    assert [(event.subject_id, event.actor, event.job_id, event.after) for event in events] == [
        ("thread_1", ACTOR.name, "job-1", "registered"),
        ("thread_2", ACTOR.name, "job-1", "registered"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b",u-1", "The thread id is missing."),
        (b"x" * 256 + b",", "longer than 255"),
        (b"thread 1,", "white space"),
        (b"thread_\xff,", "UTF-8"),
        (b"thread_1,u,extra", "3 cells under 2 columns"),
    ],
)
def test_a_line_that_names_no_thread_is_rejected_and_the_rest_goes_in(line: bytes, reason: str) -> None:
    imported(b"thread_id,user_ref\nthread_8,\n" + line + b"\nthread_9,\n")
    assert [thread_id for thread_id, _user, _assistant in rows()] == ["thread_8", "thread_9"]
    reject = ImportReject.objects.get()
    assert reject.line_number == 3
    assert reason in reject.reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "no thread id"), (b"thread_id\n", "no thread id"), (b"a,b\n1,2\n", "must be a header")],
)
def test_a_file_without_ids_fails_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ArchiveUnreadableError, match=reason):
        imported(data)
    assert SourceImport.objects.get().state == SourceImport.State.FAILED


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"thread_id\na\0b\n", "The first reason: The thread id holds control characters"),
        (b"\x1f\x8b and no more of gzip than that", "The first reason: The gzip file is damaged"),
        (b"thread_id\n" + b"a b\n" * 1001, "first 1,000 lines are all unreadable"),
    ],
)
def test_a_file_of_rejects_fails_with_the_first_reason_and_keeps_all(data: bytes, reason: str) -> None:
    with pytest.raises(ArchiveUnreadableError, match=reason):
        imported(data)
    assert ImportReject.objects.exists()
    assert not Thread.objects.exists()


@pytest.mark.parametrize("column", ["thread_id", "assistant_id"])
def test_an_id_that_cannot_be_stored_is_rejected(column: str) -> None:
    cells = {"thread_id": "thread_1", "assistant_id": "asst_1", column: "a\0b"}
    imported(f"thread_id,assistant_id\n{cells['thread_id']},{cells['assistant_id']}\nthread_9,\n".encode())
    assert [thread_id for thread_id, _user, _assistant in rows()] == ["thread_9"]
    assert "holds control characters" in ImportReject.objects.get().reason


def test_a_user_reference_is_stored_without_its_nul() -> None:
    imported(b"thread_id,user_ref\nthread_1,a\0b\n")
    assert rows() == [("thread_1", "ab", None)]


def test_what_copy_would_take_for_its_end_or_for_nothing_is_an_id_or_reference_like_any_other() -> None:
    imported(b'thread_id;user_ref\n\\.;u-1\n"\\N";\\N\nthread_3;"a;b"\r\nthread_4;""\n')
    assert rows() == [
        ("\\.", "u-1", None),
        ("\\N", "\\N", None),
        ("thread_3", "a;b", None),
        ("thread_4", "", None),
    ]


def test_a_file_of_one_column_may_hold_what_copy_would_take_for_its_end() -> None:
    imported(b"thread_1\n\\.\nthread_2\n")
    assert [thread_id for thread_id, _user, _assistant in rows()] == ["\\.", "thread_1", "thread_2"]


def test_a_long_user_reference_is_cut_like_any_other() -> None:
    imported(b"thread_id,user_ref\nthread_1," + b"u" * 600 + b"\n")
    assert rows() == [("thread_1", "u" * 512, None)]

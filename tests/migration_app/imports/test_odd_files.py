"""What people import by mistake, and what PostgreSQL can't hold: a clear reason, and the rest goes in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from migration_app.archive.files.streams import ArchiveUnreadableError
from migration_app.contracts import JsonObject
from migration_app.models import ImportReject, SourceImport
from migration_app.snapshots.pages import load_source_thread
from tests.migration_app.imports.support import (
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
HEADER = b"thread_id,role,content\n"

NUL, HALF = "a\0b", "a\ud800b"


@pytest.mark.parametrize("bad", [NUL, HALF])
@pytest.mark.parametrize(
    "value",
    [
        thread,
        message,
        lambda bad: message("m9", of=bad),
        run,
        lambda bad: {"id": bad, "object": "thread.run.step", "thread_id": "thread_1", "run_id": "run_1"},
        assistant,
        lambda bad: {"id": bad, "object": "file"},
        lambda bad: {"id": bad, "object": "vector_store"},
        lambda bad: {"thread_id": bad, "messages": []},
        lambda bad: {"thread_id": "t", "messages": [{"role": "user", "content": "x", "id": bad}]},
    ],
    ids=[
        "thread",
        "message",
        "thread of a message",
        "run",
        "step",
        "assistant",
        "file",
        "store",
        "transcript",
        "message in it",
    ],
)
def test_an_id_that_cannot_be_stored_is_rejected_and_the_rest_goes_in(
    value: Callable[[str], JsonObject], bad: str
) -> None:
    source_import = imported(lines(value(bad), message("m1")))
    assert source_import.reject_count == 1
    assert "holds control characters or half of a surrogate pair" in ImportReject.objects.get().reason
    assert stored_messages() == ["m1"]


@pytest.mark.parametrize("bad", [NUL, HALF])
def test_names_that_cannot_be_stored_elsewhere_keep_the_object_whole_in_its_snapshot(bad: str) -> None:
    imported(
        lines(
            thread(metadata={"user_id": bad, bad: bad}),
            message("m1", run_id=bad, assistant_id=bad, attachments=[{"file_id": bad, "tools": []}]),
            run("run_1", assistant_id=bad),
            assistant(name=bad, model=bad),
            {"thread_id": "chat-1", "messages": [], "user_ref": bad, "metadata": {bad: bad}},
        )
    )
    assert (the_thread().message_count, the_thread().run_count, the_thread().assistant) == (1, 1, None)
    assert the_thread().user_ref in {"ab", "a?b"}
    assert the_thread("chat-1").user_ref in {"ab", "a?b"}
    source = load_source_thread(the_thread())
    assert source.thread is not None
    assert source.thread["metadata"] == {"user_id": bad, bad: bad}
    assert source.messages[0]["assistant_id"] == bad


@pytest.mark.parametrize("data", [b"not gzip at all", bytes(range(128, 256)) * 4])
def test_a_file_that_is_only_called_gz_fails_with_a_reason(data: bytes) -> None:
    with pytest.raises(ArchiveUnreadableError, match=r"could be taken\. The first reason: Not"):
        imported(data)


def test_a_damaged_gzip_file_fails_with_a_reason() -> None:
    with pytest.raises(ArchiveUnreadableError, match="gzip file is damaged"):
        imported(b"\x1f\x8b and no more of gzip than that")


def test_a_file_of_nothing_but_blank_lines_behind_a_header_fails() -> None:
    with pytest.raises(ArchiveUnreadableError, match=r"Nothing in the file could be taken\.$"):
        imported(HEADER + b"\n\n")


def test_why_a_file_is_unreadable_is_kept_line_by_line() -> None:
    with pytest.raises(ArchiveUnreadableError, match="first 1,000 lines"):
        imported(b"hello world\n" * 1001)
    assert ImportReject.objects.count() == 1000


def test_columns_that_nobody_reads_are_named_on_the_import() -> None:
    rows = b"thread_id,role,content,mood,empty,\nt,user,a,glad,,\nt,user,b,,,kept\n"
    assert imported(rows).notes == [
        "Columns that the console does not know, and did not read: column 6, mood."
    ]
    assert imported(b"thread_id,role,content,user_ref\nt,user,a,u\n").notes == []


def test_so_are_those_beside_thread_ids() -> None:
    ids = b"thread_id,mood,user_ref\nthread_7,glad,u\nthread_8,,u\n"
    (note,) = imported(ids, SourceImport.Kind.THREAD_IDS).notes
    assert note.endswith("did not read: mood.")


def test_a_header_once_more_among_thread_ids_is_no_id() -> None:
    ids = b"thread_id,user_ref\nthread_7,u\nthread_id,user_ref\nthread_8,u\n"
    assert imported(ids, SourceImport.Kind.THREAD_IDS).counts["threads_new"] == 2


def test_rows_that_an_open_quotation_mark_swallows_leave_a_mark_on_their_threads() -> None:
    header = b"thread_id,role,content\n"
    source_import = imported(header + b't,user,a\nt,user,"b\nt-2,assistant,c\n')
    assert source_import.reject_count == 2
    assert [the_thread(name).finding_counts["object_rejected"] for name in ("t", "t-2")] == [1, 1]
    imported(header + b't,user,a\nt,user,"b"\nt-2,assistant,c\n')
    assert not any("object_rejected" in the_thread(name).finding_counts for name in ("t", "t-2"))

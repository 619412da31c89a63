"""Transcripts into the database: lines and rows, once, whole, and told apart where they look alike."""

from __future__ import annotations

import json

import pytest

from migration_app.imports import archives
from migration_app.models import ImportReject, SnapshotPage, Thread
from migration_app.snapshots.pages import load_source_thread, page_content
from tests.migration_app.imports.support import imported, lines, stored_messages, the_thread

pytestmark = pytest.mark.django_db
S = Thread.Status


def test_transcript_lines_become_threads() -> None:
    line = {
        "thread_id": "chat-1",
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}],
        "user_ref": "u-1",
        "metadata": {"channel": "web"},
    }
    imported(lines(line))
    row = the_thread("chat-1")
    assert (row.status, row.user_ref, row.message_count, row.item_count) == (S.SNAPSHOTTED, "u-1", 2, 2)
    assert page_content(SnapshotPage.objects.get()).payload == b"\x1e" + json.dumps(line).encode() + b"\n"


def test_a_transcript_twice_adds_nothing_and_a_grown_one_only_what_is_new() -> None:
    said = [
        {"role": "user", "content": "ok"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "ok"},
    ]
    imported(lines({"thread_id": "chat-1", "messages": said[:2]}))
    imported(lines({"thread_id": "chat-1", "messages": said[:2]}))
    assert SnapshotPage.objects.count() == 1
    imported(lines({"thread_id": "chat-1", "messages": said}))
    source = load_source_thread(the_thread("chat-1"))
    assert [value["role"] for value in source.messages] == ["user", "assistant", "user"]


HEADER = b"thread_id,role,content,created_at,message_id,user_ref\n"


def test_transcript_rows_become_threads() -> None:
    imported(
        HEADER
        + b'till-1,user,"a\nb",2026-05-04T09:15:02Z,m-1,u-1\ntill-1,assistant,c,2026-05-04T09:15:06Z,m-2,u-1\n'
    )
    row = the_thread("till-1")
    assert (row.user_ref, row.message_count, row.status) == ("u-1", 2, S.SNAPSHOTTED)
    assert stored_messages("till-1") == ["m-1", "m-2"]


def test_rows_twice_add_nothing_and_grown_rows_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", 1)
    rows = b"t,user,ok,,,\nt,assistant,ok,,,\n"
    imported(HEADER + rows)
    imported(HEADER + rows)
    assert the_thread("t").message_count == 2
    imported(HEADER + rows + b"t,user,ok,,,\n")
    source = load_source_thread(the_thread("t"))
    assert [value["role"] for value in source.messages] == ["user", "assistant", "user"]


@pytest.mark.parametrize("buffer", [1, 20_000])
def test_one_message_a_line_is_rejected_and_nothing_is_lost(
    buffer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", buffer)
    said = [
        {"thread_id": "chat-1", "messages": [{"role": "user", "content": text}]}
        for text in ("ok", "ok", "no")
    ]
    source_import = imported(
        lines(*said, {"thread_id": "chat-2", "messages": [{"role": "user", "content": "ok"}]})
    )
    assert (source_import.reject_count, the_thread("chat-1").message_count) == (2, 1)
    rejects = ImportReject.objects.order_by("pk")
    assert [(row.line_number, json.loads(bytes(row.raw))) for row in rejects] == [(2, said[1]), (3, said[2])]
    assert all("Thread chat-1 is in line 1 already" in row.reason for row in rejects)
    assert the_thread("chat-2").message_count == 1


def test_a_file_that_holds_a_transcript_as_it_grew_gives_all_of_it_once() -> None:
    said = [{"role": role, "content": "ok"} for role in ("user", "assistant", "user")]
    data = lines(*({"thread_id": "chat-1", "messages": said[:count]} for count in (1, 2, 3)))
    assert imported(data).reject_count == 0
    source = load_source_thread(the_thread("chat-1"))
    assert [value["role"] for value in source.messages] == ["user", "assistant", "user"]
    assert imported(data).counts["threads"] == 0


def test_a_rejected_transcript_stays_out_of_the_snapshot_of_its_list() -> None:
    said = [
        {"thread_id": "chat-1", "messages": [{"role": "user", "content": text}]} for text in ("one", "two")
    ]
    assert imported(lines({"data": said})).reject_count == 1
    source = load_source_thread(the_thread("chat-1"))
    assert [value["content"][0]["text"]["value"] for value in source.messages] == ["one"]
    assert not any(b"two" in page_content(page).payload for page in SnapshotPage.objects.all())


def test_a_mended_file_brings_what_was_rejected() -> None:
    said = [{"role": "user", "content": "ok"}, {"role": "user", "content": "ok"}]
    imported(lines(*({"thread_id": "chat-1", "messages": [message]} for message in said)))
    imported(lines({"thread_id": "chat-1", "messages": said}))
    assert the_thread("chat-1").message_count == 2


@pytest.mark.parametrize("row", [b"t,user,ok,,,\n", b"t,user,ok,2026-05-04T09:15:02Z,,\n"])
@pytest.mark.parametrize("buffer", [1, 20_000])
def test_a_row_that_stands_there_twice_is_two_messages_at_every_import(
    row: bytes, buffer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", buffer)
    imported(HEADER + row + row)
    assert (the_thread("t").message_count, len(set(stored_messages("t")))) == (2, 2)
    second = imported(HEADER + row + row)
    assert (the_thread("t").message_count, second.counts["unchanged"]) == (2, 2)
    imported(HEADER + row * 3)
    assert (the_thread("t").message_count, len(set(stored_messages("t")))) == (3, 3)


def test_rows_exported_again_with_times_written_otherwise_add_nothing() -> None:
    imported(HEADER + b"t,user,ok,2026-05-04T09:15:02Z,,\nt,assistant,ok,2026-05-04T09:15:06Z,,\n")
    second = imported(HEADER + b"t,user,ok,1777886102,,\nt,assistant,ok,2026-05-04 09:15:06 UTC,,\n")
    assert (the_thread("t").message_count, second.counts["unchanged"]) == (2, 2)
    assert SnapshotPage.objects.count() == 1


def test_rows_in_utf16_go_in() -> None:
    text = "thread_id;role;content\r\nt;user;grüß dich 🐟\r\n"
    assert imported(text.encode("utf-16")).reject_count == 0
    source = load_source_thread(the_thread("t"))
    assert source.messages[0]["content"][0]["text"]["value"] == "grüß dich 🐟"


def test_rows_that_end_inside_or_behind_a_quoted_line_feed_stay_the_same_at_every_import() -> None:
    data = b't,user,a,,,\nt,assistant,"b\n"'
    imported(HEADER + data)
    assert imported(HEADER + data).counts["threads"] == 0
    source = load_source_thread(the_thread("t"))
    assert [value["content"][0]["text"]["value"] for value in source.messages] == ["a", "b\n"]
    assert imported(HEADER + data[:-1]).reject_count == 1
    assert the_thread("t").message_count == 2


def test_a_row_that_cannot_be_taken_is_rejected_with_its_number() -> None:
    assert imported(HEADER + b"t,,ok,,,\nt,user,ok,,,\n").reject_count == 1
    reject = ImportReject.objects.get()
    assert (reject.line_number, bytes(reject.raw)) == (2, b"t,,ok,,,\n")
    assert 'it has no "role"' in reject.reason
    assert the_thread("t").message_count == 1


def test_a_user_that_a_later_import_names_is_filled_in() -> None:
    imported(HEADER + b"t,user,ok,,,\n")
    imported(HEADER + b"t,user,ok,,,u-7\n")
    assert (the_thread("t").user_ref, the_thread("t").message_count) == ("u-7", 1)


@pytest.mark.parametrize("time", ["", "2026-05-04T09:15:02Z"])
@pytest.mark.parametrize("named", [True, False])
def test_rows_that_grew_between_two_exports_keep_their_order(time: str, *, named: bool) -> None:
    rows = [
        f"t,{role},{text},{time},{f'm-{number}' if named else ''},\n".encode()
        for number, (role, text) in enumerate(
            [("user", "a"), ("user", "b"), ("user", "c"), ("assistant", "d")]
        )
    ]
    for count in (1, 2, 4, 4):
        imported(HEADER + b"".join(rows[:count]))
    source = load_source_thread(the_thread("t"))
    assert [value["content"][0]["text"]["value"] for value in source.messages] == ["a", "b", "c", "d"]
    assert "message_order_uncertain" not in the_thread("t").finding_counts


def test_a_row_that_fills_a_gap_without_a_time_has_no_certain_place() -> None:
    imported(HEADER + b"t,user,a,,,\nt,,b,,,\nt,user,c,,,\n")
    imported(HEADER + b"t,user,a,,,\nt,user,b,,,\nt,user,c,,,\n")
    row = the_thread("t")
    assert (row.message_count, row.finding_counts.get("message_order_uncertain")) == (3, 1)

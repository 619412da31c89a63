"""What an import rejects leaves a mark on its thread, until another import has brought it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from migration_app.contracts import MAX_JSON_DEPTH, Finding, JsonObject
from migration_app.imports import archives
from migration_app.models import SnapshotPage, SourceImport
from migration_app.snapshots.pages import load_source_thread
from tests.migration_app.imports.support import (
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
HEADER = b"thread_id,role,content,created_at,message_id\n"
STEP: JsonObject = {
    "id": "step_1",
    "object": "thread.run.step",
    "thread_id": "thread_1",
    "run_id": "run_1",
    "type": "tool_calls",
    "status": "completed",
    "step_details": {"type": "tool_calls", "tool_calls": [{"id": "call_1", "type": "function"}]},
}


def deep(levels: int) -> JsonObject:
    value: JsonObject = {}
    for _level in range(levels):
        value = {"a": value}
    return value


def rejected(name: str = "thread_1") -> list[Finding]:
    return [f for f in load_source_thread(the_thread(name)).findings if f.code == "object_rejected"]


def counted(name: str = "thread_1") -> tuple[str, int]:
    row = the_thread(name)
    return row.fidelity, row.finding_counts.get("object_rejected", 0)


BAD: list[JsonObject] = [
    message("m2", 120) | {"id": None},
    {name: value for name, value in message("m2", 120).items() if name != "id"},
    message("m2", 120) | {"id": 7},
    message("m2", 120) | {"id": "x" * 256},
    message("m2", 120) | {"id": "a\0b"},
    message("m2", 120, metadata=deep(MAX_JSON_DEPTH)),
    message("m2", 120, metadata=deep(600)),
    message("m2", 120) | {"object": "thread.message.sketch"},
    message("m2", 120) | {"object": None},
    STEP | {"id": None},
    STEP | {"metadata": deep(MAX_JSON_DEPTH)},
    run("run_1", id=["run_1"]),
]


@pytest.mark.parametrize("bad", BAD)
def test_what_is_rejected_makes_its_thread_lossy_wherever_it_stands(
    bad: JsonObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, buffer in enumerate((1, 2, 20_000)):
        monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", buffer)
        with undone():
            whole = [thread(), message("m1", 100), message("m3", 140)]
            whole.insert(place, bad)
            source_import = imported(lines(*whole))
            assert (source_import.reject_count, counted()) == (1, ("lossy", 1))
            assert f"line {place + 1} of an import" in rejected()[0].text
            assert stored_messages() == ["m1", "m3"]


def test_a_line_nested_so_deeply_that_no_decoder_takes_it_is_marked_too() -> None:
    raw = json.dumps(message("m2", 120, metadata="@")).encode()
    raw = raw.replace(b'"@"', b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
    imported(lines(message("m1")) + raw + b"\n")
    assert (counted(), rejected()[0].source_id) == (("lossy", 1), "m2")
    imported(lines(message("m2", 120)))
    assert counted() == ("exact", 0)


def test_a_line_that_is_cut_off_is_marked_if_it_tells_thread_kind_and_id() -> None:
    imported(lines(message("m1"), message("m3", 140)) + json.dumps(message("m2", 120)).encode()[:-30])
    assert counted() == ("lossy", 1)
    imported(lines(message("m2", 120)))
    assert counted() == ("exact", 0)


def test_the_same_file_again_changes_nothing_and_leaves_the_mark() -> None:
    data = lines(message("m1"), BAD[0], BAD[0], message("m3", 140))
    imported(data)
    assert counted() == ("lossy", 2)
    pages = SnapshotPage.objects.count()
    imported(data)
    assert (counted(), SnapshotPage.objects.count()) == (("lossy", 2), pages)


def test_a_list_and_a_bundle_tell_the_thread_of_what_they_hold() -> None:
    bare = {"id": None, "object": "thread.message", "role": "user", "content": "x"}
    step = {"id": None, "object": "thread.run.step"}
    imported(lines({"object": "list", "data": [message("m1"), bare, message("m3", 140)]}))
    imported(
        lines({"thread": thread("thread_2"), "messages": [message("n1", of="thread_2")], "steps": [step]})
    )
    imported(lines({**run("run_3", of="thread_3"), "steps": [step, "text"]}))
    imported(lines({"data": [message("m4", of="thread_4"), message("m5", of="thread_5"), bare]}))
    assert (counted(), counted("thread_2"), counted("thread_3")) == (("lossy", 1), ("lossy", 1), ("lossy", 2))
    assert (counted("thread_4"), counted("thread_5")) == (("exact", 0), ("exact", 0))
    assert stored_messages() == ["m1", "m3"]


def test_of_a_list_only_what_is_nested_too_deeply_is_rejected() -> None:
    data = [message("m1", 100), message("m2", 120, metadata=deep(MAX_JSON_DEPTH)), message("m3", 140)]
    assert imported(lines({"object": "list", "data": data})).reject_count == 1
    assert (stored_messages(), counted()) == (["m1", "m3"], ("lossy", 1))


def test_a_thread_that_only_comes_later_has_the_mark() -> None:
    imported(lines(message("n1", of="thread_2"), BAD[0]))
    assert counted() == ("lossy", 1)
    imported(lines(thread(), message("m1")))
    assert (counted(), stored_messages()) == (("lossy", 1), ["m1"])


def test_a_file_of_nothing_but_rejects_of_a_thread_marks_it() -> None:
    assert imported(lines(BAD[0])).state == SourceImport.State.FINISHED
    assert imported(lines(BAD[0])).counts["marks"] == 1
    assert counted() == ("lossy", 1)


@pytest.mark.parametrize("later", [message("m2", 120), message("m2", 120) | {"status": "completed"}])
def test_the_object_that_a_later_import_brings_takes_the_mark_away(later: JsonObject) -> None:
    imported(lines(message("m1"), message("m2", 120, metadata=deep(MAX_JSON_DEPTH))))
    assert counted() == ("lossy", 1)
    imported(lines(message("m1"), later))
    assert counted() == ("exact", 0)


def test_an_object_that_is_known_already_needs_no_mark() -> None:
    imported(lines(message("m1"), message("m2", 120)))
    imported(lines(message("m2", 120, metadata=deep(MAX_JSON_DEPTH))))
    assert counted() == ("exact", 0)


def test_an_earlier_state_of_what_was_rejected_does_not_take_the_mark_away() -> None:
    bad = STEP | {"metadata": deep(MAX_JSON_DEPTH)}
    imported(lines(message("m1"), bad, STEP | {"status": "in_progress"}))
    assert counted() == ("lossy", 1)
    imported(lines(STEP))
    assert counted()[1] == 0


@pytest.mark.parametrize("bad", BAD[:5])
def test_an_object_that_comes_with_an_id_in_a_later_import_takes_the_mark_away(bad: JsonObject) -> None:
    imported(lines(message("m1"), bad, message("m3", 140)))
    imported(lines(message("m4", 120)))
    assert counted() == ("exact", 0)


def test_an_object_that_says_the_same_in_the_same_import_is_another_one() -> None:
    for whole in itertools.permutations([message("m1"), BAD[0], message("m2", 120)]):
        with undone():
            imported(lines(*whole))
            assert counted() == ("lossy", 1)


def test_each_object_that_comes_takes_one_mark_away() -> None:
    imported(lines(message("m1"), BAD[0], BAD[0]))
    imported(lines(message("m4", 120)))
    assert counted() == ("lossy", 1)
    imported(lines(message("m5", 120)))
    assert counted()[1] == 0


def test_what_says_nothing_is_never_recognized() -> None:
    empty: JsonObject = {
        "id": None,
        "object": "thread.message",
        "thread_id": "thread_1",
        "role": "user",
        "content": [],
    }
    imported(lines(message("m1"), empty))
    imported(lines({**empty, "id": "m2"}))
    assert counted() == ("lossy", 1)


def said(*messages: Any) -> bytes:
    return lines({"thread_id": "t", "messages": list(messages)})


@pytest.mark.parametrize(
    "bad",
    [
        {"content": "b"},
        {"role": "user"},
        {"role": "user", "content": 5},
        "b",
        {"role": "user", "content": "b", "id": 1.5},
    ],
)
def test_a_message_of_a_transcript_that_is_rejected_is_marked_until_it_stands_in_its_place(bad: Any) -> None:
    first, last = {"role": "user", "content": "a"}, {"role": "assistant", "content": "c"}
    imported(said(first, bad, last))
    assert counted("t") == ("lossy", 1)
    imported(said(first, bad, last, {"role": "user", "content": "d"}))
    assert counted("t") == ("lossy", 1)
    imported(said(first, {"role": "user", "content": "b"}, last, {"role": "user", "content": "d"}))
    assert counted("t") == ("transformed" if the_thread("t").finding_counts else "exact", 0)
    assert the_thread("t").message_count == 4


@pytest.mark.parametrize("bad", [b"t,,b,,\n", b"t,user,b,,,,more\n", b"t,user,\xff,,\n"])
@pytest.mark.parametrize("buffer", [1, 20_000])
def test_a_row_that_is_rejected_is_marked_until_one_stands_in_its_place(
    bad: bytes, buffer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", buffer)
    rows = [b"t,user,a,2026-05-04T09:15:02Z,\n", bad, b"t,assistant,c,2026-05-04T09:15:04Z,\n"]
    imported(HEADER + b"".join(rows))
    assert counted("t") == ("lossy", 1)
    imported(HEADER + b"".join(rows) + b"t,user,d,2026-05-04T09:15:05Z,\n")
    assert counted("t") == ("lossy", 1)
    rows[1] = b"t,user,b,2026-05-04T09:15:03Z,\n"
    assert imported(HEADER + b"".join(rows)).reject_count == 0
    assert counted("t")[1] == 0
    text = [value["content"][0]["text"]["value"] for value in load_source_thread(the_thread("t")).messages]
    assert text == ["a", "b", "c", "d"]


def test_a_rejected_line_is_marked_without_its_words() -> None:
    imported(lines(message("m1"), message("m2", text="a secret") | {"id": None}))
    page = SnapshotPage.objects.get(kind=SnapshotPage.Kind.REJECTS)
    assert b"a secret" not in bytes(page.payload)
    assert "a secret" not in str(rejected())


@pytest.mark.parametrize("said", [None, "", "thread.message.sketch", 7])
def test_an_object_rejected_for_its_kind_alone_takes_the_mark_away_when_it_is_mended(said: object) -> None:
    bad, good = message("m2", 120) | {"object": said}, message("m2", 120)
    for files in (
        [[message("m1"), bad], [good]],
        [[message("m1"), good], [bad]],
        [[bad, message("m1"), good]],
    ):
        with undone():
            for file in files:
                imported(lines(*file))
            assert counted() == ("exact", 0)


def test_an_unknown_kind_of_object_under_a_known_id_is_not_that_object() -> None:
    vote = {"id": "m1", "object": "thread.message.vote", "thread_id": "thread_1", "rating": 5}
    imported(lines(message("m1"), vote))
    imported(lines(message("m1")))
    assert counted() == ("lossy", 1)


def test_an_object_without_kind_and_id_is_known_again_by_what_it_says() -> None:
    imported(lines(message("m1"), message("m2", 120) | {"object": None, "id": None}))
    assert counted() == ("lossy", 1)
    imported(lines(message("m2", 120)))
    assert counted() == ("exact", 0)

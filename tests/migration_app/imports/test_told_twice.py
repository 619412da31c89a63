"""A transcript of a thread whose API messages are known too: told twice counts once, another is not mixed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from migration_app.contracts import JsonObject
from migration_app.snapshots.pages import load_source_thread
from tests.migration_app.archive.support import listed
from tests.migration_app.imports.support import imported, lines, message, the_thread, thread, undone
from tests.migration_app.imports.test_other_talks import as_bundle, as_lines, as_rows, text

pytestmark = pytest.mark.django_db

CODE = "transcript_contradicts"
TALK = ["ok", "hi", "ok", "hi"]
Written = Callable[..., bytes]
write_each = pytest.mark.parametrize("write", [as_lines, as_rows, as_bundle])


def archived(talk: Sequence[str], *, step: int = 0) -> list[JsonObject]:
    return [
        message(f"m{place}", 100 + place * step, said, of="t", role=("user", "assistant")[place % 2])
        for place, said in enumerate(talk)
    ]


def as_archive(talk: Sequence[str], *, step: int = 0) -> bytes:
    return lines(thread("t"), listed(*archived(talk, step=step)[::-1], has_more=False))


def findings() -> dict[str, int]:
    row = the_thread("t")
    counts = {code: count for code, count in row.finding_counts.items() if code != "thread_object_missing"}
    assert (row.fidelity == "lossy") == (CODE in counts)
    return counts


@write_each
@pytest.mark.parametrize("step", [0, 5])
@pytest.mark.parametrize(("known", "told"), [(4, 4), (2, 4), (4, 2)])
def test_the_same_talk_counts_once_in_both_orders(write: Written, step: int, known: int, told: int) -> None:
    files = [as_archive(TALK[:known], step=step), write(TALK[:told])]
    for order in (files, files[::-1]):
        with undone():
            for data in [*order, *order]:
                assert imported(data).reject_count == 0
            assert text() == TALK
            assert CODE not in findings()
            assert [value["id"] for value in load_source_thread(the_thread("t")).messages][:known] == [
                f"m{place}" for place in range(known)
            ]


@write_each
@pytest.mark.parametrize("other", [["EDITED", "hi", "ok"], ["ok", "hi", "ok", "EDITED", "more"], ["hi"]])
def test_another_talk_is_named_and_never_mixed_in(write: Written, other: list[str]) -> None:
    files = [as_archive(TALK), write(other)]
    for order in (files, files[::-1]):
        with undone():
            for data in order:
                imported(data)
            assert text() == TALK
            assert findings()[CODE] == 1


def test_both_in_one_file_count_once() -> None:
    imported(lines(thread("t"), *archived(TALK)) + as_lines([*TALK, "more"]))
    assert text() == [*TALK, "more"]
    assert CODE not in findings()


def test_messages_of_one_second_in_no_known_order_are_told_by_the_transcript() -> None:
    talk = ["a", "b", "c", "d"]
    for order in ([2, 0, 3, 1], [3, 2, 1, 0]):
        with undone():
            told = archived(talk)
            imported(lines(thread("t"), *(told[place] for place in order)))
            imported(as_lines(talk))
            assert text() == talk
            assert CODE not in findings()


def test_a_transcript_that_names_the_messages_by_their_ids_is_told_by_these() -> None:
    imported(as_archive(TALK))
    assert imported(as_lines([*TALK, "more"], named=True)).reject_count == 0
    assert text() == [*TALK, "more"]
    assert CODE not in findings()


def test_a_message_without_an_id_among_others_is_no_transcript() -> None:
    said = archived(["a", "b", "c"], step=5)
    del said[1]["id"]
    imported(lines({"thread": thread("t"), "messages": said}))
    assert text() == ["a", "b", "c"]
    assert CODE not in findings()


def test_what_else_a_message_holds_is_held_against_it_too() -> None:
    image = {"type": "image_file", "image_file": {"file_id": "file_1"}}
    text = {"type": "text", "text": {"value": "see", "annotations": []}}
    imported(lines(thread("t"), message("m0", of="t", content=[text, image])))
    imported(lines({"thread_id": "t", "messages": [{"role": "user", "content": "see"}]}))
    assert findings()[CODE] == 1

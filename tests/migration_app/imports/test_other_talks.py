"""A transcript is the known one grown, or it is rejected: two versions of one talk are never mixed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest

from migration_app.imports import archives
from migration_app.models import AuditEvent, ImportReject
from migration_app.snapshots.pages import load_source_thread
from tests.migration_app.imports.support import imported, lines, the_thread, undone

pytestmark = pytest.mark.django_db
ROLES = ("user", "assistant")
Written = Callable[..., bytes]


def as_lines(*talks: Sequence[str], named: bool = False) -> bytes:
    return lines(
        *(
            {
                "thread_id": "t",
                "messages": [
                    {"role": ROLES[place % 2], "content": text, **({"id": f"m{place}"} if named else {})}
                    for place, text in enumerate(talk)
                ],
            }
            for talk in talks
        )
    )


def as_rows(talk: Sequence[str], *, named: bool = False) -> bytes:
    rows = "".join(
        f"t,{ROLES[place % 2]},{text},{f'm{place}' if named else ''}\n" for place, text in enumerate(talk)
    )
    return f"thread_id,role,content,message_id\n{rows}".encode()


def as_bundle(talk: Sequence[str], *, named: bool = False) -> bytes:
    more = {"object": "thread.message"} if named else {}
    said = [
        {"role": ROLES[place % 2], "content": text, "created_at": place + 1, **more}
        for place, text in enumerate(talk)
    ]
    return lines({"thread": {"id": "t", "object": "thread"}, "messages": said})


def text() -> list[str]:
    found = []
    for value in load_source_thread(the_thread("t")).messages:
        content = value["content"]
        found.append(content if isinstance(content, str) else content[0]["text"]["value"])
    return found


def marks() -> int:
    row = the_thread("t")
    assert (row.fidelity == "lossy") == bool(row.finding_counts.get("object_rejected"))
    return int(row.finding_counts.get("object_rejected", 0))


KNOWN = ["ok", "hi", "ok", "hi"]
OTHER = [["ok", "hi", "new"], ["edited", "hi", "ok", "hi", "more"], ["hi"]]


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("other", OTHER)
@pytest.mark.parametrize(
    ("write", "buffer"), [(as_lines, 20_000), (as_rows, 20_000), (as_rows, 1), (as_bundle, 1)]
)
def test_another_talk_in_a_later_import_is_rejected_with_a_mark(
    write: Written, buffer: int, other: list[str], monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", buffer)
    for first, second in ((KNOWN, other), (other, KNOWN)):
        with undone():
            imported(write(first, named=named))
            rejects = imported(write(second, named=named)).reject_count
            assert text() == first
            assert rejects == ImportReject.objects.count() > 0
            assert marks() > 0
            assert "repeat and continue them" in ImportReject.objects.all()[0].reason
            assert not AuditEvent.objects.filter(verb="thread.conflict").exists()
            imported(write(second, named=named))
            assert (text(), marks()) == (first, rejects)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("other", OTHER)
def test_another_talk_in_the_same_file_is_rejected_with_a_mark(other: list[str], *, named: bool) -> None:
    for first, second in ((KNOWN, other), (other, KNOWN)):
        with undone():
            assert imported(as_lines(first, second, named=named)).reject_count == 1
            assert (text(), marks()) == (first, 1)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("write", [as_lines, as_rows, as_bundle])
def test_a_talk_that_grows_is_whole_in_whatever_order_its_states_come(write: Written, *, named: bool) -> None:
    for order in itertools.permutations([KNOWN[:2], KNOWN, [*KNOWN, "new"]]):
        with undone():
            for talk in order:
                assert imported(write(talk, named=named)).reject_count == 0
            assert (text(), marks()) == ([*KNOWN, "new"], 0)


def test_a_talk_with_ids_may_stand_in_one_file_in_every_order_of_its_states() -> None:
    for order in itertools.permutations([KNOWN[:1], KNOWN[:2], KNOWN]):
        with undone():
            assert imported(as_lines(*order, named=True)).reject_count == 0
            assert (text(), marks()) == (KNOWN, 0)


@pytest.mark.parametrize("write", [as_lines, as_rows, as_bundle])
def test_the_mark_goes_when_a_later_import_goes_on_with_what_was_rejected(write: Written) -> None:
    imported(write(KNOWN))
    imported(write(["ok", "hi", "new"]))
    assert marks() == 1
    imported(write([*KNOWN, "new"] if write is not as_bundle else [*KNOWN[:2], "new"]))
    assert marks() == (write is as_bundle)


def test_pieces_of_a_talk_are_marked_until_one_line_holds_them_all() -> None:
    pieces = [["ok"], ["ok"], ["no"]]
    imported(as_lines(*pieces))
    assert (text(), marks()) == (["ok"], 2)
    whole = lines({"thread_id": "t", "messages": [{"role": "user", "content": piece[0]} for piece in pieces]})
    imported(whole)
    assert (text(), marks()) == (["ok", "ok", "no"], 0)


def test_transcripts_as_lines_and_as_rows_are_one_talk() -> None:
    imported(as_lines(KNOWN[:2]))
    assert imported(as_rows(KNOWN)).reject_count == 0
    assert imported(as_lines(["ok", "hi", "new"])).reject_count == 1
    assert (text(), marks()) == (KNOWN, 1)
    assert imported(as_lines([*KNOWN, "new"])).reject_count == 0
    assert text() == [*KNOWN, "new"]


def test_rows_of_one_id_that_say_two_things_in_one_file_are_a_conflict_as_in_any_archive() -> None:
    data = b"thread_id,role,content,message_id\nt,user,a,m1\nt,user,b,m1\nt,user,c,m2\n"
    assert imported(data).counts["conflicts"] == 1
    assert text() == ["a", "c"]


def _said(talk: Sequence[str], content: Callable[[str], object] = str) -> list[dict[str, object]]:
    return [{"role": ROLES[place % 2], "content": content(text)} for place, text in enumerate(talk)]


def _api_part(text: str) -> object:
    return [{"type": "text", "text": {"value": text, "annotations": []}}]


def _flat_part(text: str) -> object:
    return [{"type": "text", "text": text}]


def as_bare_bundle(talk: Sequence[str], content: Callable[[str], object] = str) -> bytes:
    return lines({"thread": {"id": "t", "object": "thread"}, "messages": _said(talk, content)})


def as_shaped_bundle(talk: Sequence[str]) -> bytes:
    return as_bare_bundle(talk, _api_part)


def as_flat_lines(talk: Sequence[str]) -> bytes:
    return lines({"thread_id": "t", "messages": _said(talk, _flat_part)})


ALIKE = [as_lines, as_rows, as_bare_bundle, as_shaped_bundle, as_flat_lines]
PAIRS = [
    pair
    for one, other in zip(ALIKE, [*ALIKE[1:], ALIKE[0]], strict=True)
    for pair in ((one, other), (other, one))
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_one_talk_written_in_two_ways_is_known_again(first: Written, second: Written) -> None:
    talk = ["ok", "hi", "ok", "hi"]
    for data, count in ((first(talk[:3]), 3), (second(talk), 4), (first(talk), 4), (second(talk[:2]), 4)):
        assert imported(data).reject_count == 0
        assert text() == talk[:count]
    assert (
        not {"object_rejected", "object_conflict", "transcript_contradicts"}
        & the_thread("t").finding_counts.keys()
    )


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_another_talk_is_rejected_however_it_is_written(first: Written, second: Written) -> None:
    imported(first(["ok", "hi"]))
    assert imported(second(["ok", "EDITED"])).reject_count == 1
    assert text() == ["ok", "hi"]

"""CSV files: rows with their raw text."""

import io

import pytest

from migration_app.archive.ids import MessageIds
from migration_app.archive.reader import Reject
from migration_app.archive.rows import (
    THREAD_ID_ALIASES,
    THREAD_ID_COLUMNS,
    Row,
    Table,
    read_rows,
    row_message,
)
from migration_app.archive.streams import ArchiveUnreadableError

HEADER = b"thread_id,role,content\n"


def rows(data: bytes) -> list[Row]:
    return [row for row in read_rows(io.BytesIO(data)) if isinstance(row, Row)]


def rejects(data: bytes) -> list[Reject]:
    return [row for row in read_rows(io.BytesIO(data)) if isinstance(row, Reject)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_told_from_the_header(delimiter: str) -> None:
    data = "thread_id,role,content\nt-1,user,hello\n".replace(",", delimiter).encode()
    assert rows(data)[0].cells == {"thread_id": "t-1", "role": "user", "content": "hello"}


def test_a_cell_over_several_lines_keeps_its_raw_text() -> None:
    (row, other) = rows(HEADER + b't-1,user,"a ""b""\nc, d"\nt-2,user,e\n')
    assert row.cells["content"] == 'a "b"\nc, d'
    assert row.raw == b't-1,user,"a ""b""\nc, d"\n'
    assert (row.line_number, other.line_number) == (2, 4)


def test_byte_order_mark_crlf_and_column_names_in_any_case_are_read() -> None:
    assert rows(b"\xef\xbb\xbfThread ID;Role;Content\r\nt-1;user;x\r\n")[0].cells == {
        "thread_id": "t-1",
        "role": "user",
        "content": "x",
    }


def test_blank_rows_are_passed_over() -> None:
    assert len(rows(HEADER + b"\n,,\nt-1,user,x\n")) == 1


def test_a_row_that_is_no_utf8_is_rejected_alone() -> None:
    data = HEADER + b"t-1,user,\xff\nt-2,user,x\n"
    assert [(reject.line_number, reject.reason) for reject in rejects(data)] == [(2, "Not valid UTF-8.")]
    assert [row.cells["thread_id"] for row in rows(data)] == ["t-2"]


def test_a_row_with_too_many_cells_is_rejected() -> None:
    (reject,) = rejects(HEADER + b"t-1,user,hello, world\n")
    assert "4 cells under 3 columns" in reject.reason


def test_a_file_without_header_is_refused() -> None:
    with pytest.raises(ArchiveUnreadableError, match="header with the columns thread_id, role, content"):
        rows(b"t-1,user,hello\n")


def test_ids_may_stand_one_a_line_without_header() -> None:
    found = list(
        read_rows(
            io.BytesIO(b"thread_1\nthread_2\n"),
            known_columns=THREAD_ID_COLUMNS,
            aliases=THREAD_ID_ALIASES,
            single_column="thread_id",
        )
    )
    assert isinstance(found[0], Table)
    assert [(row.line_number, row.cells["thread_id"]) for row in found if isinstance(row, Row)] == [
        (1, "thread_1"),
        (2, "thread_2"),
    ]


def test_a_row_becomes_a_thread_and_a_message() -> None:
    cells = {
        "thread_id": "t-1",
        "role": "user",
        "content": "x",
        "created_at": "1702014088",
        "message_id": "m-1",
    }
    taken = row_message(cells, MessageIds())
    assert not isinstance(taken, str)
    thread, message = taken
    assert thread["id"] == "t-1"
    assert (message["id"], message["created_at"]) == ("m-1", "1702014088")


def test_rows_without_ids_are_told_apart_by_their_number() -> None:
    ids = MessageIds()
    cells = {"thread_id": "t-1", "role": "user", "content": "ok"}
    first, second = row_message(cells, ids), row_message(cells, ids)
    assert not isinstance(first, str)
    assert not isinstance(second, str)
    assert first[1]["id"] != second[1]["id"]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [({"role": "user", "content": "x"}, "thread_id is missing"), ({"thread_id": "t"}, 'no "role"')],
)
def test_a_row_that_says_too_little_is_refused(cells: dict[str, str], reason: str) -> None:
    taken = row_message(cells, MessageIds())
    assert isinstance(taken, str)
    assert reason in taken

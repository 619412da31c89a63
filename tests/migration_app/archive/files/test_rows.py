"""CSV files: rows with their raw text."""

import codecs
import csv
import gzip
import io
from collections.abc import Iterator

import pytest

from migration_app.archive.files import rows as rows_module
from migration_app.archive.files.reader import Reject
from migration_app.archive.files.rows import (
    THREAD_ID_ALIASES,
    THREAD_ID_COLUMNS,
    Row,
    Table,
    read_rows,
    row_message,
)
from migration_app.archive.files.streams import ArchiveUnreadableError
from migration_app.archive.ids import MessageIds

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
    assert [(reject.line_number, reject.reason) for reject in rejects(data)] == [
        (2, "Not valid UTF-8: save the file as UTF-8.")
    ]
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


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_line_feed_in_quotation_marks_at_the_end_of_the_file_belongs_to_its_cell(end: str) -> None:
    (row,) = rows(HEADER + b't-1,user,"a\n"' + end.encode())
    assert row.cells["content"] == "a\n"
    assert rejects(HEADER + b't-1,user,"a\n"' + end.encode()) == []


def test_a_quotation_mark_that_is_never_closed_swallows_no_rows_in_silence() -> None:
    data = HEADER + b't-1,user,a\nt-2,user,"b\nt-3,user,c\nt-4,user,d'
    assert [row.cells["thread_id"] for row in rows(data)] == ["t-1"]
    found = rejects(data)
    assert [(reject.line_number, reject.raw) for reject in found] == [
        (3, b't-2,user,"b\n'),
        (4, b"t-3,user,c\n"),
        (5, b"t-4,user,d"),
    ]
    assert "none closes it up to the end of the file" in found[0].reason
    assert "belongs to the record that begins in line 3" in found[1].reason


@pytest.fixture
def cells_of_twenty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = csv.field_size_limit()
    monkeypatch.setattr(rows_module, "MAX_CELL_CHARACTERS", 20)
    yield
    csv.field_size_limit(before)


@pytest.mark.usefixtures("cells_of_twenty")
def test_a_cell_over_the_limit_is_rejected_line_by_line_and_the_next_row_read() -> None:
    data = HEADER + b't-1,user,"' + b"0123456789\n" * 2 + b't-2,user,"b"\nt-3,user,c\n'
    found = rejects(data)
    assert [reject.line_number for reject in found] == [2, 3]
    assert "longer than 20 characters" in found[0].reason
    assert [row.cells["thread_id"] for row in rows(data)] == ["t-2", "t-3"]


def test_a_line_over_the_limit_is_rejected_and_the_next_row_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MAX_LINE_BYTES", 40)
    data = HEADER + b"t-1,user," + b"x" * 50 + b"\nt-2,user,c\n"
    (reject,) = rejects(data)
    assert (reject.line_number, len(reject.raw)) == (2, 40)
    assert "longer than 40 bytes" in reject.reason
    assert [row.cells["thread_id"] for row in rows(data)] == ["t-2"]


def test_a_bare_carriage_return_in_a_cell_rejects_its_row_alone() -> None:
    data = HEADER + b"t-1,user,a\rb\nt-2,user,c\n"
    (reject,) = rejects(data)
    assert reject.line_number == 2
    assert reject.reason.endswith("a cell that holds line ends needs quotation marks.")
    assert [row.cells["thread_id"] for row in rows(data)] == ["t-2"]


def test_lines_that_end_with_bare_carriage_returns_are_refused_with_advice() -> None:
    with pytest.raises(ArchiveUnreadableError, match="save the file with line feeds"):
        rows(HEADER.replace(b"\n", b"\r") + b"t-1,user,a\r")


def test_utf16_rows_are_read() -> None:
    data = "thread_id,role,content\r\nt-1,user,héllo 🐟\r\n".encode("utf-16")
    assert rows(data)[0].cells["content"] == "héllo 🐟"


def test_a_damaged_gzip_file_is_a_reject_not_an_empty_file() -> None:
    (reject,) = rejects(b"\x1f\x8b and no more of gzip than that")
    assert "gzip file is damaged" in reject.reason


def test_rows_of_a_gzip_file_that_was_cut_off_are_read_and_the_rest_is_a_reject() -> None:
    data = gzip.compress(HEADER + b"".join(b"t-%d,user,x\n" % number for number in range(9999)), mtime=0)[
        :-500
    ]
    assert rows(data)[0].cells["thread_id"] == "t-0"
    assert "cut off" in rejects(data)[-1].reason


def test_a_row_of_too_many_cells_is_rejected_and_the_next_row_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MAX_CELLS", 100)
    data = HEADER + b"t-1,user,a" + b"," * 200 + b"\nt-2,user,c\n" * 60
    (reject,) = rejects(data)
    assert (reject.line_number, "more than 100 cells" in reject.reason) == (2, True)
    assert len(rows(data)) == 60


def test_a_row_that_goes_on_over_line_after_line_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MAX_RECORD_BYTES", 1000)
    data = HEADER + b't-1,user,"' + b'0123456789\n","' * 200 + b'"\nt-2,user,c\n'
    assert "longer than 1,000 bytes" in rejects(data)[0].reason


def test_the_first_reject_of_an_open_quotation_mark_says_how_far_it_reaches() -> None:
    first, *_others = rejects(HEADER + b't-1,user,a\nt-2,user,"b\nt-3,user,c\nt-4,user,d')
    assert first.line_number == 3
    assert "this line and the 2 after it, all to the end, were not read" in first.reason


def test_rows_that_an_open_quotation_mark_swallows_name_their_threads() -> None:
    data = HEADER + b't-2,user,"b\nt-3,assistant,c\nWell, yes, indeed\nt-5,user,d'
    assert [reject.thread_id for reject in rejects(data)] == ["t-2", "t-3", "", "t-5"]


def test_another_file_behind_the_end_of_one_is_read() -> None:
    data = (HEADER + b"t-1,user,a\n" + codecs.BOM_UTF8 + HEADER + b"t-2,user,b\n").removesuffix(b"\n")
    assert [row.cells["thread_id"] for row in rows(data)] == ["t-1", "t-2"]
    data = HEADER + b"t-1,user,a\n" + codecs.BOM_UTF8 + b'"t-2",user,b\n'
    assert [row.cells["thread_id"] for row in rows(data)] == ["t-1", "t-2"]
    assert not rejects(data)


def test_a_mark_of_byte_order_that_somebody_wrote_stays() -> None:
    (row,) = rows(HEADER + 'o-1,user,"a\n\ufeffb"\n'.encode())
    assert row.cells["content"] == "a\n\ufeffb"


def test_another_header_in_the_middle_ends_the_reading() -> None:
    with pytest.raises(ArchiveUnreadableError, match="Line 3 has another header with other columns"):
        rows(HEADER + b"t-1,user,a\ncontent,thread_id,role\nb,t-2,user\n")


@pytest.mark.parametrize("header", [b"thread_id,role,content,content\n", b"thread_id,role,text,message\n"])
def test_a_column_that_stands_there_twice_is_refused(header: bytes) -> None:
    with pytest.raises(ArchiveUnreadableError, match="names content more than once"):
        rows(header + b"t-1,user,a,b\n")


def test_a_row_that_swallows_others_up_to_their_quotation_mark_is_rejected() -> None:
    data = HEADER + b't-2,user,"b\nt-3,assistant,c\nt-5,user,"d"\nt-6,user,e\n'
    assert [(one.line_number, one.thread_id) for one in rejects(data)] == [(2, "t-2"), (3, "t-3"), (4, "t-5")]
    assert [row.cells["thread_id"] for row in rows(data)] == ["t-6"]

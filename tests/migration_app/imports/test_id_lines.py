"""Lists of thread ids by the block: the same is accepted, and the same refused, as line by line."""

from __future__ import annotations

import csv
import io

import pytest

from migration_app.archive.files.reader import Reject
from migration_app.imports import id_lines
from migration_app.imports.id_lines import Accepted, Layout, read_id_lines

HEADER = b"thread_id,user_ref,assistant_id\n"


def taken(data: bytes) -> tuple[Layout, list[list[str]], list[Reject]]:
    """Layout, accepted rows as COPY would read them, rejects."""
    layout, lines = read_id_lines(io.BytesIO(data))
    found = list(lines)
    text = b"".join(line.text for line in found if isinstance(line, Accepted)).decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=layout.delimiter))
    assert len(rows) == sum(line.lines for line in found if isinstance(line, Accepted))
    assert "\r" not in text
    return layout, rows, [line for line in found if isinstance(line, Reject)]


def test_plain_lines_go_on_as_the_bytes_they_are() -> None:
    body = b"".join(b'thread_%d,"customer %d, Ltd",asst_1\n' % (number, number) for number in range(1000))
    _layout, lines = read_id_lines(io.BytesIO(HEADER + body))
    (accepted,) = lines
    assert accepted == Accepted(1000, body)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("delimiter", [b",", b";", b"\t"])
def test_every_delimiter_and_line_end_is_plain(delimiter: bytes, end: bytes) -> None:
    data = end.join(
        delimiter.join(cells) for cells in ((b"assistant_id", b"thread_id"), (b"a", b"t1"), (b"", b"t2"))
    )
    layout, rows, rejects = taken(data + end)
    assert layout == Layout(("assistant_id", "thread_id"), delimiter.decode())
    assert (rows, rejects) == ([["a", "t1"], ["", "t2"]], [])


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b'"thread_1","a ""quoted"" name",\n', ["thread_1", 'a "quoted" name', ""]),
        (b'thread_1,"over\ntwo lines",\n', ["thread_1", "over\ntwo lines", ""]),
        ("thread_1,Zoë,\n".encode(), ["thread_1", "Zoë", ""]),
        (b" thread_1 , u 1 , asst_1 \n", ["thread_1", "u 1", "asst_1"]),
        (b"thread_1\n", ["thread_1", "", ""]),
        (b"thread\\1,C:\\Users,\n", ["thread\\1", "C:\\Users", ""]),
        (b"\\.,u,\n", ["\\.", "u", ""]),
        (b"thread_1,,asst_1", ["thread_1", "", "asst_1"]),
        (b"\n \n,,\nthread_1,,\n", ["thread_1", "", ""]),
        (b"t" * 255 + b",,\n", ["t" * 255, "", ""]),
    ],
)
def test_a_line_that_is_not_plain_is_read_as_csv_between_plain_ones(line: bytes, row: list[str]) -> None:
    before = b"".join(b"before_%d,,\n" % number for number in range(50))
    end = b"" if line.endswith(b"\n") else b"\n"
    after = b"".join(b"after_%d,,\n" % number for number in range(50))
    _layout, rows, rejects = taken(HEADER + before + line + end + after)
    assert rows[50] == row
    assert [cells[0] for cells in rows] == [
        *(f"before_{number}" for number in range(50)),
        row[0],
        *(f"after_{number}" for number in range(50)),
    ]
    assert rejects == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"thread 1,,", "white space"),
        (b"t" * 256 + b",,", "longer than 255"),
        (b'"' + b"t" * 256 + b'",,', "longer than 255"),
        (b",u,", "is missing"),
        (b"t,,a\x01b", "The assistant id holds control characters"),
        (b"t,,," + b"x", "4 cells under 3 columns"),
        (b"t\xff,,", "UTF-8"),
    ],
)
def test_a_reject_has_its_line_number_however_many_plain_lines_stand_before_it(
    line: bytes, reason: str
) -> None:
    # Far more than one block holds, so that a block ends within a line as well.
    plain = b"".join(b"thread_%040d,user-%d,asst_1\n" % (number, number) for number in range(20_000))
    _layout, rows, rejects = taken(HEADER + plain + line + b"\n" + plain + line + b"\n")
    assert len(rows) == 40_000
    assert [reject.line_number for reject in rejects] == [20_002, 40_003]
    assert all(reason in reject.reason for reject in rejects)


def test_blocks_hand_over_to_single_lines_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_lines, "_AFTER_OTHER", 2)
    body = b"".join(b'"t""%d",,\n' % n if n % 5 == 0 else b"t%d,,\n" % n for n in range(100))
    _layout, rows, rejects = taken(HEADER + body)
    assert [row[0] for row in rows] == [f't"{n}' if n % 5 == 0 else f"t{n}" for n in range(100)]
    assert rejects == []


def test_other_columns_are_left_out() -> None:
    layout, rows, _rejects = taken(b"name,thread_id\nAda,thread_1\n")
    assert layout == Layout(("thread_id", "user_ref", "assistant_id"), ",", unread={"name"})
    assert rows == [["thread_1", "", ""]]


def test_an_empty_file_gives_nothing() -> None:
    assert taken(b"")[1:] == ([], [])

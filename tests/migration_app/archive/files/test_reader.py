"""Documents out of every shape of file that people dump API objects to."""

import gzip
import io
import json
from typing import Any

import pytest

from migration_app.archive.files import streams
from migration_app.archive.files.reader import (
    MAX_DOCUMENT_BYTES,
    Document,
    DocumentTooLargeError,
    Reject,
    decode_document,
    read_documents,
)

VALUES: list[Any] = [
    {
        "n": number,
        "text": 'x\\"]}[{,' * (number % 7),
        "list": [1, {"deep": "\\"}],
        "emoji": "🐟",
        "half": "\ud83d",
    }
    for number in range(40)
]


def read(data: bytes, max_document_bytes: int = MAX_DOCUMENT_BYTES) -> list[Document | Reject]:
    return list(read_documents(io.BytesIO(data), max_document_bytes=max_document_bytes))


def values(data: bytes) -> list[Any]:
    return [document.value if isinstance(document, Document) else document for document in read(data)]


def rejects(data: bytes, **limits: int) -> list[tuple[int, str]]:
    return [(found.line_number, found.reason) for found in read(data, **limits) if isinstance(found, Reject)]


SHAPES = {
    "lines": "\n".join(json.dumps(value) for value in VALUES),
    "lines with CRLF and blank ones": "\r\n\r\n".join(json.dumps(value) for value in VALUES) + "\r\n",
    "array in one line": json.dumps(VALUES),
    "array over many lines": json.dumps(VALUES, indent=2),
    "arrays by line": "\n".join(json.dumps(VALUES[at : at + 10]) for at in range(0, 40, 10)),
    "pretty-printed objects": "\n".join(json.dumps(value, indent=4) for value in VALUES),
    "pretty-printed without indent": "\n".join(json.dumps(value, indent=0) for value in VALUES),
    "objects in one line": " ".join(json.dumps(value) for value in VALUES),
    "lines that end with commas": ",\n".join(json.dumps(value) for value in VALUES),
    "JSON in strings": "\n".join(json.dumps(json.dumps(value)) for value in VALUES),
    "event stream": "".join(f"event: thread.message\ndata: {json.dumps(value)}\n\n" for value in VALUES)
    + "event: done\ndata: [DONE]\n",
    "text sequence": "".join(f"\x1e{json.dumps(value)}\n" for value in VALUES),
}


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 18])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_document_is_found_in_any_shape(
    shape: str, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "CHUNK_BYTES", chunk_bytes)
    assert values(SHAPES[shape].encode()) == VALUES


def test_an_array_element_keeps_its_bytes() -> None:
    documents = read(b'[ {"b":1,  "a" : "\\u00e9"} ,\n{"c": 2}]')
    assert [document.raw for document in documents] == [b'{"b":1,  "a" : "\\u00e9"}', b'{"c": 2}']


def test_array_elements_know_their_lines() -> None:
    assert [found.line_number for found in read(b'[\n{"a": 1},\n\n{"a": 2},\n{"a":\n3},{"a": 4}\n]')] == [
        2,
        4,
        5,
        6,
    ]


def test_lines_behind_an_array_are_read_too() -> None:
    assert values(b'[{"a": 1}]\n{"a": 2}\n[{"a": 3}]') == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_an_empty_file_holds_nothing() -> None:
    assert read(b" \n\n") == []


def test_an_array_that_never_closes_gives_what_it_had() -> None:
    found = read(b'[{"a": 1},\n{"a": 2},\n{"a": ')
    assert [document.value for document in found if isinstance(document, Document)] == [{"a": 1}, {"a": 2}]
    assert isinstance(found[-1], Reject)
    assert "not closed" in found[-1].reason
    assert found[-1].line_number == 3


def test_a_line_cut_off_inside_a_string_costs_only_itself() -> None:
    found = read(b'{"a": 1}\n{"a": "cut of\n{"a": 3}\n')
    assert [document.value for document in found if isinstance(document, Document)] == [{"a": 1}, {"a": 3}]
    assert [reject.line_number for reject in found if isinstance(reject, Reject)] == [2]


def test_a_line_cut_off_between_brackets_costs_only_itself() -> None:
    found = read(b'{"a": [{"b": 1},\n{"a": 3}\n{"a": 4}\n')
    assert [document.value for document in found if isinstance(document, Document)] == [{"a": 3}, {"a": 4}]
    assert rejects(b'{"a": [{"b": 1},\n{"a": 3}\n') == [
        (1, "The object is not closed: another one begins in line 2.")
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": "\xff"}', "Not valid UTF-8 at byte 8 of the line."),
        (b'// {"a": 1}', "comment"),
        (b'# {"a": 1}', "comment"),
        (b"{'a': None}", "Python print-out"),
        (b"Message(id='msg_1', content=[])", "printed Python object"),
        (b"42", "JSON number"),
        (b"null", "JSON null"),
        (b"true", "JSON boolean"),
        (b'"text"', "JSON string"),
        (b'{"a": 1} trailing', "continues after its JSON"),
        (b'{"a" 1}', "Not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Not readable JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    ],
)
def test_an_unreadable_line_is_rejected_with_its_number_and_reason(line: bytes, reason: str) -> None:
    found = rejects(b'{"ok": 1}\n' + line + b'\n{"ok": 2}\n')
    assert [number for number, _reason in found] == [2]
    assert reason in found[0][1]


def test_a_line_over_the_limit_is_rejected_and_the_next_one_read() -> None:
    data = b'{"a": "' + b"x" * 500 + b'"}\n{"a": 2}\n'
    ((number, reason),) = rejects(data, max_document_bytes=100)
    assert number == 1
    assert "The line is longer than 100 bytes: write it as several" in reason
    assert isinstance(read(data, max_document_bytes=100)[-1], Document)


def test_an_element_over_the_limit_is_rejected_and_the_next_one_read() -> None:
    data = b'[{"a": "' + b"x" * 500 + b'"},{"a": 2}]'
    found = read(data, max_document_bytes=100)
    assert isinstance(found[0], Reject)
    assert "longer than 100 bytes" in found[0].reason
    assert isinstance(found[1], Document)


def test_a_gzip_file_that_was_cut_off_ends_with_a_reject() -> None:
    text = b"".join(b'{"line": %d}\n' % number for number in range(20_000))
    found = read(gzip.compress(text, mtime=0)[:-1000])
    assert isinstance(found[0], Document)
    assert isinstance(found[-1], Reject)
    assert "cut off" in found[-1].reason


def test_what_a_reject_keeps_of_a_long_line_is_bounded() -> None:
    found = read(b"{" + b"x" * 200_000 + b"\n")
    assert isinstance(found[0], Reject)
    assert len(found[0].raw) == 65_536


def test_infinity_and_nan_are_tolerated() -> None:
    assert decode_document(b'{"a": Infinity}') == {"a": float("inf")}


def test_an_array_counts_as_a_list_page() -> None:
    assert decode_document(b'[{"a": 1}]') == {"object": "list", "data": [{"a": 1}]}


def test_a_line_that_opens_a_bracket_too_much_costs_only_itself() -> None:
    found = read(b'{"a": 1}\n[{"a": 2},\n{"a": 3}\n')
    assert [document.value for document in found if isinstance(document, Document)] == [{"a": 1}, {"a": 3}]
    assert [reject.line_number for reject in found if isinstance(reject, Reject)] == [2]


def test_a_line_of_an_object_may_hold_several_whole_ones() -> None:
    assert values(b'{"a": [\n{"b": 1}, {"c": 2}\n]}\n') == [{"a": [{"b": 1}, {"c": 2}]}]


@pytest.mark.parametrize("data", [b'[{"a": 1}],\n[{"a": 2}]\n', b'[{"a": 1},]\n[,{"a": 2}]'])
def test_a_comma_too_much_costs_nothing(data: bytes) -> None:
    assert values(data) == [{"a": 1}, {"a": 2}]


def test_an_element_over_the_limit_takes_no_more_memory_than_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "CHUNK_BYTES", 50_000)
    found = read(b'[{"a": "' + b"x" * 1_000_000 + b'"},{"a": 2}]', max_document_bytes=100_000)
    assert isinstance(found[0], Reject)
    assert len(found[0].raw) == 65_536
    assert isinstance(found[1], Document)


@pytest.mark.parametrize(
    "bomb",
    [
        b'{"data": [' + b"{}," * 400 + b"{}]}",
        b'{"data": [' + b"[]," * 400 + b"[]]}",
        b'{"a": [' + b"1," * 400 + b"1]}",
        json.dumps(json.dumps({"data": [{}] * 400})).encode(),
        b'{"data":\n[' + b"{},\n" * 400 + b"{}]}",
    ],
    ids=["objects", "lists", "numbers", "in a string", "over lines"],
)
def test_a_document_of_too_many_values_is_rejected_before_it_is_decoded(bomb: bytes) -> None:
    found = read(bomb + b'\n{"a": 1}\n', max_document_bytes=3200)
    assert isinstance(found[0], Reject)
    assert found[0].reason.startswith("It holds more than 100 values")
    assert found[-1] == Document(bomb.count(b"\n") + 2, b'{"a": 1}', {"a": 1})


def test_marks_inside_strings_are_no_values() -> None:
    line = json.dumps({"text": '{"a": [1, 2, 3]}, ' * 100}).encode()
    assert isinstance(read(line, max_document_bytes=3200)[0], Document)


@pytest.mark.parametrize("nest", [b"[" * 500_000, b'{"a":' * 500_000, b'{"a":' + b"[" * 500_000])
def test_a_nest_is_rejected_and_what_follows_is_read(nest: bytes) -> None:
    found = read(b'{"a": 1}\n' + nest + b"\n")
    assert found[0] == Document(1, b'{"a": 1}', {"a": 1})
    assert all(isinstance(each, Reject) for each in found[1:])
    assert found[1:]


def test_what_was_taken_once_is_decoded_without_a_limit() -> None:
    raw = json.dumps({"data": [{}] * 400}).encode()
    assert len(decode_document(raw)["data"]) == 400
    with pytest.raises(DocumentTooLargeError):
        decode_document(raw, max_bytes=3200)


@pytest.mark.parametrize("size", [1, 2, 5, 1 << 18])
def test_files_put_together_with_their_marks_of_byte_order_are_read(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "CHUNK_BYTES", size)
    mark = b"\xef\xbb\xbf"
    parts = [
        b'{"a":1}\n',
        b'{"a":2}\n',
        b'{\n "a": 3\n}\n',
        b'[{"a":4}]',
        b'[{"a":5}]\n',
        b'{"a":"\xef\xbb\xbf"}\n',
    ]
    found = list(read_documents(io.BytesIO(mark + mark.join(parts))))
    assert [found.value for found in found if isinstance(found, Document)] == [
        *({"a": number} for number in (1, 2, 3, 4, 5)),
        {"a": "\ufeff"},
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id":"m1","content":"a","content":"b"}',
        b'{"id":"m1","metadata":{"a":"1","a":"2"}}',
        b'[{"id":"m1","content":"a","content":"b"}]',
        b'{\n"id":"m1",\n"content":"a","content":"b"\n}',
        b'"{\\"a\\":1,\\"a\\":2}"',
        b'{"id":"m1"} {"id":"m2","content":"a","content":"b"}',
    ],
)
def test_a_name_that_stands_twice_in_one_object_and_says_two_things_is_rejected(raw: bytes) -> None:
    *_read, found = read_documents(io.BytesIO(raw))
    assert isinstance(found, Reject)
    assert "occurs twice in one object" in found.reason


def test_a_name_that_stands_twice_and_says_the_same_loses_nothing() -> None:
    (found,) = read_documents(io.BytesIO(b'{"id":"m1","id":"m1"}'))
    assert isinstance(found, Document)

"""What orjson reads is what the standard library reads, to the last digit and name; the rest is left to that."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migration_app.archive.json_text import document_read, json_read
from migration_app.contracts import compact_json, compact_json_read
from migration_app.gateways.answers import decoded
from migration_app.gateways.errors import GatewayError
from migration_app.json_codec import json_decode, json_encode, json_string

SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


def never(value: object) -> Any:
    raise AssertionError(f"the standard library was asked about {value!r}")


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    VALUES,
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]),
    st.none() | st.just(2),
)
def test_every_value_is_read_as_the_standard_library_reads_it(
    value: object, is_ascii: bool, separators: tuple[str, str], indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii, separators=separators, indent=indent)
    raw = text.encode(errors="surrogatepass")
    assert repr(json_decode(raw)) == repr(json.loads(raw))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_are_read_as_the_standard_library_reads_them(encoding: str) -> None:
    value = {"id": "conv_1", "text": "größer 😀"}
    raw = json.dumps(value, ensure_ascii=False).encode(encoding)
    assert json_decode(raw) == decoded(raw, request_id="") == value


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-0",
        "-0.0",
        "[-0]",
        "1e5",
        "[1E400]",
        "[-1e400]",
        "[1e-400]",
        "[5e-324]",
        "18446744073709551616",
        "[18446744073709551615, 18446744073709551616, -9223372036854775809]",
        '{"a":123456789012345678901234567890}',
        '{"a" : -99999999999999999999}',
        "[NaN, Infinity, -Infinity]",
        r'"\ud800"',
        r'{"a\udfff": "\ud83d\ude00"}',
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1}, "a": {"b": 1}}',
        r'{"a": 1, "\u0061": 2, "c": "\u003a"}',
        r'{"a": 1, "a": "::", "c": "\u003A\u003A\u003A"}',
        '{"": 1, "": 2, ":": 3}',
        "[" * 300 + "]" * 300,
    ],
)
def test_what_orjson_reads_otherwise_is_left_to_the_standard_library(text: str) -> None:
    assert repr(json_decode(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id":"conv_1","n":18446744073709551615}',
        b'{\n  "id": "conv_1",\n  "data": []\n}',
        b'{"id": "conv_1", "text": "4111111111111111111111 \\u00e4 a:b"}',
    ],
)
def test_what_servers_write_is_read_without_the_standard_library(raw: bytes) -> None:
    assert json_decode(raw, never) == json.loads(raw)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'{"a": 1,}', b"nul", b'"\x01"', b"\xef\xbb\xbf{}", b'"\xed\xa0\x80"', b'"\xff"', b"1 2"],
)
def test_what_is_no_json_is_refused_with_the_standard_librarys_reason(raw: bytes) -> None:
    def refusal(read: Callable[[], object]) -> str:
        with pytest.raises(ValueError, match=r".") as refused:
            read()
        return repr(refused.value)

    assert refusal(lambda: document_read(raw)) == refusal(lambda: json_read(raw.decode()))


@pytest.mark.parametrize("between", ["", ' "b": [{"c": ":"}],'])
def test_a_repeated_name_with_another_value_is_refused_wherever_it_is(between: str) -> None:
    raw = f'[{{"d": {{"a": 1,{between} "a": 2}}}}]'.encode()
    with pytest.raises(ValueError, match="'a' occurs twice"):
        document_read(raw)
    assert document_read(raw.replace(b"2", b"1"))[0]["d"]["a"] == 1


def test_numbers_that_are_none_stay_what_they_are() -> None:
    assert math.isnan(json_decode(b'{"a": NaN}')["a"])


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"id": "a", "id": "a"}', "one name twice"),
        (b'{"id": {"b": 1, "c": ":", "b": 1}}', "one name twice"),
        (b'{"id": "\\u003a", "a": 1, "a": 2}', "one name twice"),
        (b'{"id": 1, "\\u0069d": 1}', "one name twice"),
        (b'{"id": NaN}', "not JSON"),
        (b'{"id": "\xff"}', "not JSON"),
        (b'{"id": "\x00"}', "not JSON"),
        (b'{"id": ' + b"[" * 2_000 + b"]" * 2_000 + b"}", "nested too deeply"),
        (b"[]", "not a JSON object"),
        (b'"{}"', "not a JSON object"),
    ],
)
def test_an_answer_that_readers_read_differently_is_refused(raw: bytes, text: str) -> None:
    with pytest.raises(GatewayError, match=text):
        decoded(raw, request_id="")


def test_an_answer_holds_what_the_server_wrote() -> None:
    raw = b'{"id": 123456789012345678901234567890, "a": "\\ud800", "b": "\xed\xa0\x80", "c": 1E400, "d": 1.0}'
    value = decoded(raw, request_id="")
    assert repr(value) == repr(json.loads(raw))


def encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")


@settings(derandomize=True, deadline=None, max_examples=150)
@given(VALUES | st.tuples(SCALARS) | st.dictionaries(st.integers() | st.booleans(), SCALARS, max_size=3))
def test_every_value_is_written_as_the_standard_library_writes_it(value: object) -> None:
    assert json_encode(value, encoded) == compact_json(value) == encoded(value)
    assert repr(compact_json_read(compact_json(value))) == repr(json.loads(encoded(value)))


class _Name(enum.StrEnum):
    A = "a"


@pytest.mark.parametrize(
    "value",
    [
        '\x00\x1f\x7f\x80\u2028"\\/',
        {"a": _Name.A, _Name.A: 1},
        ["\ud800", {"\udfff": 1}],
        [2**64, -(2**63) - 1],
        [1e16, 1e-5, 0.1, -0.0, 5e-324, float("nan"), float("-inf")],
        {2: 2, None: 3, True: 4, 1.5: 5},
        (1, (2,)),
    ],
)
def test_what_orjson_writes_otherwise_is_written_by_the_standard_library(value: object) -> None:
    assert json_encode(value, encoded) == encoded(value)


@pytest.mark.parametrize(
    "value", [object(), {"a": {1, 2}}, {(1, 2): 3}, dt.datetime(2026, 11, 26, tzinfo=dt.UTC)]
)
def test_what_is_no_json_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        json_encode(value, encoded)


def test_deep_values_are_written_and_circles_refused() -> None:
    deep: list[object] = []
    for _ in range(400):
        deep = [deep]
    assert json_encode(deep, encoded) == encoded(deep)
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises((ValueError, RecursionError)):
        json_encode(circle, encoded)


def test_plain_values_are_written_without_the_standard_library() -> None:
    value = {"type": "message", "content": [{"text": "größer", "n": 1, "x": None, "y": True}]}
    assert json_encode(value, never) == encoded(value)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.text())
def test_a_string_in_ascii_is_the_standard_librarys(text: str) -> None:
    assert json_string(text) == json.dumps(text)


@pytest.mark.parametrize("text", ["\x7f", "\x00\x1f", "a\ud800", '/"\\', "😀", "\u2028"])
def test_each_awkward_string_in_ascii_is_the_standard_librarys(text: str) -> None:
    assert json_string(text) == json.dumps(text)

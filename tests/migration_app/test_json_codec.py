"""What orjson reads is what the standard library reads, to the last digit and name; the rest is left to that."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migration_app.archive.json_text import document_read
from migration_app.json_codec import json_decode

SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(VALUES, st.booleans(), st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]))
def test_every_value_is_read_as_the_standard_library_reads_it(
    value: object, is_ascii: bool, separators: tuple[str, str]
) -> None:
    raw = json.dumps(value, ensure_ascii=is_ascii, separators=separators).encode(errors="surrogatepass")
    try:
        wanted = repr(json.loads(raw.decode()))
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            json_decode(raw)
        return
    assert repr(json_decode(raw)) == wanted


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
    [b"", b"{", b'{"a": 1,}', b"nul", b'"\x01"', b"\xef\xbb\xbf{}", b'"\xed\xa0\x80"', b'"\xff"', b"1 2"],
)
def test_what_is_no_json_is_refused_with_the_standard_librarys_reason(raw: bytes) -> None:
    def refusal(read: Callable[[], object]) -> str:
        with pytest.raises(ValueError, match=r".") as refused:
            read()
        return repr(refused.value)

    assert refusal(lambda: json_decode(raw)) == refusal(lambda: json.loads(raw.decode()))


@pytest.mark.parametrize("between", ["", ' "b": [{"c": ":"}],'])
def test_a_repeated_name_with_another_value_is_refused_wherever_it_is(between: str) -> None:
    raw = f'[{{"d": {{"a": 1,{between} "a": 2}}}}]'.encode()
    with pytest.raises(ValueError, match="'a' occurs twice"):
        document_read(raw)
    assert document_read(raw.replace(b"2", b"1"))[0]["d"]["a"] == 1


def test_numbers_that_are_none_stay_what_they_are() -> None:
    assert math.isnan(json_decode(b'{"a": NaN}')["a"])
